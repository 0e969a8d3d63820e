"""What the handlers of orders need from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Reason = Literal["buyer", "expired", "session-cancelled"]


@dataclass(frozen=True, slots=True)
class Release:
    """What a release did. ``seat_ids`` were still the order's own; ``message`` is None when there were none."""

    outcome: Literal["released", "unchanged", "not-due", "not-found"]
    status: str | None
    seat_ids: tuple[str, ...]
    fence: int | None
    message: str | None


@dataclass(frozen=True, slots=True)
class OpenHolds:
    """Pending orders: those whose hold runs, and those it is over for and that nobody has ended yet."""

    running: int
    overdue: int
    oldest_overdue_seconds: float


class StoreUnavailable(Exception):  # noqa: N818 - the request is not at fault
    """The database cannot be asked at the moment."""


class OrderStore(Protocol):
    """Orders at rest. Documents are JSON texts of contract 5.1. Every method raises StoreUnavailable."""

    async def document(self, order_id: str, reader_id: str) -> str | None:
        """Return the order if ``reader_id`` is its buyer or owns its organization, else None."""
        ...

    async def documents_of_user(self, user_id: str, *, limit: int, offset: int) -> tuple[int, list[str]]:
        """Return how many orders the user has, and one page of them, newest first."""
        ...

    async def live_tickets(self) -> int:
        """Return the number of live tickets of the platform."""
        ...

    async def release(
        self, order_id: str, reason: Reason, *, user_id: str | None = None, traceparent: str | None = None
    ) -> Release:
        """End a pending order; with ``user_id`` only that buyer's."""
        ...

    async def due(self, limit: int) -> Sequence[str]:
        """Return ids of pending orders whose hold is over, without locking anything."""
        ...

    async def of_cancelled_sessions(self, limit: int) -> Sequence[str]:
        """Return ids of pending orders whose session was cancelled or deleted, without locking anything."""
        ...

    async def open_holds(self) -> OpenHolds:
        """Count pending orders."""
        ...

    async def prune(self) -> None:
        """Delete messages and idempotency keys that nobody will ask for any more."""
        ...

    async def seat_states(self, session_id: str) -> dict[str, Any] | None:
        """Return the body of contract 5.8 ``seat-states``, None for an unknown session."""
        ...

    async def sales_summary(self, event_id: str) -> dict[str, Any]:
        """Return the body of contract 5.8 ``sales-summary``."""
        ...
