"""Routes below ``/v1/seating-templates``."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from ticketly_common.paging import page_request
from ticketly_event_command.http import Owner, Wired, create_once, respond
from ticketly_event_command.limits import TEMPLATE_PAGE_SIZE
from ticketly_event_command.templates import handlers

router = APIRouter(prefix="/v1/seating-templates")


@router.get("/organization/{organization_id}")
async def of_organization(organization_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Page through an organization's templates."""
    page = page_request(
        request.query_params.multi_items(),
        default_size=TEMPLATE_PAGE_SIZE,
        default_sort=["updatedAt,desc"],
        sortable=list(handlers.SORTABLE),
    )
    async with parts.database.reading() as tx:
        return respond(await handlers.of_organization(tx, caller, organization_id, page))


@router.post("")
async def create(request: Request, parts: Wired, caller: Owner) -> Response:
    """Store a template."""
    body = await request.body()
    return await create_once(request, parts, caller, (body,), lambda tx: handlers.create(tx, caller, body))


@router.get("/{template_id}")
async def get(template_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Return a template."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get(tx, caller, template_id))


@router.put("/{template_id}")
async def update(template_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Replace a template."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.update(tx, caller, template_id, body))


@router.delete("/{template_id}")
async def delete(template_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Remove a template."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.delete(tx, caller, template_id))
