"""The command database's clock, as far as it can be told from here. Pure.

An echo asks for the time and measures the round trip: the answer was made somewhere between, so it is right to half
the round trip. The best echo of the last ones is used; between echoes both clocks drift.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_KEPT = 16
_DRIFT = 200e-6
"""Seconds per second that two clocks may drift apart: twice what quartz does at its worst."""


@dataclass(frozen=True, slots=True)
class Echo:
    """One question: monotonic seconds here when it was sent and answered, and the server's time (since 1970)."""

    sent: float
    received: float
    server: float

    @property
    def offset(self) -> float:
        """Return the server's time at the monotonic clock's zero, by the middle of the round trip."""
        return self.server - (self.sent + self.received) / 2

    def error(self, now: float) -> float:
        """Return how far the offset may be off at a monotonic time."""
        return (self.received - self.sent) / 2 + _DRIFT * max(0.0, now - self.received)


class ServerClock:
    """Translates the monotonic clock of this process to the server's."""

    def __init__(self) -> None:
        self._echoes: deque[Echo] = deque(maxlen=_KEPT)

    def learn(self, echo: Echo) -> None:
        """Take in an answer. One that contradicts the others means that the server's clock was set: they go."""
        best = self._best(echo.received)
        if best is not None and abs(echo.offset - best.offset) > echo.error(echo.received) + best.error(echo.received):
            self._echoes.clear()
        self._echoes.append(echo)

    def at(self, monotonic: float) -> float | None:
        """Return the server's time at a monotonic time, None before the first answer."""
        best = self._best(monotonic)
        return None if best is None else monotonic + best.offset

    def error_seconds(self, monotonic: float) -> float | None:
        """Return the bound of the error of ``at``, None before the first answer."""
        best = self._best(monotonic)
        return None if best is None else best.error(monotonic)

    def age_seconds(self, monotonic: float) -> float | None:
        """Return how long ago the newest answer came, None before the first."""
        return monotonic - self._echoes[-1].received if self._echoes else None

    def _best(self, now: float) -> Echo | None:
        return min(self._echoes, key=lambda echo: echo.error(now), default=None)
