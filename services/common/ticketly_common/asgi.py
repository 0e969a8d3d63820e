"""Pure ASGI around every public application: request ids, measuring, CORS, body limits; and the server itself.

No ``BaseHTTPMiddleware`` anywhere: one layer of it costs more than a whole rejected order. A service is two
listeners in one event loop; ``serve`` runs them until SIGTERM or SIGINT, lets the service say goodbye to its
streams (``before_stop``) and then drains.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

import structlog
import uvicorn
from prometheus_client import Counter, Histogram
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketly_common import telemetry
from ticketly_common.problems import Problem, internal_error, send_problem
from ticketly_common.settings import Cors as CorsSettings
from ticketly_common.settings import Listen
from ticketly_common.wire import OneSegmentProtocol

_log = structlog.get_logger(__name__)
EXPOSED_HEADERS = ("ETag", "Retry-After", "X-Total-Count", "X-Request-Id")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class RequestContext:
    """Outermost layer: gives each request an id, counts and times it, and turns a crash into problem 500.

    The id is the caller's ``X-Request-Id`` when it is a UUID, else a new one. The route label is the template that
    matched (``scope["route"]``) or what a raw handler put into ``scope["state"]["route"]``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        own = ((b"x-request-id", request_id.encode()), (b"vary", b"Origin"))
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *own]
                _measure(scope, status, time.perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Problem as problem:
            if status:
                raise
            await send_problem(problem, scope, send_with_id)
        except Exception:
            _log.exception("unhandled error", path=scope.get("path"), request_id=request_id)
            if status:
                raise
            await send_problem(internal_error(), scope, send_with_id)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            with contextlib.suppress(ValueError):
                return str(UUID(value.decode("latin-1")))
            break
    return _new_id()


def _new_id() -> str:
    """Return a random UUID's text (version 4); four times as fast as ``uuid4``, and no secret."""
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[random.getrandbits(2)]}{text[17:20]}-{text[20:]}"


@functools.lru_cache(maxsize=4096)
def _meters(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the metric children of one kind of answer: looking them up costs more than counting."""
    return telemetry.REQUESTS.labels(method, route, status), telemetry.DURATION.labels(method, route)


def _measure(scope: Scope, status: int, seconds: float) -> None:
    # An included router's route knows only its own part of the path; its context in the scope knows the whole one.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    route = whole or scope.get("route")
    label = scope["state"].get("route") or getattr(route, "path", None) or "unmatched"
    count, duration = _meters(scope["method"], label, status)
    count.inc()
    duration.observe(seconds)


class BodyLimit:
    """Answers 413 when a body is larger than ``max_bytes``, by its declared length or as it arrives.

    It answers by itself rather than raising, so that the layers around it (CORS) still see an answer.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                # The server itself holds a body to its declared length.
                if int(value) > self.max_bytes:
                    await send_problem(self._problem(), scope, send)
                else:
                    await self.app(scope, receive, send)
                return
        await self._counting(scope, receive, send)

    async def _counting(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0
        started = False

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise self._problem()
            return message

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, limited, noting)
        except Problem as problem:
            if started:
                raise
            await send_problem(problem, scope, send)

    def _problem(self) -> Problem:
        return Problem(413, "payload-too-large", f"The body is larger than {self.max_bytes} bytes.")


class Cors(CORSMiddleware):
    """Starlette's CORS, at no cost for requests that come from no browser page.

    ``RequestContext`` says ``Vary: Origin`` on every answer, so that a shared cache keeps the two kinds apart.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class TrailingSlash:
    """Makes ``/path/`` and ``/path`` the same route without a redirect (contract 0.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            path = scope["path"]
            if len(path) > 1 and path.endswith("/"):
                # In place, so that outer layers see the route that the router writes into the same scope.
                scope["path"] = path.rstrip("/") or "/"
        await self.app(scope, receive, send)


def public_listener(app: ASGIApp, *, cors: CorsSettings, max_body_bytes: int) -> ASGIApp:
    """Wrap a public application: request id > CORS > body limit > trailing slash > application."""
    limited = BodyLimit(TrailingSlash(app), max_bytes=max_body_bytes)
    shared = Cors(
        limited,
        allow_origins=cors.origins,
        allow_methods=METHODS,
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=3600,
    )
    return RequestContext(shared)


def internal_listener(app: ASGIApp, *, max_body_bytes: int = 1_048_576) -> ASGIApp:
    """Wrap an internal application: request id > body limit > trailing slash > application."""
    return RequestContext(BodyLimit(TrailingSlash(app), max_bytes=max_body_bytes))


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
    async with service.lifespan(), _listening(servers) as tasks:
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
