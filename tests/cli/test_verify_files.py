"""History files: recorded ones have their verdict, and whatever is damaged, cut or invented never passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.verify.checks import check_history
from ticketly_cli.verify.history import HistoryWriter, parse_history, read_history
from ticketly_cli.verify.seat_log import Assumptions

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("good.jsonl", "pass"),
        ("double-sale.jsonl", "fail"),
        ("tampered.jsonl", "fail"),
        ("tampered-harmless.jsonl", "inconclusive"),
        ("truncated.jsonl", "inconclusive"),
        ("empty.jsonl", "inconclusive"),
        ("does-not-exist.jsonl", "inconclusive"),
    ],
)
def test_recorded_histories_have_their_verdict(name, verdict):
    assert check_history(read_history(DATA / name), Assumptions()).verdict == verdict


def good_lines() -> list[bytes]:
    return (DATA / "good.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_history_cut_anywhere_is_inconclusive(cut):
    content = (DATA / "good.jsonl").read_bytes()
    part = content[: len(content) * cut // 6]
    assert check_history(parse_history(part), Assumptions()).verdict == "inconclusive"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_good_history_takes_the_pass_away(data):
    content = bytearray((DATA / "good.jsonl").read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    assert check_history(parse_history(bytes(content)), Assumptions()).verdict != "pass"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_inconclusive(content):
    assert check_history(parse_history(content), Assumptions()).verdict == "inconclusive"


@pytest.mark.parametrize("index", [1, 3])
def test_a_removed_or_repeated_line_takes_the_pass_away(index):
    lines = good_lines()
    removed = b"".join(lines[:index] + lines[index + 1 :])
    repeated = b"".join(lines[: index + 1] + lines[index:])
    for content in (removed, repeated):
        assert check_history(parse_history(content), Assumptions()).verdict == "inconclusive"


@pytest.mark.parametrize(
    "records",
    [
        [{"op_id": 1, "process": "b", "kind": "place", "type": "ok", "seats": ["s"], "order_id": "o", "time_ns": 5}],
        [
            {"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": ["s"], "time_ns": 9},
            {"op_id": 1, "process": "b", "kind": "place", "type": "ok", "seats": ["s"], "order_id": "o", "time_ns": 5},
        ],
        [
            {"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": ["s"], "time_ns": 1},
            {"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": ["s"], "time_ns": 2},
            {"op_id": 1, "process": "b", "kind": "place", "type": "ok", "seats": ["s"], "order_id": "o", "time_ns": 5},
        ],
        [
            {"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": ["s"], "time_ns": 1},
            {"op_id": 1, "process": "c", "kind": "place", "type": "ok", "seats": ["s"], "order_id": "o", "time_ns": 5},
        ],
        [{"type": "surprise", "time_ns": 5}],
        [{"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": "s", "time_ns": 1}],
        [{"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": ["s"], "time_ns": 1.5}],
        [],
    ],
    ids=["no question", "time backwards", "id twice", "foreign answer", "type", "seats", "time", "nothing"],
)
def test_an_impossible_record_is_inconclusive(tmp_path, records):
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path, {"session_id": "x", "seats": ["s"], "hold_ttl_seconds": 300}) as writer:
        for record in records:
            writer.append(record)
    assert check_history(read_history(path), Assumptions()).verdict == "inconclusive"


def test_a_history_that_was_not_closed_is_inconclusive(tmp_path):
    path = tmp_path / "history.jsonl"
    writer = HistoryWriter(path, {"session_id": "x", "seats": ["s"], "hold_ttl_seconds": 300})
    writer.append({"op_id": 1, "process": "b", "kind": "place", "type": "invoke", "seats": ["s"], "time_ns": 1})
    writer.abandon()
    report = check_history(read_history(path), Assumptions())
    assert report.verdict == "inconclusive"
    assert "footer" in report.reasons[0]


def test_a_header_without_a_hold_time_is_inconclusive(tmp_path):
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path, {"session_id": "x", "seats": ["s"]}):
        pass
    assert check_history(read_history(path), Assumptions()).verdict == "inconclusive"


def test_the_double_sale_names_its_seat():
    report = check_history(read_history(DATA / "double-sale.jsonl"), Assumptions())
    header = json.loads((DATA / "double-sale.jsonl").read_bytes().splitlines()[0])
    assert report.counterexamples[0].seat in header["seats"]
