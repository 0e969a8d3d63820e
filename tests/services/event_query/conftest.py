"""A log to write to, events to write, and processes of the read side to ask."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from ticketly_common import clock
from ticketly_common.settings import Cors, Kafka, Listen, Redis
from ticketly_common.testing import TokenIssuer
from ticketly_event_query.app import PREFIX, Parts, assemble
from ticketly_event_query.projection import tables
from ticketly_event_query.seats.consumers import TOPIC as SEAT_TOPIC
from ticketly_event_query.settings import Consumers, Discounts, Mongo, Seats, Settings, Streams

Row = dict[str, Any]
TOPICS = [*tables.topics(), SEAT_TOPIC]
PARTITIONS = 3
DEADLINE_SECONDS = 30.0


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    return _eventually


async def _eventually(probe: Callable[[], Awaitable[Any]]) -> Any:
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while True:
        try:
            return await probe()
        except (AssertionError, httpx2.TransportError):
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.02)


# -- the log ---------------------------------------------------------------------------------------------------------


class Log:
    """Writes table records in Debezium's shape, seat messages and order messages; numbers positions by itself."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer
        self.lsn = 1000
        self.fence = 0

    def envelope(self, table: str, row: Row, *, op: str = "c", lsn: int | None = None) -> bytes:
        self.lsn += 1
        value = {
            "before": row if op == "d" else None,
            "after": None if op == "d" else row,
            "source": {"lsn": lsn if lsn is not None else self.lsn, "table": table, "snapshot": "false"},
            "op": op,
            "ts_ms": 0,
        }
        return json.dumps(value).encode()

    def queue(self, table: str, row: Row, *, op: str = "c", lsn: int | None = None) -> Awaitable[Any]:
        key = json.dumps({column: row[column] for column in tables.KEYS[table]}).encode()
        return self.raw(tables.TOPIC_PREFIX + table, key, self.envelope(table, row, op=op, lsn=lsn))

    async def raw(self, topic: str, key: bytes, value: bytes | None) -> Any:
        return await self.producer.send(topic, value, key=key)

    async def rows(self, rows: Sequence[tuple[str, Row]], *, op: str = "c") -> None:
        for table, row in rows:
            await self.queue(table, row, op=op)
        await self.producer.flush()

    async def seats(
        self, session: str, seats: Sequence[str], status: str, *, version: int | None = None
    ) -> dict[str, Any]:
        self.fence += 1
        message = seat_message(session, seats, status, version if version is not None else self.fence)
        await self.producer.send_and_wait(SEAT_TOPIC, json.dumps(message).encode(), key=session.encode())
        return message

    async def order(self, order: Row, *, topic: str = "ticketly.order.created") -> None:
        await self.producer.send_and_wait(topic, json.dumps(order).encode(), key=order["OrderID"].encode())


def seat_message(session: str, seats: Sequence[str], status: str, version: int) -> dict[str, Any]:
    return {
        "session_id": session,
        "seat_ids": list(seats),
        "status": status,
        "version": version,
        "orderId": str(uuid4()),
        "heldUntil": clock.to_wire(clock.now() + timedelta(minutes=5)),
        "occurredAt": clock.to_wire(clock.now()),
    }


async def _empty_topics(servers: str) -> None:
    """Make the topics if need be, else drop all their records: that is much faster than making them anew."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    names = [*TOPICS, *(f"{topic}.DLT" for topic in TOPICS)]
    try:
        missing = sorted(set(names) - set(await admin.list_topics()))
        if missing:
            await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in missing])

        async def led() -> None:
            parts = [part for topic in await admin.describe_topics(names) for part in topic["partitions"]]
            assert [part["error_code"] for part in parts] == [0] * PARTITIONS * len(names)

        await _eventually(led)
        partitions = [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
            begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        full = {partition: RecordsToDelete(end) for partition, end in ends.items() if begins[partition] < end}
        if full:
            await admin.delete_records(full)
    finally:
        await admin.close()


@pytest.fixture
async def log(kafka_server: Any) -> AsyncIterator[Log]:
    await _empty_topics(kafka_server.bootstrap_servers)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap_servers, acks="all")
    await producer.start()
    try:
        yield Log(producer)
    finally:
        await producer.stop()


# -- events ----------------------------------------------------------------------------------------------------------


@dataclass
class EventRows:
    """All rows of one event, to be changed by a test before they are written."""

    organization: Row
    parent_category: Row
    category: Row
    event: Row
    tiers: list[Row]
    sessions: list[Row] = field(default_factory=list)
    maps: list[Row] = field(default_factory=list)
    seats: list[Row] = field(default_factory=list)
    discounts: list[Row] = field(default_factory=list)
    links: list[tuple[str, Row]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.event["id"]

    @property
    def session_id(self) -> str:
        return self.sessions[0]["id"]

    def seat_ids(self, session: int = 0) -> list[str]:
        wanted = self.sessions[session]["id"]
        return [seat["id"] for seat in self.seats if seat["session_id"] == wanted and not seat["blocked"]]

    def all(self) -> list[tuple[str, Row]]:
        return [
            ("categories", self.parent_category),
            ("categories", self.category),
            ("organizations", self.organization),
            ("events", self.event),
            *(("tiers", row) for row in self.tiers),
            *(("event_sessions", row) for row in self.sessions),
            *(("session_seating_maps", row) for row in self.maps),
            *(("session_seats", row) for row in self.seats),
            *(("discounts", row) for row in self.discounts),
            *self.links,
        ]

    def add_session(
        self,
        *,
        starts: datetime,
        rows: int = 2,
        columns: int = 4,
        loose: int = 0,
        status: str = "ON_SALE",
        **columns_: Any,
    ) -> Row:
        """A session with a grid whose first seat is blocked, an optional standing area, and a stage."""
        session_id = str(uuid4())
        grid, floor, stage = str(uuid4()), str(uuid4()), str(uuid4())
        row_ids = [str(uuid4()) for _ in range(rows)]
        tier = self.tiers[0]["id"]

        def seat(block: str, row: str | None, label: str, position: int, *, blocked: bool = False) -> Row:
            return {
                "id": str(uuid4()),
                "session_id": session_id,
                "block_id": block,
                "row_id": row,
                "label": label,
                "tier_id": None if blocked else tier,
                "blocked": blocked,
                "position": position,
                "layout_version": 1,
                "accessible": False,
                "companion": False,
                "restricted_view": False,
            }

        seats = [
            seat(grid, row, f"{column + 1}{chr(65 + number % 26)}", column, blocked=number == column == 0)
            for number, row in enumerate(row_ids)
            for column in range(columns)
        ]
        seats += [seat(floor, None, f"Slot {place + 1}", place) for place in range(loose)]
        blocks: list[Row] = [
            {
                "id": grid,
                "name": "Stalls",
                "type": "seated_grid",
                "position": {"x": 86.5, "y": 130},
                "width": None,
                "height": None,
                "capacity": None,
                "rows": [{"id": row, "label": chr(65 + number % 26)} for number, row in enumerate(row_ids)],
            },
            {
                "id": stage,
                "name": "Stage",
                "type": "non_sellable",
                "position": {"x": 25, "y": 25},
                "width": 325,
                "height": 80,
            },
        ]
        if loose:
            area = {"id": floor, "name": "Floor", "type": "standing_capacity", "position": {"x": 0, "y": 400}}
            blocks.insert(1, {**area, "width": 220, "height": 160, "capacity": loose})
        session = {
            "id": session_id,
            "event_id": self.id,
            "start_time": iso(starts),
            "end_time": iso(starts + timedelta(hours=2)),
            "status": status,
            "session_type": "PHYSICAL",
            "sales_start_time": iso(starts - timedelta(days=30)),
            "sales_end_time": iso(starts + timedelta(hours=2)),
            "venue_details": json.dumps(
                {
                    "name": "Grand hall",
                    "address": "12 Lake Road, Kandy",
                    "latitude": 7.29,
                    "longitude": 80.63,
                    "onlineLink": "https://secret.example/room",
                }
            ),
            "layout_version": 1,
            "seat_count": len(seats),
            **columns_,
        }
        self.sessions.append(session)
        layout = {"name": "Main hall", "layout": {"blocks": blocks}}
        seating_map = {"id": str(uuid4()), "event_session_id": session_id, "layout_data": json.dumps(layout)}
        self.maps.append({**seating_map, "layout_version": 1})
        self.seats.extend(seats)
        return session

    def add_discount(
        self, code: str, *, tiers: Sequence[str] = (), sessions: Sequence[str] = (), **columns: Any
    ) -> Row:
        discount = {
            "id": str(uuid4()),
            "event_id": self.id,
            "code": code,
            "parameters": json.dumps({"type": "PERCENTAGE", "percentage": 15, "minSpend": None, "maxDiscount": None}),
            "max_usage": None,
            "max_usage_per_user": None,
            "is_public": True,
            "is_active": True,
            "active_from": None,
            "expires_at": None,
            **columns,
        }
        self.discounts.append(discount)
        self.links += [("discount_tiers", {"discount_id": discount["id"], "tier_id": tier}) for tier in tiers]
        self.links += [("discount_sessions", {"discount_id": discount["id"], "session_id": one}) for one in sessions]
        return discount


def iso(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def in_days(days: float) -> datetime:
    return clock.now().replace(microsecond=0) + timedelta(days=days)


@pytest.fixture
def make_event() -> Callable[..., EventRows]:
    """An approved event without sessions; keyword ``days`` adds one session that far ahead (None: none)."""

    def make(
        title: str = "Winter Jazz", *, days: float | None = 7, price_minor: int = 150_000, **session: Any
    ) -> EventRows:
        organization, parent, category, event = (str(uuid4()) for _ in range(4))
        prices = {"A": price_minor, "B": price_minor * 2}
        rows = EventRows(
            organization={
                "id": organization,
                "name": "Lake Events",
                "logo_url": None,
                "website": None,
                "user_id": str(uuid4()),
            },
            parent_category={"id": parent, "name": "Music", "parent_id": None, "position": 1},
            category={"id": category, "name": "Concerts", "parent_id": parent, "position": 2},
            event={
                "id": event,
                "organization_id": organization,
                "title": title,
                "description": "An evening by the lake",
                "overview": "# Overview",
                "status": "APPROVED",
                "rejection_reason": None,
                "category_id": category,
                "currency": "LKR",
            },
            tiers=[
                {
                    "id": str(uuid4()),
                    "event_id": event,
                    "name": f"Tier {name}",
                    "color": "#3B82F6",
                    "price_minor": price,
                    "currency": "LKR",
                    "position": number,
                }
                for number, (name, price) in enumerate(prices.items())
            ],
        )
        if days is not None:
            rows.add_session(starts=in_days(days), **session)
        return rows

    return make


@pytest.fixture
def wire_instant() -> Callable[[datetime], str]:
    return iso


@pytest.fixture
def later() -> Callable[[float], datetime]:
    """The instant that many days ahead."""
    return in_days


@pytest.fixture
def message() -> Callable[..., dict[str, Any]]:
    """A seat status message."""
    return seat_message


# -- processes -------------------------------------------------------------------------------------------------------


@dataclass
class Pod:
    """One process of the read side, in this event loop, behind real sockets."""

    parts: Parts
    public: Any
    public_port: int
    internal_port: int
    http: httpx2.AsyncClient
    internal: httpx2.AsyncClient
    stop_streams: Callable[[], Awaitable[None]]

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.http.get(PREFIX + path, **options)

    async def ok(self, path: str, **options: Any) -> Any:
        response = await self.get(path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def ready(self) -> None:
        async def probe() -> None:
            response = await self.internal.get("/readyz")
            assert response.status_code == 200, response.text

        await _eventually(probe)

    async def settled(self) -> None:
        """Wait until everything that was written is read, and all documents are rebuilt."""
        await self.ready()
        await self.parts.rebuilder.drain()


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def settings(kafka_server: Any, mongo_server: Any, valkey_server: Any, issuer: TokenIssuer) -> Callable[..., Settings]:
    """Settings of one installation; every call with the same fixture shares store and consumer groups."""
    database = mongo_server.database_name()

    def make(
        *, redis: bool = True, streams: dict[str, Any] | None = None, seats: dict[str, Any] | None = None
    ) -> Settings:
        return Settings(
            listen=Listen(public_port=0, internal_port=0),
            identity=issuer.identity(),
            kafka=Kafka(bootstrap_servers=kafka_server.bootstrap_servers),
            mongo=Mongo(uri=mongo_server.uri, database=database),
            redis=Redis(url=valkey_server.url() if redis else None),
            cors=Cors(origins="http://localhost:8090"),
            consumers=Consumers(sweep_seconds=1.0),
            discounts=Discounts(code_lookups_per_minute=5),
            streams=Streams(**(streams or {})),
            seats=Seats(**(seats or {})),
        )

    return make


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


@contextlib.asynccontextmanager
async def _served(app: Any) -> AsyncIterator[int]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="off", access_log=False, log_config=None, http="httptools", ws="none", timeout_graceful_shutdown=2
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


@contextlib.asynccontextmanager
async def running_pod(settings: Settings, issuer: TokenIssuer) -> AsyncIterator[Pod]:
    service, parts = assemble(settings, verifier=issuer.verifier())
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(service.lifespan())
        public = await stack.enter_async_context(_served(service.public))
        internal = await stack.enter_async_context(_served(service.internal))
        clients = [
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) for port in (public, internal)
        ]
        for client in clients:
            await stack.enter_async_context(client)
        stack.push_async_callback(service.before_stop)
        yield Pod(parts, service.public, public, internal, clients[0], clients[1], service.before_stop)


@pytest.fixture
async def start_pod(issuer: TokenIssuer) -> AsyncIterator[Callable[[Settings], Awaitable[Pod]]]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(settings: Settings) -> Pod:
            return await stack.enter_async_context(running_pod(settings, issuer))

        yield start


@pytest.fixture
async def pod(log: Log, settings: Callable[..., Settings], start_pod: Callable[[Settings], Awaitable[Pod]]) -> Pod:
    """One ready process over an empty log and store."""
    started = await start_pod(settings())
    await started.ready()
    return started
