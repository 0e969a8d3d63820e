"""The agenda loses nothing, hands a platform out once at a time, and waits longer after each failure."""

from __future__ import annotations

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ticketly_operator.agenda import Agenda, Pace

PACE = Pace(interval=30, debounce=0.5, backoff_first=1, backoff_max=300)
A, B = ("ns", "a"), ("ns", "b")


def test_a_listed_platform_is_due_at_once_and_a_woken_one_after_the_debounce():
    agenda = Agenda(PACE)
    agenda.known([A], 0)
    agenda.wake(B, 0)
    assert agenda.take(0) == A
    assert agenda.take(0.4) is None
    assert agenda.seconds_to_next(0.4) == 0.5 - 0.4
    assert agenda.take(0.5) == B


def test_the_timer_brings_a_platform_up_again_without_any_event():
    agenda = Agenda(PACE)
    agenda.known([A], 0)
    agenda.take(0)
    agenda.done(A, 1, failed=False)
    assert agenda.take(30.9) is None
    assert agenda.take(31) == A


def test_many_events_within_the_debounce_are_one_reconcile():
    agenda = Agenda(PACE)
    for moment in (0, 0.1, 0.2, 0.3):
        agenda.wake(A, moment)
    assert agenda.take(0.5) == A
    agenda.done(A, 0.6, failed=False)
    assert agenda.take(1.5) is None


def test_a_wake_during_the_work_makes_it_due_right_after():
    agenda = Agenda(PACE)
    agenda.known([A], 0)
    agenda.take(0)
    agenda.wake(A, 1)
    assert agenda.take(2) is None
    agenda.done(A, 2, failed=False)
    assert agenda.take(2.5) == A


def test_failures_back_off_and_a_success_forgets_them():
    agenda = Agenda(PACE)
    agenda.known([A], 0)
    now, waits = 0.0, []
    for _ in range(12):
        assert agenda.take(now) == A
        agenda.done(A, now, failed=True)
        waits.append(agenda.seconds_to_next(now))
        now += waits[-1]
    # never beyond the interval: what the failing dependency has no part in must not wait for it
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]
    agenda.take(now)
    agenda.done(A, now, failed=False)
    agenda.take(now + 30)
    agenda.done(A, now + 30, failed=True)
    assert agenda.seconds_to_next(now + 30) == 1


def test_a_wish_to_come_back_sooner_is_granted_and_one_to_come_later_is_not():
    agenda = Agenda(PACE)
    agenda.known([A, B], 0)
    agenda.take(0), agenda.take(0)
    agenda.done(A, 0, failed=False, again_in=5)
    agenda.done(B, 0, failed=False, again_in=500)
    assert agenda.take(5) == A
    assert agenda.take(30) == B


def test_a_platform_that_is_gone_is_not_handed_out_and_its_end_is_no_error():
    agenda = Agenda(PACE)
    agenda.known([A], 0)
    agenda.take(0)
    agenda.forget(A)
    agenda.done(A, 1, failed=False)
    assert (len(agenda), agenda.take(1e9), agenda.seconds_to_next(0)) == (0, None, None)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: nothing is lost, nothing is handed out twice."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = Agenda(PACE)
        self.now = 0.0
        self.busy: set[tuple[str, str]] = set()
        self.known: set[tuple[str, str]] = set()

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=st.sampled_from([A, B]))
    def wake(self, key: tuple[str, str]) -> None:
        self.agenda.wake(key, self.now)
        self.known.add(key)

    @rule()
    def take(self) -> None:
        key = self.agenda.take(self.now)
        if key is None:
            assert self.agenda.depth(self.now) == 0
            return
        assert key not in self.busy
        assert key in self.known
        self.busy.add(key)

    @precondition(lambda self: self.busy)
    @rule(failed=st.booleans())
    def done(self, failed: bool) -> None:
        self.agenda.done(self.busy.pop(), self.now, failed=failed)

    @invariant()
    def everything_idle_comes_up_within_the_longest_wait(self) -> None:
        if self.known - self.busy:
            wait = self.agenda.seconds_to_next(self.now)
            assert wait is not None
            assert wait <= PACE.backoff_max


AnyOrder.TestCase.settings = hypothesis_settings(max_examples=50, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
