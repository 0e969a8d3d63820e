"""Routes below ``/v1/events``, except tiers, discounts and images."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ticketly_common.auth import Caller
from ticketly_common.paging import PageRequest, page_request
from ticketly_common.problems import not_found
from ticketly_event_command.access import own_organization
from ticketly_event_command.events import approval, handlers, removal
from ticketly_event_command.events.domain import STATUSES, read_event
from ticketly_event_command.events.form import read_form
from ticketly_event_command.faults import Faults
from ticketly_event_command.http import EventAdmin, IfMatch, Owner, Wired, create_once, respond
from ticketly_event_command.images.handlers import accept_cover_photos, discard
from ticketly_event_command.limits import LIMITS, tier_of
from ticketly_event_command.ports import Parts

router = APIRouter(prefix="/v1/events")


@router.post("")
async def create(request: Request, parts: Wired, caller: Owner) -> Response:
    """Create an event."""
    form = await read_form(request)
    photos = accept_cover_photos(form.images)
    faults = Faults()
    async with parts.large_bodies:
        draft = await asyncio.to_thread(
            read_event,
            form.request,
            faults,
            now=parts.now(),
            currency=parts.currency,
            time_zone=parts.time_zone,
            most_sessions=LIMITS[tier_of(caller.groups)].sessions_per_event,
        )
    try:
        return await create_once(
            request,
            parts,
            caller,
            (form.request, *form.images),
            lambda tx: handlers.create(tx, parts, caller, draft, faults, photos),
        )
    except BaseException:
        await discard(parts, [photo.name for photo in photos])
        raise


def _page(request: Request) -> PageRequest:
    return page_request(
        request.query_params.multi_items(),
        default_size=10,
        default_sort=["updatedAt,desc"],
        sortable=list(handlers.SORTABLE),
    )


async def _search(request: Request, parts: Parts, organization_id: UUID | None, caller: Caller | None) -> Response:
    page, query = _page(request), request.query_params
    status = handlers.status_filter(query.get("status"), STATUSES)
    async with parts.database.reading() as tx:
        if caller is not None and organization_id is not None:
            await own_organization(tx, organization_id, caller)
        elif organization_id is not None and await tx.one("organization", organization_id) is None:
            raise not_found("organization")
        return respond(await handlers.search(tx, parts, page, organization_id, status, query.get("search")))


@router.get("/organization/{organization_id}")
async def of_own_organization(organization_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Page through the events of an own organization."""
    return await _search(request, parts, organization_id, caller)


@router.get("/admin/all")
async def search_all(request: Request, parts: Wired, _caller: EventAdmin) -> Response:
    """Page through all events."""
    return await _search(request, parts, None, None)


@router.get("/admin/organization/{organization_id}")
async def of_organization(organization_id: UUID, request: Request, parts: Wired, _caller: EventAdmin) -> Response:
    """Page through the events of any organization."""
    return await _search(request, parts, organization_id, None)


@router.get("/admin/{event_id}")
async def get_any(event_id: UUID, parts: Wired, _caller: EventAdmin) -> Response:
    """Return any event."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get_any(tx, parts, event_id))


@router.get("/{event_id}")
async def get_own(event_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Return an own event."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get_own(tx, parts, caller, event_id))


@router.put("/{event_id}/update")
async def update(event_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Change an event's texts."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.update(tx, caller, event_id, body, if_match))


@router.post("/{event_id}/approve")
async def approve(event_id: UUID, parts: Wired, caller: EventAdmin) -> Response:
    """Approve an event."""
    async with parts.database.transaction() as tx:
        return respond(await approval.approve(tx, parts, caller, event_id))


@router.post("/{event_id}/reject")
async def reject(event_id: UUID, request: Request, parts: Wired, caller: EventAdmin) -> Response:
    """Reject an event."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await approval.reject(tx, caller, event_id, body))


@router.post("/{event_id}/resubmit")
async def resubmit(event_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Hand a rejected event in again."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.resubmit(tx, caller, event_id))


@router.post("/{event_id}/cancel")
async def cancel(event_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Cancel all open sessions."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.cancel(tx, caller, event_id, body))


@router.delete("/{event_id}")
async def delete(event_id: UUID, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Delete an event."""
    return respond(await removal.delete_event(parts, caller, event_id, if_match))
