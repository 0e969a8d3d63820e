"""Seat states in MongoDB: one number per (session, seat), in 64 small documents per session.

The number is ``version * 4 + state``. ``$max`` keeps the greater one, so writes commute: two projectors, repeated
batches and any order end in the same state, without reading before writing. Documents are found by ``_id`` alone
(``<session>:<bucket>``), which is a look-up on every server, and one holds a 64th of a session's touched seats.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from zlib import crc32

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from ticketly_event_query.mongo.connection import Database, write
from ticketly_event_query.seats.board import StoredSeat
from ticketly_event_query.seats.ports import SeatChange, StoredSession

BUCKETS = 64


class MongoSeatStates:
    """Collections ``seat_states`` and ``session_counts``."""

    def __init__(self, database: Database) -> None:
        self._states = database["seat_states"]
        self._counts = database["session_counts"]

    async def apply(self, changes: Collection[SeatChange]) -> None:
        """Fold the batch, then raise the numbers."""
        greatest: dict[str, dict[str, int]] = {}
        partitions: dict[str, int] = {}
        for change in changes:
            value = change.version * 4 + change.code
            # Every document of the session that the change touches gets its position, even if no state is raised.
            for seat in change.seat_ids:
                name = f"{change.session_id}:{crc32(seat.encode()) % BUCKETS}"
                numbers = greatest.setdefault(name, {"position": 0})
                field = f"seats.{seat}"
                numbers[field] = max(numbers.get(field, 0), value)
                numbers["position"] = max(numbers["position"], change.position)
                partitions[name] = change.partition
        await write(
            self._states,
            [
                UpdateOne({"_id": name}, {"$max": numbers, "$set": {"partition": partitions[name]}}, upsert=True)
                for name, numbers in greatest.items()
            ],
        )

    async def read(self, session_id: str) -> StoredSession:
        """Return all states of a session."""
        names = [f"{session_id}:{bucket}" for bucket in range(BUCKETS)]
        found: list[dict[str, Any]] = await self._states.find({"_id": {"$in": names}}).to_list(None)
        return StoredSession(
            seats={
                seat: StoredSeat(code=number % 4, version=number // 4)
                for document in found
                for seat, number in document.get("seats", {}).items()
            },
            position=max((document["position"] for document in found), default=0),
            partition=found[0]["partition"] if found else None,
        )

    async def put_counts(self, session_id: str, *, held: int, sold: int, build: int) -> None:
        """Store the counts, unless a later count is there."""
        counts = {"_id": session_id, "held": held, "sold": sold, "build": build}
        try:
            await self._counts.replace_one({"_id": session_id, "build": {"$lt": build}}, counts, upsert=True)
        except DuplicateKeyError:
            return
