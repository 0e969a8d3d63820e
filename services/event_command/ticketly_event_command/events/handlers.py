"""One function per request about events, except approval (``approval.py``) and removal (``removal.py``)."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from ticketly_common.auth import Caller
from ticketly_common.paging import PageRequest, envelope
from ticketly_common.problems import Problem, conflict, invalid, not_found
from ticketly_event_command.access import lock_own_event, lock_own_organization, own_event, remember_tier
from ticketly_event_command.answers import Answer
from ticketly_event_command.events.domain import LONGEST_DESCRIPTION, LONGEST_OVERVIEW, EventDraft, read_title
from ticketly_event_command.events.views import detail_answer, event_answer, summary_to_json
from ticketly_event_command.faults import NIL, Faults, reader
from ticketly_event_command.images.handlers import Photo, store_cover_photo
from ticketly_event_command.limits import Limits
from ticketly_event_command.offers.handlers import store_discount, store_tier
from ticketly_event_command.organizations.handlers import like_pattern
from ticketly_event_command.ports import Parts, Transaction
from ticketly_event_command.sessions import stored

SORTABLE: Final = {
    "title": "lower(e.title)",
    "status": "e.status",
    "createdAt": "e.created_at",
    "updatedAt": "e.updated_at",
    "earliestSessionDate": "earliest_session",
    "organizationName": "lower(o.name)",
    "id": "e.id",
}


async def create(
    tx: Transaction, parts: Parts, caller: Caller, draft: EventDraft, faults: Faults, photos: list[Photo]
) -> Answer:
    """Store an event with everything in it, PENDING; all or nothing."""
    if draft.organization_id == NIL:
        faults.check()
    await lock_own_organization(tx, draft.organization_id, caller)
    if draft.category_id != NIL and await tx.one("category", draft.category_id) is None:
        faults.add("categoryId", "is no category")
    faults.check()
    _, limits = await remember_tier(tx, caller)
    await refuse_beyond_limit(tx, draft.organization_id, limits)
    event_id = uuid4()
    await tx.run(
        "insert_event",
        event_id,
        draft.organization_id,
        draft.title,
        draft.description,
        draft.overview,
        draft.category_id,
        parts.currency,
    )
    for tier_id, tier in draft.tiers.items():
        await store_tier(tx, event_id, tier_id, tier, parts.currency)
    for session_id, session in draft.sessions.items():
        await stored.store(tx, event_id, session_id, session, "SCHEDULED")
    for discount_id, discount in draft.discounts.items():
        await store_discount(tx, event_id, discount_id, discount, "insert_discount")
    for photo in photos:
        await store_cover_photo(tx, parts, event_id, photo)
    return await event_answer(tx, event_id, 201, id_map=draft.id_map())


async def refuse_beyond_limit(tx: Transaction, organization_id: UUID, limits: Limits) -> None:
    """Raise 409 when the organization has all the active events it may have; its row is locked by the caller."""
    most = limits.active_events_per_organization
    if await tx.value("count_active_events", organization_id) >= most:
        raise conflict("limit-reached", f"The plan allows {most} active events per organization.", limit=most)


async def get_own(tx: Transaction, parts: Parts, caller: Caller, event_id: UUID) -> Answer:
    """Return an event of the caller with everything in it."""
    return await detail_answer(tx, await own_event(tx, event_id, caller), parts.addresses)


async def get_any(tx: Transaction, parts: Parts, event_id: UUID) -> Answer:
    """Return an event with everything in it, whoever owns it (administrators)."""
    row = await tx.one("event", event_id)
    if row is None:
        raise not_found("event")
    return await detail_answer(tx, row, parts.addresses)


async def search(
    tx: Transaction,
    parts: Parts,
    request: PageRequest,
    organization_id: UUID | None,
    status: str | None,
    text: str | None,
) -> Answer:
    """Return a page of event summaries; the caller has checked who may see them."""
    rows, total = await tx.page("events", request, SORTABLE, organization_id, status, like_pattern(text))
    return Answer(body=envelope([summary_to_json(row, parts.addresses) for row in rows], total, request))


def status_filter(text: str | None, allowed: tuple[str, ...]) -> str | None:
    """Read an optional status parameter; raises 422 for an unknown one."""
    if not text:
        return None
    wanted = "CANCELLED" if text == "CANCELED" else text
    if wanted not in allowed:
        raise invalid({"status": f"must be one of {', '.join(allowed)}"})
    return wanted


async def update(tx: Transaction, caller: Caller, event_id: UUID, body: bytes, if_match: str | None) -> Answer:
    """Change what is given."""
    await lock_own_event(tx, event_id, caller, if_match)
    faults = Faults()
    raw = reader(body, faults)
    title = read_title(raw) if raw.has("title") else None
    description = raw.text("description", longest=LONGEST_DESCRIPTION) if raw.has("description") else None
    overview = raw.text("overview", longest=LONGEST_OVERVIEW) if raw.has("overview") else None
    category = raw.maybe_identifier("categoryId")
    if category not in (None, NIL) and await tx.one("category", category) is None:
        raw.fault("categoryId", "is no category")
    faults.check()
    await tx.run("update_event", event_id, title, description, overview, category)
    return await event_answer(tx, event_id)


async def resubmit(tx: Transaction, caller: Caller, event_id: UUID) -> Answer:
    """Hand a rejected event in again."""
    await lock_own_event(tx, event_id, caller)
    await remember_tier(tx, caller)
    if await tx.run("set_event_status", event_id, "REJECTED", "PENDING", None) == 0:
        raise not_possible("Only a rejected event can be handed in again.")
    return await event_answer(tx, event_id)


async def cancel(tx: Transaction, caller: Caller, event_id: UUID, body: bytes) -> Answer:
    """Cancel every open session of an approved event; the order service refunds what was sold."""
    event = await lock_own_event(tx, event_id, caller)
    faults = Faults()
    reason = reader(body, faults).text("reason", shortest=1, longest=1000)
    faults.check()
    if event["status"] != "APPROVED":
        raise not_possible("Only an approved event can be cancelled.")
    await tx.run("set_cancellation_reason", event_id, reason)
    await tx.run("cancel_open_sessions", event_id)
    await tx.run("complete_event_if_over", event_id)
    answer = await event_answer(tx, event_id)
    return Answer(202, answer.body, answer.version)


def not_possible(detail: str) -> Problem:
    """Return 409 ``transition-not-allowed``."""
    return conflict("transition-not-allowed", detail)
