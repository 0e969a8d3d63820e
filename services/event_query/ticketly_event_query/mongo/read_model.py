"""The documents readers see, and the counters that say which of them are out of date."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from ticketly_event_query.mongo.connection import Database, write
from ticketly_event_query.projection.event_document import Document
from ticketly_event_query.projection.layout import Block, Layout, Seats, chunks, join
from ticketly_event_query.projection.ports import Job

_READ_ROUNDS = 5


class MongoReadModel:
    """Collections ``events``, ``layouts`` and ``layout_chunks``; every document carries the number of its build."""

    def __init__(self, database: Database) -> None:
        self._events = database["events"]
        self._layouts = database["layouts"]
        self._chunks = database["layout_chunks"]

    async def put_event(self, event_id: str, document: Document | None, build: int) -> None:
        """Store or remove an event's document, unless a later build is there."""
        if document is None:
            await self._events.delete_one({"_id": event_id, "build": {"$lt": build}})
        else:
            await _put(self._events, {**document, "build": build})

    async def put_layout(self, event_id: str, layout: Layout, build: int) -> None:
        """Store a layout: its seats first, under names of this build, then the header that points to them."""
        pieces = chunks(layout.seats)
        for number, piece in enumerate(pieces):
            chunk = {
                "_id": f"{layout.session_id}:{build}:{number}",
                "session": layout.session_id,
                "build": build,
                **msgspec.to_builtins(piece),
            }
            await self._chunks.replace_one({"_id": chunk["_id"]}, chunk, upsert=True)
        header = {
            "_id": layout.session_id,
            "eventId": event_id,
            "build": build,
            "layoutVersion": layout.layout_version,
            "name": layout.name,
            "blocks": [msgspec.to_builtins(block) for block in layout.blocks],
            "tierIds": list(layout.tier_ids),
            "sellableTierIds": layout.sellable_tier_ids(),
            "seatCount": len(layout.seats.ids),
            "blocked": layout.blocked(),
            "chunks": len(pieces),
        }
        await _put(self._layouts, header)
        current = await self._layouts.find_one({"_id": layout.session_id}, {"build": 1})
        if current is not None:
            # Older seats only: those of a build in progress elsewhere are newer than the current header.
            await self._chunks.delete_many({"session": layout.session_id, "build": {"$lt": current["build"]}})

    async def drop_layout(self, session_id: str, build: int) -> None:
        """Remove a layout, unless a later build is there."""
        await self._layouts.delete_one({"_id": session_id, "build": {"$lt": build}})
        await self._chunks.delete_many({"session": session_id, "build": {"$lt": build}})

    async def layout(self, session_id: str) -> tuple[Layout, int] | None:
        """Read a layout and its build number; None when there is none (or it keeps changing under the read)."""
        for _ in range(_READ_ROUNDS):
            header = await self._layouts.find_one({"_id": session_id})
            if header is None:
                return None
            names = [f"{session_id}:{header['build']}:{number}" for number in range(header["chunks"])]
            found = {chunk["_id"]: chunk for chunk in await self._chunks.find({"_id": {"$in": names}}).to_list(None)}
            if len(found) == len(names):
                seats = join([msgspec.convert(found[name], Seats) for name in names])
                return _layout(header, seats), int(header["build"])
        return None

    async def builds(self, session_ids: Collection[str]) -> dict[str, int]:
        """Return the build numbers of the layouts that exist."""
        found = self._layouts.find({"_id": {"$in": list(session_ids)}}, {"build": 1})
        return {document["_id"]: document["build"] for document in await found.to_list(None)}


def _layout(header: Mapping[str, Any], seats: Seats) -> Layout:
    return Layout(
        session_id=header["_id"],
        layout_version=header["layoutVersion"],
        name=header["name"],
        blocks=[msgspec.convert(block, Block) for block in header["blocks"]],
        tier_ids=header["tierIds"],
        seats=seats,
    )


async def _put(collection: Any, document: Mapping[str, Any]) -> None:
    try:
        older = {"_id": document["_id"], "build": {"$lt": document["build"]}}
        await collection.replace_one(older, document, upsert=True)
    except DuplicateKeyError:
        # Either a build at least as new is there, or two first inserts met: then one more try tells.
        try:
            await collection.replace_one(older, document, upsert=True)
        except DuplicateKeyError:
            return


class MongoRebuildQueue:
    """Collection ``rebuilds``: ``wanted`` and ``built`` counters per document."""

    def __init__(self, database: Database) -> None:
        self._rebuilds = database["rebuilds"]

    async def mark(self, jobs: Collection[Job]) -> None:
        """Count one more wanted build for each job."""
        if jobs:
            await write(
                self._rebuilds,
                [
                    UpdateOne(
                        {"_id": _name(job)},
                        {"$inc": {"wanted": 1}, "$set": {"pending": True, "kind": job.kind, "target": job.id}},
                        upsert=True,
                    )
                    for job in jobs
                ],
            )

    async def wanted(self, job: Job) -> int:
        """Return how many builds were wanted so far (0: never marked)."""
        document = await self._rebuilds.find_one({"_id": _name(job)})
        return int(document["wanted"]) if document else 0

    async def finish(self, job: Job, wanted: int) -> bool:
        """Note a build; False when more was wanted meanwhile."""
        noted = await self._rebuilds.update_one(
            {"_id": _name(job), "wanted": wanted}, {"$set": {"built": wanted, "pending": False}}
        )
        return bool(noted.matched_count) or wanted == 0

    async def pending(self) -> list[Job]:
        """Return jobs that are not finished."""
        found = await self._rebuilds.find({"pending": True}).to_list(None)
        return [Job(document["kind"], document["target"]) for document in found]


def _name(job: Job) -> str:
    return f"{job.kind}:{job.id}"
