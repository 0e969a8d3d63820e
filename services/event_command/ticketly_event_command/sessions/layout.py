"""Seating layouts: blocks and rows as one small JSON text, seats as one record each. Pure.

Blocks, rows and seats get server ids. On an edit an id that already belongs to the session is kept, so that a
seat's identity survives a change of the plan; everything else is new. Seat *states* are no part of a layout.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from ticketly_event_command.faults import Faults, Reader
from ticketly_event_command.ports import Row

MOST_SEATS: Final = 100_000
MOST_BLOCKS: Final = 500
LONGEST_LABEL: Final = 32
_LONGEST_NAME: Final = 255
_LARGEST_COORDINATE: Final = 10_000_000.0
BLOCK_TYPES: Final = ("seated_grid", "standing_capacity", "non_sellable")
_SEAT_STATUSES: Final = frozenset({None, "AVAILABLE", "RESERVED", "BOOKED"})


class Seat(NamedTuple):
    """One place. ``row_id`` is None in standing areas; ``tier_id`` is None only when ``blocked``."""

    id: UUID
    block_id: UUID
    row_id: UUID | None
    label: str
    tier_id: UUID | None
    blocked: bool
    position: int
    accessible: bool
    companion: bool
    restricted_view: bool


@dataclass(frozen=True)
class Layout:
    """``blocks`` are JSON-ready, with rows and without seats; ``seats`` are in plan order."""

    name: str | None
    blocks: list[dict[str, Any]]
    seats: list[Seat]

    def to_text(self) -> str:
        """Return the stored JSON text (``session_seating_maps.layout_data``)."""
        return msgspec.json.encode({"name": self.name, "layout": {"blocks": self.blocks}}).decode()


@dataclass(frozen=True)
class Known:
    """Ids that a layout may refer to.

    ``tiers`` maps the id as the client writes it to the stored one; the others are what already belongs to the
    session (empty for a new one).
    """

    tiers: Mapping[str, UUID]
    blocks: Collection[UUID] = frozenset()
    rows: Collection[UUID] = frozenset()
    seats: Collection[UUID] = frozenset()


class _NewIds:
    """Random version-4 ids, drawn in bulk: one system call per 4,096 instead of one per seat."""

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def next(self) -> UUID:
        if self._at >= len(self._bytes):
            self._bytes = os.urandom(16 * 4096)
            self._at = 0
        self._at += 16
        return UUID(bytes=self._bytes[self._at - 16 : self._at], version=4)


@dataclass
class _Reading:
    """State of one layout being read."""

    known: Known
    faults: Faults
    ids: _NewIds = field(default_factory=_NewIds)
    seats: list[Seat] = field(default_factory=list)
    used: set[UUID] = field(default_factory=set)

    def keep(self, raw: Any, kept: Collection[UUID], path: str) -> UUID:
        """Return the id to use: the given one when it is known, else a new one."""
        if kept and isinstance(raw, str):
            try:
                given = UUID(raw)
            except ValueError:
                return self.ids.next()
            if given in kept:
                if given in self.used:
                    self.faults.add(f"{path}.id", "is used twice")
                self.used.add(given)
                return given
        return self.ids.next()

    def tier(self, raw: Any, path: str) -> UUID | None:
        """Return the stored id of a tier; notes a fault when it is no tier of the event."""
        if isinstance(raw, str):
            found = self.known.tiers.get(raw) or self.known.tiers.get(raw.lower())
            if found is not None:
                return found
        self.faults.add(f"{path}.tierId", "is missing" if raw in (None, "") else "is no tier of this event")
        return None

    def seat(self, raw: Any, path: str, place: tuple[UUID, UUID | None, int], labels: set[str]) -> None:
        """Read one seat; ``place`` is block, row and position."""
        faults = self.faults
        if not isinstance(raw, dict):
            faults.add(path, "must be an object")
            return
        get = raw.get
        label = get("label")
        if not isinstance(label, str) or not label or len(label) > LONGEST_LABEL or "\x00" in label:
            faults.add(f"{path}.label", f"must be text of 1 to {LONGEST_LABEL} characters")
            label = ""
        elif label in labels:
            faults.add(f"{path}.label", "is used twice in this row")
        labels.add(label)
        status = get("status")
        if status.__hash__ is None or status not in _SEAT_STATUSES:
            faults.add(f"{path}.status", "must be AVAILABLE or RESERVED")
        blocked = status == "RESERVED"
        raw_tier = get("tierId")
        tier = None if blocked and raw_tier in (None, "") else self.tier(raw_tier, path)
        self.seats.append(
            Seat(
                self.keep(get("id"), self.known.seats, path),
                *place[:2],
                label,
                tier,
                blocked,
                place[2],
                get("accessible") is True,
                get("companion") is True,
                get("restrictedView") is True,
            )
        )


def read_layout(raw: Reader, known: Known, faults: Faults) -> Layout:
    """Read the object ``{"name", "layout": {"blocks"}}``; faults carry paths below the reader's own."""
    reading = _Reading(known, faults)
    name = raw.maybe_text("name", longest=_LONGEST_NAME)
    plan = raw.child("layout")
    blocks = plan.items("blocks")
    if len(blocks) > MOST_BLOCKS:
        plan.fault("blocks", f"must be at most {MOST_BLOCKS}")
        return Layout(name, [], [])
    if _count_seats(blocks) > MOST_SEATS:
        plan.fault("blocks", f"must have at most {MOST_SEATS} seats together")
        return Layout(name, [], [])
    read = [_block(block, reading) for block in plan.children("blocks")]
    if plan.at("blocks") not in faults and not any(not seat.blocked for seat in reading.seats):
        plan.fault("blocks", "must have at least one seat that can be sold")
    return Layout(name, read, reading.seats)


def _count_seats(blocks: list[Any]) -> int:
    """Count places before any of them is built, whatever else is wrong with them."""
    total = 0
    for block in blocks:
        if not isinstance(block, dict):
            continue
        seats, rows, capacity = block.get("seats"), block.get("rows"), block.get("capacity")
        if isinstance(seats, list) and seats:
            total += len(seats)
        elif block.get("type") == "standing_capacity" and isinstance(capacity, int | float):
            total += int(min(max(capacity, 0), MOST_SEATS + 1))
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("seats"), list):
                total += len(row["seats"])
    return total


def _block(raw: Reader, reading: _Reading) -> dict[str, Any]:
    kind = raw.choice("type", BLOCK_TYPES)
    block_id = reading.keep(raw.raw("id"), reading.known.blocks, raw.path)
    position = raw.child("position")
    rows: list[dict[str, str]] = []
    if kind != "seated_grid" and raw.items("rows"):
        raw.fault("rows", "must be empty in a block of this type")
    elif kind == "seated_grid":
        rows = [_row(row, block_id, reading) for row in raw.children("rows")]
    if kind != "standing_capacity" and raw.items("seats"):
        raw.fault("seats", "must be empty in a block of this type")
    elif kind == "standing_capacity":
        _standing(raw, block_id, reading)
    return {
        "id": str(block_id),
        "name": raw.text("name", longest=_LONGEST_NAME),
        "type": kind,
        "position": {
            "x": position.number("x", least=0, most=_LARGEST_COORDINATE),
            "y": position.number("y", least=0, most=_LARGEST_COORDINATE),
        },
        "width": raw.maybe_number("width", least=0, most=_LARGEST_COORDINATE),
        "height": raw.maybe_number("height", least=0, most=_LARGEST_COORDINATE),
        "capacity": raw.maybe_integer("capacity", least=0, most=MOST_SEATS),
        "rows": rows,
    }


def _row(raw: Reader, block_id: UUID, reading: _Reading) -> dict[str, str]:
    row_id = reading.keep(raw.raw("id"), reading.known.rows, raw.path)
    labels: set[str] = set()
    prefix = f"{raw.path}.seats"
    for position, seat in enumerate(raw.items("seats")):
        reading.seat(seat, f"{prefix}[{position}]", (block_id, row_id, position), labels)
    return {"id": str(row_id), "label": raw.text("label", longest=LONGEST_LABEL)}


def _standing(raw: Reader, block_id: UUID, reading: _Reading) -> None:
    """Read one seat per place, or make them from capacity and the block's own tier."""
    seats = raw.items("seats")
    capacity = raw.maybe_integer("capacity", least=0, most=MOST_SEATS)
    if seats:
        if capacity is not None and capacity != len(seats):
            raw.fault("capacity", f"must equal the number of seats ({len(seats)})")
        labels: set[str] = set()
        for position, seat in enumerate(seats):
            reading.seat(seat, f"{raw.path}.seats[{position}]", (block_id, None, position), labels)
    elif capacity:
        tier = reading.tier(raw.raw("tierId"), raw.path)
        reading.seats.extend(
            Seat(reading.ids.next(), block_id, None, f"Slot {n + 1}", tier, False, n, False, False, False)
            for n in range(capacity)
        )


def with_new_ids(layout: Layout) -> Layout:
    """Return the same plan for another session: nothing shares an id with the original."""
    ids = _NewIds()
    blocks: dict[UUID, UUID] = {}
    rows: dict[UUID, UUID] = {}
    copied = []
    for block in layout.blocks:
        block_id = blocks[UUID(block["id"])] = ids.next()
        new_rows = []
        for row in block["rows"]:
            row_id = rows[UUID(row["id"])] = ids.next()
            new_rows.append({**row, "id": str(row_id)})
        copied.append({**block, "id": str(block_id), "rows": new_rows})
    seats = [
        seat._replace(
            id=ids.next(), block_id=blocks[seat.block_id], row_id=None if seat.row_id is None else rows[seat.row_id]
        )
        for seat in layout.seats
    ]
    return Layout(layout.name, copied, seats)


def known_parts(layout_text: str) -> tuple[frozenset[UUID], frozenset[UUID]]:
    """Return the ids of blocks and rows of a stored layout."""
    blocks = msgspec.json.decode(layout_text)["layout"]["blocks"]
    return (
        frozenset(UUID(block["id"]) for block in blocks),
        frozenset(UUID(row["id"]) for block in blocks for row in block["rows"]),
    )


def to_wire(layout_text: str, seats: Iterable[Row]) -> dict[str, Any]:
    """Join the stored plan with its seat rows (ordered by position) into the tree of the contract."""
    by_parent: dict[UUID, list[dict[str, Any]]] = {}
    for seat in seats:
        out = {
            "id": str(seat["id"]),
            "label": seat["label"],
            "tierId": None if seat["tier_id"] is None else str(seat["tier_id"]),
            "status": "RESERVED" if seat["blocked"] else "AVAILABLE",
        }
        for column, member in (
            ("accessible", "accessible"),
            ("companion", "companion"),
            ("restricted_view", "restrictedView"),
        ):
            if seat[column]:
                out[member] = True
        by_parent.setdefault(seat["row_id"] or seat["block_id"], []).append(out)
    plan: dict[str, Any] = msgspec.json.decode(layout_text)
    for block in plan["layout"]["blocks"]:
        block["seats"] = by_parent.get(UUID(block["id"]), [])
        for row in block["rows"]:
            row["seats"] = by_parent.get(UUID(row["id"]), [])
    return plan
