"""One function per request about tiers and discounts of an event."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import msgspec

from ticketly_common.auth import Caller
from ticketly_common.clock import to_wire
from ticketly_common.problems import Problem, conflict, not_found
from ticketly_event_command.access import lock_own_event, own_event
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.faults import Faults, Reader, reader
from ticketly_event_command.money import major
from ticketly_event_command.offers.domain import (
    MOST_DISCOUNTS,
    MOST_TIERS,
    DiscountDraft,
    TierDraft,
    ids_by_text,
    read_color,
    read_discount,
    read_tier,
    refuse_expired,
)
from ticketly_event_command.ports import ConstraintViolatedError, Parts, Row, Transaction


def tier_to_json(row: Row) -> dict[str, Any]:
    """Return the wire form of a tier row."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "price": major(row["price_minor"]),
        "priceMinor": row["price_minor"],
        "currency": row["currency"],
        "color": row["color"],
        "eventId": str(row["event_id"]),
    }


def discount_to_json(row: Row) -> dict[str, Any]:
    """Return the wire form of a discount row with ``tier_ids`` and ``session_ids``.

    Usage is counted by the order service; this side shows 0.
    """
    active_from, expires_at = row["active_from"], row["expires_at"]
    return {
        "id": str(row["id"]),
        "code": row["code"],
        "parameters": msgspec.json.decode(row["parameters"]),
        "maxUsage": row["max_usage"],
        "maxUsagePerUser": row["max_usage_per_user"],
        "currentUsage": 0,
        "discountedTotal": 0,
        "active": row["is_active"],
        "public": row["is_public"],
        "activeFrom": None if active_from is None else to_wire(active_from),
        "expiresAt": None if expires_at is None else to_wire(expires_at),
        "applicableTierIds": [str(one) for one in row["tier_ids"]],
        "applicableSessionIds": [str(one) for one in row["session_ids"]],
    }


async def store_tier(tx: Transaction, event_id: UUID, tier_id: UUID, draft: TierDraft, currency: str) -> None:
    """Insert a tier; raises ConstraintViolatedError when the name is taken."""
    await tx.run("insert_tier", tier_id, event_id, draft.name, draft.color, draft.price_minor, currency)


async def store_discount(
    tx: Transaction, event_id: UUID, discount_id: UUID, draft: DiscountDraft, statement: str
) -> int:
    """Insert or replace a discount with its applicability; returns 0 when there was none to replace."""
    touched = await tx.run(
        statement,
        discount_id,
        event_id,
        draft.code,
        msgspec.json.encode(draft.parameters).decode(),
        draft.max_usage,
        draft.max_usage_per_user,
        draft.is_public,
        draft.is_active,
        draft.active_from,
        draft.expires_at,
    )
    if touched:
        tiers, sessions = list(draft.tier_ids), list(draft.session_ids)
        await tx.run("delete_other_discount_tiers", discount_id, tiers)
        await tx.run("insert_discount_tiers", discount_id, tiers)
        await tx.run("delete_other_discount_sessions", discount_id, sessions)
        await tx.run("insert_discount_sessions", discount_id, sessions)
    return touched


async def _tier(tx: Transaction, event_id: UUID, tier_id: UUID, status: int = 200) -> Answer:
    row = await tx.one("tier", event_id, tier_id)
    if row is None:
        raise not_found("tier")
    return Answer(status, tier_to_json(row))


def _name_taken() -> Problem:
    return conflict("name-taken", "The event already has a tier of this name.")


async def create_tier(tx: Transaction, caller: Caller, event_id: UUID, body: bytes) -> Answer:
    """Add a tier."""
    event = await lock_own_event(tx, event_id, caller)
    faults = Faults()
    draft = read_tier(reader(body, faults))
    faults.check()
    if len(await tx.many("tiers", event_id)) >= MOST_TIERS:
        raise conflict("limit-reached", f"An event has at most {MOST_TIERS} tiers.", limit=MOST_TIERS)
    tier_id = uuid4()
    try:
        await store_tier(tx, event_id, tier_id, draft, event["currency"])
    except ConstraintViolatedError:
        raise _name_taken() from None
    await tx.run("touch_event", event_id)
    return await _tier(tx, event_id, tier_id, 201)


async def update_tier(tx: Transaction, caller: Caller, event_id: UUID, tier_id: UUID, body: bytes) -> Answer:
    """Change what is given; a new price is for later orders only."""
    await lock_own_event(tx, event_id, caller)
    await _tier(tx, event_id, tier_id)
    faults = Faults()
    raw = reader(body, faults)
    name = raw.text("name", shortest=1, longest=100) if raw.has("name") else None
    color = read_color(raw) if raw.has("color") else None
    price = raw.maybe_money("price")
    faults.check()
    try:
        await tx.run("update_tier", event_id, tier_id, name, color, price)
    except ConstraintViolatedError:
        raise _name_taken() from None
    await tx.run("touch_event", event_id)
    return await _tier(tx, event_id, tier_id)


async def delete_tier(tx: Transaction, caller: Caller, event_id: UUID, tier_id: UUID) -> Answer:
    """Remove a tier that no seat refers to; 409 ``tier-in-use`` otherwise."""
    await lock_own_event(tx, event_id, caller)
    await _tier(tx, event_id, tier_id)
    if await tx.value("tier_in_use", tier_id):
        raise conflict("tier-in-use", "Seats of this event still belong to the tier.")
    await tx.run("deactivate_discounts_only_for_tier", tier_id)
    await tx.run("delete_tier", event_id, tier_id)
    await tx.run("touch_event", event_id)
    return NO_CONTENT


async def discounts_to_json(tx: Transaction, event_id: UUID, *, private: bool) -> list[dict[str, Any]]:
    """Return the wire forms of an event's discounts, private ones only when asked for."""
    return [discount_to_json(row) for row in await tx.many("discounts", event_id, None, private)]


async def list_discounts(tx: Transaction, caller: Caller, event_id: UUID, *, private: bool) -> Answer:
    """List an event's discounts."""
    await own_event(tx, event_id, caller)
    return Answer(body=await discounts_to_json(tx, event_id, private=private))


async def get_discount(tx: Transaction, caller: Caller, event_id: UUID, discount_id: UUID) -> Answer:
    """Return one discount."""
    await own_event(tx, event_id, caller)
    return await _discount(tx, event_id, discount_id)


async def _discount(tx: Transaction, event_id: UUID, discount_id: UUID, status: int = 200) -> Answer:
    row = await tx.one("discounts", event_id, discount_id, True)
    if row is None:
        raise not_found("discount")
    return Answer(status, discount_to_json(row))


async def _read_discount(tx: Transaction, event: Row, raw: Reader) -> DiscountDraft:
    return read_discount(
        raw,
        currency=event["currency"],
        tiers=ids_by_text([row["id"] for row in await tx.many("tiers", event["id"])]),
        sessions=ids_by_text([row["id"] for row in await tx.many("session_statuses", event["id"])]),
    )


def _code_taken(code: str) -> Problem:
    return conflict("discount-code-taken", f"The event already has a discount {code}.")


async def create_discount(tx: Transaction, parts: Parts, caller: Caller, event_id: UUID, body: bytes) -> Answer:
    """Add a discount."""
    event = await lock_own_event(tx, event_id, caller)
    faults = Faults()
    raw = reader(body, faults)
    draft = await _read_discount(tx, event, raw)
    refuse_expired(raw, draft, parts.now())
    faults.check()
    if len(await tx.many("discounts", event_id, None, True)) >= MOST_DISCOUNTS:
        raise conflict("limit-reached", f"An event has at most {MOST_DISCOUNTS} discounts.", limit=MOST_DISCOUNTS)
    discount_id = uuid4()
    try:
        await store_discount(tx, event_id, discount_id, draft, "insert_discount")
    except ConstraintViolatedError:
        raise _code_taken(draft.code) from None
    await tx.run("touch_event", event_id)
    return await _discount(tx, event_id, discount_id, 201)


async def update_discount(tx: Transaction, caller: Caller, event_id: UUID, discount_id: UUID, body: bytes) -> Answer:
    """Replace a discount; orders that are open keep what they were promised."""
    event = await lock_own_event(tx, event_id, caller)
    await _discount(tx, event_id, discount_id)
    faults = Faults()
    draft = await _read_discount(tx, event, reader(body, faults))
    faults.check()
    try:
        await store_discount(tx, event_id, discount_id, draft, "update_discount")
    except ConstraintViolatedError:
        raise _code_taken(draft.code) from None
    await tx.run("touch_event", event_id)
    return await _discount(tx, event_id, discount_id)


async def delete_discount(tx: Transaction, caller: Caller, event_id: UUID, discount_id: UUID) -> Answer:
    """Remove a discount."""
    await lock_own_event(tx, event_id, caller)
    if await tx.run("delete_discount", event_id, discount_id) == 0:
        raise not_found("discount")
    await tx.run("touch_event", event_id)
    return NO_CONTENT
