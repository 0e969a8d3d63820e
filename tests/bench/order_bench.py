"""How many orders one order process takes, and what an order and a lost race cost. A command, not a test.

    python tests/bench/order_bench.py --orders 10000 --buyers 64

Starts its own PostgreSQL (durable: fsync on) and Valkey, loads one event straight into the catalogue tables, starts
one ``python -m ticketly_order`` that trusts a locally signed issuer, and drives it with a closed loop of keep-alive
connections, one per buyer, from this process on the same machine. Two phases: every claim wins (distinct seats), then
every claim loses (16 taken seats). CPU is user+system time from /proc: the order process, and PostgreSQL with all its
backends, exited ones included. No broker runs: the service's catalogue consumer keeps trying in the background.
Prints one JSON object; exit code 1 when a request got an answer it should not get.
Over 300 lines because a bench should be read, copied and run as one file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psutil

from ticketly_cli.local import paths, processes, run_one, toolchain
from ticketly_cli.local.components import postgres, valkey
from ticketly_common.testing import TokenIssuer

HOT_SEATS = 16
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Stage:
    """What runs for the length of the bench."""

    dsn: str
    postgres_pid: int
    order_pid: int
    port: int
    tokens: list[str]
    event: dict[str, str]
    seats: list[str]


@dataclass
class Measured:
    """One phase."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    service_cpu: float = 0.0
    postgres_cpu: float = 0.0

    def report(self, wanted: int) -> dict[str, Any]:
        """Figures of the phase; CPU per 1,000 requests, latencies in milliseconds."""
        count = sum(self.statuses.values())
        ordered = sorted(self.latencies)
        return {
            "requests": count,
            "statuses": {str(status): number for status, number in sorted(self.statuses.items())},
            "failures": count - self.statuses[wanted],
            "per_second": round(count / self.seconds, 1),
            "p50_ms": round(statistics.median(ordered) * 1000, 2),
            "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 2),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
            "service_cpu_s_per_1000": round(self.service_cpu / count * 1000, 4),
            "postgres_cpu_s_per_1000": round(self.postgres_cpu / count * 1000, 4),
        }


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def components(folder: Path) -> Iterator[tuple[postgres.PostgresServer, str]]:
    """Yield a durable PostgreSQL and the URL of a Valkey."""
    tools = toolchain.prepare(["postgres", "valkey"], paths.cache_folder(), lambda text: print(text, file=sys.stderr))
    server = postgres.PostgresServer(
        where=postgres.places(tools.postgres, folder),
        port=free_port(),
        superuser="ticketly",
        password=secrets.token_urlsafe(12),
        settings={**postgres.THROW_AWAY_SETTINGS, "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"},
    )
    redis_port = free_port()
    started = []
    try:
        for component in (
            postgres.component(server, tools.versions.tools["postgres"].version),
            valkey.component(tools.valkey, folder, redis_port, ""),
        ):
            child = asyncio.run(run_one.start(component, folder / f"{component.name}.log"))
            assert child is not None
            assert component.process is not None
            started.append((child, component.process))
        yield server, f"redis://127.0.0.1:{redis_port}/0"
    finally:
        for child, process in reversed(started):
            asyncio.run(processes.stop(child, process))


@contextlib.contextmanager
def key_server() -> Iterator[TokenIssuer]:
    """Yield an issuer whose keys are published over HTTP."""
    issuer: list[TokenIssuer] = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(issuer[0].key_set()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    issuer.append(TokenIssuer(f"http://127.0.0.1:{server.server_address[1]}/realms/bench"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer[0]
    finally:
        server.shutdown()


async def load(dsn: str, seats: int) -> tuple[dict[str, str], list[str]]:
    """Put one event with ``seats`` seats on sale; returns its ids and the seat ids."""
    event = {"event_id": str(uuid4()), "session_id": str(uuid4()), "organization_id": str(uuid4())}
    organization, identifier, session = (UUID(event[k]) for k in ("organization_id", "event_id", "session_id"))
    tier = uuid4()
    ids = [uuid4() for _ in range(seats)]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("INSERT INTO catalogue.organizations VALUES ($1, 'owner', 'Bench', 1)", organization)
        await connection.execute(
            "INSERT INTO catalogue.events VALUES ($1, $2, 'Bench', 'APPROVED', 'LKR', 1)", identifier, organization
        )
        await connection.execute(
            "INSERT INTO catalogue.sessions (id, event_id, status, start_time, end_time, layout_version, seat_count,"
            " ready, version) VALUES ($1, $2, 'ON_SALE', now() + '1 day', now() + '2 days', 1, $3, true, 1)",
            session, identifier, seats,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO catalogue.tiers VALUES ($1, $2, 'Standard', '#3B82F6', 150000, 'LKR', 1)", tier, identifier
        )
        await connection.copy_records_to_table(
            "seats",
            schema_name="catalogue",
            columns=["id", "session_id", "label", "tier_id", "blocked", "layout_version", "version"],
            records=[(seat, session, f"{n}A", tier, False, 1, 1) for n, seat in enumerate(ids)],
        )
        await connection.copy_records_to_table(
            "seats", columns=["session_id", "seat_id"], records=[(session, seat) for seat in ids]
        )
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return event, [str(seat) for seat in ids]


def cpu_of(pid: int) -> float:
    """User and system seconds of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_tree(pid: int) -> float:
    """Seconds of a process, its exited children, and its living ones."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    total = sum(map(int, fields[11:15])) / TICKS
    for child in psutil.Process(pid).children():
        with contextlib.suppress(OSError):
            total += cpu_of(child.pid)
    return total


class Connection(asyncio.Protocol):
    """A keep-alive HTTP/1.1 connection that can do just what the bench needs."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        where = head.lower().find(b"content-length: ")
        length = int(head[where + 16 :].split(b"\r\n", 1)[0])
        if len(rest) >= length and self._answer is not None:
            self._buffer = rest[length:]
            answer, self._answer = self._answer, None
            answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    async def post(self, head: bytes, body: bytes) -> int:
        """Send and return the status (0: the connection broke)."""
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(head + b"%d\r\n\r\n" % len(body) + body)
        return await self._answer


async def drive(stage: Stage, work: list[list[str]]) -> Measured:
    """Let each buyer claim its seats one after the other; all start together."""
    measured = Measured()
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", stage.port))[1] for _ in work]

    async def buyer(connection: Connection, token: str, seats: list[str]) -> None:
        head = (
            f"POST /api/order HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        for seat in seats:
            body = json.dumps({**stage.event, "seat_ids": [seat], "discount_id": None}).encode()
            started = time.perf_counter()
            measured.statuses[await connection.post(head, body)] += 1
            measured.latencies.append(time.perf_counter() - started)

    before = cpu_of(stage.order_pid), cpu_of_tree(stage.postgres_pid)
    started = time.perf_counter()
    await asyncio.gather(*map(buyer, connections, stage.tokens, work))
    measured.seconds = time.perf_counter() - started
    measured.service_cpu = cpu_of(stage.order_pid) - before[0]
    measured.postgres_cpu = cpu_of_tree(stage.postgres_pid) - before[1]
    for connection in connections:
        assert connection.transport is not None
        connection.transport.close()
    return measured


def deal(items: list[str], hands: int) -> list[list[str]]:
    """Deal items to so many hands."""
    return [items[start::hands] for start in range(hands)]


async def measure(stage: Stage, orders: int, losses: int) -> dict[str, Any]:
    """Run warm-up, the winning phase and the losing phase."""
    buyers = len(stage.tokens)
    seats = iter(stage.seats)
    take = lambda count: [next(seats) for _ in range(count)]  # noqa: E731
    await drive(stage, deal(take(buyers * 8), buyers))
    won = await drive(stage, deal(take(orders), buyers))
    hot = stage.seats[:HOT_SEATS]
    await drive(stage, [hot] * buyers)
    lost = await drive(stage, deal((hot * (losses // HOT_SEATS + 1))[:losses], buyers))
    connection = await asyncpg.connect(stage.dsn)
    try:
        doubled = await connection.fetchval(
            "SELECT count(*) FROM (SELECT seat_id FROM order_lines l JOIN orders o USING (order_id)"
            " WHERE o.status = 'pending' GROUP BY seat_id HAVING count(*) > 1) AS d"
        )
    finally:
        await connection.close()
    return {"won": won.report(201), "lost": lost.report(409), "seats_sold_twice": doubled}


def wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the listener accepts."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("the order process did not start; see its log above")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Build the stage, measure, take the stage down."""
    folder = Path(tempfile.mkdtemp(prefix="ticketly-bench-"))
    folder.chmod(0o711)
    (folder / "data").mkdir(mode=0o711)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server, redis_url = stack.enter_context(components(folder))
        issuer = stack.enter_context(key_server())
        base = f"postgresql://{server.superuser}:{server.password}@127.0.0.1:{server.port}"
        asyncio.run(_create(f"{base}/postgres"))
        dsn = f"{base}/order_service"
        public, internal = free_port(), free_port()
        environment = {
            **os.environ,
            "TICKETLY_LISTEN_PUBLIC_PORT": str(public),
            "TICKETLY_LISTEN_INTERNAL_PORT": str(internal),
            "TICKETLY_POSTGRES_HOST": "127.0.0.1",
            "TICKETLY_POSTGRES_PORT": str(server.port),
            "TICKETLY_POSTGRES_DATABASE": "order_service",
            "TICKETLY_POSTGRES_USER": server.superuser,
            "TICKETLY_POSTGRES_PASSWORD": server.password,
            "TICKETLY_POSTGRES_SSL_MODE": "disable",
            "TICKETLY_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
            "TICKETLY_IDENTITY_ISSUER": issuer.issuer,
            "TICKETLY_HOLDS_MAX_OPEN_ORDERS_PER_USER": "0",
            "TICKETLY_HOLDS_TTL_SECONDS": "3600",
            "TICKETLY_LOG_LEVEL": "error",
        }
        if options.redis:
            environment["TICKETLY_REDIS_URL"] = redis_url
        command = [sys.executable, "-m", "ticketly_order"]
        subprocess.run([*command, "migrate"], env=environment, check=True, stdout=sys.stderr)
        event, seats = asyncio.run(load(dsn, options.orders + options.buyers * 8))
        process = subprocess.Popen(command, env=environment, stdout=sys.stderr)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait_ready(public, process)
        postmaster = int((server.where.data / "postmaster.pid").read_text().split()[0])
        tokens = [issuer.token(str(uuid4()), expires_in_seconds=3600) for _ in range(options.buyers)]
        stage = Stage(dsn, postmaster, process.pid, public, tokens, event, seats)
        runs = asyncio.run(measure(stage, options.orders, options.losses))
    return {
        "bench": "order",
        "buyers": options.buyers,
        "redis": options.redis,
        **runs,
        "machine": {
            "cpus": os.cpu_count(),
            "model": _cpu_model(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "load_before": options.load_before,
            "load_after": os.getloadavg()[0],
            "python": platform.python_version(),
            "kernel": platform.release(),
        },
        "commit": _commit(),
        "method": __doc__.strip() if __doc__ else "",
    }


async def _create(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE DATABASE order_service")
    await connection.close()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def main() -> int:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000, help="claims that win")
    parser.add_argument("--losses", type=int, default=20_000, help="claims that lose")
    parser.add_argument("--buyers", type=int, default=64, help="connections, each with a user of its own")
    parser.add_argument("--redis", action=argparse.BooleanOptionalAction, default=True, help="with the shared shield")
    options = parser.parse_args()
    options.load_before = os.getloadavg()[0]
    report = run(options)
    print(json.dumps(report, indent=2))
    failures = report["won"]["failures"] + report["lost"]["failures"] + report["seats_sold_twice"]
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
