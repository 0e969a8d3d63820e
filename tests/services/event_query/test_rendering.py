"""Map bytes equal the plain tree they stand for, however they were arrived at."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketly_event_query.projection import layout, tables
from ticketly_event_query.projection.layout import BLOCKED, Block, Layout, SeatingRow, Seats, chunks, join
from ticketly_event_query.seats.board import SeatBoard
from ticketly_event_query.seats.messages import AVAILABLE, BOOKED, LOCKED, STATUS_NAMES
from ticketly_event_query.seats.rendering import SeatMap, Tier, delta, full_answer, gzipped, major_units


@pytest.fixture
def layout_of() -> Callable[[Any], Layout]:
    """The layout of an event's first session, built straight from its rows."""

    def build(event: Any) -> Layout:
        session = event.sessions[0]
        own = [row for row in event.seats if row["session_id"] == session["id"]]
        seats = [layout.seat_row(tables.staged("session_seats", row, lsn=1, gone=False)) for row in own]
        built = layout.build(session, event.maps[0], seats)
        assert built is not None
        return built

    return build


_text = st.text(max_size=6)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    blocks, count = [], 0
    for number in range(draw(st.integers(0, 3))):
        rows = [
            SeatingRow(f"row-{number}-{row}", draw(_text), draw(st.integers(0, 4)))
            for row in range(draw(st.integers(0, 3)))
        ]
        loose = draw(st.integers(0, 3))
        count += loose + sum(row.seats for row in rows)
        size = draw(st.none() | st.integers(0, 500))
        blocks.append(
            Block(f"block-{number}", draw(_text), "seated_grid", {"x": 1.5, "y": 2}, size, size, size, rows, loose)
        )
    tiers = draw(st.lists(st.integers(-1, 1), min_size=count, max_size=count))
    flags = [draw(st.integers(0, 15)) if tier >= 0 else BLOCKED for tier in tiers]
    seats = Seats([f"seat-{n}" for n in range(count)], [draw(_text) for _ in range(count)], tiers, flags)
    return Layout("session", 1, draw(st.none() | _text), blocks, ["tier-a", "tier-b"], seats)


TIERS = {"tier-a": Tier("tier-a", 'St"andard', 150_000, "#3B82F6"), "tier-b": Tier("tier-b", "Té", 125_050, "#000000")}


def plain(layout: Layout, board: SeatBoard) -> dict[str, Any]:
    """The contract's tree, built the obvious way."""
    walk = iter(range(len(layout.seats.ids)))

    def seat(number: int) -> dict[str, Any]:
        flags, index = layout.seats.flags[number], layout.seats.tiers[number]
        tier = None if flags & BLOCKED or index < 0 else TIERS[layout.tier_ids[index]]
        shown = tier and {"id": tier.id, "name": tier.name, "price": tier.price_minor / 100, "color": tier.color}
        attributes = {2: "accessible", 4: "companion", 8: "restrictedView"}
        return {
            "id": layout.seats.ids[number],
            "label": layout.seats.labels[number],
            "status": STATUS_NAMES[board.states[number]],
            "tier": shown,
            **{name: True for bit, name in attributes.items() if flags & bit},
        }

    def seats(count: int) -> list[dict[str, Any]]:
        return [seat(next(walk)) for _ in range(count)]

    blocks = []
    for block in layout.blocks:
        rows = [{"id": row.id, "label": row.label, "seats": seats(row.seats)} for row in block.rows]
        sizes = {"capacity": block.capacity, "width": block.width, "height": block.height}
        shown = {"id": block.id, "name": block.name, "type": block.type, "position": dict(block.position), **sizes}
        blocks.append({**shown, "rows": rows, "seats": seats(block.loose)})
    states = [board.states.count(code) for code in range(4)]
    return {
        "name": layout.name,
        "layout": {"blocks": blocks},
        "sessionId": "session",
        "version": board.position,
        "currency": "LKR",
        "availability": {
            "total": len(board.ids),
            "available": states[0],
            "held": states[1],
            "sold": states[2],
            "blocked": states[3],
        },
    }


def board_of(layout: Layout) -> SeatBoard:
    blocked = (number for number, flags in enumerate(layout.seats.flags) if flags & BLOCKED)
    return SeatBoard(layout.seats.ids, blocked, ring_changes=1000)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(layouts(), st.lists(st.tuples(st.integers(0, 40), st.sampled_from([AVAILABLE, LOCKED, BOOKED])), max_size=10))
def test_the_bytes_are_the_plain_tree_in_the_contracts_order(layout: Layout, changes: list[tuple[int, int]]):
    board, seat_map = board_of(layout), SeatMap(layout, TIERS, "LKR")
    tags = set()
    for version, (number, code) in enumerate([(0, AVAILABLE), *changes], start=1):
        if number < len(board.ids):
            seat_map.touch(board.apply([board.ids[number]], code, version, version))
        rendered = seat_map.render(board)
        expected = plain(layout, board)
        assert json.loads(rendered.body) == expected
        assert [*json.loads(rendered.body)] == [*expected]
        assert gzip.decompress(seat_map.compressed(rendered)) == rendered.body
        tags.add((rendered.etag, rendered.body))
    assert len({tag for tag, _ in tags}) == len({body for _, body in tags})


@given(layouts(), st.integers(1, 5))
def test_chunks_put_together_are_the_seats(layout: Layout, size: int):
    assert join(chunks(layout.seats, size)) == layout.seats


def test_a_hint_changes_the_tag_and_the_log_record_settles_it(make_event, layout_of):
    layout = layout_of(make_event())
    board, seat_map = board_of(layout), SeatMap(layout, {}, "LKR")
    before = seat_map.render(board)
    seat_map.touch(board.apply([board.ids[1]], LOCKED, 5, None))
    hinted = seat_map.render(board)
    board.apply([board.ids[1]], LOCKED, 5, 1)
    settled = seat_map.render(board)
    assert len({before.etag, hinted.etag, settled.etag}) == 3


def test_another_price_is_another_tag_at_the_same_position(make_event, layout_of):
    layout = layout_of(make_event())
    (tier,) = layout.tier_ids
    cheap, dear = (SeatMap(layout, {tier: Tier(tier, "A", price, "#000000")}, "LKR") for price in (100, 200))
    assert cheap.render(board_of(layout)).etag != dear.render(board_of(layout)).etag


def test_a_delta_names_current_states_and_an_old_one_is_answered_in_full(make_event, layout_of):
    layout = layout_of(make_event())
    board, seat_map = board_of(layout), SeatMap(layout, {}, "LKR")
    first, second = board.ids[1], board.ids[2]
    board.apply([first, second], LOCKED, 1, 10)
    board.apply([second], AVAILABLE, 2, 11)
    changed = board.changed_since(0, reached=11)
    assert changed is not None
    assert orjson.loads(delta(board, "s", 0, changed)) == {
        "sessionId": "s",
        "version": 11,
        "since": 0,
        "seats": {"LOCKED": [first], "BOOKED": [], "AVAILABLE": [second]},
    }
    full = orjson.loads(full_answer(seat_map.render(board)))
    assert full.pop("full") is True
    assert full == orjson.loads(seat_map.render(board).body)


def test_money_has_no_useless_fraction():
    assert [repr(major_units(minor)) for minor in (150_000, 125_050, 5, 0)] == ["1500", "1250.5", "0.05", "0"]


def test_compression_is_deterministic():
    assert gzipped(b"x" * 1000) == gzipped(b"x" * 1000)
