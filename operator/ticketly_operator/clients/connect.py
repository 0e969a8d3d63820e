"""Kafka Connect's REST interface. One attempt per call: the level-based loop is the repetition."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import quote

import httpx2

from ticketly_operator.errors import ConnectRefusedError, ConnectUnreachableError
from ticketly_operator.observed import SeenConnector, SeenTask

_VERBS: Final = {"running": "resume", "paused": "pause", "stopped": "stop"}


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Read once: it takes 0.1 s of CPU, and each reconcile has a client of its own."""
    return httpx2.create_ssl_context()


class ConnectRest(AbstractAsyncContextManager["ConnectRest"]):
    """The ``Connect`` port over HTTP."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """``url``: of any worker. ``timeout_seconds`` bounds every call, whatever hangs."""
        self._http = httpx2.AsyncClient(base_url=url, timeout=timeout_seconds, trust_env=False, verify=_authorities())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def connector(self, name: str) -> SeenConnector | None:
        """Return a connector, None when Connect has none of that name."""
        config = await self._call("GET", name, "/config", missing_is_none=True)
        if config is None:
            return None
        status = await self._call("GET", name, "/status", missing_is_none=True)
        if status is None:
            # the configuration is stored and no worker has taken it up yet
            status = {"connector": {"state": "UNASSIGNED"}, "tasks": []}
        return SeenConnector(
            name=name,
            config={key: value for key, value in config.items() if key != "name"},
            state=status["connector"]["state"],
            trace=status["connector"].get("trace", ""),
            tasks=tuple(
                SeenTask(task["id"], task["state"], task.get("trace") or "") for task in status.get("tasks", ())
            ),
        )

    async def put(self, name: str, config: Mapping[str, str]) -> None:
        """Create or replace the configuration."""
        await self._call("PUT", name, "/config", body=dict(config))

    async def set_state(self, name: str, state: Literal["running", "paused", "stopped"]) -> None:
        """Resume, pause or stop."""
        await self._call("PUT", name, f"/{_VERBS[state]}")

    async def restart(self, name: str) -> None:
        """Restart the connector and its tasks, also one that says it runs: Debezium may repeat itself for ever."""
        await self._call("POST", name, "/restart?includeTasks=true")

    async def delete(self, name: str) -> None:
        """Delete; that it is gone already is fine."""
        await self._call("DELETE", name, "", missing_is_none=True)

    async def offsets(self, name: str) -> Mapping[str, Any] | None:
        """Return the stored source offset, None when nothing is stored."""
        answer = await self._call("GET", name, "/offsets", missing_is_none=True)
        stored = (answer or {}).get("offsets", ())
        return stored[0].get("offset") if stored else None

    async def delete_offsets(self, name: str) -> None:
        """Forget the stored offsets; the connector must be stopped."""
        await self._call("DELETE", name, "/offsets", missing_is_none=True)

    async def _call(
        self, method: str, name: str, rest: str, *, body: object = None, missing_is_none: bool = False
    ) -> Any:
        path = f"/connectors/{quote(name, safe='')}{rest}"
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            said = str(error) or type(error).__name__
            raise ConnectUnreachableError(f"Kafka Connect does not answer: {said}") from None
        if answer.status_code == HTTPStatus.NOT_FOUND and missing_is_none:
            return None
        if answer.is_success:
            return answer.json() if answer.content else {}
        said = _message(answer)
        if answer.status_code == HTTPStatus.CONFLICT or answer.is_server_error:
            raise ConnectUnreachableError(f"Kafka Connect cannot now ({answer.status_code}): {said}")
        raise ConnectRefusedError(f"Kafka Connect refuses {method} of {name} ({answer.status_code}): {said}")


def _message(answer: httpx2.Response) -> str:
    """Return Connect's own words. A refused configuration is answered with its faults, which name no values."""
    try:
        said = str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        said = answer.text
    return " ".join(said.split())[:600]
