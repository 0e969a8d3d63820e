"""What the projector needs of its store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ticketly_common.kafka import Position
from ticketly_event_query.projection.event_document import Document, EventRows
from ticketly_event_query.projection.layout import Layout, SeatRow
from ticketly_event_query.projection.tables import Affected, Row, StagedRow


@dataclass(frozen=True, slots=True)
class Job:
    """One document to rebuild: ``kind`` is ``event``, ``layout``, ``counts`` or ``canary``; ``id`` its key."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Seat rows of one session from one partition, offsets ``first`` to ``last``: its name tells its content."""

    session_id: str
    partition: int
    first: int
    last: int
    rows: Sequence[SeatRow]


class Positions(Protocol):
    """Log positions, kept in the store they belong to."""

    async def load(self, projection: str, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return the next offset to read per partition; unknown ones are missing."""
        ...

    async def save(self, projection: str, positions: Mapping[Position, int]) -> None:
        """Raise positions; never lowers one."""
        ...


class Staging(Protocol):
    """Captured rows by primary key, the newest version of each."""

    async def stage(self, rows: Collection[StagedRow]) -> None:
        """Store rows; an older version never replaces a newer one."""
        ...

    async def stage_seats(self, segments: Collection[Segment]) -> None:
        """Append seat rows; the same segment twice is stored once."""
        ...

    async def events_of(self, affected: Affected) -> set[str]:
        """Return event ids behind organizations, categories (with descendants) and discounts."""
        ...

    async def event_rows(self, event_id: str) -> EventRows:
        """Return everything an event document is built from."""
        ...

    async def session_row(self, session_id: str) -> tuple[Row | None, bool]:
        """Return the session's living row, and whether it is known to be deleted."""
        ...

    async def seating_map_row(self, session_id: str) -> Row | None:
        """Return the living layout row of a session."""
        ...

    async def seat_rows(self, session_id: str) -> tuple[dict[str, SeatRow], list[str]]:
        """Return all seat rows folded (deleted ones included) and the names of the segments they came from."""
        ...

    async def merge_segments(self, session_id: str, rows: Collection[SeatRow], merged: Collection[str]) -> None:
        """Replace the named segments by one that holds ``rows``."""
        ...

    async def drop_segments(self, session_id: str) -> None:
        """Forget all seat rows of a deleted session."""
        ...


class ReadModel(Protocol):
    """The documents readers see. ``build`` numbers grow per document; a lower one never replaces a higher one."""

    async def put_event(self, event_id: str, document: Document | None, build: int) -> None:
        """Store or remove an event's document."""
        ...

    async def put_layout(self, event_id: str, layout: Layout, build: int) -> None:
        """Store a session's layout."""
        ...

    async def drop_layout(self, session_id: str, build: int) -> None:
        """Remove a session's layout."""
        ...


class RebuildQueue(Protocol):
    """Which documents are out of date, by two counters per document: wanted and built."""

    async def mark(self, jobs: Collection[Job]) -> None:
        """Count one more wanted build for each job."""
        ...

    async def wanted(self, job: Job) -> int:
        """Return how many builds were wanted so far; read it before reading the rows."""
        ...

    async def finish(self, job: Job, wanted: int) -> bool:
        """Note that the rows as of ``wanted`` are built; False when more was wanted meanwhile: build again."""
        ...

    async def pending(self) -> list[Job]:
        """Return jobs that nobody finished, for example because their process died."""
        ...
