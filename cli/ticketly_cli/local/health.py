"""Probes over the network: each returns when the component answered and raises otherwise."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from ticketly_cli.local.component import UnhealthyError

TIMEOUT_SECONDS = 3.0
_API_VERSIONS_KEY = 18
_MAX_ANSWER_BYTES = 1 << 20


@asynccontextmanager
async def _connection(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def tcp(host: str, port: int) -> None:
    """Somebody listens."""
    async with _connection(host, port):
        return


async def http(url: str, accepted: Collection[int] = (200,)) -> bytes:
    """GET over HTTP/1.0 (so the body is never chunked). Returns the body; UnhealthyError for other statuses."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    async with _connection(host, port) as (reader, writer):
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode("ascii"))
        await writer.drain()
        head = await reader.readuntil(b"\r\n")
        words = head.split()
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        rest = bytearray()
        while len(rest) < _MAX_ANSWER_BYTES and (part := await reader.read(_MAX_ANSWER_BYTES)):
            rest += part
        if status not in accepted:
            raise UnhealthyError(f"{parts.path or '/'} answers {status}")
        return bytes(rest.partition(b"\r\n\r\n")[2])


async def redis(host: str, port: int) -> None:
    """PING is answered with PONG."""
    async with _connection(host, port) as (reader, writer):
        writer.write(b"PING\r\n")
        await writer.drain()
        answer = await reader.readline()
        if not answer.startswith(b"+PONG"):
            raise UnhealthyError(f"PING answers {answer[:60].decode(errors='replace').strip()}")


async def kafka(host: str, port: int) -> None:
    """The broker answers which protocol versions it speaks."""
    request = struct.pack(">hhih", _API_VERSIONS_KEY, 0, 1, -1)
    async with _connection(host, port) as (reader, writer):
        writer.write(struct.pack(">i", len(request)) + request)
        await writer.drain()
        head = await reader.readexactly(10)
        (error,) = struct.unpack(">h", head[8:10])
        if error != 0:
            raise UnhealthyError(f"ApiVersions answers error {error}")


async def wait_until(
    probe: Callable[[], Awaitable[object]], timeout_seconds: float, pause_seconds: float = 0.1
) -> None:
    """Repeat a probe until it passes. Raises UnhealthyError with the last thing seen."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while True:
        try:
            await probe()
        except (UnhealthyError, OSError, EOFError, TimeoutError) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise UnhealthyError(f"not ready after {timeout_seconds:.0f} s: {describe(error)}") from error
        else:
            return
        await asyncio.sleep(pause_seconds)


def describe(error: BaseException) -> str:
    """One line without a stack: what went wrong with a probe."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    return " ".join(str(error).split()) or type(error).__name__
