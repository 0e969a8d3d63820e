"""Whether the watches still deliver. Pure: times are seconds of a monotonic clock.

A watch stream can stall without an error. Silence alone proves nothing, since at rest nothing happens; so each complete
listing is compared with what the watch delivered: an object that the listing shows at a version the watch has not told
about is overdue. A listing with nothing overdue proves the watch, and so does every event. When no proof came for too
long (because listings fail, or because something stays overdue) the process is better restarted.
"""

from __future__ import annotations

from collections.abc import Mapping

from ticketly_operator.agenda import Key


class WatchProof:
    """Compares listings of platforms with the events about them."""

    def __init__(self, now: float) -> None:
        """Start proven: the first listing follows at once."""
        self._proven_at = now
        self._delivered: dict[Key, str] = {}

    def begin(self, now: float) -> None:
        """Watching starts now: a process that waited for hours to lead has had nothing to prove until then."""
        self._proven_at = now

    def delivered(self, key: Key, version: str, now: float) -> None:
        """The watch told about an object."""
        self._delivered[key] = version
        self._proven_at = max(self._proven_at, now)

    def listed(self, versions: Mapping[Key, str], listed_at: float) -> None:
        """A listing was made at ``listed_at``: it proves the watch if the watch had already told all of it."""
        if all(self._delivered.get(key) == version for key, version in versions.items()):
            self._proven_at = max(self._proven_at, listed_at)
        for key in self._delivered.keys() - versions.keys():
            del self._delivered[key]

    def age(self, now: float) -> float:
        """Return the seconds since the last proof."""
        return max(0.0, now - self._proven_at)
