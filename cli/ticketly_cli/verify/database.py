"""Reads the order database for the checker: one snapshot, read only.

The moment of the snapshot is taken inside it. It is therefore never earlier than the snapshot itself, so a hold that
lasts beyond it cannot have been taken over by anything the snapshot shows.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from ticketly_cli.verify.stored import StoredOrder, StoredSeat, StoredSession
from ticketly_cli.verify.verdict import Counterexample

STATEMENT_TIMEOUT_SECONDS = 120
CONNECT_TIMEOUT_SECONDS = 10.0

_NAME_LINE = re.compile(r"^-- name: (?P<name>\w+) \| (?P<invariant>I\d) \| (?P<sentence>.+)$", re.MULTILINE)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_ORDERS = """
SELECT o.order_id::text, o.user_id, o.session_id::text, o.status, o.held_until,
       coalesce(array_agg(l.seat_id::text ORDER BY l.position) FILTER (WHERE l.seat_id IS NOT NULL), '{}') AS seats
  FROM orders AS o
  LEFT JOIN order_lines AS l ON l.order_id = o.order_id
 WHERE o.session_id = $1
 GROUP BY o.order_id
"""

_SEATS = "SELECT seat_id::text, state, order_id::text, held_until FROM seats WHERE session_id = $1"

_TOTALS = "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM seats) AS seats"


class StoreUnreadableError(Exception):
    """The database could not be read; the check is inconclusive. The text holds no secret."""


@dataclass(frozen=True, slots=True)
class SweepQuery:
    """One rule of sweep.sql."""

    name: str
    invariant: str
    sentence: str
    sql: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """The outcome of all rules over the whole database."""

    violations: tuple[Counterexample, ...]
    invariants: tuple[str, ...]
    orders: int
    seats: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the checker wants, from one snapshot. `session` is None when none was asked for."""

    sweep: Sweep
    session: StoredSession | None


def sweep_queries() -> list[SweepQuery]:
    """The rules in the order of the file."""
    text = resources.files(__package__).joinpath("sweep.sql").read_text(encoding="utf-8")
    marks = list(_NAME_LINE.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        SweepQuery(mark["name"], mark["invariant"], mark["sentence"], text[mark.end() : end].strip().rstrip(";"))
        for mark, end in zip(marks, ends, strict=True)
    ]


async def read(dsn: str, session_id: str | None) -> Reading:
    """Sweep the order database and read one session of it. Raises StoreUnreadableError."""
    async with _snapshot(dsn) as (connection, as_of):
        session = None if session_id is None else await _read_session(connection, session_id, as_of)
        return Reading(await _sweep(connection, as_of), session)


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[tuple[Connection, datetime]]:
    try:
        connection: Connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=STATEMENT_TIMEOUT_SECONDS,
            server_settings={"application_name": "ticketly verify", "timezone": "UTC"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnreadableError(f"the order database cannot be reached ({type(error).__name__})") from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            as_of: Any = await connection.fetchval("SELECT clock_timestamp()")
            yield connection, as_of
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnreadableError(f"the order database cannot be read ({type(error).__name__})") from error
    finally:
        connection.terminate()


async def _read_session(connection: Connection, session_id: str, as_of: datetime) -> StoredSession:
    try:
        key = UUID(session_id)
    except ValueError as error:
        raise StoreUnreadableError("the history names no valid session id") from error
    orders = await connection.fetch(_ORDERS, key)
    seats = await connection.fetch(_SEATS, key)
    return StoredSession(
        as_of=as_of,
        orders=tuple(
            StoredOrder(
                row["order_id"],
                row["user_id"],
                row["session_id"],
                row["status"],
                row["held_until"],
                tuple(row["seats"]),
            )
            for row in orders
        ),
        seats=tuple(StoredSeat(row["seat_id"], row["state"], row["order_id"], row["held_until"]) for row in seats),
    )


async def _sweep(connection: Connection, as_of: datetime) -> Sweep:
    violations: list[Counterexample] = []
    queries = sweep_queries()
    for query in queries:
        rows = await connection.fetch(query.sql, as_of)
        violations.extend(
            Counterexample(query.invariant, f"in the database {query.sentence}", row["seat"], (row["evidence"],))
            for row in rows
        )
    totals = await connection.fetchrow(_TOTALS)
    if totals is None:
        raise StoreUnreadableError("the order database gave no totals")
    invariants = tuple(dict.fromkeys(query.invariant for query in queries))
    return Sweep(tuple(violations), invariants, totals["orders"], totals["seats"])
