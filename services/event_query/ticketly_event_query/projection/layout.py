"""The static seat layout of a session, built from its seat rows. Pure.

Seat rows arrive by the hundred thousand, so they are kept as *segments*: one document per batch and session, an
append-only list of row versions. Folding all segments (greatest ``lsn`` per seat) gives the same as one document
per seat, at a fraction of the cost; segments are merged when a layout is built from many of them.

A layout is complete when exactly ``seat_count`` living rows carry the session's ``layout_version``: topics have no
mutual order, and a layout edit rewrites every kept row with the new version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ticketly_event_query.projection.tables import Row, StagedRow, UnusableRow

SEATS_PER_CHUNK = 20_000
"""At about 60 bytes per seat a chunk is near 1.2 MB, far below the 16 MB limit of a document."""

BLOCKED, ACCESSIBLE, COMPANION, RESTRICTED_VIEW = 1, 2, 4, 8


class SeatRow(msgspec.Struct, array_like=True, frozen=True):
    """One version of one seat row; the order of members is the stored form."""

    id: str
    lsn: int
    gone: bool
    block_id: str
    row_id: str | None
    label: str
    tier_id: str | None
    position: int
    layout_version: int
    flags: int


class SeatingRow(msgspec.Struct, frozen=True):
    """A row of seats: how many of the block's seats, in order, are in it."""

    id: str
    label: str
    seats: int


class Block(msgspec.Struct, frozen=True):
    """A block with its geometry as given; ``loose`` counts seats outside rows (standing areas)."""

    id: str
    name: str
    type: str
    position: Mapping[str, float]
    width: float | None
    height: float | None
    capacity: float | None
    rows: Sequence[SeatingRow]
    loose: int


class Seats(msgspec.Struct, frozen=True):
    """Seats in map order, column by column; ``tiers`` are indexes into the layout's tier ids, -1 for none."""

    ids: list[str]
    labels: list[str]
    tiers: list[int]
    flags: list[int]


class Layout(msgspec.Struct, frozen=True):
    """A complete layout: blocks in order with their rows, then all seats (per block: rows in order, then loose)."""

    session_id: str
    layout_version: int
    name: str | None
    blocks: Sequence[Block]
    tier_ids: Sequence[str]
    seats: Seats

    def sellable_tier_ids(self) -> list[str]:
        """Return ids of the tiers that have at least one seat which is not blocked."""
        pairs = zip(self.seats.tiers, self.seats.flags, strict=True)
        used = {tier for tier, flags in pairs if tier >= 0 and not flags & BLOCKED}
        return [self.tier_ids[index] for index in sorted(used)]

    def blocked(self) -> int:
        """Return how many seats the organizer keeps from sale."""
        return sum(1 for flags in self.seats.flags if flags & BLOCKED)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[SeatRow]).decode


def seat_row(staged: StagedRow) -> SeatRow:
    """Return the compact form of a staged ``session_seats`` row; raises UnusableRow."""
    row = staged.row
    names = {"accessible": ACCESSIBLE, "companion": COMPANION, "restricted_view": RESTRICTED_VIEW, "blocked": BLOCKED}
    try:
        return msgspec.convert(
            [
                staged.key,
                staged.lsn,
                staged.gone,
                row.get("block_id") or "",
                row.get("row_id"),
                row.get("label") or "",
                row.get("tier_id"),
                row.get("position") or 0,
                row.get("layout_version") or 0,
                sum(bit for name, bit in names.items() if row.get(name)),
            ],
            SeatRow,
        )
    except msgspec.ValidationError as error:
        msg = f"row of session_seats: {error}"
        raise UnusableRow(msg) from None


def pack(rows: Sequence[SeatRow]) -> bytes:
    """Encode rows as the content of a segment."""
    return _encode(rows)


def unpack(content: bytes) -> list[SeatRow]:
    """Decode a segment; raises msgspec.DecodeError for bytes that ``pack`` did not make."""
    return _decode(content)


def fold(rows: Iterable[SeatRow]) -> dict[str, SeatRow]:
    """Return per seat the row with the greatest version; deletions stay as rows with ``gone``."""
    kept: dict[str, SeatRow] = {}
    for row in rows:
        known = kept.get(row.id)
        if known is None or row.lsn >= known.lsn:
            kept[row.id] = row
    return kept


def build(session: Row, seating_map: Row | None, seats: Iterable[SeatRow]) -> Layout | None:
    """Return the layout, or None while it is not complete."""
    version = session.get("layout_version")
    if seating_map is None or seating_map.get("layout_version") != version:
        return None
    living = [seat for seat in seats if not seat.gone and seat.layout_version == version]
    if len(living) != session.get("seat_count"):
        return None
    data = seating_map["layout_data"]
    given = json.loads(data) if isinstance(data, str) else data
    return _assemble(str(session["id"]), int(version or 0), given, living)


def _assemble(session_id: str, version: int, given: Mapping[str, Any], living: Sequence[SeatRow]) -> Layout:
    places: dict[tuple[str, str | None], list[SeatRow]] = {}
    for seat in living:
        places.setdefault((seat.block_id, seat.row_id), []).append(seat)
    tier_ids = sorted({seat.tier_id for seat in living if seat.tier_id is not None})
    tier_index: dict[str | None, int] = {tier: number for number, tier in enumerate(tier_ids)}
    ordered: list[SeatRow] = []

    def place(block_id: str, row_id: str | None) -> int:
        found = sorted(places.pop((block_id, row_id), ()), key=lambda seat: (seat.position, seat.id))
        ordered.extend(found)
        return len(found)

    blocks: list[Block] = []
    for block in (given.get("layout") or {}).get("blocks") or ():
        rows = [
            SeatingRow(id=row["id"], label=str(row.get("label") or ""), seats=place(block["id"], row["id"]))
            for row in block.get("rows") or ()
        ]
        blocks.append(
            Block(
                id=block["id"],
                name=str(block.get("name") or ""),
                type=block["type"],
                position=block.get("position") or {"x": 0, "y": 0},
                width=block.get("width"),
                height=block.get("height"),
                capacity=block.get("capacity"),
                rows=rows,
                loose=place(block["id"], None),
            )
        )
    if places:
        msg = f"seats of session {session_id} name blocks or rows that its layout lacks"
        raise UnusableRow(msg)
    columns = Seats(
        ids=[seat.id for seat in ordered],
        labels=[seat.label for seat in ordered],
        tiers=[tier_index.get(seat.tier_id, -1) for seat in ordered],
        flags=[seat.flags for seat in ordered],
    )
    return Layout(session_id, version, given.get("name"), blocks, tier_ids, columns)


def chunks(seats: Seats, size: int = SEATS_PER_CHUNK) -> list[Seats]:
    """Split the columns into pieces of at most ``size`` seats (at least one piece)."""
    count = len(seats.ids)
    return [
        Seats(
            seats.ids[at : at + size],
            seats.labels[at : at + size],
            seats.tiers[at : at + size],
            seats.flags[at : at + size],
        )
        for at in range(0, max(count, 1), size)
    ]


def join(pieces: Sequence[Seats]) -> Seats:
    """Put chunks together again, in the given order."""
    joined = Seats([], [], [], [])
    for piece in pieces:
        joined.ids.extend(piece.ids)
        joined.labels.extend(piece.labels)
        joined.tiers.extend(piece.tiers)
        joined.flags.extend(piece.flags)
    return joined
