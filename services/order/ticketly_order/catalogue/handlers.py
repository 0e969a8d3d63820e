"""Applying what the write side has published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ticketly_common.kafka import Position
from ticketly_order.catalogue.domain import Row, concerns_sale, latest
from ticketly_order.catalogue.ports import CatalogueStore


async def apply(
    rows: Iterable[Row],
    positions: Mapping[Position, int],
    *,
    catalogue: CatalogueStore,
    session_ended: Callable[[], None],
) -> None:
    """Store a batch of rows with its positions.

    A session whose sale changes is committed alone first; positions only follow with the rest, so a crash in between
    repeats the batch. ``session_ended`` is called when a session was cancelled or deleted: its orders are ended by
    whoever looks for orders of such sessions, not here.
    """
    newest = latest(rows)
    sessions = newest.get("event_sessions", [])
    if sessions:
        stored = await catalogue.sessions([row.id for row in sessions])
        changed = [row for row in sessions if concerns_sale(row, stored.get(row.id))]
        for row in changed:
            if await catalogue.apply_session(row) and (row.deleted or row.values["status"] == "CANCELLED"):
                session_ended()
        alone = {row.id for row in changed}
        newest["event_sessions"] = [row for row in sessions if row.id not in alone]
    await catalogue.apply(newest, positions)
