"""Migrations on a real PostgreSQL, and a process with two listeners that stops when told."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI

from ticketly_common import auth, health, migrations, postgres
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.serving import Service, serve
from ticketly_common.settings import Cors, Listen, Postgres


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "demo_package" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "demo_package", raising=False)
    (folder / "20260101000001_first.sql").write_text("-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\n")
    return folder


def settings_for(database: Any) -> Postgres:
    return Postgres(
        host=database.host,
        port=database.port,
        database=database.name,
        user=database.user,
        password=database.password,
        ssl_mode="disable",
    )


async def test_two_processes_that_migrate_at_once_apply_each_file_once(postgres_server: Any, package: Path) -> None:
    settings = settings_for(postgres_server.create_database())
    await asyncio.gather(*(migrations.migrate(settings, "demo_package") for _ in range(3)))
    async with postgres.pool(settings, application_name="test") as pool:
        assert await pool.fetchval("SELECT count(*) FROM schema_migrations") == 1
        assert await pool.fetchval("SELECT count(*) FROM t") == 0


async def test_a_failing_migration_changes_nothing_and_does_not_tell_the_password(
    postgres_server: Any, package: Path
) -> None:
    database = postgres_server.create_database()
    settings = settings_for(database)
    (package / "20260101000002_broken.sql").write_text(
        "-- migrate:up\nCREATE TABLE half (a int);\nCREATE TABLE t (a int);\n-- migrate:down\n"
    )
    with pytest.raises(migrations.MigrationError) as caught:
        await migrations.migrate(settings, "demo_package")
    assert "already exists" in str(caught.value)
    assert database.password not in str(caught.value)
    connection = await asyncpg.connect(database.dsn)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    await connection.close()


async def test_json_comes_back_as_values(postgres_server: Any) -> None:
    settings = settings_for(postgres_server.create_database())
    async with postgres.pool(settings, application_name="test") as pool:
        assert await pool.fetchval("SELECT $1::jsonb", {"a": [1]}) == {"a": [1]}
    connection = await postgres.connect(settings, application_name="one", plan_cache_mode="force_generic_plan")
    assert await connection.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
    await connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_a_service_answers_on_both_listeners_and_says_goodbye_when_stopped() -> None:
    events: list[str] = []
    broken: dict[str, str | None] = {"store": "it is away"}

    async def store() -> str | None:
        return broken["store"]

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        events.append("opened")
        yield
        events.append("closed")

    async def before_stop() -> None:
        events.append("goodbye")

    app = FastAPI()
    router = APIRouter(prefix="/api")

    @router.get("/demo", dependencies=[Depends(auth.public)])
    async def demo() -> dict[str, int]:
        return {"a": 1}

    app.include_router(router)
    listen = Listen(public_port=free_port(), internal_port=free_port())
    service = Service(
        "demo",
        public_listener(app, cors=Cors(), max_body_bytes=100),
        internal_listener(health.internal_app("demo", {"store": store})),
        lifespan,
        before_stop,
    )
    task = asyncio.create_task(serve(service, listen))
    public, internal = f"http://127.0.0.1:{listen.public_port}", f"http://127.0.0.1:{listen.internal_port}"
    async with httpx2.AsyncClient(trust_env=False) as http:
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await http.get(public + "/api/demo/")).json() == {"a": 1}
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.02)
        down = await http.get(internal + "/readyz")
        assert (down.status_code, down.json()["checks"]) == (503, {"store": "it is away"})
        broken["store"] = None
        assert (await http.get(internal + "/readyz")).status_code == 200
        metrics = (await http.get(internal + "/metrics")).text
        assert 'ticketly_http_requests_total{method="GET",route="/api/demo",status="200"}' in metrics
        assert (await http.get(public + "/metrics")).status_code == 404
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 15)
    assert events == ["opened", "goodbye", "closed"]
