"""One function per request about sessions. The event's row is locked before the session's, always."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from ticketly_common.auth import Caller
from ticketly_common.clock import to_wire
from ticketly_common.problems import conflict, forbidden, not_found
from ticketly_event_command.access import lock_own_event, lock_own_session, own_event, remember_tier, user_id
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.faults import Faults, Reader, reader
from ticketly_event_command.offers.domain import ids_by_text
from ticketly_event_command.ports import Parts, Row, Transaction
from ticketly_event_command.sessions import stored
from ticketly_event_command.sessions.domain import (
    STATUSES,
    TYPES,
    Times,
    read_sessions,
    read_times,
    read_venue,
    read_zone,
    refuse_transition,
    status_on_approval,
)
from ticketly_event_command.sessions.layout import Known, Layout, known_parts, read_layout


async def shown(tx: Transaction, session_id: UUID) -> Answer:
    """Return a session with its whole layout; the caller has checked who may see it."""
    row = await tx.one("session", session_id)
    if row is None:
        raise not_found("session")
    return Answer(body=await stored.to_json(tx, row), version=row["version"])


async def create(tx: Transaction, parts: Parts, caller: Caller, body: bytes) -> Answer:
    """Add sessions to an event; in an approved one they are scheduled at once."""
    faults = Faults()
    raw = await asyncio.to_thread(reader, body, faults)
    event_id = raw.identifier("eventId")
    faults.check()
    event = await lock_own_event(tx, event_id, caller)
    if event["status"] == "COMPLETED":
        raise conflict("transition-not-allowed", "The event is over.")
    known = Known(tiers=ids_by_text([row["id"] for row in await tx.many("tiers", event_id)]))
    now = parts.now()
    drafts = await asyncio.to_thread(read_sessions, raw, known, now=now, time_zone=parts.time_zone, faults=faults)
    faults.check()
    _, limits = await remember_tier(tx, caller)
    if await tx.value("count_sessions_of_event", event_id) + len(drafts) > limits.sessions_per_event:
        raise conflict(
            "limit-reached",
            f"Your plan allows {limits.sessions_per_event} sessions per event.",
            limit=limits.sessions_per_event,
        )
    approved = event["status"] == "APPROVED"
    created = []
    id_map: dict[str, str] = {}
    for draft in drafts:
        session_id = uuid4()
        status = status_on_approval("SCHEDULED", draft.times, now) if approved else "SCHEDULED"
        await stored.store(tx, event_id, session_id, draft, status)
        created.append(session_id)
        if draft.client_id is not None:
            id_map.setdefault(draft.client_id, str(session_id))
    await tx.run("touch_event", event_id)
    sessions = [(await shown(tx, session_id)).body for session_id in created]
    return Answer(201, {"eventId": str(event_id), "totalCreated": len(created), "sessions": sessions, "idMap": id_map})


async def get(tx: Transaction, caller: Caller, session_id: UUID) -> Answer:
    """Return a session to its owner or to a scanner of its organization."""
    row = await tx.one("session", session_id)
    if row is None:
        raise not_found("session")
    user = user_id(caller)
    if row["owner_id"] != user and not await tx.value("has_role", session_id, user, "SCANNER"):
        raise forbidden("This session belongs to somebody else.")
    return Answer(body=await stored.to_json(tx, row), version=row["version"])


async def of_event(tx: Transaction, caller: Caller, event_id: UUID) -> Answer:
    """Return all sessions of an event by start."""
    await own_event(tx, event_id, caller)
    return Answer(body=await stored.all_to_json(tx, event_id))


def _only_scheduled(session: Row) -> None:
    if session["status"] != "SCHEDULED":
        raise conflict(
            "transition-not-allowed", f"Only a SCHEDULED session can be changed so; this one is {session['status']}."
        )


async def set_times(
    tx: Transaction, parts: Parts, caller: Caller, session_id: UUID, body: bytes, if_match: str | None
) -> None:
    """Move a session that has not started; the start of sales is fixed once they have begun."""
    _, session = await lock_own_session(tx, session_id, caller, if_match)
    now = parts.now()
    if session["status"] not in {"SCHEDULED", "ON_SALE"} or session["start_time"] <= now:
        raise conflict("transition-not-allowed", "The times of this session can no longer be changed.")
    faults = Faults()
    times = _new_times(reader(body, faults), session, parts)
    faults.check()
    await tx.run("set_session_times", session_id, times.start, times.end, times.sales_start, times.sales_end)


def _new_times(raw: Reader, session: Row, parts: Parts) -> Times:
    """Read the times; a sales window that is not given follows the stored one."""
    on_sale = session["status"] == "ON_SALE"
    ends_with_session = session["sales_end_time"] == session["end_time"]
    times = read_times(
        raw,
        parts.now(),
        sales_start=session["sales_start_time"] if on_sale else None,
        sales_end=None if ends_with_session else session["sales_end_time"],
    )
    # Clients see milliseconds: an unchanged value comes back without the digits below.
    if on_sale and to_wire(times.sales_start) != to_wire(session["sales_start_time"]):
        raw.fault("salesStartTime", "cannot be changed once sales have started")
    return times


async def set_status(
    tx: Transaction, parts: Parts, caller: Caller, session_id: UUID, body: bytes, if_match: str | None
) -> None:
    """Change the status by the owner's table; the same status again changes nothing."""
    event, session = await lock_own_session(tx, session_id, caller, if_match)
    faults = Faults()
    wanted = reader(body, faults).choice("status", STATUSES)
    faults.check()
    await _change_status(tx, parts, (event, session), wanted, by_job=False)


async def set_status_by_job(tx: Transaction, parts: Parts, session_id: UUID, wanted: str) -> Answer:
    """Change the status when its time has come; repeating it is harmless. Answers nothing but the status code."""
    event_id = await tx.value("session_event", session_id)
    event = None if event_id is None else await tx.one("lock_event", event_id)
    session = None if event is None else await tx.one("lock_session", session_id)
    if event is None or session is None:
        raise not_found("session")
    await _change_status(tx, parts, (event, session), wanted, by_job=True)
    return Answer()


async def _change_status(tx: Transaction, parts: Parts, locked: tuple[Row, Row], wanted: str, *, by_job: bool) -> None:
    event, session = locked
    current = session["status"]
    if current == wanted:
        return
    refusal = refuse_transition(
        current,
        wanted,
        event_status=event["status"],
        start=session["start_time"],
        now=parts.now(),
        by_job=by_job,
    )
    if refusal is not None:
        raise conflict(refusal.code, refusal.detail)
    await tx.run("set_session_status", session["id"], current, wanted)
    await tx.run("complete_event_if_over", event["id"])


async def set_venue(
    tx: Transaction, parts: Parts, caller: Caller, session_id: UUID, body: bytes, if_match: str | None
) -> None:
    """Replace type, venue and, when given, the layout of a SCHEDULED session."""
    event, session = await lock_own_session(tx, session_id, caller, if_match)
    _only_scheduled(session)
    faults = Faults()
    raw = await asyncio.to_thread(reader, body, faults)
    kind = raw.choice("sessionType", TYPES)
    venue_raw = raw.child("venueDetails")
    venue = read_venue(venue_raw, kind)
    zone = read_zone(venue_raw, "timeZone", session["time_zone"])
    layout = await _read_layout(tx, event["id"], session_id, raw, faults) if raw.has("layoutData") else None
    faults.check()
    await tx.run("set_session_venue", session_id, kind, stored.venue_text(venue), zone)
    if layout is not None:
        await _store_layout(tx, session_id, layout)


async def set_venue_details(
    tx: Transaction, caller: Caller, session_id: UUID, body: bytes, if_match: str | None
) -> None:
    """Replace the venue of a SCHEDULED session, whose type stays."""
    _, session = await lock_own_session(tx, session_id, caller, if_match)
    _only_scheduled(session)
    faults = Faults()
    raw = reader(body, faults).child("venueDetails")
    venue = read_venue(raw, session["session_type"])
    zone = read_zone(raw, "timeZone", session["time_zone"])
    faults.check()
    await tx.run("set_session_venue", session_id, session["session_type"], stored.venue_text(venue), zone)


async def set_layout(tx: Transaction, caller: Caller, session_id: UUID, body: bytes, if_match: str | None) -> None:
    """Replace the layout of a SCHEDULED session; seats that stay keep their ids."""
    event, session = await lock_own_session(tx, session_id, caller, if_match)
    _only_scheduled(session)
    faults = Faults()
    raw = await asyncio.to_thread(reader, body, faults)
    layout = await _read_layout(tx, event["id"], session_id, raw, faults)
    faults.check()
    await _store_layout(tx, session_id, layout)


async def _read_layout(tx: Transaction, event_id: UUID, session_id: UUID, raw: Reader, faults: Faults) -> Layout:
    blocks, rows = known_parts(await tx.value("seating_map", session_id))
    known = Known(
        tiers=ids_by_text([row["id"] for row in await tx.many("tiers", event_id)]),
        blocks=blocks,
        rows=rows,
        seats=frozenset(row["id"] for row in await tx.many("seat_ids", session_id)),
    )
    return await asyncio.to_thread(read_layout, raw.child("layoutData"), known, faults)


async def _store_layout(tx: Transaction, session_id: UUID, layout: Layout) -> None:
    version = await tx.value("set_layout_version", session_id, len(layout.seats))
    await tx.run("set_seating_map", session_id, layout.to_text(), version)
    await tx.run("delete_seats_except", session_id, [seat.id for seat in layout.seats])
    await tx.run("upsert_seats", session_id, version, *stored.seat_columns(layout.seats))


async def delete(tx: Transaction, caller: Caller, session_id: UUID, if_match: str | None) -> Answer:
    """Remove a SCHEDULED session; a discount that was for it alone is switched off, not widened."""
    event, session = await lock_own_session(tx, session_id, caller, if_match)
    _only_scheduled(session)
    await tx.run("deactivate_discounts_only_for_session", session_id)
    await tx.run("delete_session", session_id)
    await tx.run("touch_event", event["id"])
    await tx.run("complete_event_if_over", event["id"])
    return NO_CONTENT
