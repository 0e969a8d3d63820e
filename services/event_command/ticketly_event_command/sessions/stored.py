"""Sessions between their drafts, their rows and their wire form; used wherever sessions are created or shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from ticketly_common.clock import to_wire
from ticketly_event_command.ports import Row, Transaction
from ticketly_event_command.sessions import layout
from ticketly_event_command.sessions.domain import SessionDraft
from ticketly_event_command.sessions.layout import Seat

_FIRST_LAYOUT_VERSION: Final = 1
_SEAT_COLUMNS: Final = (
    "session_id",
    "layout_version",
    "id",
    "block_id",
    "row_id",
    "label",
    "tier_id",
    "blocked",
    "position",
    "accessible",
    "companion",
    "restricted_view",
)


async def store(tx: Transaction, event_id: UUID, session_id: UUID, draft: SessionDraft, status: str) -> None:
    """Insert a session with its plan and one row per seat. The event's row is locked by the caller."""
    times = draft.times
    await tx.run(
        "insert_session",
        session_id,
        event_id,
        times.start,
        times.end,
        times.sales_start,
        times.sales_end,
        status,
        draft.kind,
        venue_text(draft.venue),
        draft.time_zone,
        len(draft.layout.seats),
    )
    await tx.run("insert_seating_map", uuid4(), session_id, draft.layout.to_text())
    head = (session_id, _FIRST_LAYOUT_VERSION)
    await tx.copy("session_seats", _SEAT_COLUMNS, (head + seat for seat in draft.layout.seats))


def seat_columns(seats: Sequence[Seat]) -> list[list[Any]]:
    """Return one list per column, as ``upsert_seats`` takes them."""
    return [[seat[index] for seat in seats] for index in range(len(Seat._fields))]


def venue_text(venue: dict[str, Any]) -> str:
    """Return the stored JSON text of a venue."""
    return msgspec.json.encode(venue).decode()


async def to_json(tx: Transaction, row: Row) -> dict[str, Any]:
    """Return the wire form of a session row, with its whole layout."""
    plan = await tx.value("seating_map", row["id"])
    seats = await tx.many("seats", row["id"])
    return {
        "id": str(row["id"]),
        "eventId": str(row["event_id"]),
        "startTime": to_wire(row["start_time"]),
        "endTime": to_wire(row["end_time"]),
        "salesStartTime": to_wire(row["sales_start_time"]),
        "salesEndTime": to_wire(row["sales_end_time"]),
        "sessionType": row["session_type"],
        "status": row["status"],
        "venueDetails": {**msgspec.json.decode(row["venue_details"]), "timeZone": row["time_zone"]},
        "layoutData": await asyncio.to_thread(layout.to_wire, plan, seats),
        "version": row["version"],
    }


async def all_to_json(tx: Transaction, event_id: UUID) -> list[dict[str, Any]]:
    """Return the wire forms of all sessions of an event by start."""
    return [await to_json(tx, row) for row in await tx.many("sessions_of_event", event_id)]
