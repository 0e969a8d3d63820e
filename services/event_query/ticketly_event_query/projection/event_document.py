"""The event document of the read model, built from staged rows. Pure.

``build`` returns None while the event must not be visible: it is not APPROVED or COMPLETED, deleted, or its
organization or category has not arrived yet (topics have no mutual order; their arrival builds it again).
Instants are aware datetimes, money is integer minor units, seats are not in here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ticketly_common import clock
from ticketly_event_query.projection.tables import Row
from ticketly_event_query.projection.words import vocabulary

VISIBLE = frozenset({"APPROVED", "COMPLETED"})
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LayoutSummary:
    """What an event document shows of a layout: tiers with sellable seats, and how many seats are blocked."""

    tier_ids: Sequence[str]
    blocked: int


@dataclass(frozen=True, slots=True)
class EventRows:
    """All living staged rows an event document is made of.

    ``usage``: discount id -> orders that use it. ``layouts``: only of sessions whose layout is complete.
    """

    event: Row | None
    organization: Row | None
    categories: Sequence[Row]
    photos: Sequence[Row]
    tiers: Sequence[Row]
    sessions: Sequence[Row]
    discounts: Sequence[Row]
    discount_tiers: Sequence[Row]
    discount_sessions: Sequence[Row]
    usage: Mapping[str, int]
    layouts: Mapping[str, LayoutSummary]


def build(rows: EventRows) -> Document | None:
    """Return the document without ``build``, or None when the event is not to be seen."""
    event = rows.event
    if event is None or event.get("status") not in VISIBLE or rows.organization is None:
        return None
    category = _category(str(event.get("category_id")), rows.categories)
    if category is None:
        return None
    organization = rows.organization
    tiers = [_tier(row) for row in _ordered(rows.tiers)]
    texts = (event["title"], organization["name"], category["name"], category["parentName"], event.get("description"))
    return {
        "_id": event["id"],
        "status": event["status"],
        "title": event["title"],
        "description": event.get("description") or "",
        "overview": event.get("overview") or "",
        "currency": event.get("currency") or (rows.tiers[0]["currency"] if rows.tiers else "LKR"),
        "organization": {
            "id": organization["id"],
            "name": organization["name"],
            "logoUrl": organization.get("logo_url"),
            "ownerId": organization.get("user_id"),
        },
        "category": category,
        "coverPhotos": [row["photo_url"] for row in _ordered(rows.photos)],
        "tiers": tiers,
        "sessions": [
            _session(row, tiers, rows.layouts.get(row["id"]))
            for row in sorted(rows.sessions, key=lambda row: (clock.from_wire(row["start_time"]), row["id"]))
        ],
        "discounts": [_discount(row, rows, tiers) for row in _ordered(rows.discounts)],
        "words": vocabulary(texts),
        "titleWords": vocabulary([event["title"]]),
        "sortTitle": str(event["title"]).casefold(),
    }


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.get("position") or 0, row["id"]))


def _category(category_id: str, rows: Sequence[Row]) -> Document | None:
    by_id = {row["id"]: row for row in rows}
    path: list[str] = []
    current: str | None = category_id
    while current is not None and current in by_id and current not in path:
        path.append(current)
        current = by_id[current].get("parent_id")
    if not path or current is not None:
        return None  # the category or one of its ancestors is still to come
    parent = by_id[path[1]] if len(path) > 1 else None
    return {
        "id": category_id,
        "name": by_id[category_id]["name"],
        "parentName": parent["name"] if parent else None,
        "path": path,
    }


def _tier(row: Row) -> Document:
    return {"id": row["id"], "name": row["name"], "priceMinor": int(row["price_minor"]), "color": row["color"]}


def _session(row: Row, tiers: Sequence[Document], layout: LayoutSummary | None) -> Document:
    prices = sorted({tier["priceMinor"] for tier in tiers if layout is None or tier["id"] in layout.tier_ids})
    venue = _venue(row.get("venue_details"))
    return {
        "_id": row["id"],
        "status": row["status"],
        "sessionType": row["session_type"],
        "startTime": clock.from_wire(row["start_time"]),
        "endTime": clock.from_wire(row["end_time"]),
        "salesStartTime": _instant(row.get("sales_start_time")),
        "salesEndTime": _instant(row.get("sales_end_time")),
        "venue": venue,
        "latitude": venue["latitude"],
        "longitude": venue["longitude"],
        "prices": prices,
        "seatCount": int(row["seat_count"]),
        "blocked": layout.blocked if layout else 0,
    }


def _instant(text: str | None) -> datetime | None:
    return clock.from_wire(text) if text else None


def _venue(text: str | None) -> Document:
    try:
        given = json.loads(text) if text else {}
    except ValueError:
        given = {}
    if not isinstance(given, dict):
        given = {}
    return {
        "name": given.get("name") or "",
        "address": given.get("address"),
        "onlineLink": given.get("onlineLink"),
        "latitude": _number(given.get("latitude")),
        "longitude": _number(given.get("longitude")),
        "timeZone": given.get("timeZone"),
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _discount(row: Row, rows: EventRows, tiers: Sequence[Document]) -> Document:
    parameters = row["parameters"]
    chosen = {link["tier_id"] for link in rows.discount_tiers if link["discount_id"] == row["id"]}
    return {
        "id": row["id"],
        "code": row["code"],
        "parameters": json.loads(parameters) if isinstance(parameters, str) else dict(parameters),
        "maxUsage": row.get("max_usage"),
        "currentUsage": rows.usage.get(row["id"], 0),
        "active": bool(row.get("is_active")),
        "public": bool(row.get("is_public")),
        "activeFrom": _instant(row.get("active_from")),
        "expiresAt": _instant(row.get("expires_at")),
        # An empty list means "all": expanded here, because the web front end computes nothing from an empty one.
        "tierIds": [tier["id"] for tier in tiers if not chosen or tier["id"] in chosen],
        "sessionIds": sorted(link["session_id"] for link in rows.discount_sessions if link["discount_id"] == row["id"]),
    }
