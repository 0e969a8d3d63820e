"""The seat board: versions decide, not arrival; deltas and counts never drift from the states."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ticketly_event_query.seats.board import SeatBoard, StoredSeat
from ticketly_event_query.seats.messages import AVAILABLE, BOOKED, LOCKED, RESERVED

IDS = [f"seat-{number}" for number in range(12)]
BLOCKED = {3, 7}

# A log: each entry is one message of some seats; its index is its fence number and its position in the log.
_logs = st.lists(
    st.tuples(st.sets(st.integers(0, 11), min_size=1, max_size=4), st.sampled_from([AVAILABLE, LOCKED, BOOKED])),
    max_size=30,
)


def _board(ring: int = 1000) -> SeatBoard:
    return SeatBoard(IDS, BLOCKED, ring_changes=ring)


def _in_order(log) -> bytes:
    states = bytearray(RESERVED if number in BLOCKED else AVAILABLE for number in range(len(IDS)))
    for seats, code in log:
        for number in seats:
            states[number] = RESERVED if code == AVAILABLE and number in BLOCKED else code
    return bytes(states)


@given(_logs, st.randoms(use_true_random=False))
def test_any_order_of_records_and_hints_ends_in_the_state_of_the_log(log, random: Random):
    arrivals = [(number, None) for number in range(len(log))] + [(number, number + 1) for number in range(len(log))] * 2
    random.shuffle(arrivals)
    board = _board()
    for number, position in arrivals:
        seats, code = log[number]
        board.apply([IDS[seat] for seat in seats], code, number + 1, position)
    assert bytes(board.states) == _in_order(log)
    assert not board.ahead
    assert board.position == len(log)
    counts = board.counts
    expected = [board.states.count(code) for code in (AVAILABLE, LOCKED, BOOKED, RESERVED)]
    assert [counts.available, counts.held, counts.sold, counts.blocked] == expected
    assert counts.total == len(IDS)


@given(_logs, st.randoms(use_true_random=False))
def test_a_snapshot_plus_the_later_log_is_the_whole_log(log, random: Random):
    cut = random.randint(0, len(log))
    stored: dict[str, StoredSeat] = {}
    # The store may be ahead of the place where buffering began.
    for number, (seats, code) in enumerate(log[: random.randint(cut, len(log))]):
        stored.update({IDS[seat]: StoredSeat(code, number + 1) for seat in seats})
    board = _board()
    board.restore(stored, cut)
    for number in range(cut, len(log)):
        seats, code = log[number]
        board.apply([IDS[seat] for seat in seats], code, number + 1, number + 1)
    assert bytes(board.states) == _in_order(log)


@given(_logs, st.integers(1, 20), st.randoms(use_true_random=False))
def test_a_delta_since_any_position_brings_an_old_copy_up_to_date(log, ring: int, random: Random):
    board = _board(ring)
    copies: list[tuple[int, dict[int, int]]] = [(0, dict(enumerate(board.states)))]
    waiting: list[int] = []
    for number in range(len(log)):
        waiting.append(number)
        if random.random() < 0.5:  # a hint comes first, for this one or one that is still on its way in the log
            seats, code = log[number]
            board.apply([IDS[seat] for seat in seats], code, number + 1, None)
        while waiting and random.random() < 0.7:
            first = waiting.pop(0)
            seats, code = log[first]
            board.apply([IDS[seat] for seat in seats], code, first + 1, first + 1)
        copies.append((board.position, dict(enumerate(board.states))))
    for position, copy in copies:
        changed = board.changed_since(position, reached=board.position)
        if changed is not None:
            copy.update({number: board.states[number] for number in changed})
            assert bytes(copy.values()) == bytes(board.states)
        else:
            assert ring < 8 * len(log)  # four seats at most, by a hint and by the log
    assert board.changed_since(board.position + 1, reached=board.position) is None


@given(_logs, st.integers(4, 20))
def test_a_delta_since_a_revision_brings_a_stream_up_to_date(log, ring: int):
    board = _board(ring)
    seen: list[tuple[int, list[int]]] = []
    for number, (seats, code) in enumerate(log):
        seen.append((board.revision, list(board.states)))
        board.apply([IDS[seat] for seat in seats], code, number + 1, None if number % 3 == 0 else number)
    for revision, copy in seen:
        changed = board.changed_after_revision(revision)
        if changed is not None:
            for number in changed:
                copy[number] = board.states[number]
            assert bytes(copy) == bytes(board.states)


def test_a_release_of_a_blocked_seat_leaves_it_reserved():
    board = _board()
    board.apply([IDS[3]], LOCKED, 1, 1)
    board.apply([IDS[3]], AVAILABLE, 2, 2)
    assert board.states[3] == RESERVED


def test_unknown_seats_are_skipped_and_still_move_the_position():
    board = _board()
    assert board.apply(["elsewhere"], LOCKED, 1, 9) == []
    assert board.position == 9
