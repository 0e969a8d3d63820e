"""What will be seeded: everything decided from a seed, nothing from the clock. Pure.

Times are offsets from the moment of seeding, so that the same plan is valid on any day.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ticketly_cli.api.shapes import instant, physical_session, seated_block, stage_block
from ticketly_cli.seed.catalogue import ENTRIES, VENUES, Entry, Venue

FIRST_EVENT_DAYS = 7
DAYS_BETWEEN_EVENTS = 1
DAYS_BETWEEN_SESSIONS = 7
SALES_OPENED_HOURS_AGO = 1
LOCAL_OFFSET = timedelta(hours=5, minutes=30)
"""Starting hours of the catalogue are of this offset (Asia/Colombo has no summer time)."""
SEATS_PER_ROW = 20
SESSION_HOURS = (2, 3, 4, 6)
STANDARD_PRICES = (750, 1000, 1500, 2000, 2500)
PREMIUM_FACTOR = 2
_TIER_COLORS = (("#8B5CF6", "#3B82F6"), ("#DB2777", "#F59E0B"), ("#0EA5E9", "#10B981"), ("#EF4444", "#6366F1"))
_EDITIONS = ("", "Second Edition", "Encore", "By Popular Demand", "Extra Date")


@dataclass(frozen=True, slots=True)
class SeedOptions:
    """How much to make. `seats`, when given, replaces rows x columns (in rows of 20)."""

    events: int = 30
    sessions: int = 1
    rows: int = 4
    columns: int = 4
    seats: int | None = None

    def row_lengths(self) -> list[int]:
        """Seats in each row."""
        if self.seats is None:
            return [self.columns] * self.rows
        return [min(SEATS_PER_ROW, self.seats - first) for first in range(0, self.seats, SEATS_PER_ROW)]


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A session; the start is `day` days ahead at `hour` o'clock local time."""

    day: int
    hour: int
    duration_hours: int


@dataclass(frozen=True, slots=True)
class EventPlan:
    """One event. `key` is unique in a plan; `id_seed` makes the request's client ids repeatable."""

    key: int
    title: str
    description: str
    overview: str
    category: str
    venue: Venue
    standard_price: int
    colors: tuple[str, str]
    sessions: tuple[SessionPlan, ...]
    discount: dict[str, Any] | None
    id_seed: int


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """All events of a season and the rows every session has."""

    seed: int
    events: tuple[EventPlan, ...]
    row_lengths: tuple[int, ...]


def plan(seed: int, options: SeedOptions) -> SeedPlan:
    """The same seed and options give the same plan."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    events = tuple(_event(number, chance, options.sessions) for number in range(options.events))
    return SeedPlan(seed, events, tuple(options.row_lengths()))


def _event(number: int, chance: random.Random, sessions: int) -> EventPlan:
    entry = ENTRIES[number % len(ENTRIES)]
    edition = number // len(ENTRIES)
    return EventPlan(
        key=number,
        title=_title(entry, edition),
        description=entry.description,
        overview=_overview(entry),
        category=entry.category,
        venue=VENUES[entry.venue],
        standard_price=chance.choice(STANDARD_PRICES),
        colors=chance.choice(_TIER_COLORS),
        sessions=tuple(
            SessionPlan(
                day=FIRST_EVENT_DAYS + DAYS_BETWEEN_EVENTS * number + DAYS_BETWEEN_SESSIONS * index,
                hour=entry.hour,
                duration_hours=chance.choice(SESSION_HOURS),
            )
            for index in range(sessions)
        ),
        discount=_discount(number, chance),
        id_seed=chance.getrandbits(64),
    )


def _title(entry: Entry, edition: int) -> str:
    if edition < len(_EDITIONS):
        return f"{entry.title} - {_EDITIONS[edition]}" if edition else entry.title
    return f"{entry.title} - Edition {edition + 1}"


def _overview(entry: Entry) -> str:
    venue = VENUES[entry.venue]
    return (
        f"## About\n\n{entry.description}\n\n## Good to know\n\n"
        f"- Doors open 45 minutes before the start\n- {venue.name}, {venue.address}\n- Bring your ticket's code\n"
    )


def _discount(number: int, chance: random.Random) -> dict[str, Any] | None:
    """Two events out of three have one; the three kinds take turns."""
    kinds: list[dict[str, Any] | None] = [
        {"type": "PERCENTAGE", "percentage": chance.choice((5, 10, 15)), "minSpend": None, "maxDiscount": None},
        {"type": "FLAT_OFF", "amount": chance.choice((200, 300)), "currency": "LKR", "minSpend": 1500},
        None,
        {"type": "BUY_N_GET_N_FREE", "buyQuantity": 3, "getQuantity": 1},
        {"type": "PERCENTAGE", "percentage": 20, "minSpend": 5000, "maxDiscount": 2500},
        None,
    ]
    parameters = kinds[number % len(kinds)]
    if parameters is None:
        return None
    return {
        "code": f"SEREN{number + 1:02d}",
        "parameters": parameters,
        "maxUsage": chance.choice((50, 100, 500)),
        "active": True,
        "public": number % 2 == 0,
        "applicableTierIds": [],
        "applicableSessionIds": [],
    }


def create_request(
    event: EventPlan, row_lengths: tuple[int, ...], organization_id: str, category_id: str, now: datetime
) -> dict[str, Any]:
    """The event's create request for a season that begins counting days at `now` (UTC). Pure."""
    new_id = _ids(event.id_seed)
    premium, standard = new_id(), new_id()
    premium_rows = len(row_lengths) // 2
    rows = [[premium if index < premium_rows else standard] * length for index, length in enumerate(row_lengths)]
    sales_start = now - timedelta(hours=SALES_OPENED_HOURS_AGO)
    venue = {
        "name": event.venue.name,
        "address": event.venue.address,
        "latitude": event.venue.latitude,
        "longitude": event.venue.longitude,
    }
    sessions = []
    for session in event.sessions:
        start = _start(session, now)
        blocks = [stage_block(new_id, max(row_lengths)), seated_block("Stalls", rows, new_id)]
        end = start + timedelta(hours=session.duration_hours)
        sessions.append(physical_session(new_id, start, end, sales_start, venue, blocks))
    discounts = []
    if event.discount is not None:
        expires = _start(event.sessions[0], now)
        discounts.append({"id": new_id(), **event.discount, "activeFrom": None, "expiresAt": instant(expires)})
    return {
        "title": event.title,
        "description": event.description,
        "overview": event.overview,
        "organizationId": organization_id,
        "categoryId": category_id,
        "tiers": [
            {
                "id": premium,
                "name": "Premium",
                "price": event.standard_price * PREMIUM_FACTOR,
                "color": event.colors[0],
            },
            {"id": standard, "name": "Standard", "price": event.standard_price, "color": event.colors[1]},
        ],
        "sessions": sessions,
        "discounts": discounts,
    }


def _start(session: SessionPlan, now: datetime) -> datetime:
    """At least `day` days ahead, at the local hour."""
    local_midnight = (now + LOCAL_OFFSET).replace(hour=0, minute=0, second=0, microsecond=0)
    return local_midnight + timedelta(days=session.day + 1, hours=session.hour) - LOCAL_OFFSET


def _ids(seed: int) -> Callable[[], str]:
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def new_id() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))

    return new_id
