"""Search: what was asked, which sessions match, and in which order. Pure.

The store narrows by words, category and a coarse session condition (``catalog.ports``); the exact rules are here, on
small candidates without texts: all session conditions hold for one and the same session, distances are great-circle,
the order is total.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ticketly_common import clock
from ticketly_common.paging import Order
from ticketly_common.problems import invalid
from ticketly_event_query.catalog.shapes import OPEN_STATUSES
from ticketly_event_query.projection.words import MAX_TERM_CHARACTERS, words

SORTABLE = ("sessions.startTime", "startTime", "title", "startingPrice", "trending", "distance")
DEFAULT_SORT = "sessions.startTime,asc"
_EARTH_RADIUS_KM = 6371.0088
_KM_PER_DEGREE = 111.0


@dataclass(frozen=True, slots=True)
class Circle:
    """Around a point, in degrees and kilometres. ``radius_km`` is None when only the distance is asked for."""

    latitude: float
    longitude: float
    radius_km: float | None


@dataclass(frozen=True, slots=True)
class Criteria:
    """A search as understood; all conditions on sessions must hold for one session. Money in minor units."""

    words: tuple[str, ...]
    category_id: str | None
    circle: Circle | None
    starts_from: datetime | None
    starts_until: datetime | None
    price_min: int | None
    price_max: int | None
    include_past: bool
    only_available: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """What ranking needs of an event; ``sessions`` as in the event document."""

    id: str
    sort_title: str
    title_words: Sequence[str]
    sessions: Sequence[Mapping[str, Any]]
    score: float


@dataclass(frozen=True, slots=True)
class Match:
    """An event that matches, with the values it is ordered by."""

    id: str
    in_title: bool
    starts: datetime
    sort_title: str
    price: int
    score: float
    distance_km: float


def criteria(query: Mapping[str, str]) -> Criteria:
    """Read a search; raises Problem 422 naming every parameter at fault."""
    faults: dict[str, str] = {}
    term = query.get("searchTerm", "")
    if len(term) > MAX_TERM_CHARACTERS:
        faults["searchTerm"] = f"must have at most {MAX_TERM_CHARACTERS} characters"
    dates = {name: _instant(name, query.get(name), faults) for name in ("dateFrom", "dateTo")}
    prices = {name: _number(name, query, faults, 0, 1e12) for name in ("priceMin", "priceMax")}
    circle = _circle(query, faults)
    if faults:
        raise invalid(faults)
    low, high = prices["priceMin"], prices["priceMax"]
    return Criteria(
        words=tuple(words(term)),
        category_id=query.get("categoryId") or None,
        circle=circle,
        starts_from=dates["dateFrom"],
        starts_until=dates["dateTo"],
        price_min=None if low is None else math.ceil(round(low * 100, 4)),
        price_max=None if high is None else math.floor(round(high * 100, 4)),
        include_past=query.get("includePast") == "true",
        only_available=query.get("onlyAvailable") == "true",
    )


def _circle(query: Mapping[str, str], faults: dict[str, str]) -> Circle | None:
    latitude = _number("latitude", query, faults, -90, 90)
    longitude = _number("longitude", query, faults, -180, 180)
    radius = _number("radiusKm", query, faults, 0, 20_000)
    if radius is not None and (latitude is None or longitude is None):
        faults.setdefault("radiusKm", "needs latitude and longitude")
    return Circle(latitude, longitude, radius) if latitude is not None and longitude is not None else None


def _number(name: str, query: Mapping[str, str], faults: dict[str, str], low: float, high: float) -> float | None:
    text = query.get(name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        faults[name] = "must be a number"
        return None
    if not low <= number <= high:  # also refuses NaN
        faults[name] = f"must be between {low:g} and {high:g}"
        return None
    return number


def _instant(name: str, text: str | None, faults: dict[str, str]) -> datetime | None:
    if not text:
        return None
    try:
        return parse_instant(text)
    except ValueError:
        faults[name] = "must be an instant (RFC 3339) or a date"
        return None


def parse_instant(text: str) -> datetime:
    """Read an instant; a bare date is the start of that day in UTC. Raises ValueError.

    A space before the offset is a plus sign that was not escaped in the query string.
    """
    if len(text) == len("2027-03-01"):
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    return clock.from_wire(text.replace(" ", "+"))


def bounding_box(circle: Circle) -> tuple[float, float, float, float] | None:
    """Return (south, north, west, east) around a circle; None when it reaches a pole or the date line."""
    if circle.radius_km is None:
        return None
    height = circle.radius_km / _KM_PER_DEGREE * 1.01 + 1e-6
    south, north = circle.latitude - height, circle.latitude + height
    if south <= -90 or north >= 90:
        return None
    width = height / max(math.cos(math.radians(max(abs(south), abs(north)))), 1e-6)
    west, east = circle.longitude - width, circle.longitude + width
    return None if west < -180 or east > 180 else (south, north, west, east)


def distance_km(circle: Circle, latitude: float, longitude: float) -> float:
    """Return the great-circle distance."""
    first, second = math.radians(circle.latitude), math.radians(latitude)
    half_width = math.sin(math.radians(longitude - circle.longitude) / 2)
    half_height = math.sin((second - first) / 2)
    arc = half_height**2 + math.cos(first) * math.cos(second) * half_width**2
    return 2 * _EARTH_RADIUS_KM * math.asin(math.sqrt(min(arc, 1.0)))


def match(candidate: Candidate, asked: Criteria, *, now: datetime, sold_out: frozenset[str]) -> Match | None:
    """Return how a candidate matches, or None: one session must satisfy every condition."""
    best: tuple[datetime, str] | None = None
    nearest, cheapest = math.inf, 0
    for session in candidate.sessions:
        away = _distance(session, asked.circle)
        if not _session_matches(session, asked, away, now, sold_out):
            continue
        nearest = min(nearest, away)
        key = (session["startTime"], session["_id"])
        if best is None or key < best:
            best = key
            cheapest = min(_prices(session, asked), default=0)
    if best is None:
        return None
    return Match(
        id=candidate.id,
        in_title=_in_title(candidate.title_words, asked.words),
        starts=best[0],
        sort_title=candidate.sort_title,
        price=cheapest,
        score=candidate.score,
        distance_km=nearest,
    )


def _distance(session: Mapping[str, Any], circle: Circle | None) -> float:
    if circle is None or session["latitude"] is None or session["longitude"] is None:
        return math.inf
    return distance_km(circle, session["latitude"], session["longitude"])


def _session_matches(
    session: Mapping[str, Any], asked: Criteria, away: float, now: datetime, sold_out: frozenset[str]
) -> bool:
    starts = session["startTime"]
    if not asked.include_past and (session["status"] not in OPEN_STATUSES or starts <= now):
        return False
    if asked.starts_from is not None and starts < asked.starts_from:
        return False
    if asked.starts_until is not None and starts > asked.starts_until:
        return False
    if asked.circle is not None and asked.circle.radius_km is not None and away > asked.circle.radius_km:
        return False
    if asked.only_available and (session["_id"] in sold_out or session["status"] not in OPEN_STATUSES):
        return False
    limited = asked.price_min is not None or asked.price_max is not None
    return not limited or bool(_prices(session, asked))


def _prices(session: Mapping[str, Any], asked: Criteria) -> list[int]:
    low = asked.price_min if asked.price_min is not None else 0
    return [
        price for price in session["prices"] if price >= low and (asked.price_max is None or price <= asked.price_max)
    ]


def _in_title(title_words: Sequence[str], asked: Sequence[str]) -> bool:
    if not asked:
        return False
    known = set(title_words)
    return all(word in known for word in asked[:-1]) and any(word.startswith(asked[-1]) for word in known)


def ranked(
    matches: Sequence[Match], orders: Sequence[Order], *, title_first: bool, circle: Circle | None
) -> list[Match]:
    """Return matches in order; ties are broken by id, so pages never overlap. Raises 422 for ``distance`` alone."""
    found = sorted(matches, key=lambda one: one.id)
    for order in reversed(orders):
        if order.field == "distance" and circle is None:
            raise invalid({"sort": "distance needs latitude and longitude"})
        found.sort(key=_KEYS[order.field], reverse=order.descending)
    if title_first:
        found.sort(key=lambda one: not one.in_title)
    return found


_KEYS: Mapping[str, Any] = {
    "sessions.startTime": lambda one: one.starts,
    "startTime": lambda one: one.starts,
    "title": lambda one: one.sort_title,
    "startingPrice": lambda one: one.price,
    "trending": lambda one: one.score,
    "distance": lambda one: one.distance_km,
}
