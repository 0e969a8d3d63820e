"""Kafka in: the seat log, once for the store (shared among processes) and once for this process's memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ticketly_common.kafka import BadRecord, Position, Record
from ticketly_event_query.projection.ports import Positions, RebuildQueue
from ticketly_event_query.projection.rebuilds import Rebuilder
from ticketly_event_query.seats import handlers
from ticketly_event_query.seats.live import STATES, LiveSessions
from ticketly_event_query.seats.messages import MalformedMessage, decode
from ticketly_event_query.seats.ports import SeatChange, SeatStates

TOPIC = "ticketly.seats.status"


class StateSink:
    """Stores seat states; the processes of an installation divide the partitions."""

    def __init__(
        self,
        *,
        states: SeatStates,
        positions: Positions,
        queue: RebuildQueue,
        rebuilder: Rebuilder,
        transient: Callable[[Exception], bool],
    ) -> None:
        self._states = states
        self._positions = positions
        self._queue = queue
        self._rebuilder = rebuilder
        self._transient = transient

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return where to go on."""
        return await self._positions.load(STATES, partitions)

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        """Store a batch; raises BadRecord for what is no seat message."""
        changes = [_change(record) for record in records if record.value is not None]
        jobs = await handlers.store(changes, states=self._states, queue=self._queue)
        await self._positions.save(STATES, positions)
        self._rebuilder.notify(jobs)

    def transient(self, error: Exception) -> bool:
        """Tell whether the store is away."""
        return self._transient(error)


def _change(record: Record) -> SeatChange:
    try:
        message = decode(record.value or b"")
    except MalformedMessage as error:
        raise BadRecord(record, str(error)) from error
    return SeatChange(
        session_id=message.session_id,
        seat_ids=message.seat_ids,
        code=message.code,
        version=message.version,
        partition=record.partition,
        position=record.offset + 1,
    )


class BroadcastSink:
    """Applies every record to the sessions in memory.

    Starts where the store is, so nothing lies between what the store has and what is read; after an interruption
    goes on where this process stopped.
    """

    def __init__(self, live: LiveSessions, positions: Positions, transient: Callable[[Exception], bool]) -> None:
        self._live = live
        self._positions = positions
        self._transient = transient

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return where to go on."""
        stored = await self._positions.load(STATES, partitions)
        places = {partition: self._live.reached.get(partition, stored.get(partition, 0)) for partition in partitions}
        self._live.reached.update(places)
        self._live.reading.set()
        return places

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        """Apply a batch; what cannot be read is left to the store's projector, which makes it a dead letter."""
        for record in records:
            if record.value is not None and self._live.wants((record.key or b"").decode("utf-8", "replace")):
                self._one(record)
        self._live.reached.update(positions)

    def _one(self, record: Record) -> None:
        try:
            message = decode(record.value or b"")
        except MalformedMessage:
            return
        self._live.record(message, partition=record.partition, position=record.offset + 1)

    def transient(self, error: Exception) -> bool:
        """Tell whether the store is away (only asked for positions)."""
        return self._transient(error)
