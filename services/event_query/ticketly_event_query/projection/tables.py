"""The captured tables the read side follows: their keys and which documents a row belongs to. Pure.

Rows are staged as ``{lsn, gone, row}`` under their primary key. Two staged values are ordered by ``lsn`` first, so
"keep the greater one" is the whole merge: order, repetition and replay of records do not matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ticketly_common import clock

Row = Mapping[str, Any]

SEATS = "session_seats"
CANARY = "lag_canary"
CANARY_KEY = "1"
"""The only key of the canary's table: an integer there, text here like every other."""
ORDERS = "orders"
"""Pseudo table: the latest state of each order, from the order topics."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("id",),
    "categories": ("id",),
    "events": ("id",),
    "event_sessions": ("id",),
    "event_cover_photos": ("id",),
    "tiers": ("id",),
    "discounts": ("id",),
    "discount_tiers": ("discount_id", "tier_id"),
    "discount_sessions": ("discount_id", "session_id"),
    "session_seating_maps": ("id",),
    SEATS: ("id",),
    CANARY: ("id",),
    ORDERS: ("id",),
}

TOPIC_PREFIX = "dbz.ticketly.public."
CANARY_TOPIC = TOPIC_PREFIX + CANARY
ORDER_TOPICS = ("ticketly.order.created", "ticketly.order.updated", "ticketly.order.canceled")

USING_STATUSES = frozenset({"pending", "completed", "partially_refunded"})
"""Order states that use up a discount: confirmed, or reserved by an open order."""


class UnusableRow(ValueError):  # noqa: N818 - it describes the row, which is then dead-lettered
    """The row lacks what its table always has."""


@dataclass(frozen=True, slots=True)
class StagedRow:
    """One row at one version. ``lsn`` orders versions of one key; ``gone`` marks a deletion (``row`` as it was)."""

    table: str
    key: str
    lsn: int
    gone: bool
    row: Row


@dataclass(slots=True)
class Affected:
    """What a set of rows makes out of date; ``discounts``, ``organizations``, ``categories`` lead to events."""

    events: set[str] = field(default_factory=set)
    layouts: set[str] = field(default_factory=set)
    discounts: set[str] = field(default_factory=set)
    organizations: set[str] = field(default_factory=set)
    categories: set[str] = field(default_factory=set)
    canary: bool = False


def topics(tables: Iterable[str] = KEYS) -> list[str]:
    """Return the topics of the captured tables, and the order topics when orders are among them."""
    found = [TOPIC_PREFIX + table for table in tables if table != ORDERS]
    return [*found, *ORDER_TOPICS] if ORDERS in set(tables) else found


def staged(table: str, row: Row, *, lsn: int, gone: bool) -> StagedRow:
    """Return the staged form of a row; raises UnusableRow when a key column or the parent reference is missing."""
    columns = KEYS.get(table)
    if columns is None:
        msg = f"table {table!r} is not projected"
        raise UnusableRow(msg)
    parts = [row.get(column) for column in columns]
    if not all(isinstance(part, str) and part for part in parts):
        msg = f"row of {table} without {', '.join(columns)}"
        raise UnusableRow(msg)
    if not gone:
        _check(table, row)
    return StagedRow(table=table, key=":".join(str(part) for part in parts), lsn=lsn, gone=gone, row=row)


def newest(rows: Iterable[StagedRow]) -> dict[tuple[str, str], StagedRow]:
    """Fold rows: per key the one with the greatest version (the later one of equals)."""
    kept: dict[tuple[str, str], StagedRow] = {}
    for row in rows:
        known = kept.get((row.table, row.key))
        if known is None or row.lsn >= known.lsn:
            kept[row.table, row.key] = row
    return kept


_PARENTS = {"session_seating_maps": "event_session_id", SEATS: "session_id"}
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("name",),
    "categories": ("name",),
    "events": ("organization_id", "category_id", "title", "status"),
    "event_sessions": ("event_id", "start_time", "end_time", "status", "session_type"),
    "event_cover_photos": ("event_id", "photo_url"),
    "tiers": ("event_id", "name", "color"),
    "discounts": ("event_id", "code"),
    "session_seating_maps": ("event_session_id", "layout_data"),
    SEATS: ("session_id", "block_id", "label"),
}
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "event_sessions": ("layout_version", "seat_count"),
    "tiers": ("price_minor",),
    "session_seating_maps": ("layout_version",),
    SEATS: ("layout_version", "position"),
}
_JSON: Mapping[str, str] = {"discounts": "parameters", "session_seating_maps": "layout_data"}


def _check(table: str, row: Row) -> None:
    """Refuse here what would spoil a whole document later: one bad row must not harm its neighbours."""
    wrong = [column for column in _TEXTS.get(table, ()) if not isinstance(row.get(column), str)]
    wrong += [column for column in _NUMBERS.get(table, ()) if not isinstance(row.get(column), int)]
    try:
        for column in ("start_time", "end_time") if table == "event_sessions" else ():
            clock.from_wire(row[column])
        if table in _JSON and not isinstance(json.loads(row[_JSON[table]]), dict):
            wrong.append(_JSON[table])
    except (ValueError, TypeError, KeyError) as error:
        msg = f"row of {table}: {error}"
        raise UnusableRow(msg) from None
    if wrong:
        msg = f"row of {table} without a usable {', '.join(wrong)}"
        raise UnusableRow(msg)


def affected(rows: Iterable[StagedRow]) -> Affected:
    """Return which documents the rows belong to, as far as the rows themselves tell."""
    found = Affected()
    for staged_row in rows:
        table, row = staged_row.table, staged_row.row
        if table == "events":
            found.events.add(staged_row.key)
        elif table in {"tiers", "discounts", "event_cover_photos"}:
            _add(found.events, row.get("event_id"))
        elif table == "event_sessions":
            _add(found.events, row.get("event_id"))
            found.layouts.add(staged_row.key)
        elif table in {"session_seating_maps", SEATS}:
            _add(found.layouts, row.get(_PARENTS[table]))
        elif table in {"discount_tiers", "discount_sessions"}:
            _add(found.discounts, row.get("discount_id"))
        elif table == "organizations":
            found.organizations.add(staged_row.key)
        elif table == "categories":
            found.categories.add(staged_row.key)
        elif table == CANARY:
            found.canary = True
        elif table == ORDERS and row.get("discount_id"):
            _add(found.events, row.get("event_id"))  # the usage of its discount changed
    return found


def _add(target: set[str], value: object) -> None:
    if isinstance(value, str) and value:
        target.add(value)


def canary_row(row: Row, *, lsn: int) -> StagedRow | None:
    """Return the staged form of the canary's row; None for one that measures nothing, which is then passed over.

    It is no fact: nothing is lost with it, so it never becomes a dead letter.
    """
    try:
        usable = isinstance(row.get("beat"), int) and str(row.get("id")) == CANARY_KEY and clock.from_wire(row["ts"])
    except (ValueError, TypeError, KeyError):
        return None
    return StagedRow(table=CANARY, key=CANARY_KEY, lsn=lsn, gone=False, row=row) if usable else None


def order_row(order: Mapping[str, Any]) -> StagedRow:
    """Return the staged form of an order message (contract 7.3); raises UnusableRow when it is none."""
    version, key, event = order.get("version"), order.get("OrderID"), order.get("EventID")
    if not isinstance(version, int) or not isinstance(key, str) or not key or not isinstance(event, str):
        msg = "order message without OrderID, EventID or version"
        raise UnusableRow(msg)
    row = {
        "id": key,
        "event_id": event,
        "session_id": order.get("SessionID"),
        "user_id": order.get("UserID"),
        "status": order.get("Status"),
        "discount_id": order.get("DiscountID") or None,
        "seats": len(order.get("SeatIDs") or order.get("tickets") or ()),
        "created_at": order.get("CreatedAt"),
    }
    return StagedRow(table=ORDERS, key=key, lsn=version, gone=False, row=row)
