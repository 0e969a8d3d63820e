"""Topics as they are -> what is to be done about them. Pure.

A topic is created, its own settings are set, unkeyed ones grow. A keyed one grows only on somebody's word, because
records of one key go to another partition afterwards and overtake their predecessors once. Nothing shrinks, nothing is
deleted here, and the replication factor is only reported: moving replicas is the broker operator's work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ticketly_crds import names
from ticketly_crds.blueprint import Topic
from ticketly_crds.status import ConditionStatus, ConditionType, Reason
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import SeenTopic


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """``grow`` has the wanted partitions by topic, ``configure`` the topics whose own settings are set."""

    create: tuple[Topic, ...] = ()
    grow: tuple[Topic, ...] = ()
    configure: tuple[Topic, ...] = ()
    findings: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()


def acknowledged(annotation: str) -> dict[str, int]:
    """Return the partitions by topic that somebody agreed to: ``a=24,b=12``. Parts that say nothing are passed over."""
    found: dict[str, int] = {}
    for part in annotation.split(","):
        topic, equals, count = part.strip().partition("=")
        if equals and count.strip().isascii() and count.strip().isdigit():
            found[topic.strip()] = int(count)
    return found


def plan_topics(
    wanted: Sequence[Topic],
    seen: Mapping[str, SeenTopic],
    agreed: Mapping[str, int],
    platform: str,
    named: Collection[str] = (),
) -> TopicPlan:
    """Return the plan; without findings there is nothing to complain about.

    ``named``: topics whose partitions the platform sets one by one; a name that is none of ``wanted`` is a mistake.
    """
    existing = [topic for topic in wanted if topic.name in seen]
    larger = [topic for topic in existing if topic.partitions > seen[topic.name].partitions]
    grow = tuple(topic for topic in larger if not topic.keyed or agreed.get(topic.name) == topic.partitions)
    configure = tuple(topic for topic in existing if dict(seen[topic.name].config) != dict(topic.config))
    findings = [
        *_waiting([topic for topic in larger if topic not in grow], seen, platform),
        *_too_large([topic for topic in existing if topic.partitions < seen[topic.name].partitions], seen),
        *_replication(existing, seen),
        *_unknown(named, wanted),
    ]
    return TopicPlan(
        create=tuple(topic for topic in wanted if topic.name not in seen),
        grow=grow,
        configure=configure,
        findings=tuple(findings),
        notices=(
            *(
                Notice("TopicCorrected", f"topic {topic.name}: {_changes(topic, seen[topic.name])}")
                for topic in configure
            ),
            *(
                Notice(
                    "TopicGrown", f"topic {topic.name}: {seen[topic.name].partitions} -> {topic.partitions} partitions"
                )
                for topic in grow
            ),
        ),
    )


def all_present() -> Finding:
    """Return the finding of a round in which everything was as wanted or made so."""
    message = "every topic is there with its settings"
    return Finding(ConditionType.TOPICS_READY, ConditionStatus.TRUE, Reason.ALL_PRESENT, message)


def _changes(topic: Topic, seen: SeenTopic) -> str:
    keys = sorted({*topic.config, *seen.config})
    return ", ".join(
        f"{key}: {seen.config.get(key, 'default')} -> {topic.config.get(key, 'default')}"
        for key in keys
        if seen.config.get(key) != topic.config.get(key)
    )


def _waiting(topics: Sequence[Topic], seen: Mapping[str, SeenTopic], platform: str) -> list[Finding]:
    if not topics:
        return []
    what = ", ".join(f"{topic.name} ({seen[topic.name].partitions} -> {topic.partitions})" for topic in topics)
    word = ",".join(f"{topic.name}={topic.partitions}" for topic in topics)
    message = (
        f"growing a keyed topic breaks the order of its keys once: {what}; agree with"
        f" kubectl annotate ticketlyplatform {platform} --overwrite {names.PARTITIONS_ANNOTATION}={word}"
    )
    reason = Reason.PARTITIONS_NEED_ACKNOWLEDGEMENT
    return [Finding(ConditionType.TOPICS_READY, ConditionStatus.FALSE, reason, message[:1024])]


def _too_large(topics: Sequence[Topic], seen: Mapping[str, SeenTopic]) -> list[Finding]:
    if not topics:
        return []
    what = ", ".join(f"{topic.name} has {seen[topic.name].partitions}, wanted {topic.partitions}" for topic in topics)
    reason = Reason.PARTITIONS_CANNOT_SHRINK
    message = f"partitions cannot be taken away: {what}"
    return [Finding(ConditionType.TOPICS_READY, ConditionStatus.FALSE, reason, message[:1024])]


def _unknown(named: Collection[str], wanted: Sequence[Topic]) -> list[Finding]:
    strange = sorted(set(named) - {topic.name for topic in wanted})
    if not strange:
        return []
    message = f"spec.kafka.topics.overrides names what is no topic of a platform: {', '.join(strange)}"
    return [Finding(ConditionType.TOPICS_READY, ConditionStatus.FALSE, Reason.TOPIC_REFUSED, message[:1024])]


def _replication(topics: Sequence[Topic], seen: Mapping[str, SeenTopic]) -> list[Finding]:
    differing = [topic for topic in topics if topic.replication_factor != seen[topic.name].replication_factor]
    if not differing:
        return []
    what = ", ".join(
        f"{topic.name} has {seen[topic.name].replication_factor}, wanted {topic.replication_factor}"
        for topic in differing
    )
    message = f"replication is not changed by the operator: {what}"
    reason = Reason.REPLICATION_DIFFERS
    return [Finding(ConditionType.TOPICS_READY, ConditionStatus.FALSE, reason, message[:1024])]
