"""Topics: created with the blueprint's settings; differing settings are set, partitions only ever grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from ticketly_cli.local.component import UnhealthyError
from ticketly_crds.blueprint import Topic

_OWN_SETTING_SOURCE = 1
"""Kafka's code for a setting that was made on the topic itself."""


@dataclass(frozen=True, slots=True)
class TopicChanges:
    """What is to be done to reach the wanted topics."""

    create: tuple[Topic, ...]
    grow: Mapping[str, int]
    configure: tuple[Topic, ...]


def changes(
    wanted: Sequence[Topic], partitions: Mapping[str, int], settings: Mapping[str, Mapping[str, str]]
) -> TopicChanges:
    """Pure. `partitions` and `settings` (made on the topic itself) are of the topics that exist."""
    existing = [topic for topic in wanted if topic.name in partitions]
    return TopicChanges(
        create=tuple(topic for topic in wanted if topic.name not in partitions),
        grow={topic.name: topic.partitions for topic in existing if topic.partitions > partitions[topic.name]},
        configure=tuple(topic for topic in existing if dict(settings.get(topic.name, {})) != dict(topic.config)),
    )


async def provision(bootstrap_servers: str, wanted: Sequence[Topic]) -> None:
    """Make the topics so. Raises UnhealthyError with Kafka's reason."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=20_000)
    try:
        await client.start()
        try:
            await _apply(client, wanted)
        finally:
            await client.close()
    except KafkaError as error:
        raise UnhealthyError(f"topics: {error}") from error


async def _apply(client: AIOKafkaAdminClient, wanted: Sequence[Topic]) -> None:
    names = set(await client.list_topics())
    existing = sorted(names & {topic.name for topic in wanted})
    partitions: dict[str, int] = {}
    settings: dict[str, dict[str, str]] = {}
    if existing:
        for description in await client.describe_topics(existing):
            partitions[description["topic"]] = len(description["partitions"])
        settings = await own_settings(client, existing)
    todo = changes(wanted, partitions, settings)
    if todo.create:
        answer = await client.create_topics(
            [
                NewTopic(topic.name, topic.partitions, topic.replication_factor, topic_configs=dict(topic.config))
                for topic in todo.create
            ]
        )
        _raise_first(answer.topic_errors)
    if todo.grow:
        await client.create_partitions({name: NewPartitions(count) for name, count in todo.grow.items()})
    if todo.configure:
        resources = [ConfigResource(ConfigResourceType.TOPIC, t.name, configs=dict(t.config)) for t in todo.configure]
        for answer in await client.alter_configs(resources):
            _raise_first([(name, code, message) for code, message, _, name in answer.resources])


async def own_settings(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings made on the topics themselves, by topic."""
    found: dict[str, dict[str, str]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for answer in await client.describe_configs(resources):
        for resource in answer.resources:
            _, _, _, name, entries = resource
            found[name] = {entry[0]: entry[1] for entry in entries if entry[3] == _OWN_SETTING_SOURCE}
    return found


def _raise_first(errors: Sequence[Any]) -> None:
    for name, code, message, *_ in errors:
        if code != 0:
            raise UnhealthyError(f"topic {name}: {message or f'error {code}'}")
