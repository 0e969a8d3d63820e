"""Routes below ``/v1/session-analytics``."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from ticketly_common.auth import Caller
from ticketly_common.paging import page_request
from ticketly_event_command.analytics import handlers
from ticketly_event_command.events.handlers import status_filter
from ticketly_event_command.http import EventAdmin, Owner, Wired, respond
from ticketly_event_command.ports import Parts
from ticketly_event_command.sessions.domain import STATUSES

router = APIRouter(prefix="/v1/session-analytics")


async def _sessions(request: Request, parts: Parts, organization_id: UUID, caller: Caller | None) -> Response:
    page = page_request(
        request.query_params.multi_items(),
        default_size=10,
        default_sort=["salesStartTime,asc", "startTime,asc"],
        sortable=list(handlers.SORTABLE),
    )
    status = status_filter(request.query_params.get("status"), STATUSES)
    async with parts.database.reading() as tx:
        return respond(await handlers.sessions(tx, organization_id, caller, page, status))


@router.get("/events/{event_id}")
async def of_own_event(event_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Count the sessions of an own event."""
    async with parts.database.reading() as tx:
        return respond(await handlers.of_event(tx, event_id, caller))


@router.get("/organizations/{organization_id}")
async def of_own_organization(organization_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Count the sessions of an own organization."""
    async with parts.database.reading() as tx:
        return respond(await handlers.of_organization(tx, organization_id, caller))


@router.get("/organizations/{organization_id}/sessions")
async def own_sessions(organization_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Page through the sessions of an own organization."""
    return await _sessions(request, parts, organization_id, caller)


@router.get("/admin/events/{event_id}")
async def of_event(event_id: UUID, parts: Wired, _caller: EventAdmin) -> Response:
    """Count the sessions of any event."""
    async with parts.database.reading() as tx:
        return respond(await handlers.of_event(tx, event_id, None))


@router.get("/admin/organizations/{organization_id}")
async def of_organization(organization_id: UUID, parts: Wired, _caller: EventAdmin) -> Response:
    """Count the sessions of any organization."""
    async with parts.database.reading() as tx:
        return respond(await handlers.of_organization(tx, organization_id, None))


@router.get("/admin/organizations/{organization_id}/sessions")
async def sessions(organization_id: UUID, request: Request, parts: Wired, _caller: EventAdmin) -> Response:
    """Page through the sessions of any organization."""
    return await _sessions(request, parts, organization_id, None)
