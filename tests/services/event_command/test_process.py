"""The real process: migrates, serves both listeners, stops when asked."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2

from ticketly_common.settings import Postgres

MODULE = (sys.executable, "-m", "ticketly_event_command")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(settings: Postgres, uploads: Path, public: int, internal: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TICKETLY_LISTEN_PUBLIC_PORT": str(public),
        "TICKETLY_LISTEN_INTERNAL_PORT": str(internal),
        "TICKETLY_POSTGRES_HOST": settings.host,
        "TICKETLY_POSTGRES_PORT": str(settings.port),
        "TICKETLY_POSTGRES_DATABASE": settings.database,
        "TICKETLY_POSTGRES_USER": settings.user,
        "TICKETLY_POSTGRES_PASSWORD": settings.password.get_secret_value(),
        "TICKETLY_POSTGRES_SSL_MODE": "disable",
        "TICKETLY_IDENTITY_ISSUER": "http://127.0.0.1:9/realms/none",
        "TICKETLY_IDENTITY_CLIENT_ID": "events-service",
        "TICKETLY_IDENTITY_CLIENT_SECRET": "only-for-this-test",
        "TICKETLY_UPLOADS_DIRECTORY": str(uploads),
        "TICKETLY_PEERS_ORDER_INTERNAL_URL": "http://127.0.0.1:9",
    }


async def test_the_process_migrates_serves_and_stops(database_settings: Postgres, tmp_path: Path) -> None:
    public, internal = free_port(), free_port()
    variables = environment(database_settings, tmp_path, public, internal)
    migrated = await asyncio.to_thread(
        subprocess.run, [*MODULE, "migrate"], env=variables, capture_output=True, check=False
    )
    assert migrated.returncode == 0, migrated.stderr
    process = await asyncio.create_subprocess_exec(*MODULE, env=variables, stdout=subprocess.DEVNULL)
    try:
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while True:
                try:
                    ready = await client.get(f"http://127.0.0.1:{internal}/readyz")
                except httpx2.TransportError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                    continue
                break
            assert ready.status_code == 200
            health = await client.get(f"http://127.0.0.1:{public}/api/event-seating/health")
            assert health.json() == {"status": "UP"}
            assert (await client.get(f"http://127.0.0.1:{public}/metrics")).status_code == 404
            without_keys = await client.get(
                f"http://127.0.0.1:{public}/api/event-seating/v1/organizations/my",
                headers={"Authorization": "Bearer x"},
            )
            assert without_keys.status_code == 401
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
