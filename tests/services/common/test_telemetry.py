"""The metrics every service has: what they show, and that they go away when they mean nothing any more."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import pytest
from prometheus_client import REGISTRY

from ticketly_common import telemetry
from ticketly_common.asgi import internal_listener
from ticketly_common.background import background
from ticketly_common.kafka import Projection
from ticketly_common.postgres import pool
from ticketly_common.settings import Kafka, Postgres


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def request(method: str, path: str, status: int = 200, *, wait: asyncio.Event | None = None) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["route"] = "/tested"
        if wait is not None:
            await wait.wait()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request", "body": b""}

    await internal_listener(app)({"type": "http", "method": method, "path": path, "headers": []}, nothing, nothing)


async def test_answers_are_counted_by_template_method_and_status() -> None:
    labels = {"method": "GET", "route": "/tested", "status": "503"}
    before = value("ticketly_http_requests_total", **labels) or 0
    for number in range(3):
        await request("GET", f"/tested/{number}", 503)
    assert value("ticketly_http_requests_total", **labels) == before + 3


async def test_methods_that_nobody_offers_share_one_series() -> None:
    for method in ("BREW", "PROPFIND"):
        await request(method, "/tested", 405)
    assert value("ticketly_http_requests_total", method="other", route="/tested", status="405") == 2


async def test_requests_without_an_answer_yet_are_seen() -> None:
    answer = asyncio.Event()
    open_request = asyncio.create_task(request("GET", "/tested", wait=answer))
    await asyncio.sleep(0)
    assert value("ticketly_http_requests_in_progress", listener="internal") == 1
    answer.set()
    await open_request
    assert value("ticketly_http_requests_in_progress", listener="internal") == 0


async def test_a_blocked_event_loop_shows_in_its_delay() -> None:
    name = "ticketly_event_loop_delay_seconds"
    slow_before = (value(f"{name}_count") or 0) - (value(f"{name}_bucket", le="0.1") or 0)
    async with background(telemetry.watch_loop(), name="loop-delay"):
        async with asyncio.timeout(20):
            while (value(f"{name}_count") or 0) - (value(f"{name}_bucket", le="0.1") or 0) == slow_before:
                await asyncio.sleep(0.01)
                time.sleep(0.7)  # noqa: ASYNC251 - what is measured


@pytest.fixture
def settings(postgres_server: Any) -> Postgres:
    database = postgres_server.create_database()
    return Postgres(
        host=database.host,
        port=database.port,
        database=database.name,
        user=database.user,
        password=database.password,
        ssl_mode="disable",
        pool_size=2,
    )


async def test_a_pool_shows_its_size_its_use_and_who_waits(settings: Postgres) -> None:
    name = f"demo-{uuid.uuid4().hex[:6]}"
    async with pool(settings, application_name=name) as opened:
        assert value("ticketly_database_pool_limit_connections", pool=name) == 2
        async with opened.acquire(), opened.acquire():
            assert value("ticketly_database_pool_connections", pool=name, state="used") == 2
            waiting = asyncio.create_task(opened.fetchval("SELECT 1"))
            async with asyncio.timeout(10):
                while value("ticketly_database_pool_waiting", pool=name) != 1:
                    await asyncio.sleep(0.01)
            waited = value("ticketly_database_pool_wait_seconds_count", pool=name)
        assert await waiting == 1
        assert value("ticketly_database_pool_waiting", pool=name) == 0
        assert value("ticketly_database_pool_connections", pool=name, state="used") == 0
        assert value("ticketly_database_pool_wait_seconds_count", pool=name) == (waited or 0) + 1


async def test_a_caller_that_gives_up_waits_no_longer(settings: Postgres) -> None:
    name = f"demo-{uuid.uuid4().hex[:6]}"
    async with pool(settings, application_name=name) as opened:
        async with opened.acquire(), opened.acquire():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), opened.acquire():
                    pytest.fail("there was no third connection")
        assert value("ticketly_database_pool_waiting", pool=name) == 0


class _Nowhere:
    async def positions(self, partitions: Any) -> Any:
        return {}

    async def apply(self, records: Any, positions: Any) -> None:
        return

    def transient(self, error: Exception) -> bool:
        return False


async def test_a_consumer_without_a_broker_counts_its_failures_and_starts_dead_letters_at_zero() -> None:
    name, topic = f"lost-{uuid.uuid4().hex[:6]}", f"nowhere.{uuid.uuid4().hex[:6]}"
    projection = Projection(name, Kafka(bootstrap_servers="127.0.0.1:1"), [topic], _Nowhere(), group="g")
    assert value("ticketly_consumer_dead_letters_total", topic=topic) == 0
    async with projection.running(), asyncio.timeout(30):
        while not value("ticketly_consumer_failures_total", consumer=name, cause="broker"):
            await asyncio.sleep(0.05)


def test_a_partition_that_went_to_another_process_shows_no_lag_here() -> None:
    name = f"moved-{uuid.uuid4().hex[:6]}"
    projection = Projection(name, Kafka(bootstrap_servers="127.0.0.1:1"), ["t"], _Nowhere(), group="g")
    for partition in (0, 1):
        projection._show_lag(("t", partition), 7)
    projection.forget_lag([("t", 0), ("t", 5)])
    assert value("ticketly_consumer_lag_records", consumer=name, topic="t", partition="0") is None
    assert value("ticketly_consumer_lag_records", consumer=name, topic="t", partition="1") == 7
