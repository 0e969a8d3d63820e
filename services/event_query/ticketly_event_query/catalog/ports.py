"""What the read routes need of the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from ticketly_event_query.catalog.search import Candidate, Criteria
from ticketly_event_query.catalog.shapes import SessionCounts
from ticketly_event_query.catalog.trending import Score
from ticketly_event_query.projection.event_document import Document


class Catalog(Protocol):
    """Visible events; nothing here reads seats."""

    async def event(self, event_id: str) -> Document | None:
        """Return an event's document."""
        ...

    async def event_of_session(self, session_id: str) -> Document | None:
        """Return the document of the event a session belongs to."""
        ...

    async def events(self, event_ids: Sequence[str]) -> list[Document]:
        """Return documents in the given order; vanished ones are left out."""
        ...

    async def candidates(self, asked: Criteria, now: datetime) -> list[Candidate]:
        """Return all events that may match; the exact conditions are the caller's."""
        ...

    async def upcoming(self, now: datetime) -> list[Candidate]:
        """Return events with a future session that can still be attended."""
        ...

    async def counts(self, session_ids: Collection[str]) -> Mapping[str, SessionCounts]:
        """Return held and sold seats per session; sessions nobody bought for are missing."""
        ...

    async def session_count(self) -> int:
        """Return how many sessions visible events have."""
        ...

    async def categories(self) -> list[Mapping[str, Any]]:
        """Return all categories' rows."""
        ...

    async def view(self, event_id: str, day: date) -> None:
        """Count one view."""
        ...

    async def views(self, event_id: str, since: date) -> Mapping[date, int]:
        """Return views per day."""
        ...

    async def purchases(self, event_id: str, since: datetime) -> list[datetime]:
        """Return when completed orders of an event were placed."""
        ...

    async def put_score(self, score: Score) -> None:
        """Store an event's score."""
        ...

    async def scores(self, event_ids: Collection[str] | None = None) -> list[Score]:
        """Return stored scores, all or of some events."""
        ...

    async def event_ids(self) -> list[str]:
        """Return ids of all visible events."""
        ...
