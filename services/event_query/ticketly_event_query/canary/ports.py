"""What the canary needs from the outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ticketly_event_query.canary.tracker import Beat


class WriterUnknownError(Exception):
    """The command service did not tell what it wrote."""


@dataclass(frozen=True, slots=True)
class Written:
    """The newest beat that was written, and the database's time when it was asked (seconds since 1970)."""

    beat: Beat
    now: float


class Writer(Protocol):
    """The command service's echo."""

    async def last(self) -> Written:
        """Return the newest beat; raises WriterUnknownError."""
        ...


class CanaryDocuments(Protocol):
    """The canary's document, kept like those of events and layouts."""

    async def staged(self) -> Beat | None:
        """Return the beat of the newest captured row."""
        ...

    async def put(self, beat: Beat, build: int) -> None:
        """Store the document, unless a later build is there."""
        ...

    async def read(self) -> Beat | None:
        """Return the document's beat."""
        ...
