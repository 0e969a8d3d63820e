"""An event of the race's own: made, approved and on sale; taken down afterwards."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from ticketly_cli.api import events
from ticketly_cli.api.login import ADMINISTRATOR, ORGANIZER, api_as
from ticketly_cli.api.shapes import below, physical_session, seated_block, stage_block
from ticketly_cli.local.state import PlatformState

ORGANIZATION = "Ticketly races"
STALLS = "Stalls"
PROBE = "Probe"
SEATS_PER_ROW = 20
PRICE_MAJOR = 1500


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a race takes place. `probe_seats` is one seat beside the race, to find out whether sales have begun."""

    organization_id: str
    event_id: str
    session_id: str
    seats: tuple[str, ...]
    probe_seats: tuple[str, ...]


async def prepare_stage(client: httpx2.AsyncClient, platform: PlatformState, seats: int, seed: int) -> Stage:
    """Create, approve and open an event with `seats` seats.

    The read side is not asked: selling does not depend on it, so neither does a race.
    """
    organizer = api_as(client, platform, ORGANIZER)
    administrator = api_as(client, platform, ADMINISTRATOR)
    organization_id, _ = await events.ensure_organization(organizer, ORGANIZATION)
    categories = await events.sub_categories(organizer)
    request = race_event(organization_id, next(reversed(categories.values())), seats, seed, datetime.now(UTC))
    event_id = await events.create_event(organizer, request)
    await events.approve_event(administrator, event_id)
    event = await events.read_event(organizer, event_id)
    session = event.sessions[0]
    await events.put_on_sale(organizer, session.session_id)
    return Stage(organization_id, event_id, session.session_id, session.seats[STALLS], session.seats[PROBE])


async def take_down(client: httpx2.AsyncClient, platform: PlatformState, stage: Stage) -> None:
    """Close and delete the event."""
    await events.delete_event(api_as(client, platform, ORGANIZER), stage.event_id)


def race_event(organization_id: str, category_id: str, seats: int, seed: int, now: datetime) -> dict[str, Any]:
    """The create request: one tier, one session a week ahead, sales already open. Pure but for fresh client ids."""

    def new_id() -> str:
        return str(uuid.uuid4())

    tier = new_id()
    rows = [[tier] * min(SEATS_PER_ROW, seats - first) for first in range(0, seats, SEATS_PER_ROW)]
    start = (now + timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
    blocks = [
        stage_block(new_id, min(seats, SEATS_PER_ROW)),
        seated_block(STALLS, rows, new_id),
        seated_block(PROBE, [[tier]], new_id, top=below(len(rows))),
    ]
    venue = {"name": "Race track", "address": "1 Starting Line, Colombo", "latitude": 6.9271, "longitude": 79.8612}
    return {
        "title": f"Seat race {seed}",
        "description": "A load test of the seat map. It is removed when the race is over.",
        "overview": "",
        "organizationId": organization_id,
        "categoryId": category_id,
        "tiers": [{"id": tier, "name": "Standard", "price": PRICE_MAJOR, "color": "#3B82F6"}],
        "sessions": [
            physical_session(new_id, start, start + timedelta(hours=2), now - timedelta(hours=1), venue, blocks)
        ],
        "discounts": [],
    }
