"""Two real order processes on one database and one Redis, one of them frozen for a while."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from ticketly_common.testing import TokenIssuer

SERVE = [sys.executable, "-m", "ticketly_order"]


@pytest.fixture(scope="module")
def issuer():
    """An issuer whose keys can be fetched."""
    made = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(made[0].key_set()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        made.append(TokenIssuer(f"http://127.0.0.1:{server.server_address[1]}/realms/test"))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made[0]
        server.shutdown()
        thread.join()


def environment(postgres, issuer, redis_url, **more):
    return {
        **os.environ,
        "TICKETLY_LISTEN_PUBLIC_PORT": "0",
        "TICKETLY_LISTEN_INTERNAL_PORT": "0",
        "TICKETLY_POSTGRES_HOST": postgres.host,
        "TICKETLY_POSTGRES_PORT": str(postgres.port),
        "TICKETLY_POSTGRES_DATABASE": postgres.database,
        "TICKETLY_POSTGRES_USER": postgres.user,
        "TICKETLY_POSTGRES_PASSWORD": postgres.password.get_secret_value(),
        "TICKETLY_POSTGRES_SSL_MODE": "disable",
        "TICKETLY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "TICKETLY_REDIS_URL": redis_url,
        "TICKETLY_IDENTITY_ISSUER": issuer.issuer,
        "TICKETLY_LOG_LEVEL": "error",
        **more,
    }


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.asynccontextmanager
async def serving(variables):
    """Yield (process, base URL) of a service that answers."""
    port = free_port()
    ports = {"TICKETLY_LISTEN_PUBLIC_PORT": str(port), "TICKETLY_LISTEN_INTERNAL_PORT": str(free_port())}
    process = await asyncio.create_subprocess_exec(*SERVE, env={**variables, **ports})
    try:
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx2.HTTPError):
                    if (await client.get(f"http://127.0.0.1:{port}/api/order/health")).status_code == 200:
                        break
                assert process.returncode is None
                await asyncio.sleep(0.1)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        await process.wait()


async def race(urls, hall, seats, issuer, users):
    """Every user wants every seat; returns the statuses."""
    statuses = Counter()
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:

        async def buyer(number, user):
            headers = {"Authorization": f"Bearer {issuer.token(user)}"}
            for seat in seats:
                wanted = {
                    "event_id": hall.event_id,
                    "session_id": hall.session_id,
                    "organization_id": hall.organization_id,
                    "seat_ids": [hall.seats[seat]],
                }
                try:
                    answer = await client.post(f"{urls[number % 2]}/api/order", json=wanted, headers=headers)
                    statuses[answer.status_code] += 1
                except httpx2.HTTPError:
                    statuses["broken"] += 1

        await asyncio.gather(*(buyer(number, user) for number, user in enumerate(users)))
    return statuses


async def test_two_processes_sell_each_seat_once_also_when_one_freezes(
    order_settings, valkey_server, issuer, open_hall, sql, sweep
):
    hall = await open_hall(12)
    variables = environment(order_settings, issuer, valkey_server.url(2), TICKETLY_HOLDS_MAX_OPEN_ORDERS_PER_USER="0")
    users = [str(uuid.uuid4()) for _ in range(60)]
    async with serving(variables) as (_, left), serving(variables) as (frozen, right):
        statuses = await race([left, right], hall, range(6), issuer, users)
        assert statuses == {201: 6, 409: 60 * 6 - 6}
        racing = asyncio.create_task(race([left, right], hall, range(6, 12), issuer, users))
        async with asyncio.timeout(20):
            while await sql.fetchval("SELECT count(*) FROM orders") == 6:
                await asyncio.sleep(0.001)
        frozen.send_signal(signal.SIGSTOP)
        # Everybody at the other process goes on: a frozen neighbour holds no lock.
        lonely = await race([left, left], hall, range(6, 12), issuer, [str(uuid.uuid4()) for _ in range(4)])
        assert set(lonely) <= {201, 409}
        frozen.send_signal(signal.SIGCONT)
        assert set(await racing) <= {201, 409}
        frozen.send_signal(signal.SIGTERM)
        assert await frozen.wait() == 0
    owners = await sql.fetch("SELECT seat_id FROM seats WHERE state = 'HELD'")
    assert len(owners) == 12
    assert await sql.fetchval("SELECT count(*) FROM orders") == 12
    assert await sweep() == []


def test_migrations_are_applied_once_and_again_without_harm(postgres_server, issuer):
    database = postgres_server.create_database()
    variables = environment(database_settings(database), issuer, "redis://127.0.0.1:1/0")
    for _ in range(2):
        done = subprocess.run([*SERVE, "migrate"], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def database_settings(database):
    from ticketly_common.settings import Postgres

    return Postgres(
        host=database.host,
        port=database.port,
        database=database.name,
        user=database.user,
        password=database.password,
        ssl_mode="disable",
    )
