"""The canary's figures: increments of the pods' histograms, percentiles of their sum, and what they mean. Pure.

Counts are plain (not cumulative) numbers of samples by their bucket's upper bound in seconds, infinity included: such
counts of several pods and moments are merged by adding them, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from ticketly_crds.status import ConditionStatus, ConditionType, LagStatus, Reason
from ticketly_operator.findings import Finding

Counts: TypeAlias = dict[float, float]

_STALLED_AT_ONCE: Final = 3
"""A beat pending this many times the objective needs no second look."""
_FEW: Final = 2
"""So many slow beats seen by each pod are a hiccup, however few beats were seen in all."""
_RECOVERED: Final = 0.8
"""Part of the objective that the 99th percentile must come down to before a breach is over."""


def increments(before: Mapping[float, float] | None, after: Mapping[float, float]) -> Counts:
    """Return what came between two readings of one pod's cumulative buckets; a restarted pod counts from zero.

    ``before`` None: nothing can be told yet, because a histogram also holds what was long ago.
    """
    if before is None:
        return {}
    if before.keys() != after.keys() or any(after[bound] < before[bound] for bound in after):
        before = dict.fromkeys(after, 0.0)
    counts: Counts = {}
    below = 0.0
    for bound in sorted(after):
        grown = after[bound] - before[bound]
        counts[bound] = max(0.0, grown - below)
        below = max(below, grown)
    return counts


def merged(parts: Iterable[Mapping[float, float]]) -> Counts:
    """Return the sum of counts."""
    whole: Counts = {}
    for part in parts:
        for bound, count in part.items():
            whole[bound] = whole.get(bound, 0.0) + count
    return whole


def quantile(counts: Mapping[float, float], share: float) -> float | None:
    """Return the value in seconds below which this share of samples lies, None without samples.

    Linear within a bucket; beyond the last finite bound nothing finer is known than that bound.
    """
    rank = share * sum(counts.values())
    seen, lower, found = 0.0, 0.0, None
    for bound in sorted(counts):
        count = counts[bound]
        if count > 0:
            found = bound if math.isfinite(bound) else lower
            if seen + count >= rank:
                inside = max(0.0, (rank - seen) / count)
                return lower + (found - lower) * min(1.0, inside)
        seen += count
        if math.isfinite(bound):
            lower = bound
    return found


def slower(counts: Mapping[float, float], limit: float) -> float:
    """Return how many samples took longer than ``limit`` seconds; within its bucket by linear share."""
    found, lower = 0.0, 0.0
    for bound in sorted(counts):
        if lower >= limit:
            found += counts[bound]
        elif math.isfinite(bound) and bound > limit:
            found += counts[bound] * (bound - limit) / (bound - lower)
        if math.isfinite(bound):
            lower = bound
    return found


@dataclass(frozen=True, slots=True)
class Measured:
    """What one look gives: the window's counts, how many pods answered, and the worst pending age of any pod.

    ``pending`` None: no pod could tell. ``pending_before``: that of the look before.
    """

    window: Mapping[float, float]
    pods: int
    pending: float | None
    pending_before: float | None


def figures(measured: Measured, now: datetime, *, breached: bool) -> LagStatus | None:
    """Return the figures of the status, None without samples.

    In a breach what is still on its way counts among the slowest: its age so far is the least that it will take.
    """
    middle, slow = quantile(measured.window, 0.5), quantile(measured.window, 0.99)
    if middle is None or slow is None:
        return None
    if breached:
        slow = max(slow, measured.pending or 0.0)
    return LagStatus(p50_ms=round(middle * 1000, 1), p99_ms=round(slow * 1000, 1), measured_at=now)


def judge(measured: Measured, slo_seconds: int, was: ConditionStatus | None) -> Finding | None:
    """Return what the figures mean, None when there are none yet: what was known stays.

    ``was`` is the condition's last status. Messages carry no figures, so that they change only with their meaning.
    A breach begins with evidence that one slow beat cannot give: more than one in a hundred beats and more than two
    per pod too slow, or nothing arriving for longer than the objective at two looks (one, when it is three times as
    long). It is over when nothing is overdue and the 99th percentile is clearly inside again.
    """
    breached = was is ConditionStatus.FALSE
    pending, before = measured.pending or 0.0, measured.pending_before or 0.0
    slow = quantile(measured.window, 0.99)
    if pending > slo_seconds and (breached or before > slo_seconds or pending > _STALLED_AT_ONCE * slo_seconds):
        return _beyond(f"a change has been on its way to readers for longer than {slo_seconds} s")
    if slow is not None and (
        slow > _RECOVERED * slo_seconds
        if breached
        else slow > slo_seconds and slower(measured.window, slo_seconds) > _FEW * measured.pods
    ):
        return _beyond(f"more than 1 in 100 changes took longer than {slo_seconds} s to reach readers")
    if slow is None:
        return None
    message = f"99 of 100 changes reach readers within {slo_seconds} s"
    return Finding(ConditionType.LAG_WITHIN_SLO, ConditionStatus.TRUE, Reason.WITHIN_SLO, message)


def unmeasured(why: str) -> Finding:
    """Return that nothing is known, and why."""
    return Finding(ConditionType.LAG_WITHIN_SLO, ConditionStatus.UNKNOWN, Reason.NO_MEASUREMENT, why)


def disabled() -> Finding:
    """Return that nobody wants to know."""
    message = "the probe is switched off"
    return Finding(ConditionType.LAG_WITHIN_SLO, ConditionStatus.UNKNOWN, Reason.PROBE_DISABLED, message)


def _beyond(message: str) -> Finding:
    return Finding(ConditionType.LAG_WITHIN_SLO, ConditionStatus.FALSE, Reason.BEYOND_SLO, message)
