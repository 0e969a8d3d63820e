"""Errors as RFC 9457 problem details, with the members that older clients read (contract 0.4).

Raise ``Problem`` anywhere below a route; the handlers installed by ``install`` (FastAPI) or ``send_problem``
(raw ASGI) turn it into the one error shape of the platform. ``message`` repeats ``detail``: it is the only
member the web front end shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope, Send

from ticketly_common import clock

CONTENT_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


class Problem(Exception):  # noqa: N818 - the standard calls it a problem
    """An error with a stable code.

    ``code`` is kebab-case and stable; ``detail`` is one sentence a buyer can read; ``errors`` maps field paths
    (``sessions[0].startTime``) to sentences; ``extra`` adds members such as ``seatIds``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        title: str | None = None,
        errors: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.title = title or code.replace("-", " ").capitalize()
        self.errors = dict(errors or {})
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def body(self, *, request_id: str, path: str) -> dict[str, Any]:
        """Return the JSON object of contract 0.4; ``request_id`` is a UUID string."""
        return {
            "type": f"urn:ticketly:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:uuid:{request_id}",
            "code": self.code,
            "message": self.detail,
            "error": HTTPStatus(self.status).phrase,
            "path": path,
            "timestamp": clock.to_wire(clock.now()),
            "errors": self.errors,
            **self.extra,
        }


def malformed(detail: str) -> Problem:
    """400: the request cannot be parsed."""
    return Problem(400, "malformed-request", detail, title="The request cannot be read")


def invalid(errors: Mapping[str, str], detail: str | None = None) -> Problem:
    """422: well formed, not acceptable; every fault at once in ``errors``."""
    text = detail or (next(iter(errors.values())) if len(errors) == 1 else f"{len(errors)} fields are not acceptable.")
    return Problem(422, "validation-failed", text, title="Some fields are not acceptable", errors=errors)


def not_found(thing: str) -> Problem:
    """404 ``<thing>-not-found``; ``thing`` in kebab-case, for example ``session``."""
    return Problem(404, f"{thing}-not-found", f"This {thing.replace('-', ' ')} does not exist.")


def forbidden(detail: str = "You may not do this.") -> Problem:
    """403 ``forbidden``."""
    return Problem(403, "forbidden", detail)


def conflict(code: str, detail: str, **extra: Any) -> Problem:
    """409 with the given code."""
    return Problem(409, code, detail, extra=extra)


def unavailable(detail: str, *, retry_after_seconds: int = 1) -> Problem:
    """503 ``dependency-unavailable`` with ``Retry-After``."""
    return Problem(503, "dependency-unavailable", detail, headers={"Retry-After": str(retry_after_seconds)})


def field_path(location: Sequence[str | int]) -> str:
    """Turn ``("sessions", 0, "startTime")`` into ``sessions[0].startTime``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    return path


def request_id_of(scope: Scope) -> str:
    """Return the request's id, made by the outermost middleware (a fresh one outside of it)."""
    state = scope.get("state")
    known = state.get("request_id") if state else None
    return known if isinstance(known, str) else str(uuid4())


def encode(problem: Problem, scope: Scope) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return body and headers of a problem for raw ASGI."""
    body = json.dumps(
        problem.body(request_id=request_id_of(scope), path=str(scope.get("path", ""))), separators=(",", ":")
    ).encode()
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()),
    ]
    return body, headers


async def send_problem(problem: Problem, scope: Scope, send: Send) -> None:
    """Answer with a problem from a raw ASGI handler."""
    body, headers = encode(problem, scope)
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _respond(problem: Problem, request: Request) -> Response:
    body, headers = encode(problem, request.scope)
    response = Response(content=body, status_code=problem.status)
    response.raw_headers = headers
    return response


def _from_validation(error: RequestValidationError) -> Problem:
    """Body faults are 422 with paths; unparseable JSON and wrong types in path or query are 400 (contract 0.4)."""
    faults: dict[str, str] = {}
    for fault in error.errors():
        where, *rest = fault["loc"]
        if fault["type"] == "json_invalid":
            return malformed("The body is not valid JSON.")
        if where in {"path", "header"} or (where == "query" and fault["type"] != "missing"):
            return malformed(f"{field_path(rest)}: {fault['msg']}")
        faults[field_path(rest) or "body"] = str(fault["msg"])
    return invalid(faults)


_BY_STATUS = {404: "route-not-found", 405: "method-not-allowed", 413: "payload-too-large", 401: "unauthenticated"}


def install(app: FastAPI) -> None:
    """Register the handlers that give every error of a FastAPI application the problem shape."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - registered for this type only
        return _respond(error, request)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
        return _respond(_from_validation(error), request)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        if isinstance(error.__cause__, Problem):
            # FastAPI wraps whatever happens while a body arrives, also our own "too large".
            return _respond(error.__cause__, request)
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return _respond(malformed(str(error.detail)), request)
        code = _BY_STATUS.get(error.status_code, "request-failed")
        problem = Problem(error.status_code, code, HTTPStatus(error.status_code).phrase + ".", headers=error.headers)
        return _respond(problem, request)

    async def on_bug(request: Request, error: Exception) -> Response:
        _log.error("unhandled error", path=request.url.path, request_id=request_id_of(request.scope), exc_info=error)
        return _respond(internal_error(), request)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_bug)


def internal_error() -> Problem:
    """500 without any internals in the text."""
    return Problem(500, "internal-error", "Something went wrong on our side.")
