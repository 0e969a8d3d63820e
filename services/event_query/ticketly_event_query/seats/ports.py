"""What live seat states need of their stores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ticketly_event_query.projection.layout import Layout
from ticketly_event_query.seats.board import StoredSeat
from ticketly_event_query.seats.rendering import Tier


@dataclass(frozen=True, slots=True)
class SeatChange:
    """One message of the seat log with its place: ``position`` is offset + 1."""

    session_id: str
    seat_ids: Sequence[str]
    code: int
    version: int
    partition: int
    position: int


@dataclass(frozen=True, slots=True)
class StoredSession:
    """All states a session has in the store; ``partition`` is None when no message was stored yet."""

    seats: Mapping[str, StoredSeat]
    position: int
    partition: int | None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Build numbers of the documents a seat map is made of; any difference means: read them again."""

    event: int
    layout: int


@dataclass(frozen=True, slots=True)
class SessionStatics:
    """What does not change with sales: the layout, prices and their versions."""

    session_id: str
    event_id: str
    layout: Layout
    tiers: Mapping[str, Tier]
    currency: str
    stamp: Stamp


class SeatStates(Protocol):
    """Seat states by session and seat; the greater version wins, in any order of writing."""

    async def apply(self, changes: Collection[SeatChange]) -> None:
        """Store changes."""
        ...

    async def read(self, session_id: str) -> StoredSession:
        """Return all states of a session."""
        ...

    async def put_counts(self, session_id: str, *, held: int, sold: int, build: int) -> None:
        """Store the counts that lists show."""
        ...


class Statics(Protocol):
    """Visible sessions with a complete layout."""

    async def visible(self, session_id: str) -> bool:
        """Tell whether the session exists and its event may be seen."""
        ...

    async def load(self, session_id: str) -> SessionStatics | None:
        """Return a session's statics; None while its layout is incomplete or it is not visible."""
        ...

    async def stamps(self, sessions: Mapping[str, str]) -> Mapping[str, Stamp]:
        """Return the stamps of sessions (session id -> event id); those without a document are missing."""
        ...
