"""Debezium table records as typed changes (contract 7.2).

A value is ``{"before", "after", "source": {"lsn", "table", …}, "op", "ts_ms"}``, plain or wrapped in
``{"schema", "payload"}``; a null value is a tombstone. ``lsn`` is the log position: for one row, a greater one is
newer, so consumers apply what is greater or equal and drop the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

PLACEHOLDER = "__debezium_unavailable_value"


class MalformedRecord(ValueError):  # noqa: N818 - it describes the record, which is then dead-lettered
    """The record is no table change; the text says why."""


class _Source(msgspec.Struct):
    table: str
    lsn: int = 0


class _Envelope(msgspec.Struct):
    source: _Source
    op: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class _Wrapped(msgspec.Struct):
    payload: _Envelope | None


@dataclass(frozen=True, slots=True)
class Change:
    """One row's new state; ``row`` is the row after an upsert, or as it was before a delete."""

    table: str
    kind: Literal["upsert", "delete"]
    row: dict[str, Any]
    lsn: int


_decode = msgspec.json.Decoder(_Envelope).decode
_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode


def decode(value: bytes | None) -> Change | None:
    """Return the change of a record's value; None for a tombstone or an op that changes no row (truncate, message).

    Raises MalformedRecord for anything else, also for a row that holds Debezium's "unavailable" placeholder: that
    table lacks REPLICA IDENTITY FULL, and storing the placeholder would destroy the value.
    """
    if value is None:
        return None
    try:
        envelope: _Envelope | None
        try:
            envelope = _decode(value)
        except msgspec.ValidationError:
            envelope = _decode_wrapped(value).payload
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRecord(str(error)) from None
    if envelope is None or envelope.op in {"t", "m"}:
        return None
    row = envelope.before if envelope.op == "d" else envelope.after
    if envelope.op not in {"c", "u", "r", "d"} or not row:
        msg = f"operation {envelope.op!r} without its row"
        raise MalformedRecord(msg)
    if PLACEHOLDER in row.values():
        msg = f"table {envelope.source.table} sends placeholders: its replica identity is not FULL"
        raise MalformedRecord(msg)
    return Change(
        table=envelope.source.table,
        kind="delete" if envelope.op == "d" else "upsert",
        row=row,
        lsn=envelope.source.lsn,
    )
