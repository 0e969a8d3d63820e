"""The canary's staged row and its document."""

from __future__ import annotations

from pymongo import UpdateOne

from ticketly_common import clock
from ticketly_event_query.canary.tracker import Beat
from ticketly_event_query.mongo.connection import Database, write
from ticketly_event_query.projection.tables import CANARY, CANARY_KEY


class MongoCanary:
    """Implements ``canary.ports.CanaryDocuments``: collection ``canary``, one document that no reader asks for."""

    def __init__(self, database: Database) -> None:
        self._staged = database[f"staged_{CANARY}"]
        self._canary = database["canary"]

    async def staged(self) -> Beat | None:
        """Return the beat of the newest captured row; None when there is none, or an old one without a number."""
        found = await self._staged.find_one({"_id": CANARY_KEY})
        row = found["staged"]["row"] if found else {}
        if not isinstance(row.get("beat"), int):
            return None
        return Beat(row["beat"], clock.from_wire(row["ts"]).timestamp())

    async def put(self, beat: Beat, build: int) -> None:
        """Store the document, unless a later build is there."""
        newest = {"build": build, "beat": beat.number, "writtenAt": beat.written_at}
        await write(self._canary, [UpdateOne({"_id": CANARY_KEY}, {"$max": {"newest": newest}}, upsert=True)])

    async def read(self) -> Beat | None:
        """Return the document's beat."""
        found = await self._canary.find_one({"_id": CANARY_KEY})
        return Beat(found["newest"]["beat"], found["newest"]["writtenAt"]) if found else None
