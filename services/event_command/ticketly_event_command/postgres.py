"""The asyncpg adapter: named statements inside transactions."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg

from ticketly_common import tracing
from ticketly_common.paging import PageRequest
from ticketly_common.postgres import Queries, pool
from ticketly_common.problems import conflict, unavailable
from ticketly_common.settings import Postgres
from ticketly_event_command.ports import ConstraintViolatedError, Row, Transaction

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_TRANSACTION = "SELECT pg_current_xact_id_if_assigned()::text::bigint & 4294967295"
_ORDER_MARK = "/*order*/"
_FARTHEST_OFFSET = 2**62
_UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)


def statements() -> dict[str, str]:
    """Load ``sql/*.sql``; raises ValueError when two files define one name."""
    folder = files("ticketly_event_command").joinpath("sql")
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        for name, text in Queries(file.read_text(encoding="utf-8")).items():
            if name in found:
                msg = f"the query {name!r} is defined twice"
                raise ValueError(msg)
            found[name] = text
    return found


class PostgresTransaction:
    """Implements ``ports.Transaction`` on one connection."""

    def __init__(self, connection: PoolConnectionProxy[asyncpg.Record], known: Mapping[str, str]) -> None:
        self._connection = connection
        self._known = known

    async def one(self, statement: str, *arguments: Any) -> Row | None:
        """Return the first row, or None."""
        with _constraints():
            return await self._connection.fetchrow(self._known[statement], *arguments)

    async def many(self, statement: str, *arguments: Any) -> Sequence[Row]:
        """Return all rows."""
        with _constraints():
            return await self._connection.fetch(self._known[statement], *arguments)

    async def value(self, statement: str, *arguments: Any) -> Any:
        """Return the first column of the first row, or None."""
        with _constraints():
            return await self._connection.fetchval(self._known[statement], *arguments)

    async def run(self, statement: str, *arguments: Any) -> int:
        """Run a statement; return how many rows it touched."""
        with _constraints():
            tag = await self._connection.execute(self._known[statement], *arguments)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def page(
        self, statement: str, request: PageRequest, columns: Mapping[str, str], *arguments: Any
    ) -> tuple[Sequence[Row], int]:
        """Return one page and the total of ``<statement>`` and ``<statement>_count``."""
        # Only column texts of our own mapping reach the statement; the id makes the order total.
        order = ", ".join(
            [f"{columns[by.field]} {'DESC' if by.descending else 'ASC'}" for by in request.orders] + [columns["id"]]
        )
        text = self._known[statement].replace(_ORDER_MARK, order)
        # Optional filters are ``$1 IS NULL OR ...``: only a plan made for the values at hand can use an index. For this
        # transaction only, because checks of foreign keys would be planned anew per row as well (measured: 6 s more
        # for 100,000 seats).
        await self._connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await self._connection.fetch(text, *arguments, request.size, min(request.offset, _FARTHEST_OFFSET))
        total = await self._connection.fetchval(self._known[f"{statement}_count"], *arguments)
        return rows, int(total)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows with COPY."""
        with _constraints():
            await self._connection.copy_records_to_table(table, columns=columns, records=rows)


@contextlib.contextmanager
def _constraints() -> Iterator[None]:
    try:
        yield
    except (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError) as error:
        raise ConstraintViolatedError(error.constraint_name or "") from error


class PostgresDatabase:
    """Implements ``ports.Database`` on a pool, which lives as long as ``running()``."""

    def __init__(self, settings: Postgres, *, application_name: str) -> None:
        self._settings = settings
        self._application_name = application_name
        self._known = statements()
        self._open: asyncpg.Pool[asyncpg.Record] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the pool open; raises OSError or asyncpg errors when the database cannot be reached."""
        # Made here and not earlier: a pool belongs to the event loop that is running when it is made.
        async with pool(self._settings, application_name=self._application_name) as self._open:
            try:
                yield
            finally:
                self._open = None

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._open is None:
            raise unavailable("The database is not connected.")
        return self._open

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a READ COMMITTED transaction; raises Problem 503 when the database cannot be reached."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                yield PostgresTransaction(connection, self._known)
                if tracing.sampled_now():
                    # Captured rows carry no traceparent, but this number, in ``source.txId``: the way from one to the
                    # other. None when nothing was written.
                    number = await connection.fetchval(_TRANSACTION)
                    if number is not None:
                        tracing.annotate(db__postgresql__transaction_id=number)
        except ConstraintViolatedError as error:
            # A handler that expects one catches it; what is left is a row that went away between look and write.
            raise conflict("transition-not-allowed", "Something this refers to was just changed. Try again.") from error
        except _UNREACHABLE as error:
            raise unavailable("The database cannot be reached at the moment.") from error

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Open a read-only transaction in which all statements see one state; raises Problem 503."""
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield PostgresTransaction(connection, self._known)
        except _UNREACHABLE as error:
            raise unavailable("The database cannot be reached at the moment.") from error

    async def check(self) -> str | None:
        """Readiness: None when a trivial statement answers."""
        await self._pool.fetchval("SELECT 1")
        return None
