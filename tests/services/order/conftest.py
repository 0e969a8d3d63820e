"""A migrated order database per test, and halls: events on sale with seats to fight about."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from ticketly_common.migrations import migrate
from ticketly_common.settings import Postgres
from ticketly_order.catalogue.domain import Row
from ticketly_order.catalogue.postgres import PostgresCatalogue
from ticketly_order.claims.committer import GroupCommitter
from ticketly_order.claims.domain import Claim
from ticketly_order.claims.postgres import PostgresClaims
from ticketly_order.claims.shield import Shield
from ticketly_order.orders.postgres import PostgresOrders
from ticketly_order.postgres import Database


def settings_of(database: Any) -> Postgres:
    return Postgres(
        host=database.host,
        port=database.port,
        database=database.name,
        user=database.user,
        password=database.password,
        ssl_mode="disable",
    )


@pytest.fixture(scope="session")
def order_template(postgres_server: Any) -> Any:
    """A database with all migrations applied by the real tool; tests work on copies of it."""
    database = postgres_server.create_database("order_template")
    asyncio.run(migrate(settings_of(database), "ticketly_order"))
    return database


@pytest.fixture
async def order_settings(order_template: Any) -> AsyncIterator[Postgres]:
    """Settings of a fresh copy of the migrated database."""
    settings = settings_of(order_template)
    name = f"order_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(settings.url().replace(f"/{settings.database}?", "/postgres?"))
    await server.execute(f"CREATE DATABASE {name} TEMPLATE order_template")
    yield settings.model_copy(update={"database": name})
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest.fixture
async def database(order_settings: Postgres) -> AsyncIterator[Database]:
    async with Database(order_settings).running() as opened:
        yield opened


@pytest.fixture
async def sql(order_settings: Postgres) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection of the test's own, to look and to interfere."""
    connection = await asyncpg.connect(order_settings.url())
    yield connection
    await connection.close()


@dataclass
class Hall:
    """One event with one session on sale."""

    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    session_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    organization_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tier_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    owner_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seats: list[str] = field(default_factory=list)
    price_minor: int = 150_000
    status: str = "ON_SALE"
    version: int = 1

    def claim(self, user_id: str, seats: Sequence[int | str], *, limit: int = 0, **members: Any) -> Claim:
        """A claim on seats given by number or id; further members override."""
        chosen = tuple(self.seats[seat] if isinstance(seat, int) else seat for seat in seats)
        return Claim(
            **{
                "user_id": user_id,
                "session_id": self.session_id,
                "event_id": self.event_id,
                "organization_id": self.organization_id,
                "seat_ids": chosen,
                "open_order_limit": limit,
                **members,
            }
        )

    def rows(self) -> dict[str, list[Row]]:
        """What change capture would say about this hall."""
        return {
            "organizations": [self._row("organizations", self.organization_id, user_id=self.owner_id, name="Lake")],
            "events": [
                self._row(
                    "events",
                    self.event_id,
                    organization_id=self.organization_id,
                    title="Jazz",
                    status="APPROVED",
                    currency="LKR",
                )
            ],
            "event_sessions": [self.session_row()],
            "tiers": [
                self._row(
                    "tiers",
                    self.tier_id,
                    event_id=self.event_id,
                    name="Standard",
                    color="#3B82F6",
                    price_minor=self.price_minor,
                    currency="LKR",
                )
            ],
            "session_seats": [
                self._row(
                    "session_seats",
                    seat,
                    session_id=self.session_id,
                    block_id=None,
                    label=f"{number}A",
                    tier_id=self.tier_id,
                    blocked=False,
                    layout_version=1,
                )
                for number, seat in enumerate(self.seats)
            ],
        }

    def session_row(self, *, deleted: bool = False, **members: Any) -> Row:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        values = {
            "event_id": self.event_id,
            "status": self.status,
            "start_time": start,
            "end_time": start + timedelta(hours=2),
            "sales_start_time": start - timedelta(days=60),
            "sales_end_time": None,
            "layout_version": 1,
            "seat_count": len(self.seats),
        }
        return self._row("event_sessions", self.session_id, deleted=deleted, **{**values, **members})

    def _row(self, table: str, identifier: str, *, deleted: bool = False, **values: Any) -> Row:
        return Row(table, identifier, self.version, deleted, values)


@pytest.fixture
def open_hall(database: Database) -> Callable[..., Any]:
    """``await open_hall(16, price_minor=0)``: a hall whose rows the catalogue holds."""

    async def make(seats: int = 4, **members: Any) -> Hall:
        hall = Hall(seats=[str(uuid.uuid4()) for _ in range(seats)], **members)
        await PostgresCatalogue(database).apply(hall.rows(), {})
        return hall

    return make


@dataclass
class Desk:
    """One process's way to the arbiter: a committer with its own connections, like a service has."""

    database: Database
    store: PostgresClaims
    committer: GroupCommitter
    orders: PostgresOrders
    shield: Shield | None


@pytest.fixture
async def open_desk(order_settings: Postgres) -> AsyncIterator[Callable[..., Any]]:
    """``await open_desk(hold_ttl_seconds=300)``: may be called several times, for several "processes"."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(*, hold_ttl_seconds: float = 300, shield: Shield | None = None) -> Desk:
            database = await stack.enter_async_context(Database(order_settings).running())
            store = PostgresClaims(database, hold_ttl_seconds=hold_ttl_seconds)
            stack.push_async_callback(store.close)
            told = {} if shield is None else {"decided": shield.learn, "known_lost": shield.known_lost}
            committer = await stack.enter_async_context(GroupCommitter(store, **told).running())
            return Desk(database, store, committer, PostgresOrders(database), shield)

        yield make


@pytest.fixture
async def desk(open_desk: Callable[..., Any]) -> Desk:
    made: Desk = await open_desk()
    return made


CONSISTENT = {
    "an order without lines": "SELECT count(*) FROM orders o WHERE NOT EXISTS"
    " (SELECT FROM order_lines l WHERE l.order_id = o.order_id)",
    "a seat claimed by an order that has no such line": "SELECT count(*) FROM seats s WHERE s.order_id IS NOT NULL AND"
    " NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = s.order_id AND l.seat_id = s.seat_id)",
    "a live hold that does not own its seats": "SELECT count(*) FROM orders o JOIN order_lines l USING (order_id)"
    " JOIN seats s ON s.session_id = o.session_id AND s.seat_id = l.seat_id"
    " WHERE o.status = 'pending' AND o.held_until > clock_timestamp()"
    " AND (s.order_id IS DISTINCT FROM o.order_id OR s.fence <> o.fence OR s.state <> 'HELD')",
    "a completed order that does not own its seats": "SELECT count(*) FROM orders o JOIN order_lines l USING (order_id)"
    " JOIN seats s ON s.session_id = o.session_id AND s.seat_id = l.seat_id"
    " WHERE o.status = 'completed' AND (s.order_id IS DISTINCT FROM o.order_id OR s.state <> 'SOLD')",
    "a held seat whose order is not pending": "SELECT count(*) FROM seats s JOIN orders o USING (order_id)"
    " WHERE s.state = 'HELD' AND o.status NOT IN ('pending', 'expired')",
    "an order whose creation was not told once": "SELECT count(*) FROM orders o WHERE (SELECT count(*) FROM outbox b"
    " WHERE b.aggregateid = o.order_id::text AND b.type = 'order.created') <> 1",
}


@pytest.fixture
async def sweep(sql: asyncpg.Connection[Any]) -> Callable[[], Any]:
    """``await sweep()``: names of the invariants that do not hold."""

    async def check() -> list[str]:
        found = [name for name, query in CONSISTENT.items() if await sql.fetchval(query)]
        # Fences of one seat grow in the order in which its messages left.
        rows = await sql.fetch("SELECT payload::json ->> 'version' AS v, payload::json -> 'seat_ids' AS s FROM outbox"
                               " WHERE type = 'seats.status' ORDER BY occurred_at, id")  # fmt: skip
        if len({row["v"] for row in rows}) != len(rows):
            found.append("two transitions with one fence")
        return found

    return check
