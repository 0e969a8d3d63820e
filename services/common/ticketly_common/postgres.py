"""PostgreSQL connections and named SQL.

SQL lives in ``.sql`` files: blocks that start with ``-- name: <identifier>`` followed by comment lines that
describe them. ``Queries`` loads such a file once; asking for an unknown name fails at start, not at the first call.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolAcquireContext

from ticketly_common import telemetry
from ticketly_common.settings import Postgres

if TYPE_CHECKING:
    _Pool = asyncpg.Pool[asyncpg.Record]
    _Acquire = PoolAcquireContext[asyncpg.Record]
else:
    _Pool, _Acquire = asyncpg.Pool, PoolAcquireContext  # generic in the stubs only

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


class MeasuredPool(_Pool):
    """A pool that tells how long callers wait for its connections; its size is read when somebody scrapes."""

    def __init__(self, dsn: str, *, name: str, **options: Any) -> None:
        super().__init__(dsn, **options)
        self.waiting = 0
        self.waited = telemetry.POOL_WAIT.labels(name)
        telemetry.POOL_LIMIT.labels(name).set_function(self.get_max_size)
        telemetry.POOL_WAITING.labels(name).set_function(lambda: self.waiting)
        telemetry.POOL_CONNECTIONS.labels(name, "idle").set_function(self.get_idle_size)
        telemetry.POOL_CONNECTIONS.labels(name, "used").set_function(lambda: self.get_size() - self.get_idle_size())

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext[asyncpg.Record]:
        """Return the context manager that holds a connection; ``pool.fetch`` and its like use it too."""
        return _MeasuredAcquire(self, timeout)


class _MeasuredAcquire(_Acquire):
    __slots__ = ()

    async def __aenter__(self) -> Any:
        pool = self.pool
        assert isinstance(pool, MeasuredPool)  # noqa: S101 - made by it
        started = time.perf_counter()
        pool.waiting += 1
        try:
            return await super().__aenter__()
        finally:
            pool.waiting -= 1
            pool.waited.observe(time.perf_counter() - started)


def pool(settings: Postgres, *, application_name: str, **server_settings: str) -> asyncpg.Pool[asyncpg.Record]:
    """Return a pool (not opened yet: ``await pool`` or ``async with``).

    ``server_settings`` are per-connection parameters, for example ``plan_cache_mode="force_generic_plan"``.
    """
    return MeasuredPool(
        settings.url(),
        name=application_name,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
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
