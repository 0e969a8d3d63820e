"""Reading and ending orders."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from prometheus_client import Counter, Gauge

from ticketly_common.problems import Problem, conflict, forbidden, not_found
from ticketly_order.claims.shield import Transition
from ticketly_order.orders.ports import OrderStore, Reason, Release

RELEASES = Counter("ticketly_order_released_total", "Pending orders that ended without a sale", ["reason"])
HOLDS = Gauge("ticketly_order_open_holds", "Pending orders of the platform: running, overdue", ["state"])
OVERDUE = Gauge("ticketly_order_overdue_seconds", "How long the oldest hold has been over without being released")
Released = Callable[[Transition], None]
"""Hears of seats that became free, after the commit; must not raise."""


async def read(order_id: str, reader_id: str, *, orders: OrderStore) -> str:
    """Return the order object as JSON; 404 for everybody but its buyer and its organization's owner."""
    document = await orders.document(order_id, reader_id)
    if document is None:
        raise not_found("order")
    return document


async def list_of_user(
    user_id: str, caller_id: str, *, limit: int, offset: int, orders: OrderStore
) -> tuple[int, bytes]:
    """Return the number of the caller's orders and one page as JSON; ``me`` and ``orders`` mean the caller.

    Tickets carry ``qr_code``, empty until there is an admission code to show.
    """
    if user_id not in {"me", "orders", caller_id}:
        raise forbidden("You may only list your own orders.")
    total, documents = await orders.documents_of_user(caller_id, limit=limit, offset=offset)
    page = [orjson.loads(document) for document in documents]
    for order in page:
        for ticket in order["tickets"]:
            ticket["qr_code"] = ""
    return total, orjson.dumps(page)


async def cancel(
    order_id: str, buyer_id: str, *, traceparent: str | None, orders: OrderStore, released: Released
) -> None:
    """End the buyer's pending order. Nothing happens to one that is cancelled or expired already.

    Raises 404 for another buyer's order and 409 ``order-not-cancellable`` once it was paid.
    """
    release = await orders.release(order_id, "buyer", user_id=buyer_id, traceparent=traceparent)
    if release.outcome == "not-found":
        raise not_found("order")
    if release.outcome == "unchanged" and release.status not in {"cancelled", "expired"}:
        raise conflict("order-not-cancellable", f"This order is {release.status}.", orderStatus=release.status)
    announce(order_id, release, "buyer", released=released)


async def measure(*, orders: OrderStore) -> None:
    """Show how many orders hold seats. Every process shows the whole platform's number: do not add them up."""
    holds = await orders.open_holds()
    HOLDS.labels("running").set(holds.running)
    HOLDS.labels("overdue").set(holds.overdue)
    OVERDUE.set(holds.oldest_overdue_seconds)


async def end(order_id: str, reason: Reason, *, orders: OrderStore, released: Released) -> bool:
    """End a pending order for ``reason``; return whether this call did it."""
    release = await orders.release(order_id, reason)
    announce(order_id, release, reason, released=released)
    return release.outcome == "released"


def announce(order_id: str, release: Release, reason: Reason, *, released: Released) -> None:
    """Count a release and pass on which seats became free."""
    if release.outcome != "released":
        return
    RELEASES.labels("expired" if release.status == "expired" else reason).inc()
    if release.seat_ids and release.fence is not None:
        released(
            Transition(
                seat_ids=release.seat_ids,
                fence=release.fence,
                taken=False,
                order_id=order_id,
                held_until=None,
                message=release.message,
            )
        )


def removed_route() -> Problem:
    """405 for routes of earlier systems that are deliberately not offered."""
    return Problem(405, "method-not-allowed", "Tickets are not made or changed by hand.", headers={"Allow": "GET"})
