"""A message about seats (contract 7.3), from the log or from Redis. Pure."""

from __future__ import annotations

import contextlib
from datetime import datetime

import msgspec

AVAILABLE, LOCKED, BOOKED, RESERVED = 0, 1, 2, 3
STATUS_NAMES = ("AVAILABLE", "LOCKED", "BOOKED", "RESERVED")
_CODES = {"AVAILABLE": AVAILABLE, "LOCKED": LOCKED, "BOOKED": BOOKED}


class MalformedMessage(ValueError):  # noqa: N818 - it describes the message, which is then dead-lettered
    """Not a seat status message; the text says why."""


class SeatMessage(msgspec.Struct, frozen=True):
    """One transition of some seats of a session; ``version`` is the fence number, growing per seat."""

    session_id: str
    seat_ids: list[str]
    status: str
    version: int
    occurred_at: str | None = msgspec.field(default=None, name="occurredAt")

    @property
    def code(self) -> int:
        """Return the state as a number."""
        return _CODES[self.status]

    def age_seconds(self, now: datetime) -> float | None:
        """Return how long ago it happened, if it says."""
        with contextlib.suppress(ValueError, TypeError):
            happened = datetime.fromisoformat(self.occurred_at or "")
            return max((now - happened).total_seconds(), 0.0) if happened.tzinfo is not None else None
        return None


_decode = msgspec.json.Decoder(SeatMessage).decode


def decode(value: bytes) -> SeatMessage:
    """Read a message; raises MalformedMessage."""
    try:
        message = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(str(error)) from None
    if message.status not in _CODES:
        msg = f"unknown status {message.status!r}"
        raise MalformedMessage(msg)
    if message.version < 0 or message.version >= 1 << 61:
        msg = f"version {message.version} is out of range"
        raise MalformedMessage(msg)
    if not message.session_id or not all(seat and "." not in seat and "$" not in seat for seat in message.seat_ids):
        msg = "empty or unusable ids"
        raise MalformedMessage(msg)
    return message
