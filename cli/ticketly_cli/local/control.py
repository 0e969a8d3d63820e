"""How commands talk to the supervisor: one JSON object per line over a Unix socket in the state folder.

Requests: `{"op": "status"}`, `{"op": "start", "only": ["order"] | null}`, `{"op": "restart", "component": "order"}`,
`{"op": "stop"}`. Every answer is a `Report`; `error` is empty when the request was accepted. What was asked for goes on
after the answer: callers poll `status`. Only the owner of the state folder can reach the socket.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

State = Literal["stopped", "waiting", "starting", "healthy", "unhealthy", "failed", "stopping"]

_MAX_LINE_BYTES = 4 << 20
_TIMEOUT_SECONDS = 10.0


class Request(msgspec.Struct, frozen=True):
    """What a command asks for."""

    op: Literal["status", "start", "restart", "stop"]
    only: list[str] | None = None
    component: str = ""
    memory: bool = False
    """Measure memory as well; reading it costs the processes' time, so nobody polls with it."""


class ComponentReport(msgspec.Struct, frozen=True):
    """One component as the supervisor sees it."""

    name: str
    state: State
    wanted: bool
    since: str
    """When it got into this state, UTC."""
    seconds_in_state: float
    version: str
    address: str
    pid: int | None
    memory_bytes: int | None
    """Proportional set size of the process and its descendants; None when it was not asked for."""
    restarts: int
    reason: str
    """Why it is not healthy, or why it was started again the last time; empty when nothing happened."""
    stand_in: str
    start_seconds: float | None
    """How long the last start took until it was healthy."""


class Report(msgspec.Struct, frozen=True):
    """The answer to every request."""

    components: list[ComponentReport] = []
    stopping: bool = False
    notes: list[str] = []
    """Sentences for the person who started the platform, such as a usual port that was taken."""
    error: str = ""


@contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """A name for the socket that fits the system's limit of about 100 bytes, wherever the state folder is."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def ask(path: Path, request: Request) -> Report:
    """Send a request and wait for the answer. Raises OSError when no supervisor listens."""
    with _short_path(path) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        connection.connect(short)
        connection.sendall(msgspec.json.encode(request) + b"\n")
        received = bytearray()
        while not received.endswith(b"\n"):
            part = connection.recv(65536)
            if not part:
                raise ConnectionError("the supervisor closed the connection")
            received += part
    return msgspec.json.decode(bytes(received), type=Report)


async def listen(path: Path, handle: Callable[[Request], Awaitable[Report]]) -> asyncio.Server:
    """Answer requests until the server is closed. Replaces a socket left over from a dead supervisor."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                line = await reader.readline()
                try:
                    answer = await handle(msgspec.json.decode(line, type=Request))
                except msgspec.MsgspecError as error:
                    answer = Report(error=f"not a request: {error}")
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            return
        finally:
            writer.close()

    await asyncio.to_thread(path.unlink, missing_ok=True)
    with _short_path(path) as short:
        server = await asyncio.start_unix_server(serve, short, limit=_MAX_LINE_BYTES)
    await asyncio.to_thread(path.chmod, 0o600)
    return server
