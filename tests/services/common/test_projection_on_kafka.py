"""The consumer loop on a real broker."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ticketly_common.kafka import BadRecord, Position, Projection, Record
from ticketly_common.settings import Kafka


class Store:
    """A sink in memory: refuses ``bad``, chokes on ``weird``, and is away for the first ``away`` batches."""

    def __init__(self, *, away: int = 0) -> None:
        self.stored: dict[Position, int] = {}
        self.seen: list[bytes] = []
        self.away = away

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        return {partition: self.stored[partition] for partition in partitions if partition in self.stored}

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        if self.away > 0:
            self.away -= 1
            raise ConnectionError("the store is away")
        for record in records:
            if record.value == b"bad":
                raise BadRecord(record, "it says so itself")
            if record.value == b"weird":
                raise ValueError("nobody foresaw this")
        self.seen += [record.value or b"" for record in records]
        self.stored.update({at: max(offset, self.stored.get(at, 0)) for at, offset in positions.items()})

    def transient(self, error: Exception) -> bool:
        return isinstance(error, ConnectionError)


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


class Log:
    def __init__(self, kafka: Kafka, topic: str, producer: AIOKafkaProducer) -> None:
        self.kafka, self.topic, self.producer = kafka, topic, producer

    async def write(self, *values: bytes) -> None:
        for value in values:
            await self.producer.send_and_wait(self.topic, value, key=b"one key")

    def projection(self, store: Store, *, group: str | None) -> Projection:
        return Projection("test", self.kafka, [self.topic], store, group=group)

    async def dead_letters(self, count: int) -> list[Any]:
        consumer = AIOKafkaConsumer(
            f"{self.topic}.DLT",
            bootstrap_servers=self.kafka.bootstrap_servers,
            auto_offset_reset="earliest",
            group_id=None,
        )
        await consumer.start()
        try:
            async with asyncio.timeout(20):
                return [await consumer.getone() for _ in range(count)]
        finally:
            await consumer.stop()


@pytest.fixture
async def log(kafka_server: Any) -> AsyncIterator[Log]:
    topic = f"common.{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1), NewTopic(f"{topic}.DLT", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap_servers)
    await producer.start()
    yield Log(Kafka(bootstrap_servers=kafka_server.bootstrap_servers), topic, producer)
    await producer.stop()


@pytest.mark.parametrize("group", ["a-group", None])
async def test_a_bad_record_becomes_a_dead_letter_and_its_neighbours_arrive(log: Log, group: str | None) -> None:
    await log.write(b"1", b"bad", b"2", b"weird", b"3")
    store = Store(away=2)
    async with log.projection(store, group=group and log.topic).running() as projection:
        await until(lambda: projection.caught_up)
        await log.write(b"live")
        await until(lambda: b"live" in store.seen)
    assert store.seen == [b"1", b"2", b"3", b"live"]
    letters = await log.dead_letters(2)
    assert [letter.value for letter in letters] == [b"bad", b"weird"]
    headers = dict(letters[0].headers)
    assert headers["ticketly-error"] == b"it says so itself"
    assert headers["ticketly-source"].startswith(log.topic.encode())


@pytest.mark.parametrize("group", ["a-group", None])
async def test_the_store_and_not_the_group_says_where_to_go_on(log: Log, group: str | None) -> None:
    await log.write(b"1", b"2", b"3")
    store = Store()
    async with log.projection(store, group=group and log.topic).running() as projection:
        await until(lambda: projection.caught_up)
    assert store.seen == [b"1", b"2", b"3"]
    restored = Store()
    restored.stored = {at: offset - 1 for at, offset in store.stored.items()}
    async with log.projection(restored, group=group and log.topic).running() as projection:
        await until(lambda: projection.caught_up)
    assert restored.seen == [b"3"]
    empty = Store()
    async with log.projection(empty, group=group and log.topic).running() as projection:
        await until(lambda: projection.caught_up)
    assert empty.seen == [b"1", b"2", b"3"], "an empty store rebuilds itself from the log"


async def test_a_store_that_is_ahead_of_a_new_log_reads_it_from_its_beginning(log: Log) -> None:
    await log.write(b"1", b"2")
    store = Store()
    store.stored = {(log.topic, 0): 900, (log.topic, 1): 900}
    async with log.projection(store, group=None).running() as projection:
        await until(lambda: projection.caught_up)
    assert store.seen == [b"1", b"2"]
