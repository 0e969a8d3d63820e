"""Kafka's admin interface. One connection for each round of looking and correcting, about once a minute."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from ticketly_crds.blueprint import Topic
from ticketly_operator.errors import KafkaUnreachableError, TopicRefusedError
from ticketly_operator.observed import SeenTopic

_OWN_SETTING: Final = 1
"""Kafka's code for a setting that was made on the topic itself."""

_EXISTS: Final = 36
_UNKNOWN: Final = 3
_NONE: Final = 0


@dataclass(frozen=True, slots=True)
class Access:
    """How brokers are reached."""

    bootstrap_servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: str = ""
    password: str = field(default="", repr=False)


class KafkaBrokers(AbstractAsyncContextManager["KafkaBrokers"]):
    """The ``Brokers`` port. Connects at the first call; the context manager ends the connection."""

    def __init__(self, access: Access, timeout_seconds: float) -> None:
        """``timeout_seconds`` bounds every call as a whole, connecting included."""
        self._access = access
        self._timeout_seconds = timeout_seconds
        self._admin: AIOKafkaAdminClient | None = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection if there is one."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def topics(self, names: Sequence[str]) -> Mapping[str, SeenTopic]:
        """Return those of the topics that exist."""
        async with self._call() as admin:
            existing = sorted(set(await admin.list_topics()) & set(names))
            if not existing:
                return {}
            described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(existing)}
            configs = await _own_settings(admin, existing)
        return {
            name: SeenTopic(
                name=name,
                partitions=len(partitions),
                replication_factor=min((len(each["replicas"]) for each in partitions), default=0),
                config=configs.get(name, {}),
            )
            for name, partitions in described.items()
        }

    async def create(self, topics: Sequence[Topic]) -> None:
        """Create; that one exists already is fine."""
        async with self._call() as admin:
            answer = await admin.create_topics(
                [
                    NewTopic(topic.name, topic.partitions, topic.replication_factor, topic_configs=dict(topic.config))
                    for topic in topics
                ]
            )
        _refuse((name, code, message) for name, code, message, *_ in answer.topic_errors)

    async def grow(self, partitions: Mapping[str, int]) -> None:
        """Raise the number of partitions, by topic."""
        async with self._call() as admin:
            answer = await admin.create_partitions({name: NewPartitions(count) for name, count in partitions.items()})
        _refuse((topic, code, message) for topic, code, message in answer.topic_errors)

    async def configure(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        """Set the topics' own configuration, by topic, to exactly this."""
        async with self._call() as admin:
            answers = await admin.alter_configs(
                [
                    ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(config))
                    for name, config in configs.items()
                ]
            )
        _refuse((topic, code, message) for answer in answers for code, message, _, topic in answer.resources)

    async def delete(self, names: Sequence[str]) -> None:
        """Delete; that one is gone already is fine."""
        async with self._call() as admin:
            existing = sorted(set(await admin.list_topics()) & set(names))
            if not existing:
                return
            answer = await admin.delete_topics(existing)
        _refuse((name, code, "") for name, code, *_ in answer.topic_error_codes)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Bound a call and translate what goes wrong; a connection that failed is not used again."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if self._admin is None:
                    self._admin = self._client()
                    await self._admin.start()
                yield self._admin
        except (KafkaError, OSError, TimeoutError) as error:
            await self.__aexit__(None, None, None)
            said = str(error) or type(error).__name__
            raise KafkaUnreachableError(f"Kafka at {self._access.bootstrap_servers} does not answer: {said}") from None

    def _client(self) -> AIOKafkaAdminClient:
        access = self._access
        given: dict[str, Any] = {}
        if access.protocol.startswith("SASL"):
            given |= {
                "sasl_mechanism": access.mechanism,
                "sasl_plain_username": access.username,
                "sasl_plain_password": access.password,
            }
        if access.protocol.endswith("SSL"):
            given["ssl_context"] = ssl.create_default_context()
        return AIOKafkaAdminClient(
            bootstrap_servers=access.bootstrap_servers,
            security_protocol=access.protocol,
            request_timeout_ms=int(self._timeout_seconds * 1000),
            **given,
        )


async def _own_settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for _, _, _, name, entries in answer.resources:
            found[name] = {entry[0]: entry[1] for entry in entries if entry[3] == _OWN_SETTING}
    return found


def _refuse(answers: Any) -> None:
    refused = [
        f"topic {name}: {message or for_code(code).__name__}"
        for name, code, message in answers
        if code not in (_NONE, _EXISTS, _UNKNOWN)
    ]
    if refused:
        raise TopicRefusedError("; ".join(refused)[:1024])
