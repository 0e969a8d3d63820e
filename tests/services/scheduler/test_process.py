"""The scheduler as a process: two listeners, probes on the internal one only, a graceful stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from ticketly_common.clock import from_wire

SECONDS_TO_START = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    public: str
    internal: str
    log: Path


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKETLY_")}
    return {
        **kept,
        "TICKETLY_LISTEN_PUBLIC_PORT": str(free_port()),
        "TICKETLY_LISTEN_INTERNAL_PORT": str(free_port()),
        "TICKETLY_IDENTITY_ISSUER": "http://127.0.0.1:1/realms/event-ticketing",
        **changes,
    }


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = environment(TICKETLY_CORS_ORIGINS="http://127.0.0.1:8090")
    log = tmp_path_factory.mktemp("scheduler") / "scheduler.log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            [sys.executable, "-m", "ticketly_scheduler"], env=settings, stdout=sink, stderr=subprocess.STDOUT
        ) as process,
    ):
        running = Running(
            process,
            f"http://127.0.0.1:{settings['TICKETLY_LISTEN_PUBLIC_PORT']}",
            f"http://127.0.0.1:{settings['TICKETLY_LISTEN_INTERNAL_PORT']}",
            log,
        )
        try:
            wait_until_ready(running)
            yield running
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(running: Running) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.log.read_text()
        try:
            if httpx2.get(f"{running.internal}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    pytest.fail(f"not ready: {running.log.read_text()}")


def test_public_health_has_the_contract_s_shape(scheduler: Running) -> None:
    answer = httpx2.get(f"{scheduler.public}/api/scheduler/health")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"status", "timestamp", "uptime"}
    assert body["status"] == "UP"
    assert body["uptime"] >= 0
    assert from_wire(body["timestamp"]).utcoffset() is not None
    assert body["timestamp"].endswith("Z")


def test_uptime_grows(scheduler: Running) -> None:
    first = httpx2.get(f"{scheduler.public}/api/scheduler/health").json()["uptime"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if httpx2.get(f"{scheduler.public}/api/scheduler/health").json()["uptime"] > first:
            return
    pytest.fail("uptime stands still")


def test_a_trailing_slash_and_a_body_less_json_request_are_accepted(scheduler: Running) -> None:
    answer = httpx2.get(f"{scheduler.public}/api/scheduler/health/", headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.history == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_exist_on_the_internal_listener_only(scheduler: Running, path: str) -> None:
    assert httpx2.get(f"{scheduler.internal}{path}").status_code == 200
    hidden = httpx2.get(f"{scheduler.public}{path}")
    assert hidden.status_code == 404
    assert hidden.headers["content-type"] == "application/problem+json"


def test_configured_origins_may_read_answers(scheduler: Running) -> None:
    allowed = httpx2.get(f"{scheduler.public}/api/scheduler/health", headers={"Origin": "http://127.0.0.1:8090"})
    assert allowed.headers["access-control-allow-origin"] == "http://127.0.0.1:8090"
    foreign = httpx2.get(f"{scheduler.public}/api/scheduler/health", headers={"Origin": "http://elsewhere.example"})
    assert "access-control-allow-origin" not in foreign.headers


def test_every_public_route_declares_who_may_call_it() -> None:
    from datetime import UTC, datetime

    from fastapi import FastAPI

    from ticketly_common.auth import undeclared_routes
    from ticketly_scheduler.routes import router

    app = FastAPI()
    app.include_router(router(lambda: datetime.now(UTC), datetime.now(UTC)))
    assert undeclared_routes(app) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_ends_the_process_with_status_0(number: signal.Signals, tmp_path: Path) -> None:
    settings = environment()
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticketly_scheduler", env=settings, stdout=sink, stderr=sink
        )
    try:
        async with asyncio.timeout(SECONDS_TO_START), httpx2.AsyncClient() as client:
            url = f"http://127.0.0.1:{settings['TICKETLY_LISTEN_INTERNAL_PORT']}/livez"
            while True:
                try:
                    await client.get(url)
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
            process.send_signal(number)
            assert await process.wait() == 0, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_a_wrong_environment_stops_with_status_3_and_the_variable_s_name() -> None:
    settings = environment(TICKETLY_LISTEN_PUBLIC_PORT="http", TICKETLY_LOG_LEVEL="loud")
    del settings["TICKETLY_IDENTITY_ISSUER"]
    done = subprocess.run(
        [sys.executable, "-m", "ticketly_scheduler"],
        env=settings,
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 3
    for name in ("TICKETLY_LISTEN_PUBLIC_PORT", "TICKETLY_LOG_LEVEL", "TICKETLY_IDENTITY"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr
