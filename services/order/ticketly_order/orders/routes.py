"""Routes of orders; placing one is ``claims.routes``."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from ticketly_common import clock, health, tracing
from ticketly_common.auth import Access, Caller, Requires, public
from ticketly_common.problems import not_found
from ticketly_order.orders import handlers
from ticketly_order.orders.handlers import Released
from ticketly_order.orders.ports import OrderStore

_NO_STORE = {"Cache-Control": "no-store"}
_MAX_PAGE = 200


def public_router(orders: OrderStore, *, released: Released, check: health.Check, version: str) -> APIRouter:
    """Return the public routes below ``/api/order``."""
    router = APIRouter(prefix="/api/order")

    @router.get("/health", dependencies=[Depends(public)])
    async def healthy() -> JSONResponse:
        down = await health.failures({"database": check})
        body = {
            "status": "DOWN" if down else "UP",
            "timestamp": clock.to_wire(clock.now()),
            "service": "order",
            "version": version,
        }
        return JSONResponse(body, status_code=503 if down else 200, headers=_NO_STORE)

    @router.get("/tickets/count", dependencies=[Depends(public)])
    async def ticket_count() -> JSONResponse:
        return JSONResponse(
            {"total_count": await orders.live_tickets()}, headers={"Cache-Control": "public, max-age=10"}
        )

    @router.get("/user/{user_id}")
    async def of_user(
        user_id: str,
        caller: Annotated[Caller, Depends(Requires(Access.USER))],
        limit: Annotated[int, Query(ge=1)] = _MAX_PAGE,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    ) -> Response:
        total, body = await handlers.list_of_user(
            user_id, caller.subject, limit=min(limit, _MAX_PAGE), offset=offset, orders=orders
        )
        return Response(body, media_type="application/json", headers={**_NO_STORE, "X-Total-Count": str(total)})

    @router.post("/ticket", dependencies=[Depends(public)])
    @router.put("/ticket/{ticket_id}", dependencies=[Depends(public)])
    @router.delete("/ticket/{ticket_id}", dependencies=[Depends(public)])
    async def removed(ticket_id: str = "") -> Response:
        raise handlers.removed_route()

    @router.get("/{order_id}")
    async def read(order_id: UUID, caller: Annotated[Caller, Depends(Requires(Access.BUYER))]) -> Response:
        body = await handlers.read(str(order_id), caller.subject, orders=orders)
        return Response(body, media_type="application/json", headers=_NO_STORE)

    @router.delete("/{order_id}", status_code=204)
    async def cancel(
        request: Request,
        order_id: UUID,
        caller: Annotated[Caller, Depends(Requires(Access.BUYER))],
    ) -> Response:
        await handlers.cancel(
            str(order_id),
            caller.subject,
            traceparent=tracing.traceparent_of(request.scope),
            orders=orders,
            released=released,
        )
        return Response(status_code=204, headers=_NO_STORE)

    return router


def internal_router(orders: OrderStore) -> APIRouter:
    """Return the routes for other services, on the internal listener only."""
    router = APIRouter(prefix="/api/order/internal/v1", dependencies=[Depends(Requires(Access.SERVICE))])

    @router.get("/sessions/{session_id}/seat-states")
    async def seat_states(session_id: UUID) -> JSONResponse:
        body = await orders.seat_states(str(session_id))
        if body is None:
            raise not_found("session")
        return JSONResponse(body, headers=_NO_STORE)

    @router.get("/events/{event_id}/sales-summary")
    async def sales_summary(event_id: UUID) -> JSONResponse:
        return JSONResponse(await orders.sales_summary(str(event_id)), headers=_NO_STORE)

    return router
