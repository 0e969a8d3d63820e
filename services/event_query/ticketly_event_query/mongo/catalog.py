"""Read side of the documents, for the read routes and the seat maps."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pymongo import ReplaceOne, UpdateOne

from ticketly_common import clock
from ticketly_event_query.catalog.search import Candidate, Criteria, bounding_box
from ticketly_event_query.catalog.shapes import OPEN_STATUSES, SessionCounts
from ticketly_event_query.catalog.trending import Score
from ticketly_event_query.mongo.connection import Database, write
from ticketly_event_query.mongo.read_model import MongoReadModel
from ticketly_event_query.projection.event_document import Document
from ticketly_event_query.seats.ports import SessionStatics, Stamp
from ticketly_event_query.seats.rendering import Tier

_SMALL = {
    "sortTitle": 1,
    "titleWords": 1,
    "sessions._id": 1,
    "sessions.status": 1,
    "sessions.startTime": 1,
    "sessions.latitude": 1,
    "sessions.longitude": 1,
    "sessions.prices": 1,
    "sessions.seatCount": 1,
    "sessions.blocked": 1,
}
_PURCHASED = ("completed", "partially_refunded")


class MongoCatalog:
    """Collections ``events``, ``session_counts``, ``event_views``, ``event_scores`` and staged categories, orders."""

    def __init__(self, database: Database) -> None:
        self._events = database["events"]
        self._counts = database["session_counts"]
        self._views = database["event_views"]
        self._scores = database["event_scores"]
        self._categories = database["staged_categories"]
        self._orders = database["staged_orders"]

    async def event(self, event_id: str) -> Document | None:
        """Return an event's document."""
        found: Document | None = await self._events.find_one({"_id": event_id})
        return found

    async def event_of_session(self, session_id: str) -> Document | None:
        """Return the document of a session's event."""
        found: Document | None = await self._events.find_one({"sessions._id": session_id})
        return found

    async def events(self, event_ids: Sequence[str]) -> list[Document]:
        """Return documents in the given order."""
        found = await self._events.find({"_id": {"$in": list(event_ids)}}).to_list(None)
        by_id = {document["_id"]: document for document in found}
        return [by_id[event_id] for event_id in event_ids if event_id in by_id]

    async def candidates(self, asked: Criteria, now: datetime) -> list[Candidate]:
        """Return events that have the words, the category, and a session of about the right time and place."""
        conditions: list[dict[str, Any]] = [{"sessions": {"$elemMatch": _coarse(asked, now)}}]
        conditions += [{"words": word} for word in asked.words[:-1]]
        if asked.words:
            conditions.append({"words": {"$regex": "^" + re.escape(asked.words[-1])}})
        if asked.category_id is not None:
            conditions.append({"category.path": asked.category_id})
        return await self._candidates({"$and": conditions})

    async def upcoming(self, now: datetime) -> list[Candidate]:
        """Return events with a future session that is not cancelled or closed."""
        open_to = {"startTime": {"$gt": now}, "status": {"$in": [*OPEN_STATUSES, "SOLD_OUT"]}}
        return await self._candidates({"sessions": {"$elemMatch": open_to}})

    async def _candidates(self, query: Mapping[str, Any]) -> list[Candidate]:
        found = await self._events.find(query, _SMALL).to_list(None)
        scores = {score.event_id: score.score for score in await self.scores([document["_id"] for document in found])}
        return [
            Candidate(
                id=document["_id"],
                sort_title=document["sortTitle"],
                title_words=document["titleWords"],
                sessions=document["sessions"],
                score=scores.get(document["_id"], 0.0),
            )
            for document in found
        ]

    async def counts(self, session_ids: Collection[str]) -> Mapping[str, SessionCounts]:
        """Return held and sold seats per session."""
        found = await self._counts.find({"_id": {"$in": list(session_ids)}}).to_list(None)
        return {document["_id"]: SessionCounts(document["held"], document["sold"]) for document in found}

    async def session_count(self) -> int:
        """Return how many sessions visible events have."""
        group = [{"$unwind": "$sessions"}, {"$group": {"_id": None, "total": {"$sum": 1}}}]
        found = await self._events.aggregate(group).to_list(None)
        return int(found[0]["total"]) if found else 0

    async def categories(self) -> list[Mapping[str, Any]]:
        """Return all living categories' rows."""
        found = await self._categories.find({"staged.gone": False}).to_list(None)
        return [document["staged"]["row"] for document in found]

    async def view(self, event_id: str, day: date) -> None:
        """Count one view in the event's day."""
        own = {"event": event_id, "day": day.isoformat()}
        count = UpdateOne({"_id": f"{event_id}:{day.isoformat()}"}, {"$inc": {"views": 1}, "$set": own}, upsert=True)
        await write(self._views, [count])

    async def views(self, event_id: str, since: date) -> Mapping[date, int]:
        """Return views per day."""
        found = await self._views.find({"event": event_id, "day": {"$gte": since.isoformat()}}).to_list(None)
        return {date.fromisoformat(document["day"]): document["views"] for document in found}

    async def purchases(self, event_id: str, since: datetime) -> list[datetime]:
        """Return when orders that are paid were placed."""
        query = {"staged.row.event_id": event_id, "staged.row.status": {"$in": list(_PURCHASED)}}
        found = await self._orders.find(query, {"staged.row.created_at": 1}).to_list(None)
        instants = [clock.from_wire(document["staged"]["row"]["created_at"]) for document in found]
        return [instant for instant in instants if instant >= since]

    async def put_score(self, score: Score) -> None:
        """Store an event's score; the last calculation stands."""
        document = {
            "_id": score.event_id,
            "score": score.score,
            "views": score.views,
            "purchases": score.purchases,
            "calculatedAt": score.calculated_at,
        }
        await write(self._scores, [ReplaceOne({"_id": score.event_id}, document, upsert=True)])

    async def scores(self, event_ids: Collection[str] | None = None) -> list[Score]:
        """Return stored scores."""
        query = {} if event_ids is None else {"_id": {"$in": list(event_ids)}}
        return [
            Score(found["_id"], found["score"], found["views"], found["purchases"], found["calculatedAt"])
            for found in await self._scores.find(query).to_list(None)
        ]

    async def event_ids(self) -> list[str]:
        """Return ids of all visible events."""
        return [document["_id"] for document in await self._events.find({}, {"_id": 1}).to_list(None)]


def _coarse(asked: Criteria, now: datetime) -> dict[str, Any]:
    starts: dict[str, datetime] = {}
    coarse: dict[str, Any] = {}
    if not asked.include_past:
        starts["$gt"] = now
        coarse["status"] = {"$in": list(OPEN_STATUSES)}
    if asked.starts_from is not None:
        starts["$gte"] = asked.starts_from
    if asked.starts_until is not None:
        starts["$lte"] = asked.starts_until
    if starts:
        coarse["startTime"] = starts
    box = bounding_box(asked.circle) if asked.circle is not None else None
    if box is not None:
        south, north, west, east = box
        coarse["latitude"] = {"$gte": south, "$lte": north}
        coarse["longitude"] = {"$gte": west, "$lte": east}
    return coarse or {"_id": {"$exists": True}}


class MongoStatics:
    """Layouts with the prices of their events, for seat maps."""

    def __init__(self, database: Database, read_model: MongoReadModel) -> None:
        self._events = database["events"]
        self._read_model = read_model

    async def visible(self, session_id: str) -> bool:
        """Tell whether a visible event has the session."""
        return await self._events.find_one({"sessions._id": session_id}, {"_id": 1}) is not None

    async def load(self, session_id: str) -> SessionStatics | None:
        """Return layout and prices, the event first: an event's build number is never newer than its content."""
        event = await self._events.find_one({"sessions._id": session_id}, {"tiers": 1, "currency": 1, "build": 1})
        found = await self._read_model.layout(session_id) if event is not None else None
        if event is None or found is None:
            return None
        layout, build = found
        tiers = {one["id"]: Tier(one["id"], one["name"], one["priceMinor"], one["color"]) for one in event["tiers"]}
        return SessionStatics(
            session_id=session_id,
            event_id=event["_id"],
            layout=layout,
            tiers=tiers,
            currency=event["currency"],
            stamp=Stamp(event=event["build"], layout=build),
        )

    async def stamps(self, sessions: Mapping[str, str]) -> Mapping[str, Stamp]:
        """Return the stamps of sessions."""
        query = {"_id": {"$in": sorted(set(sessions.values()))}}
        events = {
            document["_id"]: document["build"]
            for document in await self._events.find(query, {"build": 1}).to_list(None)
        }
        layouts = await self._read_model.builds(sessions)
        return {
            session_id: Stamp(event=events[event_id], layout=layouts[session_id])
            for session_id, event_id in sessions.items()
            if event_id in events and session_id in layouts
        }
