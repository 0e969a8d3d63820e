"""One keep-alive connection per buyer, with as little between the wish and the wire as possible.

An outcome is one of three: answered; not sent (nothing reached the wire, so nothing can have happened); or unknown
(sent, but no whole answer came back: it may have happened). There are no retries here: a repeated claim would be
another operation.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.race.wire import AnswerReader, WireError

CONNECT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what became of it; times are of time.monotonic_ns().

    `status` is None when there is no whole answer; then `sent` tells whether the request may have arrived.
    """

    sent_ns: int
    done_ns: int
    sent: bool
    status: int | None = None
    body: bytes = b""
    fault: str = ""

    @property
    def latency_ms(self) -> float:
        return (self.done_ns - self.sent_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect to, taken from a base URL."""

    host: str
    port: int
    tls: bool
    authority: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Raises CliError (exit 3) for anything but an http(s) URL with a host."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _not_an_url(url) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise _not_an_url(url)
        tls = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=port or (443 if tls else 80),
            tls=tls,
            authority=parts.netloc.rpartition("@")[2],
            prefix=parts.path.rstrip("/"),
        )


def _not_an_url(url: str) -> CliError:
    return CliError(
        f"The target {url!r} is not an http or https URL.",
        "Give one like http://127.0.0.1:8084.",
        ExitCode.BAD_ARGUMENTS,
    )


class Channel(asyncio.Protocol):
    """A connection that carries one request at a time and is opened again when it was lost."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._waiting: asyncio.Future[Exchange] | None = None
        self._sent_ns = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def open(self) -> bool:
        """Connect unless connected; False when the peer cannot be reached."""
        if self.is_open:
            return True
        context = ssl.create_default_context() if self._endpoint.tls else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await loop.create_connection(lambda: self, self._endpoint.host, self._endpoint.port, ssl=context)
        except (OSError, TimeoutError):
            self.close()
            return False
        return True

    def send(self, request: bytes) -> asyncio.Future[Exchange]:
        """Write now; the future never raises. One request at a time (RuntimeError otherwise)."""
        if self._waiting is not None:
            raise RuntimeError("the channel is still waiting for an answer")
        waiting: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self._sent_ns = time.monotonic_ns()
        if self._transport is None or self._transport.is_closing():
            waiting.set_result(Exchange(self._sent_ns, self._sent_ns, sent=False, fault="not connected"))
            return waiting
        self._waiting = waiting
        self._reader = AnswerReader()
        self._transport.write(request)
        return waiting

    def give_up(self, fault: str) -> None:
        """Stop waiting: the outcome is unknown. The connection is closed, a late answer must not meet a new request."""
        self._finish(Exchange(self._sent_ns, time.monotonic_ns(), sent=True, fault=fault))
        self.close()

    def close(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop. (uvloop's transports do not inherit from asyncio's, hence no isinstance.)"""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        received_ns = time.monotonic_ns()
        reader = self._reader
        if reader is None:
            self.close()  # nobody asked: nothing this connection says can be trusted
            return
        try:
            if not reader.feed(data):
                return
        except WireError as error:
            self.give_up(str(error))
            return
        self._answered(reader, received_ns)

    def eof_received(self) -> bool:
        """Called by the event loop; an answer without a length ends here."""
        if self._reader is not None and self._reader.end():
            self._answered(self._reader, time.monotonic_ns())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        fault = "connection lost" if exc is None else f"connection lost ({type(exc).__name__})"
        self._finish(Exchange(self._sent_ns, time.monotonic_ns(), sent=True, fault=fault))

    def _answered(self, reader: AnswerReader, received_ns: int) -> None:
        self._finish(Exchange(self._sent_ns, received_ns, sent=True, status=reader.status, body=reader.body))
        if not reader.keeps_alive or reader.rest:
            self.close()

    def _finish(self, exchange: Exchange) -> None:
        waiting, self._waiting, self._reader = self._waiting, None, None
        if waiting is not None and not waiting.done():
            waiting.set_result(exchange)
