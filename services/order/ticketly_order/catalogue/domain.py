"""Rows of the write side as the catalogue keeps them; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ticketly_common import clock
from ticketly_common.cdc import Change

TOPIC_PREFIX: Final = "dbz.ticketly.public."
TABLES: Final = ("organizations", "events", "event_sessions", "tiers", "session_seats")
TOPICS: Final = tuple(TOPIC_PREFIX + table for table in TABLES)


class UnusableRow(ValueError):  # noqa: N818 - it describes the row
    """A column is missing or has a value no such column may have; the text names it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One captured row. A deleted one may know nothing but its id. ``version`` is its log position."""

    table: str
    id: str
    version: int
    deleted: bool
    values: Mapping[str, Any]


Reader = Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    if "\x00" in value:
        raise ValueError("text without NUL expected")
    return value


def _uuid(value: Any) -> str:
    return str(UUID(_text(value)))


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise TypeError("integer expected")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("boolean expected")
    return value


def _instant(value: Any) -> datetime:
    return clock.from_wire(_text(value))


# column -> (reader, may be null); the order is the order of the statements' arguments.
COLUMNS: Final[Mapping[str, Mapping[str, tuple[Reader, bool]]]] = {
    "organizations": {"user_id": (_text, False), "name": (_text, True)},
    "events": {
        "organization_id": (_uuid, False),
        "title": (_text, False),
        "status": (_text, False),
        "currency": (_text, True),
    },
    "event_sessions": {
        "event_id": (_uuid, False),
        "status": (_text, False),
        "start_time": (_instant, False),
        "end_time": (_instant, False),
        "sales_start_time": (_instant, True),
        "sales_end_time": (_instant, True),
        "layout_version": (_integer, False),
        "seat_count": (_integer, False),
    },
    "tiers": {
        "event_id": (_uuid, True),
        "name": (_text, False),
        "color": (_text, False),
        "price_minor": (_integer, False),
        "currency": (_text, False),
    },
    "session_seats": {
        "session_id": (_uuid, False),
        "block_id": (_uuid, True),
        "label": (_text, False),
        "tier_id": (_uuid, True),
        "blocked": (_boolean, False),
        "layout_version": (_integer, False),
    },
}


def row_of(change: Change) -> Row:
    """Return the catalogue's row of a change; raises UnusableRow."""
    columns = COLUMNS.get(change.table)
    if columns is None:
        raise UnusableRow(f"table {change.table!r} is not part of the catalogue")
    deleted = change.kind == "delete"
    identifier = _read("id", _uuid, change.row.get("id"))
    values: dict[str, Any] = {}
    for name, (reader, nullable) in columns.items():
        value = change.row.get(name)
        if value is None and (nullable or deleted):
            values[name] = None
        else:
            values[name] = _read(name, reader, value)
    if change.table == "tiers" and not deleted and values["price_minor"] < 0:
        raise UnusableRow("price_minor: must not be negative")
    return Row(change.table, identifier, change.lsn, deleted, values)


def _read(name: str, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise UnusableRow(f"{name}: {error}") from None


def latest(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return table -> newest row of each id, sorted by id; of two rows with the same version the later one counts.

    One statement must not touch a row twice, and writers that sort do not deadlock.
    """
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        known = newest.get((row.table, row.id))
        if known is None or known.version <= row.version:
            newest[row.table, row.id] = row
    found: dict[str, list[Row]] = {}
    for key in sorted(newest):
        found.setdefault(key[0], []).append(newest[key])
    return found


def concerns_sale(row: Row, stored: Mapping[str, Any] | None) -> bool:
    """Tell whether a session's new row changes what claims are decided by, so that claims must be kept out meanwhile.

    ``stored`` is what the catalogue holds; a session it did not know cannot have been claimed in.
    """
    if stored is None or stored["deleted"] or stored["version"] > row.version:
        return False
    return row.deleted or any(stored[name] != value for name, value in row.values.items())
