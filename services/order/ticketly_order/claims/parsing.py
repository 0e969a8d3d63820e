"""From the bytes of ``POST /api/order`` to a Claim; pure. Every fault is a Problem that names the member."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec

from ticketly_common.auth import Caller
from ticketly_common.problems import Problem, invalid, malformed
from ticketly_order.claims.domain import Claim
from ticketly_order.settings import Holds

ABSOLUTE_MAX_SEATS: Final = 1000
"""Also for callers without a limit: one order must stay one short transaction."""

_UUID: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_KEY: Final = re.compile("[ -~]{1,128}").fullmatch
_AT: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_NOT_A_UUID: Final = "must be a UUID"


class PlaceOrder(msgspec.Struct):
    """The request body. Members that are absent, null or ``""`` are the same; unknown members are ignored."""

    event_id: str | None = None
    session_id: str | None = None
    organization_id: str | None = None
    seat_ids: list[str] | None = None
    discount_id: str | None = None
    discount_code: str | None = None
    areas: Any = None
    best_available: Any = None


_decode: Final = msgspec.json.Decoder(PlaceOrder).decode


def parse(body: bytes) -> PlaceOrder:
    """Read the body; raises 400 for what is no JSON and 422 for a member of the wrong type."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        where = _AT.search(text)
        raise invalid({where.group(1) if where else "body": _AT.sub("", text)}) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed("The body is not valid JSON.") from None


def is_exempt(caller: Caller, holds: Holds) -> bool:
    """Tell whether the holds' limits do not bind this caller."""
    return bool(holds.exempt_group) and holds.exempt_group in caller.groups


def claim_of(
    request: PlaceOrder,
    body: bytes,
    caller: Caller,
    holds: Holds,
    *,
    idempotency_key: str | None = None,
    traceparent: str | None = None,
) -> Claim:
    """Check the request and return the claim; raises Problem 422."""
    _refuse_what_is_not_sold(request)
    faults: dict[str, str] = {}
    ids = {
        "event_id": request.event_id,
        "session_id": request.session_id,
        "organization_id": request.organization_id,
    }
    for name, value in ids.items():
        if not value:
            faults[name] = "is required"
        elif _UUID(value) is None:
            faults[name] = _NOT_A_UUID
    seat_ids = tuple(seat.lower() for seat in request.seat_ids or ())
    if not seat_ids:
        faults["seat_ids"] = "must name at least one seat"
    for index, seat in enumerate(seat_ids[:ABSOLUTE_MAX_SEATS]):
        if _UUID(seat) is None:
            faults[f"seat_ids[{index}]"] = _NOT_A_UUID
    if idempotency_key is not None and _KEY(idempotency_key) is None:
        faults["Idempotency-Key"] = "must be 1 to 128 printable characters"
    if faults:
        raise invalid(faults)
    exempt = is_exempt(caller, holds)
    _check_seats(seat_ids, ABSOLUTE_MAX_SEATS if exempt else holds.max_seats_per_order or ABSOLUTE_MAX_SEATS)
    return Claim(
        user_id=caller.subject,
        session_id=str(request.session_id).lower(),
        event_id=str(request.event_id).lower(),
        organization_id=str(request.organization_id).lower(),
        seat_ids=seat_ids,
        open_order_limit=0 if exempt else holds.max_open_orders_per_user,
        idempotency_key=idempotency_key,
        body_digest=hashlib.sha256(body).digest() if idempotency_key is not None else b"",
        traceparent=traceparent,
    )


def _check_seats(seat_ids: tuple[str, ...], limit: int) -> None:
    if len(seat_ids) > limit:
        text = f"At most {limit} seats fit into one order."
        raise Problem(
            422, "too-many-seats", text, errors={"seat_ids": f"at most {limit} seats"}, extra={"maxSeats": limit}
        )
    if len(set(seat_ids)) == len(seat_ids):
        return
    seen: set[str] = set()
    faults: dict[str, str] = {}
    for index, seat in enumerate(seat_ids):
        if seat in seen:
            faults[f"seat_ids[{index}]"] = "is named twice"
        seen.add(seat)
    raise Problem(422, "duplicate-seat", "A seat is named twice.", errors=faults)


def _refuse_what_is_not_sold(request: PlaceOrder) -> None:
    """Never take an order at another price or for other places than the buyer asked for."""
    for name in ("discount_id", "discount_code"):
        if getattr(request, name):
            text = "Orders with a discount are not taken here."
            raise Problem(422, "discount-not-applicable", text, errors={name: text}, extra={"reason": "not-supported"})
    for name in ("areas", "best_available"):
        if getattr(request, name):
            raise invalid({name: "is not supported: name the seats in seat_ids"})
