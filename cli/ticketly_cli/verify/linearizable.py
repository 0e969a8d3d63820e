"""Is there an order of these events that a single seat could have gone through?

A seat is a register: free, or held by one claim. Every event takes effect at one moment between its start and its
end. The search (Wing and Gong, with Lowe's memory of visited states) builds such an order from left to right: an
event may come next when no other required event has ended before it started. Two kinds of events never need a
choice and are placed as soon as they fit: observing that the seat is held, and freeing a claim that has already been
displaced; placing them earlier never takes a possibility away, because they change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

EventKind: TypeAlias = Literal["claim", "free", "seen_held"]

FREE = -1
"""The register's value when no claim holds the seat."""

FOREVER = 2**63 - 1

DEFAULT_BUDGET = 200_000
"""Visited states after which the search gives up (undecided, never "legal")."""


@dataclass(frozen=True, slots=True)
class SeatEvent:
    """One thing that happened, or may have happened, to the seat.

    `claim` identifies the claim that is made or freed (for `seen_held` it is unused). A `required` event took effect
    in [start_ns, end_ns]; another one took effect at some time from `start_ns` on, or never. `source` is the
    position of the operation it stems from, for counterexamples.
    """

    kind: EventKind
    claim: int
    start_ns: int
    end_ns: int
    required: bool
    source: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`legal` is None when the budget ran out.

    When not legal: `placed` is the longest legal beginning found, `holder` the claim that held the seat then (FREE
    for none) and `blocked` the events that could have come next in time but contradict that state.
    """

    legal: bool | None
    placed: int = 0
    holder: int = FREE
    blocked: tuple[SeatEvent, ...] = ()


def search(events: Sequence[SeatEvent], budget: int = DEFAULT_BUDGET) -> SearchResult:
    """Decide whether the events of one seat are linearizable. Pure; cost grows with the contention, not the length."""
    run = _Search(sorted(events, key=lambda event: (event.start_ns, event.end_ns)))
    return run.decide(budget)


class _Search:
    """States are (set of placed events as a bit mask, holder)."""

    def __init__(self, events: Sequence[SeatEvent]) -> None:
        self._events = events
        self._required = sum(1 << index for index, event in enumerate(events) if event.required)
        self._claim_bit = {event.claim: 1 << index for index, event in enumerate(events) if event.kind == "claim"}
        self._best = (-1, 0, FREE)

    def decide(self, budget: int) -> SearchResult:
        stack = [(0, FREE)]
        seen: set[tuple[int, int]] = set()
        while stack:
            placed, holder = stack.pop()
            placed = self._place_what_fits(placed, holder)
            if placed & self._required == self._required:
                return SearchResult(legal=True, placed=placed.bit_count())
            if (placed, holder) in seen:
                continue
            seen.add((placed, holder))
            if len(seen) > budget:
                return SearchResult(legal=None, placed=self._best[0])
            self._best = max(self._best, ((placed & self._required).bit_count(), placed, holder))
            stack.extend(self._next_states(placed, holder))
        _, placed, holder = self._best
        blocked = tuple(self._events[index] for index in self._candidates(placed) if self._events[index].required)
        return SearchResult(legal=False, placed=placed.bit_count(), holder=holder, blocked=blocked)

    def _candidates(self, placed: int) -> list[int]:
        """Positions of the events that may come next: none of the unplaced required ones ended before they started."""
        found: list[int] = []
        deadline = FOREVER
        first_open = (~placed & (placed + 1)).bit_length() - 1
        for index in range(first_open, len(self._events)):
            event = self._events[index]
            if event.start_ns > deadline:
                break
            if placed >> index & 1:
                continue
            found.append(index)
            if event.required:
                deadline = min(deadline, event.end_ns)
        return [index for index in found if self._events[index].start_ns <= deadline]

    def _place_what_fits(self, placed: int, holder: int) -> int:
        """Place all events that change nothing in this state."""
        while True:
            before = placed
            for index in self._candidates(placed):
                event = self._events[index]
                if (event.kind == "seen_held" and holder != FREE) or (
                    event.kind == "free" and event.claim != holder and self._has_claimed(event.claim, placed)
                ):
                    placed |= 1 << index
            if placed == before:
                return placed

    def _next_states(self, placed: int, holder: int) -> list[tuple[int, int]]:
        """States after one more event that changes the register; the last one is tried first."""
        optional: list[tuple[int, int]] = []
        required: list[tuple[int, int]] = []
        for index in self._candidates(placed):
            event = self._events[index]
            if event.kind == "claim" and holder == FREE:
                after = (placed | 1 << index, event.claim)
            elif event.kind == "free" and event.claim == holder:
                after = (placed | 1 << index, FREE)
            else:
                continue
            (required if event.required else optional).append(after)
        return optional + required

    def _has_claimed(self, claim: int, placed: int) -> bool:
        return bool(self._claim_bit.get(claim, 0) & placed)
