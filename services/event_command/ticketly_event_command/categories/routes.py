"""Routes below ``/v1/categories``."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from ticketly_event_command.categories import handlers
from ticketly_event_command.http import CategoryAdmin, User, Wired, create_once, respond

router = APIRouter(prefix="/v1/categories")


@router.get("")
async def roots(parts: Wired, _caller: User) -> Response:
    """List the tree."""
    async with parts.database.reading() as tx:
        return respond(await handlers.roots(tx))


@router.get("/{category_id}")
async def one(category_id: UUID, parts: Wired, _caller: User) -> Response:
    """Return one category."""
    async with parts.database.reading() as tx:
        return respond(await handlers.one(tx, category_id))


@router.post("")
async def create(request: Request, parts: Wired, caller: CategoryAdmin) -> Response:
    """Create a category."""
    body = await request.body()
    return await create_once(request, parts, caller, (body,), lambda tx: handlers.create(tx, body))


@router.put("/{category_id}")
async def update(category_id: UUID, request: Request, parts: Wired, _caller: CategoryAdmin) -> Response:
    """Rename or move a category."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.update(tx, category_id, body))


@router.delete("/{category_id}")
async def delete(category_id: UUID, parts: Wired, _caller: CategoryAdmin) -> Response:
    """Remove a category."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.delete(tx, category_id))
