"""The bytes of the seat stream (contract 4.4): LF only, every event ends with an empty line. Pure.

Within one frame only the last event carries ``id:``. A connection may break between two events of a frame; a client
that kept the id of the first would resume without the second.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson

from ticketly_event_query.seats.board import SeatBoard
from ticketly_event_query.seats.messages import AVAILABLE, BOOKED, LOCKED, RESERVED, STATUS_NAMES

HEARTBEAT = b": hb\n\n"


def goodbye(retry_ms: int) -> bytes:
    """Return the last bytes before an orderly close: when to come back."""
    return b"retry: %d\n\n" % retry_ms


def _event(name: str, data: object, event_id: int | None) -> bytes:
    head = b"event: %b\n" % name.encode()
    if event_id is not None:
        head += b"id: %d\n" % event_id
    return head + b"data: " + orjson.dumps(data) + b"\n\n"


def changes(board: SeatBoard, numbers: Collection[int]) -> bytes:
    """Return one event per state that occurs among these seats; empty bytes for no seats."""
    groups = board.grouped(numbers)
    return _statuses([(code, groups[code]) for code in sorted(groups)], board.position)


def _statuses(groups: list[tuple[int, list[str]]], position: int) -> bytes:
    last = len(groups) - 1
    return b"".join(
        _event(
            STATUS_NAMES[code],
            {"seatIds": ids, "status": STATUS_NAMES[code], "version": position},
            position if number == last else None,
        )
        for number, (code, ids) in enumerate(groups)
    )


def snapshot(board: SeatBoard, session_id: str, *, compatible: bool, repair: bool) -> bytes:
    """Return the opening of a stream.

    ``compatible`` adds LOCKED and BOOKED events for clients that know only those; ``repair`` adds AVAILABLE with all
    other sellable seats for a client that resumes from an id nobody remembers.
    """
    seats = {STATUS_NAMES[code]: board.ids_in(code) for code in (LOCKED, BOOKED, RESERVED)}
    data = {"sessionId": session_id, "version": board.position, "seats": seats}
    groups: list[tuple[int, list[str]]] = []
    if compatible:
        groups = [(code, seats[STATUS_NAMES[code]]) for code in (LOCKED, BOOKED)]
        if repair:
            groups.append((AVAILABLE, board.ids_in(AVAILABLE)))
        groups = [(code, ids) for code, ids in groups if ids]
    opening = _event("snapshot", data, None if groups else board.position)
    return opening + _statuses(groups, board.position)
