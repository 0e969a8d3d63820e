"""Staged rows and log positions in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from pymongo import ReplaceOne, UpdateOne

from ticketly_common.kafka import Position
from ticketly_event_query.mongo.connection import Database, write
from ticketly_event_query.projection.event_document import EventRows, LayoutSummary
from ticketly_event_query.projection.layout import SeatRow, fold, pack, unpack
from ticketly_event_query.projection.ports import Segment
from ticketly_event_query.projection.tables import ORDERS, USING_STATUSES, Affected, Row, StagedRow


class MongoPositions:
    """One document per projection and partition."""

    def __init__(self, database: Database) -> None:
        self._positions = database["positions"]

    async def load(self, projection: str, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return the next offset to read per known partition."""
        names = {_position_id(projection, partition): partition for partition in partitions}
        found = await self._positions.find({"_id": {"$in": list(names)}}).to_list(None)
        return {names[document["_id"]]: document["next"] for document in found}

    async def save(self, projection: str, positions: Mapping[Position, int]) -> None:
        """Raise positions."""
        if positions:
            await write(
                self._positions,
                [
                    UpdateOne({"_id": _position_id(projection, partition)}, {"$max": {"next": offset}}, upsert=True)
                    for partition, offset in positions.items()
                ],
            )


def _position_id(projection: str, partition: Position) -> str:
    return f"{projection}|{partition[0]}|{partition[1]}"


class MongoStaging:
    """Collections ``staged_<table>`` (one document per row) and ``seat_segments`` (seat rows by the batch)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stage(self, rows: Collection[StagedRow]) -> None:
        """Store the newest version of each row."""
        by_table: dict[str, list[UpdateOne]] = {}
        for row in rows:
            # The version comes first: documents compare member by member, so $max keeps the newest.
            value = {"lsn": row.lsn, "gone": row.gone, "row": dict(row.row)}
            operation = UpdateOne({"_id": row.key}, {"$max": {"staged": value}}, upsert=True)
            by_table.setdefault(row.table, []).append(operation)
        for table, operations in by_table.items():
            await write(self._database[f"staged_{table}"], operations)

    async def stage_seats(self, segments: Collection[Segment]) -> None:
        """Append segments; a name covers the offsets, so a replay with other batch borders cannot shorten one."""
        operations: list[ReplaceOne[Any]] = []
        for segment in segments:
            name = f"{segment.session_id}:{segment.partition}:{segment.first}-{segment.last}"
            document = {"_id": name, "session": segment.session_id, "rows": pack(segment.rows)}
            operations.append(ReplaceOne({"_id": name}, document, upsert=True))
        await write(self._database["seat_segments"], operations)

    async def events_of(self, affected: Affected) -> set[str]:
        """Return event ids behind organizations, categories (with descendants) and discounts."""
        events: set[str] = set()
        if affected.discounts:
            found = await self._documents("discounts", {"_id": {"$in": list(affected.discounts)}}, gone=True)
            events |= {document["staged"]["row"]["event_id"] for document in found}
        if affected.organizations:
            query = {"staged.row.organization_id": {"$in": list(affected.organizations)}}
            events |= {document["_id"] for document in await self._documents("events", query)}
        if affected.categories:
            chosen = _descendants(affected.categories, await self._rows("categories", {}))
            query = {"staged.row.category_id": {"$in": list(chosen)}}
            events |= {document["_id"] for document in await self._documents("events", query)}
        return events

    async def event_rows(self, event_id: str) -> EventRows:
        """Read everything an event document is built from."""
        own = {"staged.row.event_id": event_id}
        found, photos, tiers, sessions, discounts, categories = await asyncio.gather(
            self._rows("events", {"_id": event_id}),
            self._rows("event_cover_photos", own),
            self._rows("tiers", own),
            self._rows("event_sessions", own),
            self._rows("discounts", own),
            self._rows("categories", {}),
        )
        event = found[0] if found else None
        organizations = await self._rows("organizations", {"_id": event["organization_id"]}) if event else []
        links = {"staged.row.discount_id": {"$in": [row["id"] for row in discounts]}}
        discount_tiers = await self._rows("discount_tiers", links) if discounts else []
        discount_sessions = await self._rows("discount_sessions", links) if discounts else []
        layouts = (
            await self._database["layouts"]
            .find({"_id": {"$in": [row["id"] for row in sessions]}}, {"sellableTierIds": 1, "blocked": 1})
            .to_list(None)
        )
        return EventRows(
            event=event,
            organization=organizations[0] if organizations else None,
            categories=categories,
            photos=photos,
            tiers=tiers,
            sessions=sessions,
            discounts=discounts,
            discount_tiers=discount_tiers,
            discount_sessions=discount_sessions,
            usage=await self._usage([row["id"] for row in discounts]),
            layouts={
                document["_id"]: LayoutSummary(document["sellableTierIds"], document["blocked"]) for document in layouts
            },
        )

    async def session_row(self, session_id: str) -> tuple[Row | None, bool]:
        """Return the session's living row, and whether it is known to be deleted."""
        document = await self._database["staged_event_sessions"].find_one({"_id": session_id})
        if document is None:
            return None, False
        staged = document["staged"]
        return (None, True) if staged["gone"] else (staged["row"], False)

    async def seating_map_row(self, session_id: str) -> Row | None:
        """Return the living layout row of a session, the newest if there should be several."""
        found = await self._documents("session_seating_maps", {"staged.row.event_session_id": session_id})
        newest = max(found, key=lambda document: int(document["staged"]["lsn"]), default=None)
        return newest["staged"]["row"] if newest else None

    async def seat_rows(self, session_id: str) -> tuple[dict[str, SeatRow], list[str]]:
        """Return all seat rows folded, and the names of their segments."""
        found = await self._database["seat_segments"].find({"session": session_id}).to_list(None)
        rows = fold(row for document in found for row in unpack(document["rows"]))
        return rows, [document["_id"] for document in found]

    async def merge_segments(self, session_id: str, rows: Collection[SeatRow], merged: Collection[str]) -> None:
        """Write one segment first, then remove those it replaces: a reader in between sees rows twice, never less."""
        name = f"{session_id}:merged:{uuid4()}"
        document = {"_id": name, "session": session_id, "rows": pack(list(rows))}
        await self._database["seat_segments"].insert_one(document)
        await self._database["seat_segments"].delete_many({"_id": {"$in": list(merged)}})

    async def drop_segments(self, session_id: str) -> None:
        """Forget all seat rows of a deleted session."""
        await self._database["seat_segments"].delete_many({"session": session_id})

    async def _usage(self, discount_ids: Sequence[str]) -> dict[str, int]:
        if not discount_ids:
            return {}
        match = {
            "staged.row.discount_id": {"$in": list(discount_ids)},
            "staged.row.status": {"$in": sorted(USING_STATUSES)},
        }
        group = {"_id": "$staged.row.discount_id", "orders": {"$sum": 1}}
        found = self._database[f"staged_{ORDERS}"].aggregate([{"$match": match}, {"$group": group}])
        return {document["_id"]: document["orders"] for document in await found.to_list(None)}

    async def _documents(self, table: str, query: Mapping[str, Any], *, gone: bool = False) -> list[dict[str, Any]]:
        living = {} if gone else {"staged.gone": False}
        found: list[dict[str, Any]] = await self._database[f"staged_{table}"].find({**query, **living}).to_list(None)
        return found

    async def _rows(self, table: str, query: Mapping[str, Any]) -> list[Row]:
        return [document["staged"]["row"] for document in await self._documents(table, query)]


def _descendants(categories: Iterable[str], rows: Sequence[Row]) -> set[str]:
    chosen = set(categories)
    while True:
        more = {row["id"] for row in rows if row.get("parent_id") in chosen} - chosen
        if not more:
            return chosen
        chosen |= more
