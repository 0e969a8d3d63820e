"""Request bodies of the write side: layouts, sessions, events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

NewId: TypeAlias = Callable[[], str]

_SEAT_PITCH = 45.0
_BLOCK_TOP = 140.0
_MARGIN = 25.0


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row_label(index: int) -> str:
    """A, B, ... Z, AA, AB, ... for 0, 1, ..."""
    label = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        label = chr(ord("A") + rest) + label
    return label


def seated_block(name: str, rows: Sequence[Sequence[str]], new_id: NewId, top: float = _BLOCK_TOP) -> dict[str, Any]:
    """A grid; `rows` holds the tier id of every seat. Seats are labelled 1A, 2A, ... within row A."""
    return {
        "id": new_id(),
        "name": name,
        "type": "seated_grid",
        "position": {"x": _MARGIN, "y": top},
        "width": None,
        "height": None,
        "capacity": None,
        "rows": [
            {
                "id": new_id(),
                "label": row_label(index),
                "seats": [
                    {"id": new_id(), "label": f"{number}{row_label(index)}", "tierId": tier, "status": "AVAILABLE"}
                    for number, tier in enumerate(tiers, start=1)
                ],
            }
            for index, tiers in enumerate(rows)
        ],
        "seats": [],
    }


def stage_block(new_id: NewId, seats_wide: int) -> dict[str, Any]:
    """A stage above the seats."""
    return {
        "id": new_id(),
        "name": "Stage",
        "type": "non_sellable",
        "position": {"x": _MARGIN, "y": _MARGIN},
        "width": max(180, int(seats_wide * _SEAT_PITCH)),
        "height": 80,
        "capacity": None,
        "rows": [],
        "seats": [],
    }


def below(rows: int) -> float:
    """The y position under a grid of `rows` rows that starts at the usual place."""
    return _BLOCK_TOP + rows * _SEAT_PITCH + 2 * _MARGIN


def physical_session(
    new_id: NewId, start: datetime, end: datetime, sales_start: datetime, venue: dict[str, Any], blocks: Sequence[Any]
) -> dict[str, Any]:
    """A session of a create request."""
    return {
        "id": new_id(),
        "startTime": instant(start),
        "endTime": instant(end),
        "salesStartTime": instant(sales_start),
        "sessionType": "PHYSICAL",
        "venueDetails": venue,
        "layoutData": {"name": None, "layout": {"blocks": list(blocks)}},
    }
