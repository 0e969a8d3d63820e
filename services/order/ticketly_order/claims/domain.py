"""Claims and their outcomes; pure. Ids are canonical lower-case UUID texts, instants aware UTC.

The frequent ones are msgspec structs, which are made ten times faster than frozen dataclasses: nearly every request
makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec

_MILLISECOND = timedelta(milliseconds=1)


class Claim(msgspec.Struct, frozen=True):
    """One buyer's wish for all of ``seat_ids`` (in request order) or none.

    ``open_order_limit`` 0 means none. ``idempotency_key`` comes with the digest of the request's body.
    """

    user_id: str
    session_id: str
    event_id: str
    organization_id: str
    seat_ids: tuple[str, ...]
    open_order_limit: int
    idempotency_key: str | None = None
    body_digest: bytes = b""
    traceparent: str | None = None


class SeatFact(msgspec.Struct, frozen=True):
    """What the database said about a taken seat. ``held_until`` None means sold."""

    seat_id: str
    fence: int
    held_until: datetime | None


class Won(msgspec.Struct, frozen=True):
    """All seats belong to ``order_id``. ``body`` is the answer, ``message`` the seats.status record.

    ``held_until`` None: the order was free of charge and is complete.
    """

    order_id: str
    session_id: str
    seat_ids: tuple[str, ...]
    fence: int
    held_until: datetime | None
    body: str
    message: str


class Replayed(msgspec.Struct, frozen=True):
    """The Idempotency-Key was used before with the same body: its first successful answer."""

    body: str


class Lost(msgspec.Struct, frozen=True):
    """Nothing is held. ``contested`` are exactly the seats that were taken."""

    contested: tuple[SeatFact, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The claim is not acceptable; ``code`` is one of the database's outcome names, ``details`` its members."""

    code: str
    details: dict[str, Any] = field(default_factory=dict)


Outcome = Won | Replayed | Lost | Refused


class ClaimsUnavailable(Exception):  # noqa: N818 - the claim is not at fault
    """The database could not be asked, or its answer was lost: the claim may or may not have been decided."""


class ClaimsOverloaded(ClaimsUnavailable):
    """Too many claims wait already; nothing was attempted."""


class ClaimFailed(Exception):  # noqa: N818 - reads as an outcome
    """The database refused this one claim with an error; nothing is held."""


def retry_after_ms(contested: Sequence[SeatFact], now: datetime) -> int | None:
    """Return the milliseconds until all contested seats could be free again, None when one of them is sold."""
    last: datetime | None = None
    for fact in contested:
        if fact.held_until is None:
            return None
        if last is None or fact.held_until > last:
            last = fact.held_until
    return None if last is None else max(0, (last - now) // _MILLISECOND)


class Batchable(Protocol):
    """What ``select_batch`` needs to know of a waiting claim."""

    @property
    def claim(self) -> Claim:
        """The claim that waits."""


W = TypeVar("W", bound=Batchable)


def select_batch(waiting: Iterable[W], *, limit: int) -> tuple[list[W], list[W]]:
    """Split waiting claims, oldest first, into the next batch and those that stay (in their order).

    A batch holds at most ``limit`` claims, one per user, and no seat twice. A claim that must wait also bars its user
    and seats for everybody behind it, so nobody is overtaken on a seat, and the oldest always goes: no starvation.
    """
    chosen: list[W] = []
    staying: list[W] = []
    users: set[str] = set()
    seats: set[str] = set()
    for entry in waiting:
        claim = entry.claim
        if len(chosen) >= limit:
            staying.append(entry)
            continue
        fits = claim.user_id not in users and seats.isdisjoint(claim.seat_ids)
        (chosen if fits else staying).append(entry)
        users.add(claim.user_id)
        seats.update(claim.seat_ids)
    return chosen, staying
