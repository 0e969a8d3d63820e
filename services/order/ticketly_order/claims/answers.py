"""Outcomes as HTTP answers: the two frequent ones are written by hand, the rest are Problems."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from ticketly_common.clock import to_wire
from ticketly_common.problems import Problem, conflict, invalid, not_found, unavailable
from ticketly_order.claims.domain import Lost, Refused, Replayed, Won, retry_after_ms

Headers = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """A finished answer for raw ASGI."""

    status: int
    headers: Headers
    body: bytes


_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_NO_STORE: Final = (b"cache-control", b"no-store")
_COMPAT: Final = (b"ticketly-compat", b"lost-seat-status")
_REPLAY: Final = (b"idempotent-replay", b"true")
_PHRASES: Final = {400: "Bad Request", 409: "Conflict"}


class _OrderId(msgspec.Struct):
    order_id: str


def _created(body: bytes, order_id: str, extra: Headers) -> Answer:
    headers = [
        _JSON,
        (b"content-length", str(len(body)).encode()),
        (b"location", f"/api/order/{order_id}".encode()),
        _NO_STORE,
        *extra,
    ]
    return Answer(201, headers, body)


def won(outcome: Won) -> Answer:
    """201: all seats are held (or, free of charge, sold)."""
    return _created(outcome.body.encode(), outcome.order_id, [])


def replayed(outcome: Replayed) -> Answer:
    """201 again: what the same Idempotency-Key got the first time."""
    body = outcome.body.encode()
    return _created(body, msgspec.json.decode(body, type=_OrderId).order_id, [_REPLAY])


def lost(outcome: Lost, *, asked: int, request_id: str, path: str, status: int, now: datetime) -> Answer:
    """409 ``seats-unavailable`` (or the status a client's compatibility setting wants) with every member of 0.4.

    ``path`` must need no escaping and ``now`` be UTC. Written by hand because under load nearly every answer is this
    one; a test holds it equal to a Problem's shape.
    """
    taken = len(outcome.contested)
    text = "This seat is held or sold." if asked == 1 else f"{taken} of {asked} seats are held or sold."
    seat_ids = '","'.join([fact.seat_id for fact in outcome.contested])
    wait_ms = retry_after_ms(outcome.contested, now)
    retry = "" if wait_ms is None else f',"retryAfterMs":{wait_ms}'
    body = (
        f'{{"type":"urn:ticketly:problem:seats-unavailable","title":"Seats are no longer available","status":{status},'
        f'"detail":"{text}","instance":"urn:uuid:{request_id}","code":"seats-unavailable","message":"{text}",'
        f'"error":"{_PHRASES[status]}","path":"{path}","timestamp":"{now.isoformat(timespec="milliseconds")[:23]}Z","errors":{{}},'
        f'"seatIds":["{seat_ids}"]{retry}}}'
    ).encode()
    headers = [_PROBLEM, (b"content-length", str(len(body)).encode()), _NO_STORE]
    if status != 409:
        headers.append(_COMPAT)
    return Answer(status, headers, body)


def refusal(outcome: Refused) -> Problem:
    """Return the Problem of a claim that is not acceptable."""
    details = outcome.details
    match outcome.code:
        case "session-not-found":
            return not_found("session")
        case "event-mismatch":
            return invalid({"event_id": "is not the event of this session"})
        case "organization-mismatch":
            return invalid({"organization_id": "is not the organization of this event"})
        case "event-not-approved":
            return conflict("event-not-approved", "This event is not open for sale.")
        case "session-not-on-sale":
            start: datetime | None = details["sales_start_time"]
            return conflict(
                "session-not-on-sale",
                "This session is not on sale.",
                sessionStatus=details["session_status"],
                salesStartTime=to_wire(start.astimezone(UTC)) if start is not None else None,
            )
        case "catalogue-incomplete":
            return unavailable("This session is not ready for sale yet.", retry_after_seconds=1)
        case "seats-unknown":
            seats: list[str] = details["seat_ids"]
            text = "Some seats cannot be bought in this session."
            return Problem(422, "seats-unknown", text, errors={"seat_ids": text}, extra={"seatIds": seats})
        case "too-many-open-orders":
            orders: list[str] = details["order_ids"]
            text = "Pay or cancel an open order first."
            return Problem(
                429, "too-many-open-orders", text, extra={"openOrderIds": orders}, headers={"Retry-After": "30"}
            )
        case "key-reused":
            return conflict("idempotency-key-reused", "This Idempotency-Key was used for another request.")
        case code:
            msg = f"the database answered a claim with the unknown outcome {code!r}"
            raise ValueError(msg)
