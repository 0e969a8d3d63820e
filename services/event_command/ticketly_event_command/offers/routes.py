"""Routes of tiers and discounts, below ``/v1/events/{event_id}``."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ticketly_event_command.http import Owner, Wired, create_once, respond
from ticketly_event_command.offers import handlers

router = APIRouter(prefix="/v1/events/{event_id}")


@router.post("/tiers")
async def create_tier(event_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Add a tier."""
    body = await request.body()
    return await create_once(
        request, parts, caller, (body,), lambda tx: handlers.create_tier(tx, caller, event_id, body)
    )


@router.put("/tiers/{tier_id}")
async def update_tier(event_id: UUID, tier_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Change a tier."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.update_tier(tx, caller, event_id, tier_id, body))


@router.delete("/tiers/{tier_id}")
async def delete_tier(event_id: UUID, tier_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Remove a tier."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.delete_tier(tx, caller, event_id, tier_id))


@router.get("/discounts")
async def list_discounts(
    event_id: UUID,
    parts: Wired,
    caller: Owner,
    include_private: Annotated[bool, Query(alias="includePrivate")] = False,
) -> Response:
    """List the discounts."""
    async with parts.database.reading() as tx:
        return respond(await handlers.list_discounts(tx, caller, event_id, private=include_private))


@router.post("/discounts")
async def create_discount(event_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Add a discount."""
    body = await request.body()
    return await create_once(
        request, parts, caller, (body,), lambda tx: handlers.create_discount(tx, parts, caller, event_id, body)
    )


@router.get("/discounts/{discount_id}")
async def get_discount(event_id: UUID, discount_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Return a discount."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get_discount(tx, caller, event_id, discount_id))


@router.put("/discounts/{discount_id}")
async def update_discount(event_id: UUID, discount_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Replace a discount."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.update_discount(tx, caller, event_id, discount_id, body))


@router.delete("/discounts/{discount_id}")
async def delete_discount(event_id: UUID, discount_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Remove a discount."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.delete_discount(tx, caller, event_id, discount_id))
