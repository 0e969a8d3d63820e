"""The connections of this service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from ticketly_common import postgres
from ticketly_common.settings import Postgres

# Every statement here touches a handful of rows by key. Plans are made once, possibly on empty tables, so the ones
# that are only good for empty tables are ruled out.
KEYED_PLANS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_POOL_SETTINGS: Final = {**KEYED_PLANS, "lock_timeout": "2s", "statement_timeout": "10s"}

# The database is at fault (or busy), not the request.
UNAVAILABLE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


class Database:
    """The pool, which exists only inside ``running()``: pools belong to an event loop."""

    def __init__(self, settings: Postgres) -> None:
        self.settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        """Return the open pool; raises ConnectionError outside of ``running()``."""
        if self._pool is None:
            msg = "the pool is not open"
            raise ConnectionError(msg)
        return self._pool

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Database]:
        """Open the pool; raises OSError or asyncpg.PostgresError when the database cannot be reached."""
        pool = postgres.pool(self.settings, application_name="order", **_POOL_SETTINGS)
        await pool
        self._pool = pool
        try:
            yield self
        finally:
            self._pool = None
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def check(self) -> str | None:
        """Readiness: the database answers."""
        await self.pool.fetchval("SELECT 1")
        return None
