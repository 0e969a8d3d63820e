"""Routes below ``/v1/sessions``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ticketly_event_command.http import IfMatch, Owner, OwnerOrScanner, Wired, create_once, respond
from ticketly_event_command.ports import Parts, Transaction
from ticketly_event_command.sessions import handlers

router = APIRouter(prefix="/v1/sessions")


async def _change(parts: Parts, session_id: UUID, change: Callable[[Transaction], Awaitable[None]]) -> Response:
    """Commit a change, then show the session: a large layout is not read while rows are locked."""
    async with parts.database.transaction() as tx:
        await change(tx)
    async with parts.database.reading() as tx:
        return respond(await handlers.shown(tx, session_id))


@router.post("")
async def create(request: Request, parts: Wired, caller: Owner) -> Response:
    """Add sessions to an event."""
    body = await request.body()
    return await create_once(request, parts, caller, (body,), lambda tx: handlers.create(tx, parts, caller, body))


@router.get("")
async def of_event(event_id: Annotated[UUID, Query(alias="eventId")], parts: Wired, caller: Owner) -> Response:
    """List the sessions of an event."""
    async with parts.database.reading() as tx:
        return respond(await handlers.of_event(tx, caller, event_id))


@router.get("/{session_id}")
async def get(session_id: UUID, parts: Wired, caller: OwnerOrScanner) -> Response:
    """Return a session."""
    async with parts.database.reading() as tx:
        return respond(await handlers.get(tx, caller, session_id))


@router.put("/{session_id}/time")
async def set_times(session_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Move a session."""
    body = await request.body()
    return await _change(
        parts, session_id, lambda tx: handlers.set_times(tx, parts, caller, session_id, body, if_match)
    )


@router.put("/{session_id}/status")
async def set_status(session_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Change the status."""
    body = await request.body()
    return await _change(
        parts, session_id, lambda tx: handlers.set_status(tx, parts, caller, session_id, body, if_match)
    )


@router.put("/{session_id}/venue")
async def set_venue(session_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Replace type, venue and layout."""
    body = await request.body()
    return await _change(
        parts, session_id, lambda tx: handlers.set_venue(tx, parts, caller, session_id, body, if_match)
    )


@router.put("/{session_id}/venue-details")
async def set_venue_details(
    session_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch
) -> Response:
    """Replace the venue."""
    body = await request.body()
    return await _change(
        parts, session_id, lambda tx: handlers.set_venue_details(tx, caller, session_id, body, if_match)
    )


@router.put("/{session_id}/layout")
async def set_layout(session_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Replace the layout."""
    body = await request.body()
    return await _change(parts, session_id, lambda tx: handlers.set_layout(tx, caller, session_id, body, if_match))


@router.delete("/{session_id}")
async def delete(session_id: UUID, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Remove a session."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.delete(tx, caller, session_id, if_match))
