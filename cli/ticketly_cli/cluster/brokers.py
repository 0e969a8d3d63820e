"""Kafka as a person looks at it: topics with their settings and sizes, groups with their offsets, a few records.

Nothing is written, nothing joins a consumer group. Every call is bounded; a silent broker is one sentence.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from ticketly_cli.cluster.stores import Access
from ticketly_cli.errors import CliError, ExitCode

TIMEOUT_SECONDS: Final = 20.0
_OWN_SETTING: Final = 1
"""Kafka's code for a setting that was made on the topic itself."""
_FETCH_BYTES: Final = 1024 * 1024

Offsets = Mapping[tuple[str, int], tuple[int, int]]
"""Per topic and partition: the first offset that is there, and the next one to be written."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: `config` has only what was set on the topic itself."""

    name: str
    partitions: int
    replication_factor: int
    under_replicated: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group with the offsets it has committed to Kafka (which may be none)."""

    name: str
    state: str
    members: int
    committed: Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as it is: bytes, headers as bytes, time in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


async def topics(access: Access) -> list[Topic]:
    """All topics but Kafka's own. Raises CliError (exit code 4)."""
    async with _admin(access) as admin:
        existing = sorted(name for name in await admin.list_topics() if not name.startswith("__consumer"))
        if not existing:
            return []
        described = {each["topic"]: each["partitions"] for each in await admin.describe_topics(existing)}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in existing]
        config: dict[str, dict[str, str]] = {}
        for answer in await admin.describe_configs(resources):
            for _, _, _, name, entries in answer.resources:
                config[name] = {entry[0]: entry[1] for entry in entries if entry[3] == _OWN_SETTING}
    return [
        Topic(
            name=name,
            partitions=len(partitions),
            replication_factor=min((len(each["replicas"]) for each in partitions), default=0),
            under_replicated=sum(len(each["isr"]) < len(each["replicas"]) for each in partitions),
            config=config.get(name, {}),
        )
        for name, partitions in sorted(described.items())
    ]


async def offsets(access: Access, partitions: Collection[tuple[str, int]]) -> Offsets:
    """Begin and end of each partition. Raises CliError (exit code 4)."""
    if not partitions:
        return {}
    wanted = [TopicPartition(topic, partition) for topic, partition in sorted(partitions)]
    async with _consumer(access) as consumer:
        begins = await consumer.beginning_offsets(wanted)
        ends = await consumer.end_offsets(wanted)
    return {(each.topic, each.partition): (begins[each], ends[each]) for each in wanted}


async def groups(access: Access) -> list[Group]:
    """All consumer groups. Raises CliError (exit code 4)."""
    async with _admin(access) as admin:
        names = sorted({name for name, *_ in await admin.list_consumer_groups()})
        found = []
        for name in names:
            state, members = await _membership(admin, name)
            stored = await admin.list_consumer_group_offsets(name)
            committed = {(each.topic, each.partition): at.offset for each, at in stored.items() if at.offset >= 0}
            found.append(Group(name, state, members, committed))
    return found


async def _membership(admin: AIOKafkaAdminClient, name: str) -> tuple[str, int]:
    for answer in await admin.describe_consumer_groups([name]):
        for group in answer.groups:
            # error code, group, state, protocol type, protocol, members, ...
            return str(group[2]), len(group[5])
    return "Unknown", 0


async def last_records(access: Access, topic: str, count: int, partition: int | None) -> list[SeenRecord]:
    """The newest `count` records of a topic, oldest first, read without a group. Raises CliError: 3 for no such topic.

    Compaction leaves gaps between offsets, so the end is approached from further back until there is enough.
    """
    known = await _partitions(access, topic)
    if not known or (partition is not None and partition not in known):
        what = f"topic {topic}" if not known else f"partition {partition} of topic {topic}"
        raise CliError(f"There is no {what}.", "See `ticketly kafka topics`.", ExitCode.BAD_ARGUMENTS)
    chosen = [TopicPartition(topic, each) for each in known if partition in (None, each)]
    async with _consumer(access) as consumer:
        begins, ends = await consumer.beginning_offsets(chosen), await consumer.end_offsets(chosen)
        consumer.assign(chosen)
        found: list[SeenRecord] = []
        for each in chosen:
            found += await _tail(consumer, each, begins[each], ends[each], count)
    newest = sorted(found, key=lambda record: (record.timestamp_ms, record.partition, record.offset))
    return newest[-count:] if count else []


async def _tail(
    consumer: AIOKafkaConsumer, where: TopicPartition, begin: int, end: int, count: int
) -> list[SeenRecord]:
    back = count
    while True:
        start = max(begin, end - back)
        found = await _between(consumer, where, start, end)
        if len(found) >= count or start == begin:
            return found[-count:]
        back *= 8


async def _between(consumer: AIOKafkaConsumer, where: TopicPartition, start: int, end: int) -> list[SeenRecord]:
    """The records with offsets in [start, end). Another partition's records are not fetched meanwhile."""
    others = [each for each in consumer.assignment() if each != where]
    consumer.pause(*others)
    consumer.resume(where)
    consumer.seek(where, start)
    found: list[SeenRecord] = []
    while start < end and await consumer.position(where) < end:
        batch = await consumer.getmany(where, timeout_ms=1000)
        found += [
            SeenRecord(raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))
            for raw in batch.get(where, ())
            if start <= raw.offset < end
        ]
    return found


async def _partitions(access: Access, topic: str) -> list[int]:
    """The numbers of a topic's partitions, none for a topic that is not there."""
    async with _admin(access) as admin:
        if topic not in await admin.list_topics():
            return []
        (described,) = await admin.describe_topics([topic])
    return sorted(each["partition"] for each in described["partitions"])


@asynccontextmanager
async def _admin(access: Access) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(request_timeout_ms=int(TIMEOUT_SECONDS * 1000), **_options(access))
    with _explained(access):
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await admin.start()
                yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def _consumer(access: Access) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **_options(access),
        group_id=None,
        enable_auto_commit=False,
        request_timeout_ms=int(TIMEOUT_SECONDS * 1000),
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    with _explained(access):
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await consumer.start()
                yield consumer
        finally:
            await consumer.stop()


@contextmanager
def _explained(access: Access) -> Iterator[None]:
    # the client says on standard error what becomes our one sentence
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise CliError(
            f"Kafka at {access.bootstrap_servers} cannot be asked from here: {' '.join(reason.split())[:200]}.",
            "In a cluster it may only be reachable from inside: forward a port and give --bootstrap-servers.",
            ExitCode.UNREACHABLE,
        ) from None


def _options(access: Access) -> dict[str, Any]:
    given: dict[str, Any] = {"bootstrap_servers": access.bootstrap_servers, "security_protocol": access.protocol}
    if access.protocol.startswith("SASL"):
        given |= {
            "sasl_mechanism": access.mechanism,
            "sasl_plain_username": access.username,
            "sasl_plain_password": access.password,
        }
    if access.protocol.endswith("SSL"):
        given["ssl_context"] = ssl.create_default_context()
    return given
