"""One function per request about images. A file is written before its row commits and removed after its row is gone."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

from ticketly_common.auth import Caller
from ticketly_common.problems import conflict, not_found
from ticketly_event_command.access import lock_own_event, lock_own_organization
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.events.views import event_answer
from ticketly_event_command.images.domain import accept, cover_photo_name, logo_name, name_in, parse_name
from ticketly_event_command.limits import MOST_COVER_PHOTO_BYTES, MOST_COVER_PHOTOS, MOST_LOGO_BYTES
from ticketly_event_command.organizations.handlers import get_any
from ticketly_event_command.ports import Parts, Transaction


@dataclass(frozen=True)
class Photo:
    """An accepted image that is not stored yet."""

    id: UUID
    name: str
    content: bytes


def accept_cover_photos(files: Iterable[bytes]) -> list[Photo]:
    """Give ids to accepted cover photos; raises 413 or 415."""
    photos = []
    for content in files:
        extension = accept(content, most_bytes=MOST_COVER_PHOTO_BYTES)
        photo_id = uuid4()
        photos.append(Photo(photo_id, cover_photo_name(photo_id, extension), content))
    return photos


async def store_cover_photo(tx: Transaction, parts: Parts, event_id: UUID, photo: Photo) -> None:
    """Write the file and its row."""
    await parts.objects.put(photo.name, photo.content)
    await tx.run("insert_cover_photo", photo.id, event_id, parts.addresses.plain(photo.name))


async def discard(parts: Parts, names: Iterable[str]) -> None:
    """Remove files whose rows do not exist (any more)."""
    for name in names:
        await parts.objects.delete(name)


async def add_cover_photo(
    tx: Transaction, parts: Parts, caller: Caller, event_id: UUID, photo: Photo, if_match: str | None
) -> Answer:
    """Add a cover photo; 409 ``limit-reached`` beyond five."""
    await lock_own_event(tx, event_id, caller, if_match)
    if len(await tx.many("cover_photos", event_id)) >= MOST_COVER_PHOTOS:
        raise conflict("limit-reached", f"An event has at most {MOST_COVER_PHOTOS} photos.", limit=MOST_COVER_PHOTOS)
    await store_cover_photo(tx, parts, event_id, photo)
    await tx.run("touch_event", event_id)
    return await event_answer(tx, event_id)


async def delete_cover_photo(
    tx: Transaction, caller: Caller, event_id: UUID, photo_id: UUID, if_match: str | None
) -> tuple[Answer, str]:
    """Remove a cover photo's row; returns the answer and the file to discard after the commit."""
    await lock_own_event(tx, event_id, caller, if_match)
    address = await tx.value("delete_cover_photo", event_id, photo_id)
    if address is None:
        raise not_found("cover-photo")
    await tx.run("touch_event", event_id)
    return await event_answer(tx, event_id), name_in(address)


async def set_logo(
    tx: Transaction, parts: Parts, caller: Caller, organization_id: UUID, content: bytes
) -> tuple[Answer, str | None]:
    """Store a logo; returns the answer and the file that it replaced."""
    organization = await lock_own_organization(tx, organization_id, caller)
    extension = accept(content, most_bytes=MOST_LOGO_BYTES)
    name = logo_name(organization_id, secrets.token_hex(4), extension)
    await parts.objects.put(name, content)
    await tx.run("set_logo", organization_id, parts.addresses.plain(name))
    old = organization["logo_url"]
    return await get_any(tx, parts, organization_id), None if old is None else name_in(old)


async def delete_logo(tx: Transaction, caller: Caller, organization_id: UUID) -> tuple[Answer, str | None]:
    """Remove the logo, if any; returns the answer and the file to discard after the commit."""
    organization = await lock_own_organization(tx, organization_id, caller)
    await tx.run("set_logo", organization_id, None)
    old = organization["logo_url"]
    return NO_CONTENT, None if old is None else name_in(old)


async def is_public(tx: Transaction, name: str) -> bool:
    """Say whether an object belongs to something on show (an approved or completed event)."""
    parsed = parse_name(name)
    if parsed is None:
        return False
    kind, owner, _ = parsed
    if kind == "logos":
        return bool(await tx.value("logo_is_public", owner, name))
    return bool(await tx.value("cover_photo_is_public", owner))
