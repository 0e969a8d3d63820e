"""Folding the log: order, repetition and batch borders do not matter (invariant I7), on real stores too."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_common.kafka import BadRecord, Record
from ticketly_event_query.app import assemble
from ticketly_event_query.projection import layout, tables
from ticketly_event_query.projection.consumers import TableSink, translate

_versions = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 60), st.booleans(), st.integers(0, 9)), max_size=40
)


def _tier(key: str, lsn: int, gone: bool, price: int) -> tables.StagedRow:
    return tables.StagedRow("tiers", key, lsn, gone, {"id": key, "price_minor": price})


@given(_versions, st.randoms(use_true_random=False))
def test_the_fold_of_a_shuffled_repeated_log_is_the_fold_in_order(
    entries: list[tuple[str, int, bool, int]], random: Random
) -> None:
    # One content per (key, lsn), as in a real log.
    log = [
        _tier(*entry) for entry in {(key, lsn): (key, lsn, gone, price) for key, lsn, gone, price in entries}.values()
    ]
    in_order = tables.newest(sorted(log, key=lambda row: row.lsn))
    shuffled = log * 2
    random.shuffle(shuffled)
    cut = random.randint(0, len(shuffled))
    by_batches = tables.newest([*tables.newest(shuffled[:cut]).values(), *tables.newest(shuffled[cut:]).values()])
    assert by_batches == in_order


@given(_versions, st.randoms(use_true_random=False))
def test_seat_segments_fold_to_the_same_rows_in_any_order(
    entries: list[tuple[str, int, bool, int]], random: Random
) -> None:
    unique = {(key, lsn): (key, lsn, gone, place) for key, lsn, gone, place in entries}.values()
    rows = [layout.SeatRow(key, lsn, gone, "block", None, "1", None, place, 1, 0) for key, lsn, gone, place in unique]
    in_order = layout.fold(sorted(rows, key=lambda row: row.lsn))
    shuffled = rows * 2
    random.shuffle(shuffled)
    segments = [layout.pack(shuffled[at : at + 3]) for at in range(0, len(shuffled), 3)]
    assert layout.fold(row for segment in segments for row in layout.unpack(segment)) == in_order


def _records(log: Any, rows: list[tuple[str, dict[str, Any]]], *, op: str = "c") -> list[Record]:
    return [
        Record(tables.TOPIC_PREFIX + table, 0, number, b"{}", log.envelope(table, row, op=op))
        for number, (table, row) in enumerate(rows)
    ]


class _Envelopes:
    """Debezium envelopes without a broker."""

    lsn = 0

    def envelope(self, table: str, row: dict[str, Any], *, op: str = "c") -> bytes:
        type(self).lsn += 1
        before, after = (row, None) if op == "d" else (None, row)
        source = {"lsn": self.lsn, "table": table}
        return json.dumps({"before": before, "after": after, "source": source, "op": op}).encode()


@pytest.fixture
def read_side(kafka_server, mongo_server, issuer, settings):
    """Parts over a fresh store, without consumers: tests feed the sink themselves."""

    def make():
        _, parts = assemble(settings(redis=False), verifier=issuer.verifier())
        return parts, _table_sink(parts)

    return make


def _table_sink(parts: Any) -> TableSink:
    return parts.projections[0]._sink


async def _documents(parts: Any) -> dict[str, Any]:
    found = {}
    for name in ("events", "layouts"):
        for document in await parts.database[name].find({}).to_list(None):
            document.pop("build")
            found[name, document["_id"]] = document
    for chunk in await parts.database["layout_chunks"].find({}).to_list(None):
        found["seats", chunk["session"]] = chunk["ids"], chunk["labels"], chunk["tiers"]
    return found


def _history(make_event: Any, later: Any) -> tuple[Any, list[tuple[str, str, dict[str, Any]]]]:
    """An event's life: created pending, approved, a price change, a layout edit, a discount removed."""
    event = make_event(rows=3, columns=5, loose=3)
    event.add_session(starts=later(9))
    kept = event.add_discount("KEPT", tiers=[event.tiers[0]["id"]], sessions=[event.session_id])
    dropped = event.add_discount("DROPPED", tiers=[event.tiers[1]["id"]])
    pending = {**event.event, "status": "PENDING"}
    steps = [("c", table, pending if table == "events" else row) for table, row in event.all()]
    steps.append(("u", "events", event.event))
    steps.append(("u", "tiers", {**event.tiers[0], "price_minor": 99_900}))
    steps.append(("d", "discount_tiers", {"discount_id": dropped["id"], "tier_id": event.tiers[1]["id"]}))
    steps.append(("d", "discounts", dropped))
    session, removed = event.sessions[0], event.seats[1]
    steps.append(("d", "session_seats", removed))
    for seat in event.seats:
        if seat["session_id"] == session["id"] and seat is not removed:
            steps.append(("u", "session_seats", {**seat, "layout_version": 2, "label": seat["label"] + "*"}))
    steps.append(("u", "session_seating_maps", {**event.maps[0], "layout_version": 2}))
    steps.append(("u", "event_sessions", {**session, "layout_version": 2, "seat_count": session["seat_count"] - 1}))
    assert kept
    return event, steps


@pytest.mark.parametrize("seed", range(6))
async def test_two_projectors_on_one_store_converge_on_any_order_of_a_repeated_log(
    seed, read_side, make_event, later, mongo_server, kafka_server, issuer, settings
):
    event, steps = _history(make_event, later)
    log = _Envelopes()
    records = [
        Record(tables.TOPIC_PREFIX + table, 0, number, b"{}", log.envelope(table, row, op=op))
        for number, (op, table, row) in enumerate(steps)
    ]
    parts, sink = read_side()
    other_parts, other_sink = read_side()
    await parts.database.client.drop_database(parts.database.name)

    async def feed(into: TableSink, rebuilder: Any, mine: list[Record], random: Random) -> None:
        while mine:
            batch, mine = mine[: random.randint(1, 7)], mine[random.randint(1, 7) :]
            await into.apply(batch, {})
            await rebuilder.drain()

    random = Random(seed)
    halves = [records * 2, records * 2]
    for half in halves:
        random.shuffle(half)
    # Batches may skip records; what was skipped comes in the final, complete replay of one projector.
    await asyncio.gather(
        feed(sink, parts.rebuilder, halves[0], random), feed(other_sink, other_parts.rebuilder, halves[1], random)
    )
    last = list(records)
    random.shuffle(last)
    await sink.apply(last, {})
    await parts.rebuilder.drain()
    concurrent = await _documents(parts)

    await parts.database.client.drop_database(parts.database.name)
    for record in records:
        await sink.apply([record], {})
    await parts.rebuilder.drain()
    in_order = await _documents(parts)
    assert concurrent == in_order
    document = in_order["events", event.id]
    assert [one["code"] for one in document["discounts"]] == ["KEPT"]
    assert document["tiers"][0]["priceMinor"] == 99_900
    assert in_order["layouts", event.session_id]["layoutVersion"] == 2
    assert in_order["layouts", event.session_id]["seatCount"] == event.sessions[0]["seat_count"] - 1


_almost = st.from_regex(r'\{"source":\{"table":"tiers","lsn":[0-9]{1,3}\}.{0,20}', fullmatch=True).map(str.encode)


@settings(max_examples=60)
@given(st.binary(max_size=60) | _almost)
def test_an_unreadable_record_is_refused_by_name(value: bytes) -> None:
    record = Record(tables.TOPIC_PREFIX + "tiers", 0, 7, b"{}", value)
    with pytest.raises(BadRecord) as caught:
        translate([record])
    assert caught.value.record is record


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        ("event_sessions", {"start_time": "soon"}),
        ("event_sessions", {"event_id": None}),
        ("events", {"title": None}),
        ("tiers", {"price_minor": "15.00"}),
        ("discounts", {"parameters": "{"}),
        ("session_seating_maps", {"layout_data": "[]"}),
        ("session_seats", {"layout_version": None}),
        ("session_seats", {"id": ""}),
    ],
)
def test_a_row_that_would_spoil_a_document_is_refused_at_the_door(table, broken, make_event):
    event = make_event()
    event.add_discount("X")
    row = next(row for name, row in event.all() if name == table)
    with pytest.raises(BadRecord):
        translate(_records(_Envelopes(), [(table, {**row, **broken})]))


def test_tombstones_and_unknown_tables_change_nothing():
    unknown = _Envelopes().envelope("organization_members", {"id": 1})
    records = [Record("t", 0, 0, b"{}", None), Record("t", 0, 1, b"{}", unknown)]
    assert translate(records) == ([], [])
