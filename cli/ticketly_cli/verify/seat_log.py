"""From operations to what happened to each seat.

Deadlines come from the server's clock, orders of events from the client's. They meet in one place only: an answer
carries how long its hold lasts from some moment of the operation on, so the hold ends between `invoked + hold` and
`returned + hold`, widened by a stated slack for clocks that do not run equally fast. The expiry of a hold is then an
event like any other, with that interval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ticketly_cli.verify.linearizable import FOREVER, SeatEvent
from ticketly_cli.verify.operations import LOST_CODE, History, Operation

NANOSECONDS = 1_000_000_000
BEFORE_EVERYTHING = -(2**63)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the checker grants the platform; every grant weakens the check, so each is small and stated.

    `deadline_slack_seconds`: a hold may end this much earlier or later than promised (clock rates, rounding).
    `release_staleness_seconds`: a claim may still be refused this long after the seat was freed (the shield in front
    of the database may reject early, never grant).
    """

    deadline_slack_seconds: float = 2.0
    release_staleness_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """An acknowledged or possible hold of some seats. `position` is that of its operation in the history."""

    position: int
    operation: Operation
    cancels: tuple[int, ...]
    may_expire_from_ns: int
    expires_by_ns: int

    @property
    def certain_from_ns(self) -> int:
        """From here on the claim certainly held its seats (until `certain_until_ns`)."""
        return self.operation.returned_ns if self.operation.returned_ns is not None else FOREVER


def lost(operation: Operation) -> bool:
    """Was the claim refused because a seat was taken?"""
    return operation.kind == "place" and operation.outcome == "fail" and operation.code == LOST_CODE


class SeatLog:
    """Indexes a history by claim and by seat. Requires a header."""

    def __init__(self, history: History, assumptions: Assumptions) -> None:
        if history.header is None or history.header.hold_ttl_seconds is None:
            raise ValueError("a history without a header or without a hold time has no seat log")
        self.operations = history.operations
        promised = [op.hold_ns for op in self.operations if op.kind == "place" and op.hold_ns is not None]
        # For claims that carry no promise of their own; the shortest one seen is the safe assumption.
        self._ttl_ns = min([int(history.header.hold_ttl_seconds * NANOSECONDS), *promised])
        self._slack_ns = int(assumptions.deadline_slack_seconds * NANOSECONDS)
        self._staleness_ns = int(assumptions.release_staleness_seconds * NANOSECONDS)
        times = [t for op in self.operations for t in (op.invoked_ns, op.returned_ns) if t is not None]
        self._last_ns = max(times, default=0)
        self.claims = {claim.position: claim for claim in self._claims()}
        self.by_seat = self._claims_by_seat()

    def _claims(self) -> Iterator[Claim]:
        cancels_of: Mapping[str, list[int]] = defaultdict(list)
        known_orders = {op.order_id for op in self.operations if op.kind == "place" and op.order_id}
        stray: dict[str, list[int]] = defaultdict(list)
        for position, operation in enumerate(self.operations):
            if operation.kind != "cancel" or operation.outcome == "fail":
                continue
            if operation.order_id in known_orders:
                cancels_of[operation.order_id or ""].append(position)
            else:
                stray[operation.process].append(position)
        for position, operation in enumerate(self.operations):
            if operation.kind != "place" or operation.outcome == "fail":
                continue
            by_order = cancels_of.get(operation.order_id or "", [])
            # An order nobody acknowledged can only be one of the same buyer's unanswered claims.
            cancels = by_order if operation.order_id else stray.get(operation.process, [])
            yield self._claim(position, operation, tuple(cancels))

    def _claim(self, position: int, operation: Operation, cancels: tuple[int, ...]) -> Claim:
        hold_ns = operation.hold_ns if operation.hold_ns is not None else self._ttl_ns
        start = operation.invoked_ns if operation.invoked_ns is not None else operation.returned_ns
        end = operation.returned_ns
        return Claim(
            position=position,
            operation=operation,
            cancels=cancels,
            may_expire_from_ns=(start or 0) + hold_ns - self._slack_ns,
            expires_by_ns=FOREVER if end is None else end + hold_ns + self._slack_ns,
        )

    def _claims_by_seat(self) -> dict[str, list[Claim]]:
        found: dict[str, list[Claim]] = defaultdict(list)
        for claim in self.claims.values():
            for seat in dict.fromkeys((*claim.operation.seats, *(claim.operation.answered_seats or ()))):
                found[seat].append(claim)
        return found

    def certain_until_ns(self, claim: Claim) -> int:
        """The first moment at which the claim may have ended."""
        ends = [self.operations[position].invoked_ns for position in claim.cancels]
        return min([claim.may_expire_from_ns, *(BEFORE_EVERYTHING if end is None else end for end in ends)])

    def seats(self) -> list[str]:
        """Every seat an operation names, in order of first appearance."""
        named = (seat for op in self.operations for seat in (*op.seats, *(op.answered_seats or ())))
        return list(dict.fromkeys(named))

    def events(self) -> dict[str, list[SeatEvent]]:
        """All events by seat, for the linearizability search."""
        found: dict[str, list[SeatEvent]] = {seat: [] for seat in self.seats()}
        for seat, claims in self.by_seat.items():
            for claim in claims:
                found[seat].extend(self._events_of_claim(claim))
        for position, operation in enumerate(self.operations):
            if not lost(operation) or operation.invoked_ns is None or operation.returned_ns is None:
                continue
            start = operation.invoked_ns - self._staleness_ns
            for seat in dict.fromkeys(operation.answered_seats or ()):
                found[seat].append(SeatEvent("seen_held", position, start, operation.returned_ns, True, position))
        return found

    def _events_of_claim(self, claim: Claim) -> Iterator[SeatEvent]:
        operation, position = claim.operation, claim.position
        certain = operation.outcome == "ok"
        start = operation.invoked_ns if operation.invoked_ns is not None else BEFORE_EVERYTHING
        end = operation.returned_ns if certain and operation.returned_ns is not None else FOREVER
        yield SeatEvent("claim", position, start, end, certain, position)
        for source in claim.cancels:
            cancel = self.operations[source]
            sure = certain and cancel.outcome == "ok" and cancel.returned_ns is not None
            cancel_start = cancel.invoked_ns if cancel.invoked_ns is not None else BEFORE_EVERYTHING
            cancel_end = cancel.returned_ns if sure and cancel.returned_ns is not None else FOREVER
            yield SeatEvent("free", position, cancel_start, cancel_end, sure, source)
        if claim.may_expire_from_ns <= self._last_ns:
            sure = certain and claim.expires_by_ns < FOREVER
            yield SeatEvent("free", position, claim.may_expire_from_ns, claim.expires_by_ns, sure, position)

    def possibly_held(self, seat: str, start_ns: int, end_ns: int, except_position: int) -> bool:
        """Could some claim have held the seat at some moment of [start_ns - staleness, end_ns]?"""
        return any(
            claim.position != except_position
            and (claim.operation.invoked_ns is None or claim.operation.invoked_ns <= end_ns)
            and self._possible_until_ns(claim) >= start_ns - self._staleness_ns
            for claim in self.by_seat.get(seat, [])
        )

    def _possible_until_ns(self, claim: Claim) -> int:
        """The last moment at which the claim may still have held its seats."""
        ends: Sequence[int] = [
            cancel.returned_ns
            for cancel in (self.operations[position] for position in claim.cancels)
            if cancel.outcome == "ok" and cancel.returned_ns is not None and claim.operation.outcome == "ok"
        ]
        return min([claim.expires_by_ns, *ends])
