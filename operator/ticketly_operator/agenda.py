"""When which platform is reconciled next: a timer brings every one up again, events only bring it forward.

Pure: times are seconds of a monotonic clock and always arguments. A platform is never handed out twice at once; a wake
that arrives while it is worked on makes it due again right after, so that nothing that was seen is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a platform."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one reconcile says about the next: ``again_in`` seconds at the latest, ``failed`` means with back-off."""

    failed: bool = False
    again_in: float | None = None
    paused: bool = False


@dataclass(slots=True)
class _Entry:
    due: float
    busy: bool = False
    woken: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in seconds. ``debounce``: events within it become one reconcile."""

    interval: float
    debounce: float
    backoff_first: float
    backoff_max: float


class Agenda:
    """The platforms and when each is due."""

    def __init__(self, pace: Pace) -> None:
        """Start empty."""
        self._pace = pace
        self._entries: dict[Key, _Entry] = {}

    def wake(self, key: Key, now: float) -> None:
        """Something happened: due after the debounce at the latest, or once more after the work in progress."""
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(due=now + self._pace.debounce)
        elif entry.busy:
            entry.woken = True
        else:
            entry.due = min(entry.due, now + self._pace.debounce)

    def known(self, keys: Iterable[Key], now: float) -> None:
        """Add those of a complete listing that are not there yet; they are due at once."""
        for key in keys:
            self._entries.setdefault(key, _Entry(due=now))

    def forget(self, key: Key) -> None:
        """Drop a platform that is gone."""
        self._entries.pop(key, None)

    def take(self, now: float) -> Key | None:
        """Hand out the platform that has been due longest, None when there is none."""
        due = [(entry.due, key) for key, entry in self._entries.items() if not entry.busy and entry.due <= now]
        if not due:
            return None
        key = min(due)[1]
        entry = self._entries[key]
        entry.busy, entry.woken = True, False
        return key

    def done(self, key: Key, now: float, *, failed: bool, again_in: float | None = None) -> None:
        """Give a platform back: due again after the interval (or ``again_in``), sooner after a failure or a wake."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.busy = False
        wait = self._pace.interval if again_in is None else min(again_in, self._pace.interval)
        if failed:
            entry.failures += 1
            # the exponent is bounded: 2.0 ** 1100 is an error
            backoff = min(self._pace.backoff_first * 2.0 ** min(entry.failures - 1, 30), self._pace.backoff_max)
            # a broken dependency must not delay what does not need it: a sale's minimum, drift, a new Secret
            wait = min(backoff, self._pace.interval)
        else:
            entry.failures = 0
        if entry.woken and not failed:
            wait = self._pace.debounce
        entry.due = now + wait

    def seconds_to_next(self, now: float) -> float | None:
        """Return how long nothing will be due; 0 when something is, None when nothing is planned."""
        waiting = [entry.due for entry in self._entries.values() if not entry.busy]
        return max(0.0, min(waiting) - now) if waiting else None

    def depth(self, now: float) -> int:
        """Return how many platforms are due and not yet taken."""
        return sum(1 for entry in self._entries.values() if not entry.busy and entry.due <= now)

    def __len__(self) -> int:
        """Return how many platforms are known."""
        return len(self._entries)
