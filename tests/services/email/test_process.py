"""The mail service as a process: an internal listener, nothing public, a graceful stop."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

SECONDS_TO_START = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKETLY_")}
    return {
        **kept,
        "TICKETLY_LISTEN_INTERNAL_PORT": str(free_port()),
        "TICKETLY_IDENTITY_ISSUER": "http://127.0.0.1:1/realms/event-ticketing",
        **changes,
    }


async def test_it_serves_probes_on_one_port_and_stops_when_asked(tmp_path: Path) -> None:
    settings = environment()
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ticketly_email", env=settings, stdout=sink, stderr=sink
        )
    origin = f"http://127.0.0.1:{settings['TICKETLY_LISTEN_INTERNAL_PORT']}"
    try:
        async with asyncio.timeout(SECONDS_TO_START), httpx2.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"{origin}/livez")
                    break
                except httpx2.TransportError:
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.05)
            for path in ("/livez", "/readyz", "/healthz", "/metrics"):
                assert (await client.get(f"{origin}{path}")).status_code == 200
            assert (await client.get(f"{origin}/api/email/health")).status_code == 404
            process.terminate()
            assert await process.wait() == 0, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("name", ["TICKETLY_LISTEN_INTERNAL_PORT", "TICKETLY_IDENTITY_ISSUER"])
def test_a_missing_variable_stops_with_status_3_and_its_name(name: str) -> None:
    settings = environment()
    del settings[name]
    done = subprocess.run(
        [sys.executable, "-m", "ticketly_email"], env=settings, capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 3
    assert name.rsplit("_", 1)[0].removesuffix("_INTERNAL") in done.stderr
    assert "Traceback" not in done.stderr
