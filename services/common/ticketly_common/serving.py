"""Running a service: two listeners in one event loop, until the process is told to stop.

``serve`` runs them until SIGTERM or SIGINT, lets the service say goodbye to its streams (``before_stop``) and then
drains.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.types import ASGIApp

from ticketly_common import telemetry
from ticketly_common.background import background
from ticketly_common.settings import Listen
from ticketly_common.wire import OneSegmentProtocol

_log = structlog.get_logger(__name__)


async def _nothing() -> None:
    return


@dataclass(frozen=True)
class Service:
    """What a composition root returns. ``public`` is None for a service without a public port.

    ``lifespan`` opens pools and background loops around both listeners. ``before_stop`` runs when the process is
    asked to stop, before the listeners drain: close streams there.
    """

    name: str
    public: ASGIApp | None
    internal: ASGIApp
    lifespan: Callable[[], AbstractAsyncContextManager[None]]
    before_stop: Callable[[], Awaitable[None]] = _nothing


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals to ``serve``: there are two of them in one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _wait_started(servers: list[_Server], tasks: list[asyncio.Task[None]]) -> None:
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                await task
                msg = "a listener stopped while starting"
                raise RuntimeError(msg)
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def _listening(servers: list[_Server]) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    try:
        await _wait_started(servers, tasks)
        yield tasks
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)


async def serve(service: Service, listen: Listen, *, drain_seconds: int = 10) -> None:
    """Serve both listeners until SIGTERM or SIGINT; raises OSError when a port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    applications = [(service.internal, listen.internal_port)]
    if service.public is not None:
        applications.append((service.public, listen.public_port))
    servers = [
        _Server(
            uvicorn.Config(
                app,
                host=listen.host,
                port=port,
                lifespan="off",
                access_log=False,
                log_config=None,
                http=OneSegmentProtocol,
                ws="none",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=drain_seconds,
                backlog=4096,
            )
        )
        for app, port in applications
    ]
    async with (
        background(telemetry.watch_loop(), name="loop-delay"),
        service.lifespan(),
        _listening(servers) as tasks,
    ):
        _log.info("listening", service=service.name, host=listen.host, ports=[port for _, port in applications])
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping", service=service.name)
        await service.before_stop()


def run(service: Service, listen: Listen) -> None:
    """Run ``serve`` in a new uvloop event loop; returns when the process was asked to stop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(service, listen))
