"""Connecting, indexes, and the few things all adapters share.

Only the common subset of MongoDB and the embedded server is used (no transactions, no update pipelines, no ``$geo``,
no ``$text``). The embedded server uses an index only for equality on exactly the index's fields, so hot paths go by
``_id``; the other indexes serve a real MongoDB. Versioned writes use ``$max``, which needs no condition and no retry:
documents compare by their first member, the version.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import AutoReconnect, BulkWriteError, ConnectionFailure, PyMongoError, WTimeoutError

from ticketly_event_query.settings import Mongo

Database = Any
"""An AsyncIOMotorDatabase (motor ships no types)."""
Operation = InsertOne[Any] | ReplaceOne[Any] | UpdateOne

DUPLICATE_KEY = 11000
_UPSERT_ROUNDS = 5
_BULK_SIZE = 1000

_INDEXES: dict[str, Sequence[str]] = {
    "staged_events": ("staged.row.organization_id", "staged.row.category_id"),
    "staged_event_sessions": ("staged.row.event_id",),
    "staged_event_cover_photos": ("staged.row.event_id",),
    "staged_tiers": ("staged.row.event_id",),
    "staged_discounts": ("staged.row.event_id",),
    "staged_discount_tiers": ("staged.row.discount_id",),
    "staged_discount_sessions": ("staged.row.discount_id",),
    "staged_session_seating_maps": ("staged.row.event_session_id",),
    "staged_orders": ("staged.row.discount_id", "staged.row.event_id"),
    "seat_segments": ("session",),
    "layout_chunks": ("session",),
    "rebuilds": ("pending",),
    "events": ("words", "category.path", "sessions._id", "sessions.startTime", "organization.id"),
    "event_views": ("event", "day"),
}


def connect(settings: Mongo) -> tuple[AsyncIOMotorClient[Any], Database]:
    """Return client and database; nothing is sent before the first call. Instants come back aware (UTC)."""
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(
        settings.uri.get_secret_value(),
        tz_aware=True,
        serverSelectionTimeoutMS=3000,
        connectTimeoutMS=3000,
        maxPoolSize=32,
        appname="ticketly-event-query",
    )
    return client, client[settings.database]


async def create_indexes(database: Database) -> None:
    """Create what is missing; safe to repeat and to run in several processes at once."""
    for collection, fields in _INDEXES.items():
        for name in fields:
            await database[collection].create_index([(name, 1)])
    # Exactly these two fields, so that "finish this build unless more is wanted" is a look-up everywhere.
    await database["rebuilds"].create_index([("_id", 1), ("wanted", 1)], unique=True)


def main(settings: Mongo) -> int:
    """Run ``create_indexes`` from a command line; returns the process's exit code."""

    async def run() -> None:
        client, database = connect(settings)
        try:
            await create_indexes(database)
        finally:
            client.close()

    try:
        asyncio.run(run())
    except (PyMongoError, OSError) as error:
        sys.stderr.write(f"indexes were not made: {error}\n")
        return 1
    return 0


def transient(error: Exception) -> bool:
    """Tell whether the store is away or failing over, so that the same write is worth repeating."""
    return isinstance(error, AutoReconnect | ConnectionFailure | WTimeoutError)


async def write(collection: Any, operations: Sequence[Operation]) -> None:
    """Run unordered bulk writes; two first upserts of one key may collide, the loser is simply repeated."""
    for start in range(0, len(operations), _BULK_SIZE):
        left = list(operations[start : start + _BULK_SIZE])
        for attempt in range(_UPSERT_ROUNDS):
            try:
                await collection.bulk_write(left, ordered=False)
            except BulkWriteError as error:
                faults = error.details["writeErrors"]
                if attempt + 1 == _UPSERT_ROUNDS or any(fault["code"] != DUPLICATE_KEY for fault in faults):
                    raise
                left = [left[fault["index"]] for fault in faults]
            else:
                break
