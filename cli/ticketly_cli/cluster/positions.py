"""Where the platform's projections are: read from the stores of the platform on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ticketly_cli.cluster.lag_views import MONGO, POSTGRES, Projection
from ticketly_cli.local.state import PlatformState
from ticketly_crds import names

_TIMEOUT_SECONDS: Final = 5
_READ: Final = "SELECT topic, partition, next_offset FROM catalogue.positions"
_ORDER: Final = "order-catalogue"
_PREFIX: Final = "event-query-"
_QUERY: Final = (f"{_PREFIX}tables", f"{_PREFIX}seat-states")
_ELSEWHERE: Final = "read on the machine of the platform only; the store is not reachable from here"


async def read(platform: PlatformState | None) -> list[Projection]:
    """The projections with their positions, or with the reason why they could not be read; raises nothing."""
    if platform is None:
        names_and_stores = [(_ORDER, POSTGRES), *((name, MONGO) for name in _QUERY)]
        return [Projection(name, store, None, _ELSEWHERE) for name, store in names_and_stores]
    in_mongo = await asyncio.to_thread(_from_mongo, platform)
    return sorted([await _from_postgres(platform), *in_mongo], key=lambda each: each.name)


async def _from_postgres(platform: PlatformState) -> Projection:
    address = platform.databases.get(names.ORDER_DATABASE)
    if address is None:
        return Projection(_ORDER, POSTGRES, None, "this platform has no such database")
    try:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(address.dsn, timeout=_TIMEOUT_SECONDS)
        try:
            rows = await connection.fetch(_READ, timeout=_TIMEOUT_SECONDS)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        return Projection(_ORDER, POSTGRES, None, type(error).__name__)
    return Projection(_ORDER, POSTGRES, {(row["topic"], row["partition"]): row["next_offset"] for row in rows})


def _from_mongo(platform: PlatformState) -> list[Projection]:
    """One document per projection and partition, called `tables|dbz.ticketly.public.events|3`."""
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            platform.mongo_uri, serverSelectionTimeoutMS=_TIMEOUT_SECONDS * 1000
        )
        try:
            documents = list(client[platform.mongo_database]["positions"].find({}))
        finally:
            client.close()
    except PyMongoError as error:
        return [Projection(name, MONGO, None, type(error).__name__) for name in _QUERY]
    return [Projection(name, MONGO, found) for name, found in by_projection(documents).items()]


def by_projection(documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[tuple[str, int], int]]:
    """Positions by projection; those of ours are there before they have read anything. Pure."""
    found: dict[str, dict[tuple[str, int], int]] = {name: {} for name in _QUERY}
    for document in documents:
        projection, topic, partition = str(document["_id"]).split("|")
        found.setdefault(f"{_PREFIX}{projection}", {})[topic, int(partition)] = int(document["next"])
    return found
