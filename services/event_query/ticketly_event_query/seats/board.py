"""The seats of one session in memory: states, versions, counts, and what changed lately. Pure, no clock, no I/O.

A state is applied only when its version (fence number) is not lower than the seat's, so log records, hints and
snapshots may come in any order and any number of times. ``position`` is the session's place in the seat log;
``revision`` counts changes seen by this process (hints included) and is what caches are keyed by.

Hints carry no position. Seats that a hint changed before the log did are *ahead*: they belong to every delta until
the log confirms them, so that a client resuming by log position misses nothing.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from ticketly_event_query.seats.messages import AVAILABLE, BOOKED, LOCKED, RESERVED

_Entry = tuple[int, int, tuple[int, ...]]
"""Position and revision after a change, and the indexes it touched."""


@dataclass(frozen=True, slots=True)
class StoredSeat:
    """A seat's state as the store has it."""

    code: int
    version: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Seats by state; ``total`` includes the blocked ones."""

    total: int
    available: int
    held: int
    sold: int
    blocked: int


class SeatBoard:
    """``ids`` in map order; ``blocked`` are indexes the organizer reserved; at most ``ring_changes`` are kept."""

    def __init__(self, ids: Sequence[str], blocked: Iterable[int], *, ring_changes: int) -> None:
        self.ids = list(ids)
        self.index: dict[str, int] = {seat: number for number, seat in enumerate(self.ids)}
        self._resting = bytearray(len(self.ids))
        for number in blocked:
            self._resting[number] = RESERVED
        self.states = bytearray(self._resting)
        self.versions = array("Q", bytes(8 * len(self.ids)))
        self.position = 0
        self.revision = 0
        self.ahead: dict[int, int] = {}
        self._counts = [self.states.count(code) for code in (AVAILABLE, LOCKED, BOOKED, RESERVED)]
        self._ring: deque[_Entry] = deque()
        self._ring_limit = ring_changes
        self._ring_seats = 0
        self._floor_position = 0
        self._floor_revision = 0

    def restore(self, seats: Mapping[str, StoredSeat], position: int) -> None:
        """Take over what the store knows, at the log position it has reached. Call once, before ``apply``."""
        for seat, stored in seats.items():
            number = self.index.get(seat)
            if number is not None and stored.version >= self.versions[number]:
                self._set(number, stored.code, stored.version)
        self.position = max(self.position, position)
        self._floor_position = self.position
        self._floor_revision = self.revision

    def apply(self, seat_ids: Iterable[str], code: int, version: int, position: int | None) -> list[int]:
        """Apply one message; return indexes whose visible state changed. ``position`` is None for a hint.

        Unknown seats are skipped: they belong to a layout that is not loaded yet, and loading reads the store.
        """
        changed: list[int] = []
        noted: list[int] = []
        for seat in seat_ids:
            number = self.index.get(seat)
            if number is None or version < self.versions[number]:
                continue
            if position is None and version == self.versions[number]:
                continue  # a hint that comes after the log, or twice, tells nothing
            if self._set(number, code, version):
                changed.append(number)
            noted.append(number)
            if position is None:
                self.ahead[number] = version
            elif self.ahead.get(number, version + 1) <= version:
                del self.ahead[number]
        if changed:
            self.revision += 1
        if position is not None:
            self.position = max(self.position, position)
            # A hint's change counts once more when the log confirms it: that is when it gets its position.
            changes = tuple(noted)
        else:
            changes = tuple(changed)
        if changes:
            self._remember(changes)
        return changed

    def _set(self, number: int, code: int, version: int) -> bool:
        self.versions[number] = version
        visible = self._resting[number] if code == AVAILABLE else code
        before = self.states[number]
        if before == visible:
            return False
        self.states[number] = visible
        self._counts[before] -= 1
        self._counts[visible] += 1
        return True

    def _remember(self, changes: tuple[int, ...]) -> None:
        self._ring.append((self.position, self.revision, changes))
        self._ring_seats += len(changes)
        while self._ring_seats > self._ring_limit:
            position, revision, dropped = self._ring.popleft()
            self._ring_seats -= len(dropped)
            self._floor_position, self._floor_revision = position, revision

    def changed_since(self, position: int, *, reached: int) -> set[int] | None:
        """Return indexes that changed after a log position, or None when that is not known any more.

        ``reached`` is how far this process has read the log: an id beyond it comes from a process that is further,
        and what changed since then cannot be told here.
        """
        if position < self._floor_position or position > max(self.position, reached):
            return None
        return self._collect(lambda entry: entry[0] > position) | set(self.ahead)

    def changed_after_revision(self, revision: int) -> set[int] | None:
        """Return indexes that changed after a revision of this board, or None when that is too long ago."""
        if revision < self._floor_revision:
            return None
        return self._collect(lambda entry: entry[1] > revision)

    def _collect(self, wanted: Callable[[_Entry], bool]) -> set[int]:
        found: set[int] = set()
        for entry in reversed(self._ring):
            if not wanted(entry):
                # Positions and revisions never fall along the ring, so nothing older qualifies.
                break
            found.update(entry[2])
        return found

    def ids_in(self, code: int) -> list[str]:
        """Return ids of the seats in a state, in map order."""
        return [self.ids[number] for number in self.numbers_in(code)]

    def numbers_in(self, code: int) -> Iterator[int]:
        """Yield indexes of the seats in a state; jumps from hit to hit."""
        at = self.states.find(code)
        while at >= 0:
            yield at
            at = self.states.find(code, at + 1)

    def grouped(self, numbers: Collection[int]) -> dict[int, list[str]]:
        """Return ids by their current state, in map order."""
        groups: dict[int, list[str]] = {}
        for number in sorted(numbers):
            groups.setdefault(self.states[number], []).append(self.ids[number])
        return groups

    @property
    def counts(self) -> Counts:
        """Return the counts by state."""
        available, held, sold, blocked = self._counts
        return Counts(total=len(self.ids), available=available, held=held, sold=sold, blocked=blocked)

    def ahead_digest(self) -> int:
        """Return a number that tells apart what hints have changed so far (0: nothing)."""
        if not self.ahead:
            return 0
        return crc32(repr(sorted(self.ahead.items())).encode()) or 1
