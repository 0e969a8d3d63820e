"""Kafka in: captured rows and order messages become staged rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ticketly_common import cdc
from ticketly_common.kafka import BadRecord, Position, Record
from ticketly_event_query.projection import handlers
from ticketly_event_query.projection.layout import SeatRow, seat_row
from ticketly_event_query.projection.ports import Positions, RebuildQueue, Segment, Staging
from ticketly_event_query.projection.rebuilds import Rebuilder
from ticketly_event_query.projection.tables import (
    CANARY_TOPIC,
    KEYS,
    ORDER_TOPICS,
    SEATS,
    StagedRow,
    UnusableRow,
    canary_row,
    newest,
    order_row,
    staged,
)

NAME = "tables"
_decode_order = msgspec.json.Decoder(dict).decode


@dataclass(slots=True)
class _SegmentRows:
    first: int
    last: int
    rows: list[SeatRow] = field(default_factory=list)


class TableSink:
    """Stages what arrives, marks documents, then stores the positions; documents follow in the background."""

    def __init__(
        self,
        *,
        staging: Staging,
        positions: Positions,
        queue: RebuildQueue,
        rebuilder: Rebuilder,
        transient: Callable[[Exception], bool],
    ) -> None:
        self._staging = staging
        self._positions = positions
        self._queue = queue
        self._rebuilder = rebuilder
        self._transient = transient

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return where to go on."""
        return await self._positions.load(NAME, partitions)

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        """Store a batch; raises BadRecord for a record that is no row of a followed table."""
        rows, segments = translate(records)
        jobs = await handlers.stage(rows, segments, staging=self._staging, queue=self._queue)
        await self._positions.save(NAME, positions)
        self._rebuilder.notify(jobs)

    def transient(self, error: Exception) -> bool:
        """Tell whether the store is away."""
        return self._transient(error)


def translate(records: Sequence[Record]) -> tuple[list[StagedRow], list[Segment]]:
    """Return the newest row per key, and seat rows as segments; raises BadRecord."""
    rows: list[StagedRow] = []
    canary: Record | None = None
    seats: dict[tuple[str, int], _SegmentRows] = {}
    for record in records:
        if record.topic == CANARY_TOPIC:
            canary = record  # one row: only its newest state is worth decoding, however many a rebuild reads
            continue
        try:
            row = _row(record)
            if row is None:
                continue
            if row.table != SEATS:
                rows.append(row)
                continue
            key = (str(row.row.get("session_id")), record.partition)
            segment = seats.setdefault(key, _SegmentRows(record.offset, record.offset))
            segment.last = record.offset
            segment.rows.append(seat_row(row))
        except (cdc.MalformedRecord, UnusableRow, msgspec.DecodeError) as error:
            raise BadRecord(record, str(error)) from error
    beat = _canary(canary) if canary is not None else None
    if beat is not None:
        rows.append(beat)
    found = [
        Segment(session_id=session, partition=partition, first=part.first, last=part.last, rows=part.rows)
        for (session, partition), part in seats.items()
    ]
    return list(newest(rows).values()), found


def _row(record: Record) -> StagedRow | None:
    if record.topic in ORDER_TOPICS:
        return None if record.value is None else order_row(_decode_order(record.value))
    change = cdc.decode(record.value)
    if change is None or change.table not in KEYS:
        return None
    return staged(change.table, change.row, lsn=change.lsn, gone=change.kind == "delete")


def _canary(record: Record) -> StagedRow | None:
    try:
        change = cdc.decode(record.value)
    except cdc.MalformedRecord:
        return None
    return None if change is None or change.kind == "delete" else canary_row(change.row, lsn=change.lsn)
