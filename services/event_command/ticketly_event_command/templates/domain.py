"""What a template is: blocks with *numbers* of rows and columns, unlike a session's layout. Pure."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from ticketly_event_command.faults import Reader
from ticketly_event_command.limits import LAYOUT_GAP
from ticketly_event_command.sessions.layout import BLOCK_TYPES, LONGEST_LABEL, MOST_BLOCKS, MOST_SEATS

_MOST_COLUMNS: Final = 10_000
_LARGEST_COORDINATE: Final = 10_000_000
_WHOLE_MEMBERS: Final = {
    "rows": _MOST_COLUMNS,
    "columns": _MOST_COLUMNS,
    "startColumnLabel": 1_000_000,
    "width": _LARGEST_COORDINATE,
    "height": _LARGEST_COORDINATE,
    "capacity": MOST_SEATS,
}


def read_template(raw: Reader) -> tuple[str, dict[str, Any]]:
    """Return the template's name and its plan, shifted so that the smallest x and y are ``LAYOUT_GAP``."""
    name = raw.text("name", shortest=1, longest=255)
    data = raw.child("layoutData")
    plan = data.child("layout")
    if len(plan.items("blocks")) > MOST_BLOCKS:
        plan.fault("blocks", f"must be at most {MOST_BLOCKS}")
        return name, {}
    blocks = [_block(block) for block in plan.children("blocks")]
    return name, {"name": data.maybe_text("name", longest=255) or name, "layout": {"blocks": shifted(blocks)}}


def _block(raw: Reader) -> dict[str, Any]:
    position = raw.child("position")
    block: dict[str, Any] = {
        "id": raw.text("id", longest=64) or str(uuid4()),
        "name": raw.text("name", longest=255),
        "type": raw.choice("type", BLOCK_TYPES),
        "position": {
            axis: position.number(axis, least=-_LARGEST_COORDINATE, most=_LARGEST_COORDINATE) for axis in ("x", "y")
        },
    }
    label = raw.maybe_text("startRowLabel", longest=LONGEST_LABEL)
    whole = {member: raw.maybe_integer(member, least=0, most=most) for member, most in _WHOLE_MEMBERS.items()}
    optional = {**whole, "startRowLabel": label}
    return {**block, **{member: value for member, value in optional.items() if value is not None}}


def shifted(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks moved together so that the smallest x and the smallest y equal ``LAYOUT_GAP``."""
    if not blocks:
        return []
    left = min(block["position"]["x"] for block in blocks) - LAYOUT_GAP
    top = min(block["position"]["y"] for block in blocks) - LAYOUT_GAP
    return [
        {**block, "position": {"x": block["position"]["x"] - left, "y": block["position"]["y"] - top}}
        for block in blocks
    ]
