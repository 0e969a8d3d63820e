"""What each read route answers; ports, clock and settings are arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ticketly_common import clock, paging
from ticketly_common.problems import invalid, not_found
from ticketly_event_query.catalog import search, shapes, trending
from ticketly_event_query.catalog.ports import Catalog
from ticketly_event_query.catalog.search import Candidate, Criteria
from ticketly_event_query.catalog.shapes import Json, View
from ticketly_event_query.ids import same_id
from ticketly_event_query.projection.event_document import Document

MAX_TRENDING = 50
_SESSION_SORTS = ("startTime", "sessions.startTime", "endTime", "salesStartTime", "status")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Reading:
    """What every handler needs."""

    catalog: Catalog
    now: Clock
    public_url: str

    async def view(self, events: Sequence[Document]) -> View:
        """Return what shapes need for these events."""
        sessions = [session["_id"] for event in events for session in event["sessions"]]
        counts = await self.catalog.counts(sessions) if sessions else {}
        return View(now=self.now(), counts=counts, public_url=self.public_url)


async def _event(reading: Reading, event_id: str) -> Document:
    event = await reading.catalog.event(same_id(event_id))
    if event is None:
        raise not_found("event")
    return event


async def _session(reading: Reading, session_id: str) -> tuple[Document, Document]:
    wanted = same_id(session_id)
    event = await reading.catalog.event_of_session(wanted)
    found = next((one for one in event["sessions"] if one["_id"] == wanted), None) if event else None
    if event is None or found is None:
        raise not_found("session")
    return event, found


async def basic_info(reading: Reading, event_id: str) -> Json:
    """Return an EventInfo."""
    event = await _event(reading, event_id)
    return shapes.event_info(event, View(reading.now(), {}, reading.public_url))


async def event_sessions(reading: Reading, event_id: str, query: Sequence[tuple[str, str]]) -> Json:
    """Return a page of SessionInfo."""
    request = paging.page_request(query, default_size=10, default_sort=["startTime,asc"], sortable=_SESSION_SORTS)
    event = await _event(reading, event_id)
    found = sorted(event["sessions"], key=lambda session: session["_id"])
    for order in reversed(request.orders):
        field = order.field.removeprefix("sessions.")
        found.sort(key=lambda session: session[field], reverse=order.descending)
    page = found[request.offset : request.offset + request.size]
    view = await reading.view([{**event, "sessions": page}])
    return paging.envelope([shapes.session_info(event, one, view) for one in page], len(found), request)


async def sessions_in_range(reading: Reading, event_id: str, query: Mapping[str, str]) -> list[Json]:
    """Return sessions that start within the range, both ends included."""
    ends: dict[str, datetime] = {}
    faults: dict[str, str] = {}
    for name in ("fromDate", "toDate"):
        try:
            ends[name] = search.parse_instant(query[name])
        except KeyError:
            faults[name] = "is required"
        except ValueError:
            faults[name] = "must be an instant (RFC 3339) or a date"
    if faults:
        raise invalid(faults)
    event = await _event(reading, event_id)
    found = [one for one in event["sessions"] if ends["fromDate"] <= one["startTime"] <= ends["toDate"]]
    view = await reading.view([{**event, "sessions": found}])
    return [shapes.session_info(event, one, view) for one in found]


async def session_info(reading: Reading, session_id: str) -> Json:
    """Return a SessionInfo."""
    event, session = await _session(reading, session_id)
    return shapes.session_info(event, session, await reading.view([{**event, "sessions": [session]}]))


async def extended_info(reading: Reading, session_id: str) -> Json:
    """Return a session with its event's title."""
    return shapes.extended_info(*await _session(reading, session_id))


async def session_count(reading: Reading) -> Json:
    """Return how many sessions visible events have."""
    return {"totalSessions": await reading.catalog.session_count()}


async def public_discounts(reading: Reading, event_id: str, session_id: str) -> list[Json]:
    """Return public discounts that can be used for the session now."""
    event = await _event_with_session(reading, event_id, session_id)
    now = reading.now()
    return [
        shapes.read_discount(event, one)
        for one in event["discounts"]
        if one["public"] and shapes.is_open(one, now) and shapes.applies_to(one, same_id(session_id))
    ]


async def discount_by_code(reading: Reading, event_id: str, session_id: str, code: str) -> Json:
    """Return a usable discount, public or not, by its code in any case; 404 otherwise."""
    event = await _event_with_session(reading, event_id, session_id)
    now, wanted = reading.now(), code.strip().upper()
    for one in event["discounts"]:
        usable = shapes.is_open(one, now) and shapes.applies_to(one, same_id(session_id))
        if one["code"].upper() == wanted and usable:
            return shapes.read_discount(event, one)
    raise not_found("discount")


async def _event_with_session(reading: Reading, event_id: str, session_id: str) -> Document:
    event = await _event(reading, event_id)
    if all(one["_id"] != same_id(session_id) for one in event["sessions"]):
        raise not_found("session")
    return event


async def categories(reading: Reading, *, parents_only: bool) -> list[Json]:
    """Return categories as a flat list, parents before their children."""
    rows = await reading.catalog.categories()
    by_id = {row["id"]: row for row in rows}

    def line(row: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
        place = (row.get("position") or 0, row["id"])
        parent = by_id.get(row.get("parent_id") or "")
        return (place,) if parent is None else ((parent.get("position") or 0, parent["id"]), place)

    return [
        {
            "id": row["id"],
            "name": row["name"],
            "parentId": row.get("parent_id"),
            "parentName": by_id[row["parent_id"]]["name"] if row.get("parent_id") in by_id else None,
        }
        for row in sorted(rows, key=line)
        if not parents_only or row.get("parent_id") is None
    ]


async def find(reading: Reading, query: Sequence[tuple[str, str]]) -> Json:
    """Return a page of Thumbnails."""
    request = paging.page_request(query, default_size=10, default_sort=[search.DEFAULT_SORT], sortable=search.SORTABLE)
    asked = search.criteria(dict(reversed(query)))
    now = reading.now()
    found = await reading.catalog.candidates(asked, now)
    sold_out = await _sold_out(reading, found) if asked.only_available else frozenset()
    matches = [one for candidate in found if (one := search.match(candidate, asked, now=now, sold_out=sold_out))]
    given_sort = any(name in {"sort", "pageable.sort"} and value for name, value in query)
    ordered = search.ranked(matches, request.orders, title_first=not given_sort, circle=asked.circle)
    page = [one.id for one in ordered[request.offset : request.offset + request.size]]
    return paging.envelope(await _thumbnails(reading, page), len(ordered), request)


async def _sold_out(reading: Reading, found: Sequence[Candidate]) -> frozenset[str]:
    sessions = [session for candidate in found for session in candidate.sessions]
    counts = await reading.catalog.counts([session["_id"] for session in sessions])
    return frozenset(
        session["_id"] for session in sessions if shapes.availability(dict(session), counts)["available"] == 0
    )


async def _thumbnails(reading: Reading, event_ids: Sequence[str]) -> list[Json]:
    events = [event for event in await reading.catalog.events(event_ids) if event["sessions"]]
    view = await reading.view(events)
    return [shapes.thumbnail(event, view) for event in events]


async def trending_events(reading: Reading, limit: int) -> list[Json]:
    """Return the highest scores among events with a future session, filled up by the soonest start."""
    now = reading.now()
    anything = Criteria((), None, None, None, None, None, None, include_past=True, only_available=False)
    upcoming = [
        (candidate, [one for one in candidate.sessions if one["startTime"] > now])
        for candidate in await reading.catalog.upcoming(now)
    ]
    matches = [
        one
        for candidate, sessions in upcoming
        if (one := search.match(_only(candidate, sessions), anything, now=now, sold_out=frozenset()))
    ]
    matches.sort(key=lambda one: (-one.score, one.starts, one.id))
    return await _thumbnails(reading, [one.id for one in matches[: min(limit, MAX_TRENDING)]])


def _only(candidate: Candidate, sessions: Sequence[Mapping[str, Any]]) -> Candidate:
    return Candidate(candidate.id, candidate.sort_title, candidate.title_words, sessions, candidate.score)


async def count_view(reading: Reading, event_id: str) -> None:
    """Count one view; nothing about the viewer is kept."""
    event = await _event(reading, event_id)
    await reading.catalog.view(event["_id"], reading.now().date())


async def calculate(reading: Reading, event_id: str) -> Json:
    """Calculate and store one event's score."""
    event = await _event(reading, event_id)
    return _score_json(await _calculate(reading, event["_id"]))


async def _calculate(reading: Reading, event_id: str) -> trending.Score:
    now = reading.now()
    begin = now - timedelta(days=trending.WINDOW_DAYS)
    views, purchases = await asyncio.gather(
        reading.catalog.views(event_id, begin.date()), reading.catalog.purchases(event_id, begin)
    )
    score = trending.score(event_id, views, purchases, now)
    await reading.catalog.put_score(score)
    return score


async def calculate_all(reading: Reading) -> tuple[int, Coroutine[Any, Any, None]]:
    """Return how many events are to be calculated, and the work itself."""
    events = await reading.catalog.event_ids()

    async def work() -> None:
        for event_id in events:
            await _calculate(reading, event_id)

    return len(events), work()


async def score_of(reading: Reading, event_id: str) -> Json:
    """Return an event's stored score; zero before the first calculation."""
    event = await _event(reading, event_id)
    found = await reading.catalog.scores([event["_id"]])
    return _score_json(found[0] if found else trending.Score(event["_id"], 0.0, 0, 0, reading.now()))


async def top_scores(reading: Reading, limit: int) -> list[Json]:
    """Return the highest stored scores."""
    found = sorted(await reading.catalog.scores(), key=lambda one: (-one.score, one.event_id))
    return [_score_json(one) for one in found[: min(limit, MAX_TRENDING)]]


def _score_json(score: trending.Score) -> Json:
    return {
        "eventId": score.event_id,
        "trendingScore": score.score,
        "viewCount": score.views,
        "purchaseCount": score.purchases,
        "lastCalculated": clock.to_wire(score.calculated_at),
    }
