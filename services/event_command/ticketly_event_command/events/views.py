"""Wire forms of events: the short answer, the summary of lists, and the whole."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ticketly_common.clock import to_wire
from ticketly_common.problems import not_found
from ticketly_event_command.answers import Answer
from ticketly_event_command.images.domain import name_in
from ticketly_event_command.offers.handlers import discounts_to_json, tier_to_json
from ticketly_event_command.ports import FileAddresses, Row, Transaction
from ticketly_event_command.sessions import stored


def event_to_json(row: Row) -> dict[str, Any]:
    """Return ``EventResponse``."""
    return {
        "id": str(row["id"]),
        "title": row["title"],
        "status": row["status"],
        "organizationId": str(row["organization_id"]),
        "createdAt": to_wire(row["created_at"]),
        "updatedAt": to_wire(row["updated_at"]),
        "version": row["version"],
    }


async def event_answer(
    tx: Transaction, event_id: UUID, status: int = 200, *, id_map: dict[str, str] | None = None
) -> Answer:
    """Return ``EventResponse`` of a stored event."""
    row = await tx.one("event", event_id)
    if row is None:
        raise not_found("event")
    body = event_to_json(row)
    return Answer(status, body if id_map is None else {**body, "idMap": id_map}, row["version"])


def summary_to_json(row: Row, addresses: FileAddresses) -> dict[str, Any]:
    """Return ``EventSummary`` of a list row."""
    photo, earliest = row["photo_url"], row["earliest_session"]
    return {
        "id": str(row["id"]),
        "title": row["title"],
        "status": row["status"],
        "organizationName": row["organization_name"],
        "organizationId": str(row["organization_id"]),
        "createdAt": to_wire(row["created_at"]),
        "updatedAt": to_wire(row["updated_at"]),
        "description": row["description"],
        "coverPhoto": None if photo is None else addresses.signed(name_in(photo)),
        "sessionCount": row["session_count"],
        "earliestSessionDate": None if earliest is None else to_wire(earliest),
    }


async def detail_answer(tx: Transaction, row: Row, addresses: FileAddresses) -> Answer:
    """Return ``EventDetail`` of an event row (statement ``event``)."""
    photos = [
        {"id": str(photo["id"]), "url": addresses.signed(name_in(photo["photo_url"]))}
        for photo in await tx.many("cover_photos", row["id"])
    ]
    body = {
        "id": str(row["id"]),
        "title": row["title"],
        "description": row["description"],
        "overview": row["overview"],
        "status": row["status"],
        "rejectionReason": row["rejection_reason"],
        "coverPhotos": [photo["url"] for photo in photos],
        "coverPhotoItems": photos,
        "organizationId": str(row["organization_id"]),
        "organizationName": row["organization_name"],
        "categoryId": str(row["category_id"]),
        "categoryName": row["category_name"],
        "createdAt": to_wire(row["created_at"]),
        "updatedAt": to_wire(row["updated_at"]),
        "tiers": [tier_to_json(tier) for tier in await tx.many("tiers", row["id"])],
        "sessions": await stored.all_to_json(tx, row["id"]),
        "discounts": await discounts_to_json(tx, row["id"], private=True),
        "currency": row["currency"],
        "version": row["version"],
    }
    return Answer(body=body, version=row["version"])
