"""The order database beside the history: what was acknowledged must be there, what was refused must not. Pure.

Rows are compared with each other on the database's own clock only (`as_of`, taken in the same snapshot).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from ticketly_cli.verify.operations import History, Operation
from ticketly_cli.verify.verdict import Counterexample

_RequestKey: TypeAlias = tuple[str | None, frozenset[str]]
"""User id (None when the history does not tell) and the seats asked for."""

PENDING, CANCELLED, EXPIRED = "pending", "cancelled", "expired"


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A row of `orders` with the seats of its lines. Times are of the database's clock."""

    order_id: str
    user_id: str
    session_id: str
    status: str
    held_until: datetime | None
    seats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredSeat:
    """The state of one seat; `order_id` is the holder, None when the seat is free."""

    seat_id: str
    state: str
    order_id: str | None
    held_until: datetime | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Everything the order database holds of one session, in one snapshot."""

    as_of: datetime
    orders: tuple[StoredOrder, ...]
    seats: tuple[StoredSeat, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Violations found, and the history with its unanswered claims settled by what the database shows."""

    lost: tuple[Counterexample, ...]
    """I6: acknowledged and not there."""
    partial: tuple[Counterexample, ...]
    """I3: there without being acknowledged or possible, or with other seats."""
    settled: History


def compare(history: History, stored: StoredSession) -> Comparison:
    """Hold a complete history against the database. Requires a header."""
    acknowledged = [op for op in history.operations if op.kind == "place" and op.outcome == "ok" and op.order_id]
    rows = {order.order_id: order for order in stored.orders}
    names = {op.order_id for op in acknowledged}
    unknown = [op for op in history.operations if op.kind == "place" and op.outcome == "unknown"]
    extra = [order for order in stored.orders if order.order_id not in names]
    matched, unexplained = _match(history, unknown, extra)
    lost = [found for op in acknowledged for found in _faults_of_acknowledged(history, op, rows, stored)]
    lost.extend(_missing_at_cancellation(history))
    partial = [*_partial_rows(history, acknowledged, rows), *unexplained]
    return Comparison(tuple(lost), tuple(partial), _settle(history, matched))


def count_lost(history: History, stored: StoredSession) -> int:
    """Number of acknowledged orders that the database does not have as acknowledged."""
    rows = {order.order_id: order for order in stored.orders}
    acknowledged = [op for op in history.operations if op.kind == "place" and op.outcome == "ok" and op.order_id]
    return sum(1 for op in acknowledged if next(_faults_of_acknowledged(history, op, rows, stored), None) is not None)


def _faults_of_acknowledged(
    history: History, operation: Operation, rows: dict[str, StoredOrder], stored: StoredSession
) -> Iterator[Counterexample]:
    """I6 for one acknowledged claim; at most one fault per claim."""
    order = rows.get(operation.order_id or "")
    fault = (
        f"order {operation.order_id} was acknowledged but is not in the database"
        if order is None
        else _fault_of_status(history, operation, order, stored)
    )
    if fault:
        seat = operation.seats[0] if operation.seats else None
        yield Counterexample("I6", fault, seat, (operation.describe(history.origin_ns),))


def _fault_of_status(history: History, operation: Operation, order: StoredOrder, stored: StoredSession) -> str:
    name = f"order {order.order_id}"
    user = history.header.users.get(operation.process) if history.header else None
    if user is not None and user != order.user_id:
        return f"{name} was acknowledged to {operation.process} but belongs to another user in the database"
    cancels = [op for op in history.operations if op.kind == "cancel" and op.order_id == order.order_id]
    if order.status == CANCELLED and not any(op.outcome != "fail" for op in cancels):
        return f"{name} was acknowledged and then cancelled by nobody in the history"
    if order.status != PENDING:
        ended_early = order.status == EXPIRED and order.held_until is not None and order.held_until > stored.as_of
        return f"{name} is expired in the database although its hold lasts on" if ended_early else ""
    if any(op.outcome == "ok" for op in cancels):
        return f"the cancellation of {name} was acknowledged but the order is still pending"
    if order.held_until is None or order.held_until <= stored.as_of:
        return ""
    held = {seat.seat_id for seat in stored.seats if seat.order_id == order.order_id}
    gone = sorted(set(order.seats) - held)
    return f"{name} is pending and in time, but seat {gone[0]} is not held by it any more" if gone else ""


def _missing_at_cancellation(history: History) -> Iterator[Counterexample]:
    """An acknowledged order that its own buyer was later told does not exist."""
    placed = {op.order_id for op in history.operations if op.kind == "place" and op.outcome == "ok"}
    for operation in history.operations:
        if operation.kind == "cancel" and operation.status == 404 and operation.order_id in placed:
            text = f"order {operation.order_id} was acknowledged, then its buyer was told that it does not exist"
            yield Counterexample("I6", text, None, (operation.describe(history.origin_ns),))


def _partial_rows(
    history: History, acknowledged: Sequence[Operation], rows: dict[str, StoredOrder]
) -> Iterator[Counterexample]:
    for operation in acknowledged:
        order = rows.get(operation.order_id or "")
        if order is not None and sorted(order.seats) != sorted(operation.seats):
            yield Counterexample(
                "I3",
                f"order {order.order_id} has {len(order.seats)} seats in the database, "
                f"{len(operation.seats)} were acknowledged (or other ones)",
                operation.seats[0] if operation.seats else None,
                (operation.describe(history.origin_ns), f"stored seats: {', '.join(sorted(order.seats))}"),
            )


def _match(
    history: History, unknown: Sequence[Operation], extra: Sequence[StoredOrder]
) -> tuple[dict[int, str | None], list[Counterexample]]:
    """Give every stored order nobody acknowledged to an unanswered request of the same buyer for the same seats.

    Returns the decided requests (op_id -> order id, or None for "never happened") and the orders left over.
    """
    users = history.header.users if history.header else {}
    requests: dict[_RequestKey, list[Operation]] = defaultdict(list)
    for op in unknown:
        requests[users.get(op.process), frozenset(op.seats)].append(op)
    found: dict[_RequestKey, list[StoredOrder]] = defaultdict(list)
    left: list[Counterexample] = []
    for order in extra:
        seats = frozenset(order.seats)
        keys: list[_RequestKey] = [(order.user_id, seats), (None, seats)]
        key = next((k for k in keys if len(found[k]) < len(requests.get(k, ()))), None)
        if key is None:
            text = f"order {order.order_id} is in the database, but no acknowledged or unanswered request explains it"
            evidence = (f"user {order.user_id}, status {order.status}, seats {', '.join(sorted(order.seats))}",)
            left.append(Counterexample("I3", text, min(order.seats, default=None), evidence))
        else:
            found[key].append(order)
    decided: dict[int, str | None] = {}
    for key, operations in requests.items():
        orders = found.get(key, [])
        if not orders:
            decided.update((op.op_id, None) for op in operations)
        elif len(orders) == len(operations):
            decided.update((op.op_id, order.order_id) for op, order in zip(operations, orders, strict=True))
    return decided, left


def _settle(history: History, decided: dict[int, str | None]) -> History:
    """Unanswered claims as what they turned out to be.

    One without an order in the database had not happened by the end of the history (the snapshot is younger), so it
    explains nothing in it and is left out; one with an order did happen, at some time after it was sent.
    """
    operations: list[Operation] = []
    for op in history.operations:
        if op.kind != "place" or op.outcome != "unknown" or op.op_id not in decided:
            operations.append(op)
            continue
        order_id = decided[op.op_id]
        if order_id is not None:
            operations.append(replace(op, outcome="ok", order_id=order_id, answered_seats=op.seats, returned_ns=None))
    return replace(history, operations=tuple(operations))
