"""Kafka Connect's connectors with the slots they read: asked over REST, and of the database where that is at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx2

from ticketly_cli.cluster.connector_views import Connector, Slot, Task
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.state import PlatformState
from ticketly_cli.results import JsonObject

_TIMEOUT_SECONDS: Final = 10.0
_SLOTS: Final = """
SELECT slot_name, active, coalesce(wal_status, '') AS wal_status,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS retained_bytes
  FROM pg_replication_slots
"""


def connectors(url: str) -> list[Connector]:
    """All connectors of the workers. Raises CliError (exit code 4) when Connect does not answer."""
    found = _get(url, "/connectors?expand=status&expand=info")
    return [_connector(name, entry) for name, entry in sorted(found.items())]


def _connector(name: str, entry: JsonObject) -> Connector:
    status, config = entry.get("status") or {}, (entry.get("info") or {}).get("config") or {}
    own = status.get("connector") or {}
    return Connector(
        name=name,
        state=str(own.get("state", "UNASSIGNED")),
        trace=str(own.get("trace") or ""),
        tasks=tuple(
            Task(int(each["id"]), str(each["state"]), str(each.get("worker_id", "")), str(each.get("trace") or ""))
            for each in status.get("tasks") or ()
        ),
        # the one setting that is shown: others may hold secrets
        slot_name=str(config.get("slot.name", "")),
    )


def _get(url: str, path: str) -> JsonObject:
    try:
        answer = httpx2.get(f"{url.rstrip('/')}{path}", timeout=_TIMEOUT_SECONDS, trust_env=False)
        answer.raise_for_status()
        decoded: JsonObject = answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise CliError(
            f"Kafka Connect at {shown_address(url)} does not answer: {' '.join(reason.split())[:200]}.",
            "In a cluster it may only be reachable from inside: forward a port and give --connect-url.",
            ExitCode.UNREACHABLE,
        ) from None
    return decoded


def shown_address(url: str) -> str:
    """The address without a login that it may carry."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"


def slots_here(platform: PlatformState) -> Mapping[str, Slot]:
    """The slots of the platform on this machine, nothing when its database is not ours or does not answer."""
    return asyncio.run(_slots(platform)) if platform.superuser is not None else {}


async def _slots(platform: PlatformState) -> dict[str, Slot]:
    assert platform.superuser is not None  # noqa: S101 - the caller has looked
    try:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(platform.superuser.dsn, timeout=_TIMEOUT_SECONDS)
        try:
            rows = await connection.fetch(_SLOTS, timeout=_TIMEOUT_SECONDS)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return {}
    return {
        row["slot_name"]: Slot(row["slot_name"], row["active"], row["wal_status"], max(0, row["retained_bytes"]))
        for row in rows
    }
