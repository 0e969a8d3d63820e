"""JSON over HTTP with retries that cannot do anything twice.

Every creating POST carries an Idempotency-Key, so that a lost answer is repeated safely: the platform answers the
same thing again. GET, PUT and DELETE are repeatable by nature.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import httpx2

from ticketly_cli.errors import CliError, ExitCode

REQUEST_TIMEOUT_SECONDS = 30.0
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.3
_RETRIED_STATUSES = frozenset({429, 502, 503, 504})

FilePart: TypeAlias = tuple[str, tuple[str | None, str | bytes, str]]
"""(field, (file name or None, content, content type))."""

TokenSource: TypeAlias = Callable[[], Awaitable[str]]


class ApiError(CliError):
    """The platform answered with a problem. `status` and `code` are those of the answer."""

    def __init__(self, what: str, status: int, code: str, message: str) -> None:
        super().__init__(
            f"{what} failed with {status} {code}: {message}".rstrip(": "), "See `ticketly logs` for the service's side."
        )
        self.status = status
        self.code = code


def new_client() -> httpx2.AsyncClient:
    """A client for set-up calls; to be closed by the caller. Environment proxies are ignored: the platform is near."""
    return httpx2.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS, trust_env=False)


class Api:
    """Calls below one base URL as one user (or as nobody)."""

    def __init__(self, client: httpx2.AsyncClient, base_url: str, token: TokenSource | None = None) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._token = token

    async def get(self, path: str, what: str, params: Mapping[str, str | int] | None = None) -> Any:
        """GET; returns the decoded JSON. `what` names the step in an error."""
        return await self.call("GET", path, what, params=params)

    async def post(self, path: str, what: str, body: Any = None, parts: Sequence[FilePart] | None = None) -> Any:
        """POST with an Idempotency-Key; `body` as JSON or `parts` as multipart."""
        return await self.call("POST", path, what, body=body, parts=parts)

    async def call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: Any = None,
        parts: Sequence[FilePart] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        """One call with bounded retries; None for an empty answer.

        Raises ApiError for a refusal and CliError (exit 4) when the platform cannot be reached.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            if self._token is not None:
                headers["Authorization"] = f"Bearer {await self._token()}"
            try:
                answer = await self._client.request(
                    method,
                    self._base_url + path,
                    json=body,
                    files=list(parts) if parts else None,
                    params=params,
                    headers=headers,
                )
            except httpx2.TransportError as error:
                if attempt == ATTEMPTS:
                    raise CliError(
                        f"{what} failed: {self._base_url} cannot be reached ({type(error).__name__}).",
                        "Check `ticketly status`.",
                        ExitCode.UNREACHABLE,
                    ) from error
            else:
                if answer.status_code not in _RETRIED_STATUSES or attempt == ATTEMPTS:
                    return _decoded(answer, what)
                pause = max(pause, _retry_after_seconds(answer))
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")


def _retry_after_seconds(answer: httpx2.Response) -> float:
    value = answer.headers.get("Retry-After", "")
    return min(float(value), 5.0) if value.isdigit() else 0.0


def _decoded(answer: httpx2.Response, what: str) -> Any:
    if answer.is_success:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise ApiError(what, answer.status_code, "", "the answer is not JSON") from error
    code, message = "", answer.reason_phrase
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        code = str(problem.get("code") or problem.get("error") or "")
        message = str(problem.get("message") or problem.get("error_description") or message)
        errors = problem.get("errors")
        if isinstance(errors, dict) and errors:
            path, sentence = next(iter(errors.items()))
            message = f"{message} ({path}: {sentence})"
    raise ApiError(what, answer.status_code, code, message)
