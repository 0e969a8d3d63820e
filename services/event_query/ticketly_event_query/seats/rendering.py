"""Seat maps as bytes: static fragments per seat, one cached fragment per row, whole bytes cached per revision. Pure.

A change re-renders only its row; a whole map is one join over rows. Compression happens once per rendered map and
only when somebody asks for it. Member order and nulls are those of the contract (4.3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson
from isal import igzip

from ticketly_event_query.projection.layout import ACCESSIBLE, BLOCKED, COMPANION, RESTRICTED_VIEW, Block, Layout
from ticketly_event_query.seats.board import Counts, SeatBoard
from ticketly_event_query.seats.messages import AVAILABLE, BOOKED, LOCKED, STATUS_NAMES

_STATUS = tuple(name.encode() for name in STATUS_NAMES)
_ATTRIBUTES = ((ACCESSIBLE, "accessible"), (COMPANION, "companion"), (RESTRICTED_VIEW, "restrictedView"))


@dataclass(frozen=True, slots=True)
class Tier:
    """A price category; money in minor units."""

    id: str
    name: str
    price_minor: int
    color: str


@dataclass(frozen=True, slots=True)
class RenderedMap:
    """One rendering: ``etag`` names exactly these bytes (without quotes)."""

    body: bytes
    etag: str
    revision: int
    position: int
    ahead: int


def major_units(minor: int) -> int | float:
    """Return an amount in major units as a JSON number without a useless fraction (1500, 1250.5)."""
    return minor // 100 if minor % 100 == 0 else minor / 100


def gzipped(body: bytes) -> bytes:
    """Compress at the level that costs least; about 15 % of the size remains."""
    return igzip.compress(body, 1, mtime=0)


class SeatMap:
    """Renders one session. ``stamp`` tells apart layouts, prices and currencies of equal position."""

    def __init__(self, layout: Layout, tiers: Mapping[str, Tier], currency: str) -> None:
        self.layout = layout
        self.tiers = dict(tiers)
        self.currency = currency
        seats = layout.seats
        named = zip(seats.ids, seats.labels, strict=True)
        self._before = [(_named(seat, label) + ',"status":"').encode() for seat, label in named]
        tails: dict[tuple[int, int], bytes] = {}
        for key in set(zip(seats.tiers, seats.flags, strict=True)):
            tails[key] = self._tail(*key)
        self._after = [tails[key] for key in zip(seats.tiers, seats.flags, strict=True)]
        self._pieces: list[bytes] = []
        self._row_at: list[int] = []
        self._row_span: list[tuple[int, int]] = []
        self._row_of: list[int] = []
        self._lay_out(layout)
        self._dirty = set(range(len(self._row_at)))
        self._stamp = crc32(b"".join([*self._pieces, *self._before, *self._after, currency.encode()]))
        self.cached: RenderedMap | None = None
        self._compressed: tuple[str, bytes] | None = None

    def _tail(self, tier_index: int, flags: int) -> bytes:
        tier = self.tiers.get(self.layout.tier_ids[tier_index]) if tier_index >= 0 and not flags & BLOCKED else None
        members: dict[str, Any] = {"tier": tier_json(tier) if tier else None}
        members.update({name: True for bit, name in _ATTRIBUTES if flags & bit})
        return b'",' + orjson.dumps(members)[1:]

    def _lay_out(self, layout: Layout) -> None:
        """Fill ``_pieces``: static bytes, with an empty place where each row's seats go."""
        parts: list[str] = ['{"name":' + _json(layout.name) + ',"layout":{"blocks":[']
        at = 0

        def place(count: int) -> None:
            nonlocal at
            self._pieces.append("".join(parts).encode())
            parts.clear()
            self._row_at.append(len(self._pieces))
            self._pieces.append(b"")
            self._row_of.extend([len(self._row_span)] * count)
            self._row_span.append((at, at + count))
            at += count

        for number, block in enumerate(layout.blocks):
            parts.append(("," if number else "") + _block_head(block) + ',"rows":[')
            for order, row in enumerate(block.rows):
                parts.append(("," if order else "") + _named(row.id, row.label) + ',"seats":[')
                place(row.seats)
                parts.append("]}")
            parts.append('],"seats":[')
            place(block.loose)
            parts.append("]}")
        parts.append("]}")
        self._pieces.append("".join(parts).encode())

    def touch(self, numbers: Collection[int]) -> None:
        """Note seats whose state changed."""
        self._dirty.update(self._row_of[number] for number in numbers)

    def render(self, board: SeatBoard) -> RenderedMap:
        """Return the map of the board's current states; cheap when nothing changed since the last call."""
        ahead = board.ahead_digest()
        cached = self.cached
        if cached and (cached.revision, cached.position, cached.ahead) == (board.revision, board.position, ahead):
            return cached
        states, before, after = board.states, self._before, self._after
        for row in self._dirty:
            start, end = self._row_span[row]
            seats = [before[n] + _STATUS[states[n]] + after[n] for n in range(start, end)]
            self._pieces[self._row_at[row]] = b",".join(seats)
        self._dirty.clear()
        ending = {
            "sessionId": self.layout.session_id,
            "version": board.position,
            "currency": self.currency,
            "availability": availability(board.counts),
        }
        body = b"".join([*self._pieces, b",", orjson.dumps(ending)[1:]])
        etag = f"{board.position}-{self._stamp:08x}" + (f"-{ahead:08x}" if ahead else "")
        self.cached = RenderedMap(body, etag, board.revision, board.position, ahead)
        return self.cached

    def compressed(self, rendered: RenderedMap) -> bytes:
        """Return the gzip form, made once per rendering."""
        if self._compressed is None or self._compressed[0] != rendered.etag:
            self._compressed = (rendered.etag, gzipped(rendered.body))
        return self._compressed[1]


def full_answer(rendered: RenderedMap) -> bytes:
    """Return the answer to ``since`` when the changes since then are not known any more."""
    return rendered.body[:-1] + b',"full":true}'


def delta(board: SeatBoard, session_id: str, since: int, changed: Collection[int]) -> bytes:
    """Return the answer to ``since``: current states of the seats that changed."""
    groups = board.grouped(changed)
    seats = {STATUS_NAMES[code]: groups.get(code, []) for code in (LOCKED, BOOKED, AVAILABLE)}
    return orjson.dumps({"sessionId": session_id, "version": board.position, "since": since, "seats": seats})


def availability(counts: Counts) -> dict[str, int]:
    """Return the counts as in the contract."""
    return {
        "total": counts.total,
        "available": counts.available,
        "held": counts.held,
        "sold": counts.sold,
        "blocked": counts.blocked,
    }


def tier_json(tier: Tier) -> dict[str, Any]:
    """Return a tier as in the contract."""
    return {"id": tier.id, "name": tier.name, "price": major_units(tier.price_minor), "color": tier.color}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _named(identity: str, label: str) -> str:
    """Return the beginning of an object; the closing brace is the caller's."""
    return f'{{"id":{_json(identity)},"label":{_json(label)}'


def _block_head(block: Block) -> str:
    head = {
        "id": block.id,
        "name": block.name,
        "type": block.type,
        "position": dict(block.position),
        "capacity": block.capacity,
        "width": block.width,
        "height": block.height,
    }
    return _json(head)[:-1]
