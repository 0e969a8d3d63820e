"""Percentiles come from merged increments, stay inside their bucket, and one slow beat turns no condition."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_crds.status import ConditionStatus, Reason
from ticketly_operator.plan.lag import Measured, figures, increments, judge, merged, quantile, slower

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, math.inf)
SLO = 2

samples = st.lists(st.floats(min_value=0, max_value=60), max_size=80)
shares = st.floats(min_value=0, max_value=1)


def cumulative(values):
    """A pod's histogram of these samples."""
    return {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS}


def counts(values):
    return increments(cumulative([]), cumulative(values))


def bucket_of(value):
    upper = next(bound for bound in BOUNDS if value <= bound)
    lower = max((bound for bound in BOUNDS if bound < upper), default=0.0)
    return lower, (upper if math.isfinite(upper) else lower)


# --- increments and percentiles ---------------------------------------------------------------------------------------


@given(samples, samples)
def test_two_readings_give_what_came_between_them(before, after):
    assert increments(cumulative(before), cumulative(before + after)) == counts(after)


@given(samples.filter(bool), samples)
def test_a_restarted_pod_counts_from_zero(before, after):
    if len(after) < len(before):
        assert increments(cumulative(before), cumulative(after)) == counts(after)


def test_other_buckets_are_another_program_that_counts_from_zero():
    assert increments({1.0: 5.0, math.inf: 9.0}, cumulative([0.2, 3.0])) == counts([0.2, 3.0])


def test_a_pod_seen_for_the_first_time_tells_nothing_about_now():
    assert increments(None, cumulative([9.0] * 50)) == {}


@given(st.lists(samples, max_size=5), st.randoms())
def test_the_order_of_pods_and_looks_does_not_matter(parts, random):
    wanted = counts([value for part in parts for value in part])
    shuffled = [counts(part) for part in parts]
    random.shuffle(shuffled)
    assert {bound: n for bound, n in merged(shuffled).items() if n} == {b: n for b, n in wanted.items() if n}


@given(samples.filter(bool), shares, shares)
def test_percentiles_never_fall_with_their_share(values, one, other):
    found = [quantile(counts(values), share) for share in sorted((one, other))]
    assert found[0] <= found[1]


@given(samples.filter(bool), shares)
def test_a_percentile_lies_in_the_bucket_of_the_sample_it_stands_for(values, share):
    found = quantile(counts(values), share)
    # the bucket of the sample with that rank; at a border either side is right
    ordered = sorted(values)
    rank = share * len(ordered)
    near = {max(0, math.ceil(rank) - 1), min(len(ordered) - 1, math.floor(rank)), max(0, round(rank) - 1)}
    assert any(low - 1e-9 <= found <= high + 1e-9 for low, high in (bucket_of(ordered[at]) for at in near))


def test_without_samples_there_is_no_percentile():
    assert quantile({}, 0.5) is None
    assert quantile(counts([]), 0.99) is None


def test_beyond_the_last_bound_nothing_finer_is_known():
    assert quantile(counts([3600.0] * 3), 0.5) == 10.0


@given(samples, st.sampled_from([bound for bound in BOUNDS if math.isfinite(bound)]))
def test_at_a_bound_the_slower_samples_are_counted_exactly(values, limit):
    assert slower(counts(values), limit) == pytest.approx(sum(value > limit for value in values))


@given(samples, st.floats(min_value=0, max_value=20), st.floats(min_value=0, max_value=20))
def test_fewer_samples_are_slower_than_a_higher_limit(values, one, other):
    low, high = sorted((one, other))
    assert slower(counts(values), low) >= slower(counts(values), high) - 1e-9


# --- what they mean ---------------------------------------------------------------------------------------------------


def told(values, *, pods=1, pending=0.0, before=0.0, was=TRUE):
    found = judge(Measured(counts(values), pods, pending, before), SLO, was)
    return None if found is None else (found.status, found.reason)


WITHIN, BEYOND = (TRUE, Reason.WITHIN_SLO), (FALSE, Reason.BEYOND_SLO)


def test_fast_beats_are_within_the_objective():
    assert told([0.3] * 300) == WITHIN
    assert told([0.3] * 3, was=None) == WITHIN


@pytest.mark.parametrize("pods", [1, 10])
@pytest.mark.parametrize("beats", [1, 10, 300])
def test_one_slow_beat_is_no_breach_however_few_there_are(pods, beats):
    slow, fast = [4.0] * pods, [0.3] * pods * (beats - 1)
    assert told(slow + fast, pods=pods) == WITHIN


def test_more_than_one_in_a_hundred_slow_beats_are_a_breach():
    assert told([0.3] * 296 + [4.0] * 4) == BEYOND
    assert told([0.3] * 298 + [4.0] * 2) == WITHIN


def test_a_breach_ends_only_when_the_percentile_is_clearly_inside():
    hardly = [0.3] * 290 + [1.9] * 10
    assert told(hardly, was=TRUE) == WITHIN
    assert told(hardly, was=FALSE) == BEYOND
    assert told([0.3] * 300, was=FALSE) == WITHIN


def test_nothing_arriving_is_a_breach_at_the_second_look_or_at_once_when_it_is_long():
    assert told([0.3] * 300, pending=2.5, before=0.0) == WITHIN
    assert told([0.3] * 300, pending=2.5, before=2.1) == BEYOND
    assert told([0.3] * 300, pending=6.5, before=0.0) == BEYOND
    assert told([], pending=6.5, before=0.0, was=None) == BEYOND
    assert told([0.3] * 300, pending=2.1, before=0.0, was=FALSE) == BEYOND


def test_without_samples_and_without_a_breach_nothing_is_known():
    assert told([], pending=0.0) is None
    assert told([], pending=None, before=None) is None


@given(samples, st.none() | st.floats(0, 60), st.none() | st.floats(0, 60), st.integers(1, 12))
def test_a_breach_never_ends_by_evidence_that_would_begin_it(values, pending, before, pods):
    measured = Measured(counts(values), pods, pending, before)
    fresh, standing = judge(measured, SLO, TRUE), judge(measured, SLO, FALSE)
    if fresh is not None and fresh.status is FALSE:
        assert standing is not None
        assert standing.status is FALSE


@given(samples, st.none() | st.floats(0, 60), st.none() | st.floats(0, 60), st.sampled_from([TRUE, FALSE, None]))
def test_a_message_carries_no_figure_that_moves(values, pending, before, was):
    found = judge(Measured(counts(values), 1, pending, before), SLO, was)
    if found is not None:
        assert found.message in {
            "99 of 100 changes reach readers within 2 s",
            "more than 1 in 100 changes took longer than 2 s to reach readers",
            "a change has been on its way to readers for longer than 2 s",
        }


def test_figures_are_milliseconds_and_in_a_breach_what_is_on_its_way_counts():
    measured = Measured(counts([0.2] * 100), 1, 31.0, 21.0)
    calm = figures(measured, NOW, breached=False)
    assert calm is not None
    assert 100 < calm.p50_ms <= calm.p99_ms <= 250
    breached = figures(measured, NOW, breached=True)
    assert breached is not None
    assert (breached.p50_ms, breached.p99_ms, breached.measured_at) == (calm.p50_ms, 31_000.0, NOW)
    assert figures(Measured({}, 1, 31.0, 21.0), NOW, breached=True) is None
