"""Answers leave in one packet."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import uvicorn

from ticketly_common.asgi import _new_id
from ticketly_common.wire import OneSegmentProtocol, OneSegmentTransport


class Recorder:
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


async def test_a_head_waits_for_its_body_and_no_longer_than_one_turn_of_the_loop() -> None:
    under = Recorder()
    transport: Any = OneSegmentTransport(under, asyncio.get_running_loop())  # type: ignore[arg-type]
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert (under.written, transport.get_write_buffer_size()) == ([], 19)
    transport.write(b"body")
    transport.write(b"more")
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await asyncio.sleep(0)
    assert under.written == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more", b"HTTP/1.1 200 OK\r\n\r\n"]
    transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    transport.close()
    assert under.written[-1].startswith(b"HTTP/1.1 204")
    assert under.closed


@contextlib.asynccontextmanager
async def server(app: Any) -> AsyncIterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    running = uvicorn.Server(
        uvicorn.Config(app, port=port, http=OneSegmentProtocol, lifespan="off", log_config=None, ws="none")
    )
    task = asyncio.create_task(running._serve())
    while not running.started:
        await asyncio.sleep(0.01)
    yield port
    running.should_exit = True
    await task


@pytest.mark.parametrize("chunked", [False, True])
async def test_uvicorn_sends_a_small_answer_in_one_segment(chunked: bool) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [] if chunked else [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"body"})

    async with server(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await writer.drain()
            first = await reader.read(65536)
            assert first.startswith(b"HTTP/1.1 200")
            assert first.endswith(b"4\r\nbody\r\n0\r\n\r\n" if chunked else b"\r\n\r\nbody")
        writer.close()


def test_request_ids_are_uuids_of_version_four() -> None:
    for _ in range(200):
        text = _new_id()
        assert (str(UUID(text)), UUID(text).version, UUID(text).variant) == (text, 4, "specified in RFC 4122")
