"""One packet per answer.

uvicorn writes an answer's head and its body separately: two system calls and two packets, which every proxy and client
then pays for as well. ``OneSegmentProtocol`` holds the head back until the body follows in the same turn of the event
loop. It leans on one fact of uvicorn (its protocol keeps the transport it is given), which a test watches.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/"


class OneSegmentTransport:
    """A transport that joins an answer's head with what is written next, at the latest in the loop's next turn."""

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or hold a head back."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data[:5] == _HEAD:
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not sent yet."""
        return self._transport.get_write_buffer_size() + len(self._head)

    def close(self) -> None:
        """Send what is held back and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            data, self._head = self._head, b""
            if not self._transport.is_closing():
                self._transport.write(data)


class OneSegmentProtocol(HttpToolsProtocol):
    """uvicorn's protocol on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wrap the transport of a new connection."""
        wrapped = OneSegmentTransport(transport, asyncio.get_running_loop())
        super().connection_made(cast("asyncio.Transport", wrapped))
