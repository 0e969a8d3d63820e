"""The shield: turns away claims on seats that are known to be taken, before they cost the database anything.

It never grants. What it knows is at most one second old, counted from before the question that taught it was sent, so
a released seat can be had again within a second whatever is paused, lost or flushed. A request with an
Idempotency-Key is never turned away here: it might be the holder's own repetition, and only the database can tell.
The refusal names exactly the contested seats, so a basket is only refused when all of it is known to be taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from prometheus_client import Counter

from ticketly_order.claims.domain import Claim, Lost, Outcome, SeatFact, Won

STALE_SECONDS = 1.0
_PURGE_SECONDS = 5.0

SHIELD = Counter("ticketly_order_shield_answers_total", "What the shield answered", ["answer"])
_PASSED, _LOCAL, _SHARED = (SHIELD.labels(answer) for answer in ("passed", "refused-local", "refused-shared"))


@dataclass(frozen=True, slots=True)
class Sighting:
    """A taken seat. ``until_ms``: epoch milliseconds after which the sighting says nothing any more."""

    fact: SeatFact
    until_ms: int


@dataclass(frozen=True, slots=True)
class Transition:
    """A committed change of seats, to be told to others. ``message`` is the seats.status record.

    ``held_until`` None: the seats are sold or released, as ``taken`` says.
    """

    seat_ids: tuple[str, ...]
    fence: int
    taken: bool
    order_id: str
    held_until: datetime | None
    message: str | None


class SharedShield(Protocol):
    """What processes share about taken seats. Everything is best effort and must not raise."""

    @property
    def available(self) -> bool:
        """Whether asking is worth it right now."""

    async def lookup(self, seat_ids: Sequence[str]) -> dict[str, Sighting]:
        """Return what is known of these seats; {} when the store cannot be asked quickly."""
        ...

    def tell(self, transition: Transition, until_ms: int) -> None:
        """Pass a committed transition on, in the background."""
        ...

    def confirm(self, sightings: Sequence[Sighting]) -> None:
        """Pass on that seats are still taken, in the background."""
        ...


class Shield:
    """The in-process map, and the shared one behind it. Clocks: monotonic seconds and epoch seconds."""

    def __init__(
        self,
        shared: SharedShield | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._wall = wall
        self._known: dict[str, tuple[SeatFact, float]] = {}
        self._purge_at = clock() + _PURGE_SECONDS

    def known_lost(self, claim: Claim) -> Lost | None:
        """Return the refusal when this process knows all of the claim's seats to be taken."""
        if claim.idempotency_key is not None:
            return None
        now = self._clock()
        facts: list[SeatFact] = []
        for seat_id in claim.seat_ids:
            known = self._known.get(seat_id)
            if known is None or known[1] <= now:
                return None
            facts.append(known[0])
        return Lost(tuple(facts))

    async def early_refusal(self, claim: Claim) -> Lost | None:
        """Return the refusal when the claim need not be tried; asks the shared map where this process knows nothing."""
        if claim.idempotency_key is not None:
            return None
        lost = self.known_lost(claim)
        if lost is not None:
            _LOCAL.inc()
            return lost
        shared = self._shared
        if shared is None or not shared.available:
            _PASSED.inc()
            return None
        for sighting in (await shared.lookup(claim.seat_ids)).values():
            self._see(sighting.fact, self._clock() + sighting.until_ms / 1000 - self._wall())
        lost = self.known_lost(claim)
        (_PASSED if lost is None else _SHARED).inc()
        return lost

    def learn(self, outcome: Outcome, asked_at: float) -> None:
        """Take in what a decision showed; ``asked_at`` is the monotonic instant before the question was sent."""
        expires_at = asked_at + STALE_SECONDS
        until_ms = int((self._wall() + expires_at - self._clock()) * 1000)
        if isinstance(outcome, Won):
            for seat_id in outcome.seat_ids:
                self._see(SeatFact(seat_id, outcome.fence, outcome.held_until), expires_at)
            if self._shared is not None:
                self._shared.tell(_won(outcome), until_ms)
        elif isinstance(outcome, Lost):
            for fact in outcome.contested:
                self._see(fact, expires_at)
            if self._shared is not None:
                self._shared.confirm([Sighting(fact, until_ms) for fact in outcome.contested])

    def released(self, transition: Transition) -> None:
        """Forget seats that were released by a transition with a higher fence, and pass it on."""
        for seat_id in transition.seat_ids:
            known = self._known.get(seat_id)
            if known is not None and known[0].fence < transition.fence:
                del self._known[seat_id]
        if self._shared is not None:
            self._shared.tell(transition, 0)

    def _see(self, fact: SeatFact, expires_at: float) -> None:
        now = self._clock()
        expires_at = min(expires_at, now + STALE_SECONDS)
        if fact.held_until is not None:
            remaining = (fact.held_until - datetime.fromtimestamp(self._wall(), UTC)).total_seconds()
            expires_at = min(expires_at, now + remaining)
        if expires_at <= now:
            return
        known = self._known.get(fact.seat_id)
        if known is None or known[0].fence <= fact.fence:
            self._known[fact.seat_id] = (fact, expires_at)
        if now >= self._purge_at:
            self._purge_at = now + _PURGE_SECONDS
            self._known = {seat: entry for seat, entry in self._known.items() if entry[1] > now}


def _won(outcome: Won) -> Transition:
    return Transition(
        seat_ids=outcome.seat_ids,
        fence=outcome.fence,
        taken=True,
        order_id=outcome.order_id,
        held_until=outcome.held_until,
        message=outcome.message,
    )
