"""PostgreSQL connections and named SQL.

SQL lives in ``.sql`` files: blocks that start with ``-- name: <identifier>`` followed by comment lines that
describe them. ``Queries`` loads such a file once; asking for an unknown name fails at start, not at the first call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import asyncpg

from ticketly_common.settings import Postgres

_NAME = re.compile(r"^--\s*name:\s*([a-z_][a-z0-9_]*)\s*$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """Named SQL statements of one file, for example ``queries["claim"]``."""

    def __init__(self, text: str) -> None:
        parts = _NAME.split(text)
        self._statements: dict[str, str] = {}
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            if name in self._statements:
                msg = f"the query {name!r} is defined twice"
                raise ValueError(msg)
            self._statements[name] = body.strip()

    @classmethod
    def load(cls, package: str, name: str = "queries.sql") -> Queries:
        """Read ``name`` from a package; raises FileNotFoundError or ValueError (a name defined twice)."""
        return cls(files(package).joinpath(name).read_text(encoding="utf-8"))

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


async def prepare_connection(connection: asyncpg.Connection[Any]) -> None:
    """Decode json and jsonb to Python values on this connection."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _keep_session_state(_connection: asyncpg.Connection[Any]) -> None:
    """Replace asyncpg's reset query on release: we keep no session state, and it costs a round trip."""


def pool(settings: Postgres, *, application_name: str, **server_settings: str) -> asyncpg.Pool[asyncpg.Record]:
    """Return a pool (not opened yet: ``await pool`` or ``async with``).

    ``server_settings`` are per-connection parameters, for example ``plan_cache_mode="force_generic_plan"``.
    """
    return asyncpg.create_pool(
        settings.url(),
        min_size=1,
        max_size=settings.pool_size,
        command_timeout=30,
        init=prepare_connection,
        reset=_keep_session_state,
        server_settings={"application_name": application_name, "jit": "off", **server_settings},
    )


async def connect(settings: Postgres, *, application_name: str, **server_settings: str) -> asyncpg.Connection[Any]:
    """Open one dedicated connection with the same settings as the pool's."""
    connection = await asyncpg.connect(
        settings.url(),
        command_timeout=30,
        server_settings={"application_name": application_name, "jit": "off", **server_settings},
    )
    await prepare_connection(connection)
    return connection
