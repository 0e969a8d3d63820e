"""The pure rules of layouts, for plans that nobody thought of."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_event_command.faults import Faults, Reader
from ticketly_event_command.sessions.layout import (
    MOST_BLOCKS,
    MOST_SEATS,
    Known,
    Layout,
    known_parts,
    read_layout,
    to_wire,
    with_new_ids,
)

TIERS = {"tier-1": uuid4(), "tier-2": uuid4()}
labels = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=32)
seats = st.fixed_dictionaries(
    {"label": labels, "tierId": st.sampled_from(sorted(TIERS))},
    optional={
        "status": st.sampled_from(["AVAILABLE", "RESERVED", "BOOKED"]),
        "accessible": st.booleans(),
        "companion": st.booleans(),
        "restrictedView": st.booleans(),
    },
)
rows_of_seats = st.lists(seats, max_size=6, unique_by=lambda seat: seat["label"])
positions = st.fixed_dictionaries({"x": st.integers(0, 5000), "y": st.floats(0, 5000)})
grids = st.fixed_dictionaries(
    {
        "type": st.just("seated_grid"),
        "position": positions,
        "rows": st.lists(
            st.fixed_dictionaries({"label": st.text("ABC", max_size=3), "seats": rows_of_seats}), max_size=4
        ),
    }
)
floors = st.fixed_dictionaries({"type": st.just("standing_capacity"), "position": positions, "seats": rows_of_seats})
counted = st.fixed_dictionaries(
    {
        "type": st.just("standing_capacity"),
        "position": positions,
        "capacity": st.integers(0, 30),
        "tierId": st.sampled_from(sorted(TIERS)),
    }
)
stages = st.fixed_dictionaries(
    {"type": st.just("non_sellable"), "position": positions}, optional={"rows": st.none(), "seats": st.just([])}
)
plans = st.lists(st.one_of(grids, floors, counted, stages), max_size=6).map(
    lambda blocks: {"name": "Hall", "layout": {"blocks": blocks}}
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["name", "layout", "blocks", "type", "position", "x", "y", "rows", "seats", "label", "tierId", "status",
             "capacity", "id", "width"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


def read(raw: Any, known: Known | None = None) -> tuple[Layout, Faults]:
    faults = Faults()
    return read_layout(Reader(raw, "plan", faults), known or Known(TIERS), faults), faults


def as_rows(layout: Layout) -> list[dict[str, Any]]:
    return sorted((seat._asdict() for seat in layout.seats), key=lambda seat: seat["position"])


def shape(plan: dict[str, Any]) -> list[Any]:
    """A plan without its ids."""
    return [
        (
            block["type"],
            [[(seat["label"], seat["status"]) for seat in row["seats"]] for row in block["rows"]],
            [(seat["label"], seat["status"]) for seat in block["seats"]],
        )
        for block in plan["layout"]["blocks"]
    ]


@given(plans)
def test_a_plan_comes_out_as_it_went_in(plan: dict[str, Any]) -> None:
    layout, faults = read(plan)
    sellable = any(not seat.blocked for seat in layout.seats)
    assert ("plan.layout.blocks" in faults) == (not sellable)
    assert len(faults) == (0 if sellable else 1)
    out = to_wire(layout.to_text(), as_rows(layout))
    for block, sent in zip(out["layout"]["blocks"], plan["layout"]["blocks"], strict=True):
        assert isinstance(block["rows"], list)
        assert isinstance(block["seats"], list)
        for row, sent_row in zip(block["rows"], sent.get("rows") or [], strict=True):
            assert [seat["label"] for seat in row["seats"]] == [seat["label"] for seat in sent_row["seats"]]
        expected = len(sent["seats"] or []) if "seats" in sent else sent.get("capacity") or 0
        assert len(block["seats"]) == expected
    ids = [seat.id for seat in layout.seats]
    assert len(set(ids)) == len(ids)


@given(plans)
def test_reading_an_answer_again_keeps_every_id(plan: dict[str, Any]) -> None:
    layout, _ = read(plan)
    out = to_wire(layout.to_text(), as_rows(layout))
    blocks, rows = known_parts(layout.to_text())
    stored = {str(one): one for one in TIERS.values()}
    again, faults = read(out, Known(stored, blocks, rows, {seat.id for seat in layout.seats}))
    assert "plan.layout.blocks" in faults or len(faults) == 0
    assert again == layout


@given(plans)
def test_a_copy_shares_no_id_and_looks_the_same(plan: dict[str, Any]) -> None:
    layout, _ = read(plan)
    copy = with_new_ids(layout)

    def ids(one: Layout) -> set[UUID]:
        blocks, rows = known_parts(one.to_text())
        return {*blocks, *rows, *(seat.id for seat in one.seats)}

    assert not ids(layout) & ids(copy)
    assert shape(to_wire(copy.to_text(), as_rows(copy))) == shape(to_wire(layout.to_text(), as_rows(layout)))


@given(anything)
@settings(max_examples=300)
def test_nonsense_is_a_fault_and_never_a_crash(raw: Any) -> None:
    layout, faults = read(raw)
    if len(faults) == 0:
        assert any(not seat.blocked for seat in layout.seats)


def block(**members: Any) -> dict[str, Any]:
    return {"type": "seated_grid", "position": {"x": 0, "y": 0}, **members}


def faults_of(*blocks: dict[str, Any]) -> set[str]:
    good = block(rows=[{"label": "A", "seats": [{"label": "1", "tierId": "tier-1"}]}])
    _, faults = read({"layout": {"blocks": [good, *blocks]}})
    return {path.removeprefix("plan.layout.blocks") for path in faults._found}


def test_each_rule_names_the_place_where_it_is_broken() -> None:
    two = [{"label": "1", "tierId": "tier-1"}, {"label": "1", "tierId": "tier-1"}]
    assert faults_of(block(rows=[{"label": "A", "seats": two}])) == {"[1].rows[0].seats[1].label"}
    assert faults_of(block(rows=[{"label": "A", "seats": two[:1]}, {"label": "B", "seats": two[:1]}])) == set()
    assert faults_of(block(rows=[{"label": "A", "seats": [{"label": "1"}]}])) == {"[1].rows[0].seats[0].tierId"}
    assert faults_of(block(rows=[{"label": "A", "seats": [{"label": "1", "status": "RESERVED"}]}])) == set()
    assert faults_of(block(rows=[{"label": "A", "seats": [{"label": "x" * 33, "tierId": "tier-1"}]}])) == {
        "[1].rows[0].seats[0].label"
    }
    assert faults_of(block(type="non_sellable", seats=two[:1])) == {"[1].seats"}
    assert faults_of(block(type="standing_capacity", capacity=3, seats=two[:1])) == {"[1].capacity"}
    assert faults_of(block(type="standing_capacity", capacity=3)) == {"[1].tierId"}
    assert faults_of(block(position={"x": -1, "y": 0})) == {"[1].position.x"}


def test_sizes_are_bounded_before_anything_is_built() -> None:
    floor = block(type="standing_capacity", capacity=MOST_SEATS, tierId="tier-1")
    _, faults = read({"layout": {"blocks": [floor] * 2}})
    assert list(faults._found) == ["plan.layout.blocks"]
    _, faults = read({"layout": {"blocks": [block()] * (MOST_BLOCKS + 1)}})
    assert list(faults._found) == ["plan.layout.blocks"]


def test_an_id_of_another_session_is_not_kept_and_an_own_one_not_twice() -> None:
    own = uuid4()
    seats = [
        {"id": str(own), "label": "1", "tierId": "tier-1"},
        {"id": str(uuid4()), "label": "2", "tierId": "tier-1"},
        {"id": str(own), "label": "3", "tierId": "tier-1"},
    ]
    plan = {"layout": {"blocks": [block(rows=[{"label": "A", "seats": seats}])]}}
    layout, faults = read(plan, Known(TIERS, seats=frozenset({own})))
    assert layout.seats[0].id == own
    assert str(layout.seats[1].id) != seats[1]["id"]
    assert list(faults._found) == ["plan.layout.blocks[0].rows[0].seats[2].id"]
