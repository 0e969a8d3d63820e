"""Pure ASGI around every application: request ids, measuring, CORS, body limits.

No ``BaseHTTPMiddleware`` anywhere: one layer of it costs more than a whole rejected order.
"""

from __future__ import annotations

import contextlib
import functools
import random
import time
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketly_common import telemetry, tracing
from ticketly_common.problems import Problem, internal_error, send_problem
from ticketly_common.settings import Cors as CorsSettings

_log = structlog.get_logger(__name__)
EXPOSED_HEADERS = ("ETag", "Retry-After", "X-Total-Count", "X-Request-Id")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class RequestContext:
    """Outermost layer: gives each request an id, counts and times it, and turns a crash into problem 500.

    The id is the caller's ``X-Request-Id`` when it is a UUID, else a new one. The route label is the template that
    matched (``scope["route"]``) or what a raw handler put into ``scope["state"]["route"]``.

    While traces are on it is also where a request's span begins; the span ends, like the measured time, with the start
    of the answer, so that an open stream is not an open span. ``trusted`` callers decide what is sampled.
    """

    def __init__(self, app: ASGIApp, *, listener: str, trusted: bool) -> None:
        self.app = app
        self._trusted = trusted
        self._open = 0
        telemetry.IN_PROGRESS.labels(listener).set_function(lambda: self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        own = ((b"x-request-id", request_id.encode()), (b"vary", b"Origin"))
        span = tracing.begin(scope, trusted=self._trusted) if tracing.enabled() else None
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *own]
                route = _measure(scope, status, time.perf_counter() - started)
                if span is not None:
                    span.answered(route, status, request_id)
            await send(message)

        self._open += 1
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
        finally:
            self._open -= 1
            if span is not None:
                span.close()


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
    method = method if method in METHODS or method == "HEAD" else "other"
    return telemetry.REQUESTS.labels(method, route, status), telemetry.DURATION.labels(method, route)


def _measure(scope: Scope, status: int, seconds: float) -> str:
    """Count an answer; return its route."""
    # An included router's route knows only its own part of the path; its context in the scope knows the whole one.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    route = whole or scope.get("route")
    label: str = scope["state"].get("route") or getattr(route, "path", None) or "unmatched"
    count, duration = _meters(scope["method"], label, status)
    count.inc()
    duration.observe(seconds)
    return label


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
        if scope["type"] == "http":
            for name, _ in scope["headers"]:
                if name == b"origin":
                    await super().__call__(scope, receive, send)
                    return
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
    return RequestContext(shared, listener="public", trusted=False)


def internal_listener(app: ASGIApp, *, max_body_bytes: int = 1_048_576) -> ASGIApp:
    """Wrap an internal application: request id > body limit > trailing slash > application."""
    return RequestContext(BodyLimit(TrailingSlash(app), max_bytes=max_body_bytes), listener="internal", trusted=True)
