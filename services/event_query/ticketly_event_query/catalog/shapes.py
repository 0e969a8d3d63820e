"""Event documents as the contract shows them (4.1, 4.2). Pure; the clock and live counts are arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ticketly_common import clock
from ticketly_event_query.projection.event_document import Document
from ticketly_event_query.seats.rendering import major_units

Json = dict[str, Any]
OPEN_STATUSES = ("SCHEDULED", "ON_SALE")


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """Held and sold seats of a session."""

    held: int = 0
    sold: int = 0


Counts = Mapping[str, SessionCounts]
_NONE = SessionCounts()


@dataclass(frozen=True, slots=True)
class View:
    """What a shape depends on besides the document. ``public_url`` makes stored paths absolute."""

    now: datetime
    counts: Counts
    public_url: str

    def absolute(self, stored: str | None) -> str | None:
        """Return an absolute URL for a stored URL or path."""
        if stored is None or "://" in stored:
            return stored
        return f"{self.public_url.rstrip('/')}/{stored.lstrip('/')}"


def availability(session: Document, counts: Counts) -> Json:
    """Return the seat counts of a session as lists show them."""
    known = counts.get(session["_id"], _NONE)
    total, blocked = session["seatCount"], session["blocked"]
    available = max(total - blocked - known.held - known.sold, 0)
    return {"total": total, "available": available, "held": known.held, "sold": known.sold, "blocked": blocked}


def earliest_session(sessions: Sequence[Document], now: datetime) -> Document | None:
    """Return the earliest future session (one that can still be attended, if any), else the last past one."""
    future = [session for session in sessions if session["startTime"] > now]
    attendable = [session for session in future if session["status"] != "CANCELLED"]
    for candidates in (attendable, future):
        if candidates:
            return min(candidates, key=lambda session: (session["startTime"], session["_id"]))
    return max(sessions, key=lambda session: (session["startTime"], session["_id"]), default=None)


def thumbnail(event: Document, view: View) -> Json:
    """Return a Thumbnail; the event must have at least one session."""
    session = earliest_session(event["sessions"], view.now)
    if session is None:
        msg = f"event {event['_id']} has no session to show"
        raise ValueError(msg)
    cheapest = min((tier["priceMinor"] for tier in event["tiers"]), default=0)
    counted = [availability(one, view.counts) for one in event["sessions"] if one["status"] != "CANCELLED"]
    photos = event["coverPhotos"]
    return {
        "id": event["_id"],
        "title": event["title"],
        "coverPhotoUrl": view.absolute(photos[0]) if photos else None,
        "organizationName": event["organization"]["name"],
        "organizationId": event["organization"]["id"],
        "categoryName": event["category"]["name"],
        "earliestSession": {
            "startTime": clock.to_wire(session["startTime"]),
            "venueName": "Online" if session["sessionType"] == "ONLINE" else session["venue"]["name"],
            "city": city(session["venue"]["address"]),
            "id": session["_id"],
            "status": session["status"],
        },
        "startingPrice": major_units(cheapest),
        "currency": event["currency"],
        "startingPriceMinor": cheapest,
        "discounts": open_discounts(event, view.now),
        "availability": {
            "total": sum(one["total"] for one in counted),
            "available": sum(one["available"] for one in counted),
        },
    }


def city(address: str | None) -> str:
    """Return the second comma-separated part of an address, else the first, else nothing."""
    parts = [part.strip() for part in (address or "").split(",")]
    return parts[1] if len(parts) > 1 and parts[1] else parts[0]


def event_info(event: Document, view: View) -> Json:
    """Return an EventInfo."""
    organization, category = event["organization"], event["category"]
    return {
        "id": event["_id"],
        "title": event["title"],
        "description": event["description"],
        "overview": event["overview"],
        "coverPhotos": [view.absolute(photo) for photo in event["coverPhotos"]],
        "organization": {
            "id": organization["id"],
            "name": organization["name"],
            "logoUrl": view.absolute(organization["logoUrl"]),
        },
        "category": {"id": category["id"], "name": category["name"], "parentName": category["parentName"]},
        "tiers": [tier(one) for one in event["tiers"]],
        "availableDiscounts": open_discounts(event, view.now),
        "status": event["status"],
        "currency": event["currency"],
    }


def tier(one: Document) -> Json:
    """Return a tier with its price in both units."""
    return {
        "id": one["id"],
        "name": one["name"],
        "price": major_units(one["priceMinor"]),
        "color": one["color"],
        "priceMinor": one["priceMinor"],
    }


def session_info(event: Document, session: Document, view: View) -> Json:
    """Return a SessionInfo."""
    return {
        "id": session["_id"],
        "eventId": event["_id"],
        "organizationId": event["organization"]["id"],
        "startTime": clock.to_wire(session["startTime"]),
        "endTime": clock.to_wire(session["endTime"]),
        "salesStartTime": _wire(session["salesStartTime"]),
        "salesEndTime": _wire(session["salesEndTime"]),
        "status": session["status"],
        "sessionType": session["sessionType"],
        "venueDetails": venue(session),
        "discounts": open_discounts(event, view.now, session_id=session["_id"]),
        "availability": availability(session, view.counts),
    }


def extended_info(event: Document, session: Document) -> Json:
    """Return a session with its event's title."""
    return {
        "sessionId": session["_id"],
        "eventId": event["_id"],
        "eventTitle": event["title"],
        "startTime": clock.to_wire(session["startTime"]),
        "endTime": clock.to_wire(session["endTime"]),
        "salesStartTime": _wire(session["salesStartTime"]),
        "status": session["status"],
        "sessionType": session["sessionType"],
        "venueDetails": venue(session),
    }


def venue(session: Document) -> Json:
    """Return a venue, never null; the online link belongs to ticket holders and is not shown here."""
    stored = session["venue"]
    latitude, longitude = stored["latitude"], stored["longitude"]
    location = None
    if latitude is not None and longitude is not None:
        location = {"type": "Point", "coordinates": [longitude, latitude], "x": longitude, "y": latitude}
    return {"name": stored["name"], "address": stored["address"], "onlineLink": None, "location": location}


def _wire(instant: datetime | None) -> str | None:
    return clock.to_wire(instant) if instant is not None else None


def is_open(discount: Document, now: datetime) -> bool:
    """Tell whether a discount is active, in its window and not used up."""
    return (
        discount["active"]
        and (discount["activeFrom"] is None or discount["activeFrom"] <= now)
        and (discount["expiresAt"] is None or now < discount["expiresAt"])
        and (discount["maxUsage"] is None or discount["currentUsage"] < discount["maxUsage"])
    )


def applies_to(discount: Document, session_id: str) -> bool:
    """Tell whether a discount applies to a session; an empty list means all."""
    return not discount["sessionIds"] or session_id in discount["sessionIds"]


def open_discounts(event: Document, now: datetime, *, session_id: str | None = None) -> list[Json]:
    """Return public open discounts the short way, optionally only those of one session."""
    return [
        {
            "parameters": discount["parameters"],
            "expiresAt": _wire(discount["expiresAt"]),
            "maxUsage": discount["maxUsage"],
            "currentUsage": discount["currentUsage"],
        }
        for discount in event["discounts"]
        if discount["public"] and is_open(discount, now) and (session_id is None or applies_to(discount, session_id))
    ]


def read_discount(event: Document, discount: Document) -> Json:
    """Return a ReadDiscount (2.5): applicability spelled out, never empty."""
    sessions = discount["sessionIds"] or [session["_id"] for session in event["sessions"]]
    return {
        "id": discount["id"],
        "code": discount["code"],
        "parameters": discount["parameters"],
        "maxUsage": discount["maxUsage"],
        "currentUsage": discount["currentUsage"],
        "active": discount["active"],
        "public": discount["public"],
        "activeFrom": _wire(discount["activeFrom"]),
        "expiresAt": _wire(discount["expiresAt"]),
        "applicableTiers": [tier(one) for one in event["tiers"] if one["id"] in discount["tierIds"]],
        "applicableSessionIds": sessions,
    }
