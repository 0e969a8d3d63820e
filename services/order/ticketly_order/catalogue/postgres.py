"""The catalogue in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ticketly_common.kafka import Position
from ticketly_common.postgres import Queries
from ticketly_order.catalogue.domain import COLUMNS, Row
from ticketly_order.postgres import Database

_Q: Final = Queries.load("ticketly_order.catalogue")
_LAYOUT_TABLES: Final = {"event_sessions", "session_seats"}


class PostgresCatalogue:
    """Implements ``CatalogueStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """See ``CatalogueStore``."""
        rows = await self._database.pool.fetch(_Q["positions"], sorted({topic for topic, _ in partitions}))
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def sessions(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """See ``CatalogueStore``."""
        rows = await self._database.pool.fetch(_Q["sessions"], list(ids))
        return {str(row["id"]): {**row, "event_id": row["event_id"] and str(row["event_id"])} for row in rows}

    async def apply_session(self, row: Row) -> bool:
        """See ``CatalogueStore``."""
        changed: bool = await self._database.pool.fetchval(
            _Q["apply_session"], row.id, *row.values.values(), row.version, row.deleted
        )
        return changed

    async def apply(self, rows: Mapping[str, Sequence[Row]], positions: Mapping[Position, int]) -> None:
        """See ``CatalogueStore``."""
        async with self._database.pool.acquire() as connection, connection.transaction():
            if any(rows.get(table) for table in _LAYOUT_TABLES):
                await connection.execute(_Q["begin_layout_change"])
            touched = {row.id for row in rows.get("event_sessions", ())}
            for table, changed in rows.items():
                if not changed:
                    continue
                found = await connection.fetch(_Q[f"upsert_{table}"], *_columns(table, changed))
                touched.update(str(record["session_id"]) for record in found)
            if touched:
                await connection.execute(_Q["refresh_readiness"], sorted(touched))
            if positions:
                await connection.execute(
                    _Q["store_positions"],
                    [topic for topic, _ in positions],
                    [partition for _, partition in positions],
                    list(positions.values()),
                )


def _columns(table: str, rows: Sequence[Row]) -> list[list[Any]]:
    """Return the rows as one array per argument of the table's statement."""
    return [
        [row.id for row in rows],
        *([row.values[name] for row in rows] for name in COLUMNS[table]),
        [row.version for row in rows],
        [row.deleted for row in rows],
    ]
