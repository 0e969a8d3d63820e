"""One open stream, as the hub sees it: something to write finished bytes to.

``Direct`` writes to the server's transport: no task, queue or copy per client and change (about 10 us per write).
It leans on two facts of uvicorn: the ``send`` callable belongs to an object with ``transport``, and a body without
length is chunked. Behind any other server ``Pulled`` does the same with a bounded buffer and one waiting task.
``RememberTransport`` goes around the whole application, because middlewares wrap ``send``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "ticketly.transport"


class Frame:
    """Bytes of one or more events, with their chunk coding made once for all clients."""

    __slots__ = ("chunk", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.chunk = b"%x\r\n%b\r\n" % (len(data), data)


class Connection(Protocol):
    """What the hub needs; every method returns at once."""

    slot: int

    def write(self, frame: Frame) -> None:
        """Write a frame; does nothing once closed."""
        ...

    def unsent_bytes(self) -> int:
        """Return how much the client has not taken yet."""
        ...

    def cut(self) -> None:
        """Drop the connection and what it has not taken."""
        ...

    def finish(self, frame: Frame) -> None:
        """Write a last frame and close in order."""
        ...

    async def hold(self, receive: Receive, send: Send) -> None:
        """Wait until the connection is over."""
        ...


class RememberTransport:
    """Outermost layer: keeps the transport that ``send`` writes to where the stream endpoint finds it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope[_KEY] = getattr(getattr(send, "__self__", None), "transport", None)
        await self.app(scope, receive, send)


def connection(scope: Scope, *, send_buffer_bytes: int) -> Direct | Pulled:
    """Return the connection of a request whose answer has begun."""
    transport = scope.get(_KEY)
    if transport is None or not hasattr(transport, "get_write_buffer_size") or scope.get("http_version") != "1.1":
        return Pulled()
    # A small kernel buffer: a client that does not read costs tens of kilobytes instead of megabytes.
    held = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    return Direct(transport)


class Direct:
    """Writes to the transport of a uvicorn connection."""

    __slots__ = ("_transport", "slot")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.slot = 0

    def write(self, frame: Frame) -> None:
        """Write a frame; does nothing once closed."""
        if not self._transport.is_closing():
            self._transport.write(frame.chunk)

    def unsent_bytes(self) -> int:
        """Return the size of the transport's buffer."""
        return int(self._transport.get_write_buffer_size())

    def cut(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def finish(self, frame: Frame) -> None:
        """Write a last frame and the end of the body, then close."""
        if not self._transport.is_closing():
            self._transport.write(frame.chunk + b"0\r\n\r\n")
            self._transport.close()

    async def hold(self, receive: Receive, send: Send) -> None:
        """Wait until the connection is gone; nothing is sent from here."""
        while (await receive())["type"] != "http.disconnect":
            pass


class Pulled:
    """Keeps what is to be sent in one buffer, emptied by the request's own task."""

    __slots__ = ("_buffer", "_changed", "_over", "slot")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._changed = asyncio.Event()
        self._over = False
        self.slot = 0

    def write(self, frame: Frame) -> None:
        """Append a frame."""
        if not self._over:
            self._buffer += frame.data
            self._changed.set()

    def unsent_bytes(self) -> int:
        """Return what the task has not sent yet."""
        return len(self._buffer)

    def cut(self) -> None:
        """Forget the buffer and end."""
        self._buffer.clear()
        self._over = True
        self._changed.set()

    def finish(self, frame: Frame) -> None:
        """Append a last frame and end."""
        self.write(frame)
        self._over = True
        self._changed.set()

    async def hold(self, receive: Receive, send: Send) -> None:
        """Send until the client goes or the hub ends it."""
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            while not gone.done():
                await self._changed.wait()
                self._changed.clear()
                data = bytes(self._buffer)
                self._buffer.clear()
                if data:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                if self._over and not self._buffer:
                    break
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._over = True
        self._changed.set()
