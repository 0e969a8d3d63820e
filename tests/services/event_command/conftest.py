"""The event command service over real ASGI and a real PostgreSQL; the order service is a hand-written stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from pydantic import SecretStr

from ticketly_common import clock
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.migrations import migrate
from ticketly_common.problems import unavailable
from ticketly_common.settings import Cors, Postgres
from ticketly_common.testing import TokenIssuer
from ticketly_event_command.app import internal_application, public_app
from ticketly_event_command.images.domain import SignedAddresses, signing_secret
from ticketly_event_command.images.filesystem import FileSystemObjects
from ticketly_event_command.ports import Parts, SalesSummary
from ticketly_event_command.postgres import PostgresDatabase

PUBLIC_URL = "http://tickets.test"
MOST_BODY_BYTES = 52_428_800
CONCERTS = "c0000000-0000-4000-8000-010100000000"
ADMIN_GROUPS = ("/Permissions/Users/System Admins", "/Tiers/PRO")
ADMIN_ROLES = ("event_admin", "category_admin", "organization_admin")


@pytest.fixture(scope="session")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture(scope="session")
def database_settings(postgres_server) -> Postgres:
    database = postgres_server.create_database()
    settings = Postgres(
        host=database.host,
        port=database.port,
        database=database.name,
        user=database.user,
        password=SecretStr(database.password),
        ssl_mode="disable",
        pool_size=20,
    )
    asyncio.run(migrate(settings, "ticketly_event_command"))
    return settings


@dataclass
class FakeOrders:
    """Answers like an order service that has followed the write side, unless told otherwise."""

    settings: Postgres
    sold: dict[UUID, int] = field(default_factory=dict)
    following: bool = True
    reachable: bool = True
    asked: list[UUID] = field(default_factory=list)

    async def sales_summary(self, event_id: UUID) -> SalesSummary:
        self.asked.append(event_id)
        if not self.reachable:
            raise unavailable("no order service")
        applied: dict[UUID, str] = {}
        if self.following:
            connection = await asyncpg.connect(self.settings.url())
            rows = await connection.fetch("SELECT id, status FROM event_sessions WHERE event_id = $1", event_id)
            await connection.close()
            applied = {row["id"]: row["status"] for row in rows}
        return SalesSummary(sold_tickets=self.sold.get(event_id, 0), open_orders=1, applied=applied)


@dataclass
class Clock:
    """Moves only when told."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return clock.now() + self.ahead


class Person:
    """Somebody with a token; calls are relative to the service's prefix."""

    def __init__(self, world: World, token: str, subject: str) -> None:
        self.world = world
        self.subject = subject
        self.headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: Any = None, **extra: Any) -> httpx2.Response:
        headers = {**self.headers, **extra.pop("headers", {})}
        if body is not None:
            extra["content"] = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        return await self.world.client.request(method, f"/api/event-seating{path}", headers=headers, **extra)

    async def ok(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        response = await self.call(method, path, body, **extra)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def organization(self, name: str = "Lake Events") -> dict[str, Any]:
        return await self.ok("POST", "/v1/organizations", {"name": name})

    async def post_event(self, request: dict[str, Any], **extra: Any) -> httpx2.Response:
        return await self.call("POST", "/v1/events", files=[("request", (None, json.dumps(request)))], **extra)

    async def event(self, organization_id: str | None = None, **changes: Any) -> dict[str, Any]:
        organization_id = organization_id or (await self.organization())["id"]
        response = await self.post_event(event_request(organization_id, **changes))
        assert response.status_code == 201, response.text
        return response.json()

    async def detail(self, event_id: str) -> dict[str, Any]:
        return await self.ok("GET", f"/v1/events/{event_id}")


@dataclass
class World:
    """The running service and everything a test may turn."""

    client: httpx2.AsyncClient
    internal: httpx2.AsyncClient
    issuer: TokenIssuer
    orders: FakeOrders
    clock: Clock
    parts: Parts
    public: Any
    inside: Any
    settings: Postgres

    def person(self, tier: str = "ENTERPRISE", subject: str | None = None) -> Person:
        subject = subject or str(uuid4())
        return Person(self, self.issuer.token(subject, groups=("/Permissions/Users", f"/Tiers/{tier}")), subject)

    def admin(self, subject: str | None = None) -> Person:
        subject = subject or str(uuid4())
        return Person(self, self.issuer.token(subject, groups=ADMIN_GROUPS, roles=ADMIN_ROLES), subject)

    async def approved(self, owner: Person, **changes: Any) -> dict[str, Any]:
        """An approved event, as its owner sees it."""
        event = await owner.event(**changes)
        await self.admin().ok("POST", f"/v1/events/{event['id']}/approve")
        return await owner.detail(event["id"])

    async def sql(self, text: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.settings.url())
        try:
            return await connection.fetch(text, *arguments)
        finally:
            await connection.close()


@pytest.fixture
async def world(database_settings: Postgres, issuer: TokenIssuer, tmp_path: Path) -> AsyncIterator[World]:
    database = PostgresDatabase(database_settings, application_name="tests")
    orders, now = FakeOrders(database_settings), Clock()
    parts = Parts(
        database=database,
        objects=FileSystemObjects(tmp_path),
        orders=orders,
        addresses=SignedAddresses(PUBLIC_URL, signing_secret("test"), now),
        now=now,
        currency="LKR",
        time_zone="Asia/Colombo",
        large_bodies=asyncio.Semaphore(2),
        confirmation_seconds=0.2,
        confirmation_poll_seconds=0.01,
    )
    verifier = issuer.verifier()
    public = public_app(parts, verifier)
    inside = internal_application(parts, verifier, {"postgres": database.check})
    listener = public_listener(public, cors=Cors(), max_body_bytes=MOST_BODY_BYTES)
    async with (
        database.running(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(listener), base_url=PUBLIC_URL) as client,
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(internal_listener(inside)), base_url="http://internal.test"
        ) as internal,
    ):
        yield World(client, internal, issuer, orders, now, parts, public, inside, database_settings)


def later(**delta: float) -> str:
    return clock.to_wire(clock.now() + timedelta(**delta))


def seats(rows: int, columns: int, tier: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"row-{row}",
            "label": chr(ord("A") + row % 26),
            "seats": [
                {"id": f"seat-{row}-{column}", "label": f"{column + 1}A", "tierId": tier, "status": "AVAILABLE"}
                for column in range(columns)
            ],
        }
        for row in range(rows)
    ]


def layout(rows: int = 2, columns: int = 2, tier: str = "tier-1") -> dict[str, Any]:
    """A grid whose last seat is blocked without a tier, and a stage."""
    grid = seats(rows, columns, tier)
    last = grid[-1]["seats"][-1]
    last["status"] = "RESERVED"
    del last["tierId"]
    return {
        "name": "Main hall",
        "layout": {
            "blocks": [
                {"id": "b1", "name": "Stalls", "type": "seated_grid", "position": {"x": 86.5, "y": 130}, "rows": grid},
                {
                    "id": "b2",
                    "name": "Stage",
                    "type": "non_sellable",
                    "position": {"x": 25, "y": 25},
                    "width": 325,
                    "height": 80,
                    "rows": [],
                },
            ]
        },
    }


def session_request(tier: str = "tier-1", **changes: Any) -> dict[str, Any]:
    return {
        "id": "session-1",
        "startTime": later(days=7),
        "endTime": later(days=7, hours=2),
        "salesStartTime": later(days=1),
        "sessionType": "PHYSICAL",
        "venueDetails": {"name": "Grand hall", "address": "12 Lake Road, Kandy", "latitude": 7.29, "longitude": 80.63},
        "layoutData": layout(tier=tier),
        **changes,
    }


def event_request(organization_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "title": "Winter Jazz",
        "description": "Two nights",
        "overview": "# Jazz",
        "organizationId": organization_id,
        "categoryId": CONCERTS,
        "categoryName": "ignored",
        "tiers": [{"id": "tier-1", "name": "Standard", "price": 1000, "color": "#3B82F6"}],
        "sessions": [session_request()],
        "discounts": [
            {
                "id": "discount-1",
                "code": "early15",
                "parameters": {"type": "PERCENTAGE", "percentage": 15, "minSpend": 2000, "maxDiscount": None},
                "maxUsage": 100,
                "currentUsage": 0,
                "active": True,
                "public": True,
                "activeFrom": None,
                "expiresAt": later(days=6),
                "applicableTierIds": ["tier-1"],
                "applicableSessionIds": ["session-1"],
            }
        ],
        **changes,
    }


def code(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]
