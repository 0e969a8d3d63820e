"""PostgreSQL's replication slots, as the capture role sees them. A short connection for each look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import asyncpg

from ticketly_operator.errors import SlotUnreadableError
from ticketly_operator.observed import SeenDatabase, SeenSlot

_LOOK: Final = """
SELECT control.system_identifier,
       EXISTS (SELECT FROM pg_publication WHERE pubname = $3) AS published,
       slot.slot_name IS NOT NULL AS present,
       slot.active, coalesce(slot.wal_status, '') AS wal_status, slot.safe_wal_size,
       (slot.restart_lsn - '0/0'::pg_lsn)::bigint AS restart_lsn,
       (slot.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint AS confirmed_flush_lsn,
       (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS current_lsn
  FROM pg_control_system() AS control
  LEFT JOIN pg_replication_slots AS slot ON slot.slot_name = $1 AND slot.database = $2
"""

_DROP: Final = """
SELECT pg_drop_replication_slot(slot_name)
  FROM pg_replication_slots
 WHERE slot_name = $1 AND database = $2 AND NOT active
"""

_ACTIVE: Final = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND database = $2"


SslMode: TypeAlias = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where the databases are and who asks."""

    host: str
    port: int
    user: str
    ssl_mode: SslMode
    password: str = field(repr=False)
    connect_timeout_seconds: float = 5
    statement_timeout_seconds: float = 5


class PostgresSlots:
    """The ``Databases`` port."""

    def __init__(self, server: Server) -> None:
        """Nothing is connected yet."""
        self._server = server

    async def look(self, database: str, slot: str, publication: str) -> SeenDatabase:
        """Return the server's identity, whether the publication is there, and the slot of that database."""
        async with self._connection(database) as connection:
            row = await connection.fetchrow(_LOOK, slot, database, publication)
        if row is None:
            raise SlotUnreadableError(f"PostgreSQL at {self._server.host}:{self._server.port} told nothing")
        return SeenDatabase(row["system_identifier"], row["published"], _slot(slot, row) if row["present"] else None)

    async def drop_slot(self, database: str, name: str) -> None:
        """Drop an inactive slot; that it is gone already is fine. Raises SlotUnreadableError while it is in use."""
        async with self._connection(database) as connection:
            await connection.fetch(_DROP, name, database)
            if await connection.fetchval(_ACTIVE, name, database):
                raise SlotUnreadableError(f"slot {name} is in use and cannot be dropped")

    @asynccontextmanager
    async def _connection(self, database: str) -> AsyncIterator[asyncpg.Connection[Any]]:
        server = self._server
        try:
            async with asyncio.timeout(server.connect_timeout_seconds + server.statement_timeout_seconds):
                connection: asyncpg.Connection[Any] = await asyncpg.connect(
                    host=server.host,
                    port=server.port,
                    user=server.user,
                    password=server.password,
                    database=database,
                    ssl=server.ssl_mode,
                    timeout=server.connect_timeout_seconds,
                    command_timeout=server.statement_timeout_seconds,
                )
                try:
                    yield connection
                finally:
                    await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise SlotUnreadableError(f"PostgreSQL at {server.host}:{server.port}/{database}: {said}") from None


def _slot(name: str, row: asyncpg.Record) -> SeenSlot:
    return SeenSlot(
        name=name,
        active=row["active"],
        wal_status=row["wal_status"],
        restart_lsn=row["restart_lsn"],
        confirmed_flush_lsn=row["confirmed_flush_lsn"],
        current_lsn=row["current_lsn"],
        safe_wal_bytes=row["safe_wal_size"],
    )
