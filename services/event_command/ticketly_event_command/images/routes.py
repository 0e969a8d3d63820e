"""Routes of images: uploads, removals, and the files themselves."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import UploadFile

from ticketly_common.auth import public
from ticketly_common.problems import invalid, not_found
from ticketly_event_command.http import IfMatch, Owner, Wired, create_once, respond
from ticketly_event_command.images import handlers
from ticketly_event_command.images.domain import parse_name

router = APIRouter(prefix="/v1")


async def _file(request: Request) -> bytes:
    """Return the part ``file`` of a multipart body; raises 422 without one."""
    async with request.form() as form:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            raise invalid({"file": "is missing"})
        return await part.read()


@router.post("/events/{event_id}/update/cover-photos")
async def add_cover_photo(event_id: UUID, request: Request, parts: Wired, caller: Owner, if_match: IfMatch) -> Response:
    """Add a cover photo."""
    content = await _file(request)
    photo = handlers.accept_cover_photos([content])[0]
    try:
        return await create_once(
            request,
            parts,
            caller,
            (content,),
            lambda tx: handlers.add_cover_photo(tx, parts, caller, event_id, photo, if_match),
        )
    except BaseException:
        await handlers.discard(parts, [photo.name])
        raise


@router.delete("/events/{event_id}/update/cover-photos/{photo_id}")
async def delete_cover_photo(
    event_id: UUID, photo_id: UUID, parts: Wired, caller: Owner, if_match: IfMatch
) -> Response:
    """Remove a cover photo."""
    async with parts.database.transaction() as tx:
        answer, name = await handlers.delete_cover_photo(tx, caller, event_id, photo_id, if_match)
    await handlers.discard(parts, [name])
    return respond(answer)


@router.post("/organizations/{organization_id}/logo")
async def set_logo(organization_id: UUID, request: Request, parts: Wired, caller: Owner) -> Response:
    """Store a logo."""
    content = await _file(request)
    async with parts.database.transaction() as tx:
        answer, old = await handlers.set_logo(tx, parts, caller, organization_id, content)
    await handlers.discard(parts, [] if old is None else [old])
    return respond(answer)


@router.delete("/organizations/{organization_id}/logo")
async def delete_logo(organization_id: UUID, parts: Wired, caller: Owner) -> Response:
    """Remove the logo."""
    async with parts.database.transaction() as tx:
        answer, old = await handlers.delete_logo(tx, caller, organization_id)
    await handlers.discard(parts, [] if old is None else [old])
    return respond(answer)


@router.get("/files/{kind}/{file}", dependencies=[Depends(public)])
async def get_file(
    kind: str,
    file: str,
    parts: Wired,
    expires: Annotated[str, Query()] = "",
    signature: Annotated[str, Query()] = "",
) -> Response:
    """Serve an image: with a valid signature, or because what it belongs to is on show. Anything else is 404."""
    name = f"{kind}/{file}"
    parsed = parse_name(name)
    if parsed is None:
        raise not_found("file")
    signed = parts.addresses.allows(name, expires, signature)
    if not signed:
        async with parts.database.reading() as tx:
            if not await handlers.is_public(tx, name):
                raise not_found("file")
    content = await parts.objects.get(name)
    if content is None:
        raise not_found("file")
    return Response(
        content,
        media_type=parsed[2],
        headers={
            "cache-control": "private, max-age=3600" if signed else "public, max-age=3600",
            "x-content-type-options": "nosniff",
        },
    )
