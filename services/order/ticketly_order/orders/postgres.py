"""Orders in PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from ticketly_common.postgres import Queries
from ticketly_order.orders.ports import OpenHolds, Reason, Release, StoreUnavailable
from ticketly_order.postgres import UNAVAILABLE, Database

_Q: Final = Queries.load("ticketly_order.orders")
_SECONDS: Final = 8.0


class PostgresOrders:
    """Implements ``OrderStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(_SECONDS), self._database.pool.acquire() as connection:
                yield connection
        except UNAVAILABLE as error:
            raise StoreUnavailable(repr(error)) from error

    async def document(self, order_id: str, reader_id: str) -> str | None:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            found: str | None = await connection.fetchval(_Q["document"], order_id, reader_id)
        return found

    async def documents_of_user(self, user_id: str, *, limit: int, offset: int) -> tuple[int, list[str]]:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            total: int = await connection.fetchval(_Q["count_of_user"], user_id)
            rows = await connection.fetch(_Q["documents_of_user"], user_id, limit, offset)
        return total, [row[0] for row in rows]

    async def live_tickets(self) -> int:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            count: int = await connection.fetchval(_Q["live_tickets"])
        return count

    async def release(
        self, order_id: str, reason: Reason, *, user_id: str | None = None, traceparent: str | None = None
    ) -> Release:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_Q["release"], order_id, user_id, reason, traceparent)
        return Release(
            outcome=row["outcome"],
            status=row["status"],
            seat_ids=tuple(map(str, row["seat_ids"] or ())),
            fence=row["fence"],
            message=row["message"],
        )

    async def due(self, limit: int) -> Sequence[str]:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            return [str(row[0]) for row in await connection.fetch(_Q["due"], limit)]

    async def of_cancelled_sessions(self, limit: int) -> Sequence[str]:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            return [str(row[0]) for row in await connection.fetch(_Q["of_cancelled_sessions"], limit)]

    async def open_holds(self) -> OpenHolds:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_Q["open_holds"])
        return OpenHolds(row["running"], row["overdue"], float(row["oldest_overdue_seconds"]))

    async def prune(self) -> None:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            await connection.execute(_Q["prune_outbox"])
            await connection.execute(_Q["prune_idempotency_keys"])

    async def seat_states(self, session_id: str) -> dict[str, Any] | None:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_Q["seat_states"], session_id)
        if not row["known"]:
            return None
        return {"version": row["version"], "seats": {"LOCKED": row["locked"], "BOOKED": row["booked"]}}

    async def sales_summary(self, event_id: str) -> dict[str, Any]:
        """See ``OrderStore``."""
        async with self._connection() as connection:
            sales = await connection.fetchrow(_Q["sales_of_event"], event_id)
            sessions = await connection.fetch(_Q["sessions_of_event"], event_id)
        return {
            "soldTickets": sales["sold_tickets"],
            "openOrders": sales["open_orders"],
            "sessions": [
                {
                    "sessionId": row["session_id"],
                    "appliedStatus": row["applied_status"],
                    "position": row["position"],
                }
                for row in sessions
            ],
        }
