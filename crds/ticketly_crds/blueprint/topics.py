"""All topics of the wire contract. Brokers create none by themselves, so a topic that is not here does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ticketly_crds import names
from ticketly_crds.blueprint.model import Topic
from ticketly_crds.sections import Kafka

FACT_TABLES: Final = (
    "organizations",
    "organization_members",
    "organization_member_roles",
    "categories",
    "events",
    "event_sessions",
    "event_cover_photos",
    "tiers",
    "discounts",
    "discount_tiers",
    "discount_sessions",
    "session_seating_maps",
    "session_seats",
)
"""Captured tables whose rows are facts: compacted topics, replayable for ever."""

PULSE_TABLES: Final = ("debezium_heartbeat", "lag_canary")
"""Captured tables whose rows only show that capture is alive."""

ORDER_TOPICS: Final = (
    names.ORDER_CREATED_TOPIC,
    names.ORDER_UPDATED_TOPIC,
    names.ORDER_CANCELED_TOPIC,
    names.SEATS_STATUS_TOPIC,
)
"""Events of the order service, kept for ever: the read side is rebuilt from them."""

_DAY_MS: Final = 86_400_000
_SEGMENT_BYTES: Final = str(64 * 1024 * 1024)

_COMPACT: Final = {
    "cleanup.policy": "compact",
    # small, daily segments: the active segment is never compacted, and rebuilding reads what is not compacted yet
    "segment.bytes": _SEGMENT_BYTES,
    "segment.ms": str(_DAY_MS),
    "min.cleanable.dirty.ratio": "0.1",
    # a null tombstone from elsewhere stays visible to a reader that is a day late
    "delete.retention.ms": str(_DAY_MS),
}
_FOR_EVER: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


def topics(kafka: Kafka) -> tuple[Topic, ...]:
    """Return every topic, sorted by name."""
    table_topics = [names.table_topic(table) for table in FACT_TABLES]
    consumed = [*table_topics, *ORDER_TOPICS, names.NOTIFICATIONS_TOPIC]
    pulses = [
        *(names.table_topic(table) for table in PULSE_TABLES),
        names.outbox_heartbeat_table_topic(),
        names.heartbeat_topic(names.EVENT_TOPIC_PREFIX),
        names.heartbeat_topic(names.OUTBOX_TOPIC_PREFIX),
    ]
    found = [
        *(_topic(kafka, name, _COMPACT) for name in table_topics),
        *(_topic(kafka, name, _FOR_EVER) for name in ORDER_TOPICS),
        _topic(kafka, names.NOTIFICATIONS_TOPIC, _kept_days(14)),
        *(_topic(kafka, name, _kept_days(1), keyed=False) for name in pulses),
        *(_topic(kafka, names.dead_letter_topic(name), _kept_days(30), keyed=False) for name in consumed),
    ]
    return tuple(sorted(found, key=lambda topic: topic.name))


def _kept_days(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS), "segment.bytes": _SEGMENT_BYTES}


def _topic(kafka: Kafka, name: str, config: Mapping[str, str], *, keyed: bool = True) -> Topic:
    override = kafka.topics.overrides.get(name)
    partitions = kafka.topics.partitions if keyed else 1
    return Topic(
        name=name,
        partitions=override.partitions if override else partitions,
        replication_factor=kafka.replication_factor,
        config={**config, "min.insync.replicas": str(kafka.min_insync_replicas)},
        keyed=keyed,
    )
