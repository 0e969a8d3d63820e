"""The lag: ask every ready reader how late it is, add up what came since the last look, judge the window.

Looking is reading only, so it goes on while a platform is paused. It never fails a reconcile: a reader that does not
answer is left out, and readers that all stay silent are asked ever more seldom, because waiting for them costs time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ticketly_crds.status import ConditionStatus, ConditionType
from ticketly_operator.agenda import Key
from ticketly_operator.desired.model import Manifest
from ticketly_operator.observed import LagReading
from ticketly_operator.plan.lag import Counts, Measured, disabled, figures, increments, judge, merged, unmeasured
from ticketly_operator.plan.rollouts import pods_of
from ticketly_operator.reconcile.platform import Report, View
from ticketly_operator.reconcile.ports import Cluster, Lag

_READER: Final = "event-query"
_PATIENCE: Final = timedelta(seconds=60)
"""A condition that was known stays for this long without a measurement: a roll-out of the readers is no news."""
_FIRST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(minutes=5)


@dataclass(slots=True)
class _Memory:
    """Only figures to see a trend; losing them costs one window."""

    known_at: datetime
    last: dict[str, LagReading] = field(default_factory=dict)
    window: deque[tuple[datetime, Counts]] = field(default_factory=deque)
    pending: float | None = None
    silent: frozenset[str] = frozenset()
    pause: timedelta = _FIRST_PAUSE
    next_at: datetime | None = None


class LagProbe:
    """The step."""

    def __init__(self, cluster: Cluster, lag: Lag, window: timedelta) -> None:
        """``window``: time the percentiles are taken over."""
        self._cluster = cluster
        self._lag = lag
        self._window = window
        self._memories: dict[Key, _Memory] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a platform that is gone."""
        self._memories.pop(key, None)

    async def __call__(self, view: View) -> Report:
        """Measure and judge."""
        key = (view.platform.metadata.namespace, view.platform.name)
        if not view.platform.spec.lag.probe:
            self.forget(key)
            return Report((disabled(),))
        memory = self._memories.setdefault(key, _Memory(known_at=view.now))
        service = view.blueprint.service(_READER)
        pods = await self._cluster.pods(*key)
        addresses = ready_addresses(pods_of(service, view.platform.name, pods))
        if not addresses:
            return _unknown(view, memory, f"no {_READER} pod is ready")
        asked = frozenset(addresses)
        if memory.next_at is not None and view.now < memory.next_at and asked == memory.silent:
            return _unknown(view, memory, f"no {_READER} pod answers")
        readings = await self._lag.readings(addresses, service.internal_port)
        if not readings:
            _go_slower(memory, asked, view.now)
            return _unknown(view, memory, f"no {_READER} pod answers")
        memory.next_at, memory.pause = None, _FIRST_PAUSE
        memory.last = {pod: last for pod, last in memory.last.items() if pod in addresses}
        measured = self._take_in(memory, readings, view.now)
        finding = judge(measured, view.platform.spec.lag.slo_seconds, _was(view))
        if finding is None:
            began = len(memory.window) == 1
            why = "measuring has just begun" if began else "no canary arrives and none is known to be on its way"
            return _unknown(view, memory, why)
        memory.known_at = view.now
        breached = finding.status is ConditionStatus.FALSE
        return Report((finding,), lag=figures(measured, view.now, breached=breached))

    def _take_in(self, memory: _Memory, readings: Sequence[LagReading], now: datetime) -> Measured:
        came = merged(increments(_buckets(memory.last.get(each.pod)), each.buckets) for each in readings)
        memory.window.append((now, came))
        while memory.window[0][0] < now - self._window:
            memory.window.popleft()
        # a pod that did not answer this once goes on from where it was
        memory.last |= {each.pod: each for each in readings}
        known = [each.pending_seconds for each in readings if each.pending_seconds is not None]
        before, memory.pending = memory.pending, max(known, default=None)
        window = merged(counts for _, counts in memory.window)
        return Measured(window=window, pods=len(readings), pending=memory.pending, pending_before=before)


def ready_addresses(pods: Sequence[Manifest]) -> dict[str, str]:
    """Return the addresses of the pods that are ready and not ending, by name."""
    found: dict[str, str] = {}
    for pod in pods:
        status = pod.get("status", {})
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
        if ready and status.get("podIP") and not pod["metadata"].get("deletionTimestamp"):
            found[pod["metadata"]["name"]] = status["podIP"]
    return found


def _buckets(reading: LagReading | None) -> Mapping[float, float] | None:
    return None if reading is None else reading.buckets


def _go_slower(memory: _Memory, silent: frozenset[str], now: datetime) -> None:
    memory.pause = min(memory.pause * 2, _LONGEST_PAUSE) if silent == memory.silent else _FIRST_PAUSE
    memory.silent, memory.next_at = silent, now + memory.pause
    memory.pending = None


def _was(view: View) -> ConditionStatus | None:
    condition = view.previous.condition(ConditionType.LAG_WITHIN_SLO)
    return None if condition is None else condition.status


def _unknown(view: View, memory: _Memory, why: str) -> Report:
    """Say that nothing is known, unless something was known a moment ago."""
    if _was(view) in (ConditionStatus.TRUE, ConditionStatus.FALSE) and view.now - memory.known_at < _PATIENCE:
        return Report()
    return Report((unmeasured(why),))
