"""Routes of the internal listener, for services only."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ticketly_event_command.answers import Answer
from ticketly_event_command.faults import Faults, reader
from ticketly_event_command.http import PREFIX, ServiceCaller, Wired, respond
from ticketly_event_command.sessions import handlers

router = APIRouter(prefix=f"{PREFIX}/internal/v1")
_MOST_EVENTS = 1000
UserId = Annotated[UUID, Query(alias="userId")]


@router.patch("/sessions/{session_id}/on-sale")
async def put_on_sale(session_id: UUID, parts: Wired, _caller: ServiceCaller) -> Response:
    """Open the sales of a session; already open is fine."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.set_status_by_job(tx, parts, session_id, "ON_SALE"))


@router.patch("/sessions/{session_id}/closed")
async def close(session_id: UUID, parts: Wired, _caller: ServiceCaller) -> Response:
    """Close a session; already closed is fine."""
    async with parts.database.transaction() as tx:
        return respond(await handlers.set_status_by_job(tx, parts, session_id, "CLOSED"))


@router.get("/events/verify-ownership")
async def owns_event(
    event_id: Annotated[UUID, Query(alias="eventId")], user_id: UserId, parts: Wired, _caller: ServiceCaller
) -> Response:
    """Say whether a user owns an event; unknown ids are false."""
    async with parts.database.reading() as tx:
        row = await tx.one("event", event_id)
    return respond(Answer(body=row is not None and row["owner_id"] == user_id))


@router.get("/organizations/verify-ownership")
async def owns_organization(
    organization_id: Annotated[UUID, Query(alias="organizationId")],
    user_id: UserId,
    parts: Wired,
    _caller: ServiceCaller,
) -> Response:
    """Say whether a user owns an organization; unknown ids are false."""
    async with parts.database.reading() as tx:
        row = await tx.one("organization", organization_id)
    return respond(Answer(body=row is not None and row["user_id"] == user_id))


@router.get("/sessions/verify-ownership")
async def owns_session(
    session_id: Annotated[UUID, Query(alias="sessionId")], user_id: UserId, parts: Wired, _caller: ServiceCaller
) -> Response:
    """Say whether a user owns a session; unknown ids are false."""
    async with parts.database.reading() as tx:
        row = await tx.one("session", session_id)
    return respond(Answer(body=row is not None and row["owner_id"] == user_id))


@router.get("/sessions/verify-role")
async def has_role(
    session_id: Annotated[UUID, Query(alias="sessionId")],
    user_id: UserId,
    role: Annotated[str, Query()],
    parts: Wired,
    _caller: ServiceCaller,
) -> Response:
    """Say whether a user is an active member with a role in the session's organization."""
    async with parts.database.reading() as tx:
        return respond(Answer(body=bool(await tx.value("has_role", session_id, user_id, role.replace("\x00", "")))))


@router.post("/events/batch-ownership")
async def owned_events(request: Request, parts: Wired, _caller: ServiceCaller) -> Response:
    """Return which of the given events a user owns."""
    faults = Faults()
    raw = reader(await request.body(), faults)
    owner = raw.identifier("userId")
    given = raw.items("eventIds")
    if len(given) > _MOST_EVENTS:
        raw.fault("eventIds", f"must be at most {_MOST_EVENTS}")
    events: list[UUID] = []
    for index, text in enumerate(given[:_MOST_EVENTS]):
        try:
            events.append(UUID(text))
        except (ValueError, TypeError, AttributeError):
            raw.fault(f"eventIds[{index}]", "must be a UUID")
    faults.check()
    async with parts.database.reading() as tx:
        owned = await tx.many("owned_events", events, owner)
    return respond(Answer(body={"ownedEvents": [str(row["id"]) for row in owned]}))
