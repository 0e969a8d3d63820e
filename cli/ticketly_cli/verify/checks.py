"""The invariants a history can be held against by itself: I1, I2, I3. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ticketly_cli.verify.linearizable import FREE, SearchResult, search
from ticketly_cli.verify.operations import History, Operation
from ticketly_cli.verify.seat_log import Assumptions, Claim, SeatLog, lost
from ticketly_cli.verify.verdict import Counterexample, Report

HISTORY_INVARIANTS = ("I1", "I2", "I3")

_MAX_BLOCKED_SHOWN = 4


def check_history(history: History, assumptions: Assumptions) -> Report:
    """Check a history by itself.

    A record with something absent is inconclusive whatever the rest shows: the absent line may be the release that
    explains everything. A record that is all there but does not fit together (a changed byte, an answer without a
    question) can still convict, never acquit.
    """
    report = Report(checked=["history"])
    if not history.is_complete or history.header is None:
        for problem in history.problems:
            report.undecided(HISTORY_INVARIANTS, problem.text)
        return report
    if history.header.hold_ttl_seconds is None:
        report.undecided(HISTORY_INVARIANTS, "the header does not say how long a hold lasts")
        return report
    log = SeatLog(history, assumptions)
    report.record("I1", _double_claims(history, log))
    _check_linearizable(history, log, report)
    report.record("I3", _partial_answers(history))
    for problem in history.problems:
        report.undecided(HISTORY_INVARIANTS, problem.text)
    if not any(op.kind == "place" and op.outcome == "ok" for op in history.operations):
        report.undecided(HISTORY_INVARIANTS, "no booking was acknowledged, so there is nothing to prove")
    return report


def count_double_booked(history: History, assumptions: Assumptions) -> int:
    """Number of seats that two acknowledged claims certainly held at the same time."""
    if history.header is None or history.header.hold_ttl_seconds is None:
        return 0
    return len({found.seat for found in _double_claims(history, SeatLog(history, assumptions))})


def _double_claims(history: History, log: SeatLog) -> Iterator[Counterexample]:
    """I1: no two acknowledged claims of a seat whose certain intervals overlap."""
    for seat, claims in log.by_seat.items():
        certain = sorted(
            (claim for claim in claims if claim.operation.outcome == "ok"), key=lambda claim: claim.certain_from_ns
        )
        holder: Claim | None = None
        for claim in certain:
            until = log.certain_until_ns(claim)
            if until <= claim.certain_from_ns:
                continue
            if holder is not None and claim.certain_from_ns < log.certain_until_ns(holder):
                yield Counterexample(
                    "I1",
                    f"seat {seat} was held by two acknowledged orders at the same time",
                    seat,
                    _describe(history, holder.operation, claim.operation),
                )
            if holder is None or until > log.certain_until_ns(holder):
                holder = claim


def _check_linearizable(history: History, log: SeatLog, report: Report) -> None:
    """I2: every seat is a register; every refusal met a held seat."""
    violations: list[Counterexample] = []
    undecided: list[str] = []
    for seat, events in log.events().items():
        result = search(events)
        if result.legal is False:
            violations.append(_illegal(history, log, seat, result))
        elif result.legal is None:
            undecided.append(seat)
    violations.extend(_unexplained_refusals(history, log))
    report.record("I2", violations)
    if undecided:
        report.undecided(
            ["I2"], f"too many unanswered requests to decide the order of events of {len(undecided)} seats"
        )


def _illegal(history: History, log: SeatLog, seat: str, result: SearchResult) -> Counterexample:
    sources = list(dict.fromkeys(event.source for event in result.blocked))[:_MAX_BLOCKED_SHOWN]
    blocked = [log.operations[source] for source in sources]
    if result.holder == FREE:
        text = f"seat {seat}: a claim was refused although nothing held the seat"
        return Counterexample("I2", text, seat, _describe(history, *blocked))
    holder = log.operations[result.holder]
    text = f"seat {seat}: no order of events explains these answers while order {holder.order_id} holds the seat"
    return Counterexample("I2", text, seat, _describe(history, holder, *[op for op in blocked if op is not holder]))


def _unexplained_refusals(history: History, log: SeatLog) -> Iterator[Counterexample]:
    """A refusal that names no seat must at least have met one possibly held seat among those it asked for."""
    for position, operation in enumerate(log.operations):
        if not lost(operation) or operation.answered_seats:
            continue
        if operation.invoked_ns is None or operation.returned_ns is None:
            continue
        if not any(
            log.possibly_held(seat, operation.invoked_ns, operation.returned_ns, position) for seat in operation.seats
        ):
            yield Counterexample(
                "I2",
                "a claim was refused although none of its seats can have been held",
                operation.seats[0] if operation.seats else None,
                _describe(history, operation),
            )


def _partial_answers(history: History) -> Iterator[Counterexample]:
    """I3 as far as answers tell: exactly the requested seats or none, one order for one request."""
    first_of_order: dict[str, Operation] = {}
    for operation in history.operations:
        if operation.kind != "place":
            continue
        fault = _fault_of_answer(operation)
        if fault:
            seat = operation.seats[0] if operation.seats else None
            yield Counterexample("I3", fault, seat, _describe(history, operation))
        if operation.outcome != "ok" or operation.order_id is None:
            continue
        first = first_of_order.setdefault(operation.order_id, operation)
        if first is not operation:
            yield Counterexample(
                "I3",
                f"order {operation.order_id} was given to two requests",
                operation.seats[0] if operation.seats else None,
                _describe(history, first, operation),
            )


def _fault_of_answer(operation: Operation) -> str:
    asked, answered = set(operation.seats), operation.answered_seats
    if operation.outcome == "ok":
        if operation.order_id is None:
            return "a claim was acknowledged without an order id"
        if answered is None or set(answered) != asked or len(answered) != len(operation.seats):
            return f"order {operation.order_id} was acknowledged for other seats than those asked for"
    elif lost(operation) and answered and not set(answered) <= asked:
        return "a refusal names seats nobody asked for"
    return ""


def _describe(history: History, *operations: Operation) -> tuple[str, ...]:
    return tuple(operation.describe(history.origin_ns) for operation in operations)
