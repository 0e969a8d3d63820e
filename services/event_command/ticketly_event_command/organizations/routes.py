"""Routes below ``/v1/organizations`` except images."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from ticketly_common.paging import page_request
from ticketly_event_command.access import user_id
from ticketly_event_command.events.removal import delete_organization
from ticketly_event_command.http import OrganizationAdmin, Owner, User, Wired, create_once, respond
from ticketly_event_command.organizations import handlers

router = APIRouter(prefix="/v1/organizations")


@router.post("")
async def create(request: Request, parts: Wired, caller: User) -> Response:
    """Create an organization."""
    body = await request.body()
    return await create_once(request, parts, caller, (body,), lambda tx: handlers.create(tx, parts, caller, body))


@router.get("/my")
async def mine(parts: Wired, caller: User) -> Response:
    """List the caller's organizations."""
    async with parts.database.reading() as tx:
        return respond(await handlers.mine(tx, parts, user_id(caller)))


@router.get("/admin/all")
async def search_all(request: Request, parts: Wired, _caller: OrganizationAdmin) -> Response:
    """Page through all organizations."""
    query = request.query_params
    by, direction = query.get("sortBy") or "name", query.get("sortDirection") or "asc"
    page = page_request(
        query.multi_items(),
        default_size=10,
        default_sort=[f"{by},{direction.lower()}"],
        sortable=list(handlers.SORTABLE),
    )
    async with parts.database.reading() as tx:
        return respond(await handlers.search_all(tx, parts, page, query.get("search")))


@router.get("/admin/user/{owner_id}")
async def of_user(owner_id: UUID, parts: Wired, _caller: OrganizationAdmin) -> Response:
    """List any user's organizations."""
    async with parts.database.reading() as tx:
        return respond(await handlers.mine(tx, parts, owner_id))


@router.get("/admin/{organization_id}")
async def get_any(organization_id: UUID, parts: Wired, _caller: OrganizationAdmin) -> Response:
    """Return any organization."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get_any(tx, parts, organization_id))


@router.get("/{organization_id}")
async def get_own(organization_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Return one organization."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get_own(tx, parts, caller, organization_id))


@router.put("/{organization_id}")
async def update(organization_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Replace name and website."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.update(tx, parts, caller, organization_id, body))


@router.delete("/{organization_id}")
async def delete(organization_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Delete an organization with all its events."""
    return respond(await delete_organization(parts, caller, organization_id))


@router.get("/{organization_id}/staff")
async def staff(organization_id: UUID, parts: Wired, caller: Owner) -> Response:
    """List the members."""
    async with parts.database.reading() as tx:
        return respond(await handlers.staff(tx, caller, organization_id))


@router.delete("/{organization_id}/staff/{member_id}")
async def remove_staff(organization_id: UUID, member_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Remove a member by its user id."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.remove_staff(tx, caller, organization_id, member_id))


@router.patch("/{organization_id}/staff/{member_id}/status")
async def set_staff_status(
    organization_id: UUID, member_id: UUID, request: Request, parts: Wired, caller: Owner
) -> Response:
    """Activate or deactivate a member by its user id."""
    body = await request.body()
    async with parts.database.transaction() as tx:
        return respond(await handlers.set_staff_status(tx, caller, organization_id, member_id, body))
