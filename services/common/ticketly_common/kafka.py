"""Consumers that keep their place in the store they write to, and dead letters.

A ``Projection`` reads topics and hands batches to a ``Sink``. The sink stores the effect **and** the positions
(next offset per partition), so an empty store rebuilds itself from the log and nothing depends on a consumer
group's offsets; the group only divides partitions among processes. A batch may be applied twice (a rebalance, a
crash between effect and position): sinks are idempotent by key and version.

A record that can never be applied goes to ``<topic>.DLT`` with the reason, and its neighbours go on. While the
store itself is out of reach the projection waits: no record is to blame.

Over 300 lines because the loop, where it starts, what it retries and what it shows share one state.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from ticketly_common import telemetry, tracing
from ticketly_common.background import background
from ticketly_common.settings import Kafka

_log = structlog.get_logger(__name__)
_MAX_ATTEMPTS = 5
_POLL_MS = 250

Position = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``headers`` keeps the last value of a repeated name; ``timestamp_ms`` is epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    timestamp_ms: int = 0


class BadRecord(Exception):  # noqa: N818 - it names the record that is at fault
    """Raised by a sink: this record can never be applied."""

    def __init__(self, record: Record, reason: str) -> None:
        super().__init__(f"{record.topic}[{record.partition}]@{record.offset}: {reason}")
        self.record = record
        self.reason = reason


class Sink(Protocol):
    """Where records go. ``apply`` gets records in partition order and the positions to store after the effect."""

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        """Return the next offset to read of each partition; a missing one is read from the beginning."""
        ...

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        """Store effect and positions (never lowering one); raises BadRecord for a record that can never be applied."""
        ...

    def transient(self, error: Exception) -> bool:
        """Tell whether the store is at fault (wait and try again) rather than the records."""
        ...


def _headers(raw: ConsumerRecord) -> dict[str, bytes]:
    """Drop headers without a value: the outbox router sends one for every column that is null."""
    return {name: value for name, value in raw.headers or () if value is not None}


def backoff_seconds(attempt: int) -> float:
    """Return 0.1, 0.2, 0.4 … at most 5 seconds, with jitter of a fifth."""
    return min(0.1 * float(2 ** min(attempt, 10)), 5.0) * random.uniform(0.9, 1.1)  # noqa: S311 - jitter


class DeadLetters:
    """Sends records to ``<topic>.DLT``: same key and value, the source and the reason as headers."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None

    async def send(self, record: Record, reason: str) -> None:
        """Deliver one dead letter; waits and retries for as long as the broker is away."""
        topic = f"{record.topic}.DLT"
        headers = [
            *record.headers.items(),
            ("ticketly-error", reason[:1000].encode()),
            ("ticketly-source", f"{record.topic}:{record.partition}:{record.offset}".encode()),
        ]
        attempt = 0
        while True:
            try:
                if self._producer is None:
                    producer = AIOKafkaProducer(**self._kafka.client_options(), acks="all")
                    await producer.start()
                    self._producer = producer
                await self._producer.send_and_wait(topic, value=record.value, key=record.key, headers=headers)
            except KafkaError as error:
                attempt += 1
                _log.warning("dead letter not delivered yet", topic=topic, attempt=attempt, error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))
            else:
                telemetry.DEAD_LETTERS.labels(record.topic).inc()
                _log.error("dead letter", topic=topic, offset=record.offset, reason=reason)
                return

    async def close(self) -> None:
        """Close the producer, if one was needed."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None


class Projection:
    """Reads ``topics`` into a sink until cancelled.

    With ``group`` the partitions are divided among all processes of that group; with ``group=None`` this process
    reads every partition (a broadcast). ``caught_up`` becomes true once the end that was seen at start is reached.
    """

    def __init__(
        self,
        name: str,
        kafka: Kafka,
        topics: Collection[str],
        sink: Sink,
        *,
        group: str | None,
        max_records: int = 2000,
    ) -> None:
        self.name = name
        self.caught_up = False
        self._kafka = kafka
        self._topics = sorted(topics)
        self._sink = sink
        self._group = group
        self._max_records = max_records
        self._targets: dict[Position, int] | None = None
        self._measured: set[Position] = set()
        for topic in self._topics:
            # From zero on: an increase is only seen by who knew the value before.
            telemetry.DEAD_LETTERS.labels(topic)
        self._dead_letters = DeadLetters(kafka)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Projection]:
        """Run in the background for the length of the block."""
        try:
            async with background(self.run(), name=f"projection-{self.name}"):
                yield self
        finally:
            await self._dead_letters.close()

    async def run(self) -> None:
        """Consume for ever; whatever goes wrong with the broker is logged and tried again."""
        attempt = 0
        while True:
            consumer = self._consumer()
            try:
                await consumer.start()
                await self._consume(consumer)
                attempt = 0
            except Exception as error:  # noqa: BLE001 - this loop must outlive every fault of the broker or the store
                attempt += 1
                telemetry.CONSUMER_FAILURES.labels(self.name, "broker").inc()
                _log.warning("projection interrupted", projection=self.name, attempt=attempt, error=repr(error))
            finally:
                with contextlib.suppress(Exception):
                    await consumer.stop()
            await asyncio.sleep(backoff_seconds(attempt))

    def _consumer(self) -> AIOKafkaConsumer:
        # Without a group the client itself assigns every partition of the topics it is made with.
        return AIOKafkaConsumer(
            *(self._topics if self._group is None else ()),
            **self._kafka.client_options(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # A fetch that waits does not ask for partitions whose records are being applied just now: this bounds how
            # late their next record can be. Shorter means more empty answers from an idle broker.
            fetch_max_wait_ms=100,
            session_timeout_ms=6000,
            heartbeat_interval_ms=1500,
            metadata_max_age_ms=30_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        if self._group is None:
            await self.seek(consumer, consumer.assignment())
        else:
            consumer.subscribe(self._topics, listener=_Seek(self, consumer))
        first = consumer.assignment()
        while True:
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._max_records)
            records = [
                Record(raw.topic, raw.partition, raw.offset, raw.key, raw.value, _headers(raw), raw.timestamp)
                for batch in fetched.values()
                for raw in batch
            ]
            if records:
                await self._apply_measured(records)
            await self._note_progress(consumer, records)
            telemetry.CONSUMER_POLLED.labels(self.name).set_to_current_time()
            if self._group is None and consumer.assignment() != first:
                return  # partitions were added: start over with all of them, each at its stored position

    async def seek(self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> None:
        """Place the consumer where the store left off, and note how far "caught up" is."""
        stored = await self._sink.positions([(p.topic, p.partition) for p in partitions])
        ends = await consumer.end_offsets(list(partitions)) if partitions else {}
        begins = await consumer.beginning_offsets(list(partitions)) if partitions else {}
        for partition in partitions:
            position = stored.get((partition.topic, partition.partition), 0)
            if position > ends[partition]:
                # The log is younger than the store (a new broker): read what there is.
                _log.warning("stored position is beyond the log", partition=str(partition), position=position)
                position = 0
            start = max(position, begins[partition])
            consumer.seek(partition, start)
            self._show_lag((partition.topic, partition.partition), ends[partition] - start)
        self.forget_lag(self._measured - {(p.topic, p.partition) for p in partitions})
        self._targets = {(p.topic, p.partition): end for p, end in ends.items()}

    def _show_lag(self, partition: Position, records: int) -> None:
        self._measured.add(partition)
        telemetry.LAG.labels(self.name, *partition).set(max(records, 0))

    def forget_lag(self, partitions: Collection[Position]) -> None:
        """Stop showing the lag of partitions that another process reads from now on."""
        for partition in self._measured.intersection(partitions):
            telemetry.LAG.remove(self.name, *partition)
            self._measured.discard(partition)

    async def _apply_measured(self, records: Sequence[Record]) -> None:
        started, began_ns = time.perf_counter(), time.time_ns()
        await self._apply(records, {(r.topic, r.partition): r.offset + 1 for r in records})
        telemetry.CONSUMER_APPLY.labels(self.name).observe(time.perf_counter() - started)
        if tracing.enabled():
            for record in records:
                if "traceparent" in record.headers:
                    self._trace(record, began_ns)
        for topic, count in Counter(record.topic for record in records).items():
            telemetry.RECORDS.labels(self.name, topic).inc(count)

    def _trace(self, record: Record, began_ns: int) -> None:
        """Continue the trace that caused a record; the span lasts as long as the batch the record was applied in."""
        tracing.record(
            f"process {record.topic}",
            tracing.well_formed(record.headers["traceparent"]),
            start_ns=began_ns,
            kind="consumer",
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.consumer.group.name": self._group or "",
                "ticketly.consumer": self.name,
            },
        )

    async def _note_progress(self, consumer: AIOKafkaConsumer, records: Sequence[Record]) -> None:
        if self._targets is None:
            return
        touched = {(r.topic, r.partition) for r in records}
        for topic, number in touched | (self._targets.keys() if not self.caught_up else set()):
            partition = TopicPartition(topic, number)
            if partition not in consumer.assignment():
                continue
            position = await consumer.position(partition)
            high = consumer.highwater(partition)
            if high is not None:
                self._show_lag((topic, number), high - position)
            if position >= self._targets.get((topic, number), 0):
                self._targets.pop((topic, number), None)
        if not self._targets:
            self.caught_up = True

    async def _apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        pending = list(records)
        attempt = 0
        while True:
            try:
                await self._sink.apply(pending, positions)
            except BadRecord as bad:
                await self._dead_letters.send(bad.record, bad.reason)
                pending = [record for record in pending if record is not bad.record]
            except Exception as error:  # noqa: BLE001 - the sink tells what kind of fault it is
                attempt += 1
                transient = self._sink.transient(error)
                telemetry.CONSUMER_FAILURES.labels(self.name, "store" if transient else "record").inc()
                _log.warning(
                    "batch not applied", projection=self.name, attempt=attempt, transient=transient, error=repr(error)
                )
                if attempt >= _MAX_ATTEMPTS and not transient:
                    await self._one_by_one(pending, error)
                    pending, attempt = [], 0
                    continue
                await asyncio.sleep(backoff_seconds(attempt))
            else:
                return

    async def _one_by_one(self, records: Sequence[Record], error: Exception) -> None:
        """Find the record that spoils its batch: each alone, and what still fails is a dead letter."""
        if len(records) == 1:
            await self._dead_letters.send(records[0], repr(error))
            return
        for record in records:
            await self._apply([record], {})


class _Seek(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Seeks to the store's positions whenever partitions are assigned."""

    def __init__(self, projection: Projection, consumer: AIOKafkaConsumer) -> None:
        self._projection = projection
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Nothing to hand over: positions are in the store. Whoever reads these partitions next shows their lag."""
        self._projection.forget_lag([(p.topic, p.partition) for p in revoked])

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Continue where the store left off."""
        await self._projection.seek(self._consumer, assigned)
