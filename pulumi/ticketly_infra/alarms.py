"""What is watched, as data: each alarm with its metric, its limit and what it means. Pure.

An alarm says what a person should look at, in its description. Missing data is no alarm where nothing happening is
normal (queues), and one where silence means that the thing itself is gone (the database).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ticketly_infra.config import Settings

GIB: Final = 1024**3
_WORST: Final = 'SELECT MAX({metric}) FROM "AWS/Kafka" WHERE "Cluster Name" = \'{name}\''


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; `dimensions` are names of what is watched, filled in by `monitoring.py`. Periods in seconds."""

    word: str
    meaning: str
    namespace: str
    metric: str
    threshold: float
    dimensions: dict[str, Any] = field(default_factory=dict)
    statistic: str = "Maximum"
    above: bool = True
    period: int = 60
    periods: int = 3
    silence: Literal["breaching", "notBreaching", "ignore", "missing"] = "notBreaching"
    query: str = ""
    """A Metrics Insights query in place of one metric; `{name}` is the value of the only dimension."""


def database(settings: Settings, identifier: Any) -> Iterator[Alarm]:
    """Disk, slots, connections, load, memory of the server."""
    wal_mib = settings.database.slot_wal_keep_mib

    def rds(word: str, meaning: str, metric: str, threshold: float, **more: Any) -> Alarm:
        return Alarm(word, meaning, "AWS/RDS", metric, threshold, {"DBInstanceIdentifier": identifier}, **more)

    yield rds(
        "database-disk",
        "Less than a fifth of the disk is free: storage grows by itself up to database.maxStorageGib, then writes stop",
        "FreeStorageSpace",
        settings.database.storage_gib * GIB / 5,
        statistic="Minimum",
        above=False,
        silence="breaching",
    )
    yield rds(
        "slot-wal",
        "A replication slot holds back half of what it may: its connector is stopped or slow. At the whole it is lost",
        "OldestReplicationSlotLag",
        wal_mib * 1024 * 1024 / 2,
    )
    yield rds(
        "slot-disk",
        "Slots take more disk than one of them may: see pg_replication_slots",
        "ReplicationSlotDiskUsage",
        wal_mib * 1024 * 1024,
    )
    yield rds(
        "capture-lag",
        "Change capture is 256 MiB of log behind for five minutes: readers see old seats",
        "OldestReplicationSlotLag",
        256 * 1024 * 1024,
        periods=5,
    )
    yield rds(
        "database-cpu", "The database is busy for ten minutes", "CPUUtilization", 85, statistic="Average", periods=10
    )
    yield rds(
        "database-memory",
        "The database has less than 256 MiB of memory left",
        "FreeableMemory",
        256 * 1024 * 1024,
        statistic="Minimum",
        above=False,
        periods=5,
    )
    yield rds("database-transactions", "Transaction ids run out: vacuum", "MaximumUsedTransactionIDs", 1_000_000_000)


def queues(names: dict[str, Any], dead: dict[str, Any]) -> Iterator[Alarm]:
    """Dead letters at once, work that waits after ten minutes."""
    for word, name in dead.items():
        yield Alarm(
            f"dead-letters-{word}",
            "A job failed every time it was tried: read it, mend the cause, redrive it",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            0,
            {"QueueName": name},
            periods=1,
        )
    for word, name in names.items():
        yield Alarm(
            f"waiting-{word}",
            "The oldest job waits for more than ten minutes: the scheduler service does not work",
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            600,
            {"QueueName": name},
        )


def edge(balancer: Any, ingress: Any, identity: Any, firewall: Any, region: str) -> Iterator[Alarm]:
    """Errors, slowness and missing targets at the door, and a firewall that blocks much."""

    def alb(word: str, meaning: str, metric: str, threshold: float, more: dict[str, Any], **rest: Any) -> Alarm:
        dimensions = {"LoadBalancer": balancer, **more}
        return Alarm(word, meaning, "AWS/ApplicationELB", metric, threshold, dimensions, **rest)

    yield alb(
        "server-errors", "More than 50 answers a minute are 5xx", "HTTPCode_Target_5XX_Count", 50, {}, statistic="Sum"
    )
    yield alb(
        "slow-answers", "One answer in a hundred takes more than 2 s", "TargetResponseTime", 2, {}, statistic="p99"
    )
    for word, group in (("ingress", ingress), ("identity", identity)):
        yield alb(
            f"no-{word}",
            f"Nothing healthy is behind the load balancer for {word}",
            "HealthyHostCount",
            1,
            {"TargetGroup": group},
            statistic="Minimum",
            above=False,
            silence="breaching",
        )
    yield Alarm(
        "blocked",
        "The firewall blocks more than 1,000 requests a minute: an attack, or a rule that is wrong",
        "AWS/WAFV2",
        "BlockedRequests",
        1000,
        {"WebACL": firewall, "Region": region, "Rule": "ALL"},
        statistic="Sum",
        periods=5,
    )


def kafka(cluster: Any) -> Iterator[Alarm]:
    """Disk and controllers of the brokers, and how far consumers are behind."""
    yield Alarm(
        "kafka-disk",
        "A broker's disk is more than 80 % full",
        "AWS/Kafka",
        "KafkaDataLogsDiskUsed",
        80,
        {"Cluster Name": cluster},
        query=_WORST.format(metric="KafkaDataLogsDiskUsed", name="{name}"),
    )
    yield Alarm(
        "kafka-controller",
        "The brokers have no controller",
        "AWS/Kafka",
        "ActiveControllerCount",
        1,
        {"Cluster Name": cluster},
        above=False,
        silence="breaching",
    )
    yield Alarm(
        "kafka-offline",
        "Partitions without a leader: their messages cannot be read or written",
        "AWS/Kafka",
        "OfflinePartitionsCount",
        0,
        {"Cluster Name": cluster},
    )
    yield Alarm(
        "consumer-lag",
        "A consumer group is more than 10,000 messages behind",
        "AWS/Kafka",
        "SumOffsetLag",
        10_000,
        {"Cluster Name": cluster},
        periods=5,
        query=_WORST.format(metric="SumOffsetLag", name="{name}"),
    )


def cache(nodes: list[Any]) -> Iterator[Alarm]:
    """Memory of each node of the cache."""
    for number, node in enumerate(nodes, start=1):
        yield Alarm(
            f"cache-memory-{number}",
            "A node of the cache is more than 80 % full",
            "AWS/ElastiCache",
            "DatabaseMemoryUsagePercentage",
            80,
            {"CacheClusterId": node},
            periods=5,
        )


def document_store(cluster: Any) -> Iterator[Alarm]:
    """Load and memory of the read side's store."""
    node = {"DBClusterIdentifier": cluster}
    yield Alarm(
        "documents-cpu",
        "The read side's store is busy for ten minutes",
        "AWS/DocDB",
        "CPUUtilization",
        85,
        node,
        statistic="Average",
        periods=10,
    )


def data_node(stack: str, machine: Any, namespace: str) -> Iterator[Alarm]:
    """The one machine of profile `dev`: alive, and its disk."""
    yield Alarm(
        "data-disk",
        "The data disk is more than 80 % full, or its report stopped",
        namespace,
        "DiskUsedPercent",
        80,
        {"Stack": stack},
        periods=5,
        silence="breaching",
    )
    yield Alarm(
        "data-node",
        "The machine with Kafka, Connect, MongoDB and Redis fails its checks",
        "AWS/EC2",
        "StatusCheckFailed",
        0,
        {"InstanceId": machine},
        silence="breaching",
    )
