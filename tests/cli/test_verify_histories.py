"""The history checker: legal histories pass however they overlap, every seeded fault is caught, damage never passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.verify.checks import check_history
from ticketly_cli.verify.linearizable import SeatEvent, search
from ticketly_cli.verify.operations import Header, History, Operation
from ticketly_cli.verify.seat_log import Assumptions
from ticketly_cli.verify.stored import StoredOrder, StoredSeat, StoredSession, compare

MS = 1_000_000
TTL_SECONDS = 10.0
STRICT = Assumptions(deadline_slack_seconds=0.01, release_staleness_seconds=0.0)
NOW = datetime(2027, 1, 11, 9, 0, tzinfo=UTC)

HEADER = Header(
    session_id="5e550000-0000-4000-8000-000000000001",
    event_id="e",
    seats=("s1", "s2", "s3"),
    seed=1,
    started="2027-01-11T09:00:00Z",
    target="t",
    hold_ttl_seconds=TTL_SECONDS,
    users={f"b{n}": f"u{n}" for n in range(20)},
)


class Story:
    """Writes operations down with times in milliseconds."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def place(self, start, end, outcome="ok", seats=("s1",), contested=None, hold_ms=None, process=None, **changes):
        op_id = len(self.operations)
        order_id = f"o{op_id}" if outcome == "ok" else None
        fields = {
            "op_id": op_id,
            "process": process or f"b{op_id}",
            "kind": "place",
            "seats": tuple(seats),
            "outcome": outcome,
            "invoked_ns": start * MS,
            "returned_ns": None if outcome == "unknown" else end * MS,
            "order_id": order_id,
            "status": {"ok": 201, "fail": 409}.get(outcome),
            "code": "seats-unavailable" if outcome == "fail" else None,
            "answered_seats": {"ok": tuple(seats), "fail": tuple(contested or seats)}.get(outcome),
            "hold_ns": None if hold_ms is None else hold_ms * MS,
        }
        self.operations.append(Operation(**(fields | changes)))
        return order_id

    def cancel(self, order_id, start, end, outcome="ok", process="b0", status=204):
        self.operations.append(
            Operation(
                op_id=len(self.operations),
                process=process,
                kind="cancel",
                seats=(),
                outcome=outcome,
                invoked_ns=start * MS,
                returned_ns=None if outcome == "unknown" else end * MS,
                order_id=order_id,
                status=None if outcome == "unknown" else status,
            )
        )

    def history(self) -> History:
        return History(HEADER, tuple(self.operations))

    def verdict(self, assumptions: Assumptions = STRICT) -> str:
        return check_history(self.history(), assumptions).verdict


def test_one_winner_among_overlapping_claims_passes():
    story = Story()
    story.place(0, 50)
    for buyer in range(5):
        story.place(buyer, 60 + buyer, "fail")
    assert story.verdict() == "pass"


def test_two_winners_of_one_seat_fail_and_the_seat_is_named():
    story = Story()
    story.place(0, 50)
    story.place(10, 60)
    report = check_history(story.history(), STRICT)
    assert report.verdict == "fail"
    assert report.verdicts["I1"] == "fail"
    assert report.counterexamples[0].seat == "s1"
    assert any("o0" in line for line in report.counterexamples[0].evidence)


def test_a_refusal_that_ends_before_the_first_claim_begins_fails():
    story = Story()
    story.place(0, 10, "fail")
    story.place(11, 20)
    assert story.verdict() == "fail"


def test_a_refusal_that_touches_the_winners_interval_passes():
    story = Story()
    story.place(0, 10, "fail")
    story.place(10, 20)
    assert story.verdict() == "pass"


def test_a_cancelled_seat_can_be_sold_again():
    story = Story()
    order = story.place(0, 10)
    story.cancel(order, 20, 30)
    story.place(31, 40)
    assert story.verdict() == "pass"


def test_a_claim_may_win_while_the_cancellation_is_still_on_its_way():
    story = Story()
    order = story.place(0, 10)
    story.cancel(order, 20, 60)
    story.place(25, 30)
    story.place(31, 50, "fail")
    assert story.verdict() == "pass"


def test_a_claim_that_won_before_the_cancellation_was_sent_fails():
    story = Story()
    order = story.place(0, 10)
    story.place(12, 19)
    story.cancel(order, 20, 60)
    assert story.verdict() == "fail"


def test_a_refusal_after_the_seat_was_freed_fails():
    story = Story()
    order = story.place(0, 10)
    story.cancel(order, 20, 30)
    story.place(31, 40, "fail")
    assert story.verdict() == "fail"


def test_a_refusal_shortly_after_a_release_is_granted_to_the_shield_but_only_as_stated():
    story = Story()
    order = story.place(0, 10)
    story.cancel(order, 20, 30)
    story.place(900, 950, "fail")
    assert story.verdict(Assumptions(0.01, 1.0)) == "pass"
    assert story.verdict(Assumptions(0.01, 0.5)) == "fail"


def test_an_expired_hold_may_be_taken_over():
    story = Story()
    story.place(0, 10, hold_ms=1000)
    story.place(1005, 1020)
    assert story.verdict() == "pass"


def test_a_hold_that_is_taken_over_before_its_deadline_fails():
    story = Story()
    story.place(0, 10, hold_ms=1000)
    story.place(900, 950)
    assert story.verdict() == "fail"


def test_a_refusal_long_after_the_deadline_fails():
    story = Story()
    story.place(0, 10, hold_ms=1000)
    story.place(1100, 1200, "fail")
    assert story.verdict() == "fail"


def test_a_refusal_around_the_deadline_passes():
    story = Story()
    story.place(0, 10, hold_ms=1000)
    story.place(1000, 1200, "fail")
    assert story.verdict() == "pass"


def test_an_unanswered_claim_explains_refusals_that_come_much_later():
    story = Story()
    story.place(0, 0, "unknown")
    story.place(5000, 5010, "fail")
    story.place(20, 30, seats=("s2",))
    assert story.verdict() == "pass"


def test_an_unanswered_claim_explains_nothing_that_ended_before_it_was_sent():
    story = Story()
    story.place(100, 100, "unknown")
    story.place(50, 90, "fail")
    story.place(20, 30, seats=("s2",))
    assert story.verdict() == "fail"


def test_an_unanswered_cancellation_may_have_freed_the_seat_at_any_later_time():
    story = Story()
    order = story.place(0, 10)
    story.cancel(order, 20, 20, "unknown")
    story.place(30, 40, "fail")
    story.place(2000, 2010)
    assert story.verdict() == "pass"


def test_the_winner_of_a_basket_blocks_each_of_its_seats():
    story = Story()
    story.place(0, 10, seats=("s1", "s2"))
    story.place(5, 20, "fail", seats=("s2", "s3"), contested=("s2",))
    story.place(30, 40, seats=("s3",))
    assert story.verdict() == "pass"
    story.place(50, 60, seats=("s2",))
    assert story.verdict() == "fail"


def test_a_refusal_naming_a_seat_that_was_free_fails():
    story = Story()
    story.place(0, 10, seats=("s1", "s2"))
    story.place(12, 20, "fail", seats=("s2", "s3"), contested=("s3",))
    assert story.verdict() == "fail"


def test_a_refusal_without_named_seats_needs_one_held_seat():
    story = Story()
    story.place(0, 10, seats=("s1",))
    story.place(12, 20, "fail", seats=("s1", "s3"), answered_seats=None)
    assert story.verdict() == "pass"
    story.place(30, 40, "fail", seats=("s2", "s3"), answered_seats=None)
    assert story.verdict() == "fail"


@pytest.mark.parametrize("answered", [("s1",), ("s1", "s2", "s3"), ("s1", "s3"), ("s1", "s1", "s2"), None])
def test_an_acknowledgement_of_other_seats_than_asked_for_fails(answered):
    story = Story()
    story.place(0, 10, seats=("s1", "s2"), answered_seats=answered)
    report = check_history(story.history(), STRICT)
    assert report.verdicts["I3"] == "fail"


def test_an_acknowledgement_without_an_order_fails():
    story = Story()
    story.place(0, 10, order_id=None)
    assert story.verdict() == "fail"


def test_the_same_order_given_to_two_requests_fails():
    story = Story()
    story.place(0, 10, seats=("s1",), order_id="same")
    story.place(0, 10, seats=("s2",), order_id="same")
    assert story.verdict() == "fail"


def test_nothing_acknowledged_is_inconclusive():
    story = Story()
    story.place(0, 10, "fail", code="session-not-on-sale", answered_seats=None)
    assert story.verdict() == "inconclusive"


def test_the_search_gives_up_as_undecided_never_as_legal():
    events = [SeatEvent("claim", n, 0, 2**62, False, n) for n in range(30)]
    events += [SeatEvent("free", n, 1, 2**62, False, n) for n in range(30)]
    events.append(SeatEvent("claim", 99, 10, 11, True, 99))
    events.append(SeatEvent("claim", 98, 12, 13, True, 98))
    assert search(events, budget=50).legal is None


# --- random histories -------------------------------------------------------------------------------------------

actions = st.lists(
    st.tuples(
        st.sampled_from(["place", "place", "place", "cancel", "wait"]),
        st.sets(st.sampled_from(["s1", "s2", "s3"]), min_size=1, max_size=2),
        st.integers(1, 40),
        st.integers(0, 60),
        st.integers(0, 60),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def legal_story(script, ttl_ms: int = 400) -> Story:
    """Runs the script on a correct seat map, one action after the other, then stretches every operation around the
    moment it took effect. What really happened stays a valid explanation."""
    story = Story()
    holders: dict[str, tuple[str, int]] = {}
    cancellable: list[tuple[str, int]] = []
    point = 100
    for kind, chosen, gap, before, after, unanswered in script:
        point += gap + (ttl_ms if kind == "wait" else 0)
        # Deadlines near the moment of an action would make the outcome depend on the slack; keep clear of them.
        for _, until in holders.values():
            if abs(until - point) <= 20:
                point = until + 21
        holders = {seat: held for seat, held in holders.items() if held[1] > point}
        if kind == "place":
            seats = tuple(sorted(chosen))
            contested = tuple(seat for seat in seats if seat in holders)
            if contested:
                story.place(point - before, point + after, "fail", seats, contested)
                continue
            order = story.place(point - before, point + after, "ok", seats, hold_ms=ttl_ms)
            holders |= dict.fromkeys(seats, (order, point + ttl_ms))
            cancellable.append((order, point + after))
            if unanswered:
                story.operations[-1] = replace(
                    story.operations[-1],
                    outcome="unknown",
                    returned_ns=None,
                    status=None,
                    order_id=None,
                    answered_seats=None,
                    hold_ns=None,
                )
                cancellable.pop()
        elif kind == "cancel" and cancellable:
            order, answered_at = cancellable.pop(0)
            point = max(point, answered_at + 1)
            holders = {seat: held for seat, held in holders.items() if held[0] != order and held[1] > point}
            story.cancel(order, max(point - before, answered_at), point + after)
    return story


# The hold is counted from the operation's moment, somewhere in its interval; the slack covers nothing else here.
LEGAL = Assumptions(deadline_slack_seconds=0.01, release_staleness_seconds=0.0)


def with_ttl(story: Story, ttl_ms: int = 400) -> History:
    return History(replace(HEADER, hold_ttl_seconds=ttl_ms / 1000), tuple(story.operations))


@settings(max_examples=200, deadline=None)
@given(actions)
def test_every_legal_history_passes_whatever_overlaps(script):
    history = with_ttl(legal_story(script))
    report = check_history(history, LEGAL)
    assert "fail" not in report.verdicts.values(), report.counterexamples


@settings(max_examples=100, deadline=None)
@given(actions, st.integers(0, 10**6))
def test_a_second_winner_inside_a_certain_hold_is_always_caught(script, choice):
    story = legal_story([(k, s, g, b, a, False) for k, s, g, b, a, _ in script if k != "cancel"])
    winners = [op for op in story.operations if op.outcome == "ok"]
    if not winners:
        return
    victim = winners[choice % len(winners)]
    start = victim.returned_ns // MS + 1
    if start + 2 >= victim.invoked_ns // MS + 400 - 10:
        return
    story.place(start, start + 2, "ok", victim.seats[:1], hold_ms=400)
    assert check_history(with_ttl(story), LEGAL).verdict == "fail"


@settings(max_examples=100, deadline=None)
@given(actions)
def test_a_hold_that_comes_back_to_life_is_always_caught(script):
    story = legal_story([(k, s, g, b, a, False) for k, s, g, b, a, _ in script])
    last = max((op.returned_ns // MS for op in story.operations), default=0) + 1000
    order = story.place(last, last + 1, hold_ms=400)
    story.cancel(order, last + 2, last + 3)
    story.place(last + 4, last + 5, "fail")
    assert check_history(with_ttl(story), LEGAL).verdict == "fail"


# --- beside the database -----------------------------------------------------------------------------------------


def stored_of(story: Story, **changes) -> StoredSession:
    """The database a correct platform would have."""
    cancelled = {op.order_id for op in story.operations if op.kind == "cancel" and op.outcome == "ok"}
    orders = {
        op.order_id: StoredOrder(
            op.order_id,
            f"u{op.process[1:]}",
            HEADER.session_id,
            "cancelled" if op.order_id in cancelled else "pending",
            NOW + timedelta(seconds=5),
            op.seats,
        )
        for op in story.operations
        if op.outcome == "ok" and op.kind == "place"
    }
    for order_id, change in changes.items():
        if change is None:
            del orders[order_id]
        elif order_id in orders:
            orders[order_id] = replace(orders[order_id], **change)
        else:
            orders[order_id] = StoredOrder(
                order_id, change["user_id"], HEADER.session_id, "pending", NOW + timedelta(seconds=5), change["seats"]
            )
    holders = {seat: order for order in orders.values() if order.status == "pending" for seat in order.seats}
    seats = tuple(
        StoredSeat(
            seat,
            "HELD" if seat in holders else "AVAILABLE",
            holders[seat].order_id if seat in holders else None,
            holders[seat].held_until if seat in holders else None,
        )
        for seat in HEADER.seats
    )
    return StoredSession(NOW, tuple(orders.values()), seats)


def two_winners_one_loser() -> Story:
    story = Story()
    story.place(0, 10, seats=("s1",))
    story.place(0, 10, seats=("s2", "s3"))
    story.place(0, 20, "fail", seats=("s1",))
    return story


def test_a_database_that_has_every_acknowledged_order_agrees():
    comparison = compare(two_winners_one_loser().history(), stored_of(two_winners_one_loser()))
    assert not comparison.lost
    assert not comparison.partial


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"o0": None}, "lost"),
        ({"o1": {"user_id": "somebody else"}}, "lost"),
        ({"o1": {"status": "cancelled"}}, "lost"),
        ({"o1": {"status": "expired"}}, "lost"),
        ({"o1": {"seats": ("s2",)}}, "partial"),
        ({"extra": {"user_id": "u2", "seats": ("s1",)}}, "partial"),
    ],
    ids=["missing", "another buyer", "cancelled by nobody", "expired too early", "half an order", "refused but stored"],
)
def test_a_database_that_disagrees_is_caught(change, where):
    story = two_winners_one_loser()
    comparison = compare(story.history(), stored_of(story, **change))
    assert getattr(comparison, where)


def test_an_expired_order_past_its_deadline_is_explained():
    story = two_winners_one_loser()
    past = {"status": "expired", "held_until": NOW - timedelta(seconds=1)}
    assert not compare(story.history(), stored_of(story, o1=past)).lost


def test_an_acknowledged_cancellation_that_did_nothing_is_caught():
    story = two_winners_one_loser()
    story.cancel("o0", 30, 40)
    assert compare(story.history(), stored_of(story, o0={"status": "pending"})).lost


def test_a_live_order_that_lost_a_seat_to_nobody_is_caught():
    story = two_winners_one_loser()
    stored = stored_of(story)
    freed = tuple(replace(s, state="AVAILABLE", order_id=None) if s.seat_id == "s3" else s for s in stored.seats)
    assert compare(story.history(), replace(stored, seats=freed)).lost


def test_an_unanswered_claim_that_shows_up_in_the_database_is_settled_as_done():
    story = Story()
    story.place(0, 0, "unknown", seats=("s1",))
    story.place(50, 60, "fail", seats=("s1",))
    stored = stored_of(story, late={"user_id": "u0", "seats": ("s1",)})
    comparison = compare(story.history(), stored)
    assert not comparison.partial
    assert [op.outcome for op in comparison.settled.operations] == ["ok", "fail"]
    assert check_history(comparison.settled, STRICT).verdict == "pass"


def test_an_unanswered_claim_the_database_never_saw_explains_no_refusal():
    story = Story()
    story.place(0, 0, "unknown", seats=("s1",))
    story.place(50, 60, "fail", seats=("s1",))
    story.place(50, 60, seats=("s2",))
    comparison = compare(story.history(), stored_of(story))
    assert check_history(story.history(), STRICT).verdict == "pass"
    assert check_history(comparison.settled, STRICT).verdict == "fail"
