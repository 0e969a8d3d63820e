"""A client of the seat stream that keeps what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ticketly_event_query.app import PREFIX


@dataclass(frozen=True)
class SseEvent:
    name: str
    id: str | None
    data: Any
    comment: str | None = None
    retry: str | None = None


class SseClient:
    """A stream read like the reference front end does: split at empty lines, LF only."""

    def __init__(
        self,
        port: int,
        session: str,
        *,
        last_id: str | None = None,
        query: str = "",
        seats: dict[str, str] | None = None,
    ) -> None:
        self.port = port
        self.path = f"{PREFIX}/v1/sse/sessions/{session}/seat-status{query}"
        self.last_id = last_id
        self.events: list[SseEvent] = []
        self.seats: dict[str, str] = dict(seats or {})
        self.headers: dict[str, str] = {}
        self.status = 0
        self.closed = asyncio.Event()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> SseClient:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        lines = [
            f"GET {self.path} HTTP/1.1",
            "Host: test",
            "Accept: text/event-stream",
            "Origin: http://localhost:8090",
        ]
        if self.last_id is not None:
            lines.append(f"Last-Event-ID: {self.last_id}")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        self._task = asyncio.create_task(self._read())
        return self

    async def _read(self) -> None:
        text = b""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
                chunk = await self._reader.readexactly(size + 2)
                if size == 0:
                    break
                assert b"\r" not in chunk[:-2]
                text += chunk[:-2]
                while b"\n\n" in text:
                    block, _, text = text.partition(b"\n\n")
                    self._take(block.decode())
        self.closed.set()

    def _take(self, block: str) -> None:
        fields: dict[str, str] = {}
        comment = None
        for line in block.split("\n"):
            if line.startswith(":"):
                comment = line[1:].strip()
            else:
                name, _, value = line.partition(": ")
                fields[name] = value
        data = json.loads(fields["data"]) if "data" in fields else None
        event = SseEvent(fields.get("event", ""), fields.get("id"), data, comment, fields.get("retry"))
        if event.id is not None:
            self.last_id = event.id
        if event.name == "snapshot":
            self.seats = {seat: status for status, seats in data["seats"].items() for seat in seats}
        elif event.data is not None:
            for seat in data["seatIds"]:
                self.seats[seat] = data["status"]
        self.events.append(event)

    def taken(self) -> dict[str, str]:
        """Seats that are not available, as this client knows them."""
        return {seat: status for seat, status in self.seats.items() if status != "AVAILABLE"}

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@pytest.fixture
async def sse() -> AsyncIterator[Callable[..., Awaitable[SseClient]]]:
    """Open streams; all are closed at the end."""
    opened: list[SseClient] = []

    async def connect(port: int, session: str, **options: Any) -> SseClient:
        client = SseClient(port, session, **options)
        opened.append(client)
        return await client.open()

    yield connect
    await asyncio.gather(*(client.close() for client in opened))
