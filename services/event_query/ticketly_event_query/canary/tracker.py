"""Which beats of the canary were written, which have arrived, and how late. Pure.

All instants are seconds of the command database's clock, since 1970: no other machine's clock is compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_WAITING = 1024


@dataclass(frozen=True, slots=True)
class Beat:
    """One write of the canary row: its number grows by one each time; ``written_at`` is the database's time."""

    number: int
    written_at: float


class Tracker:
    """Beats that are on their way. The first beat that arrives only says where to count from: its age is unknown."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        self._arrived: int | None = None

    def written(self, beat: Beat, now: float) -> None:
        """Note a beat that is known to be written; one that has arrived already is not waited for.

        Before anything has arrived a beat counts from now: it may be the last one of a writer that stopped long ago.
        """
        since = beat.written_at if self._arrived is not None else max(beat.written_at, now)
        if beat.number > (self._arrived or 0) and len(self._waiting) < _MOST_WAITING:
            # the first word about a beat stays: later ones may only be more exact about the same write
            self._waiting.setdefault(beat.number, since)

    def arrived(self, number: int, now: float) -> list[float]:
        """Note that a beat has reached the subscriber; return the ages in seconds of all beats it ends the wait for.

        Beats that were overtaken (a pause ends, and only the newest row is left to see) arrive with it.
        """
        first = self._arrived is None
        if number <= (self._arrived or 0):
            return []
        self._arrived = number
        over = sorted(waiting for waiting in self._waiting if waiting <= number)
        ages = [max(0.0, now - self._waiting.pop(waiting)) for waiting in over]
        return [] if first else ages

    def restart(self) -> None:
        """Forget everything: the row's numbers began anew (a restored database)."""
        self._waiting.clear()
        self._arrived = None

    def pending_seconds(self, now: float) -> float:
        """Return the age of the oldest beat that has not arrived, 0 when there is none."""
        return max(0.0, now - min(self._waiting.values())) if self._waiting else 0.0

    @property
    def waits(self) -> bool:
        """Tell whether a beat is on its way."""
        return bool(self._waiting)
