"""How far each reader of the log is behind. Pure.

The platform's projections keep their positions in the store they fill, in the same transaction where it has some: what
is stored and what was read cannot part. Their consumer groups only share out partitions and commit nothing to Kafka.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ticketly_cli.cluster.brokers import Group, Offsets
from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, JsonObject, Table, Text, Tone, View

MONGO: Final = "MongoDB, collection positions"
POSTGRES: Final = "PostgreSQL order_service, table catalogue.positions"


@dataclass(frozen=True, slots=True)
class Projection:
    """A reader whose positions are in a store; `positions` None: they were not read, `problem` says why."""

    name: str
    store: str
    positions: Mapping[tuple[str, int], int] | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TopicLag:
    """One reader on one topic; `lag` in offsets, of which compaction and transactions may leave none to read."""

    topic: str
    partitions: int
    lag: int
    worst_partition: int | None

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "topic": self.topic,
            "partitions": self.partitions,
            "lag": self.lag,
            "worst_partition": self.worst_partition,
        }


@dataclass(frozen=True, slots=True)
class Reader:
    """A consumer group or a projection; `lag` None where its positions could not be read."""

    name: str
    kind: str
    positions_in: str
    state: str = ""
    members: int = 0
    topics: tuple[TopicLag, ...] = ()
    problem: str = ""

    @property
    def lag(self) -> int | None:
        """All of it together."""
        return None if self.problem else sum(each.lag for each in self.topics)

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "name": self.name,
            "kind": self.kind,
            "positions_in": self.positions_in,
            "state": self.state,
            "members": self.members,
            "lag": self.lag,
            "problem": self.problem,
            "topics": [each.to_data() for each in self.topics],
        }


@dataclass(frozen=True, slots=True)
class LagReport:
    """Data: `readers`. Lag does not change the exit code."""

    readers: Sequence[Reader]
    verbose: bool = field(default=False)

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"readers": [each.to_data() for each in self.readers]}

    def to_view(self) -> View:
        if not self.readers:
            return (Text("Nobody has read anything yet."),)
        rows: list[tuple[str | Cell, ...]] = []
        for each in self.readers:
            rows.append((each.name, each.kind, _state(each), _lag(each), each.positions_in, each.problem))
            for topic in each.topics if self.verbose else [topic for topic in each.topics if topic.lag]:
                where = "" if topic.worst_partition is None else f"most in partition {topic.worst_partition}"
                rows.append((f"  {topic.topic}", "", "", str(topic.lag), where, ""))
        hint = [] if self.verbose else [Text("Topics without lag are shown with -v.", "dim")]
        return (Table(("reader", "kind", "state", "lag", "positions in", "problem"), rows), *hint)


def of_groups(groups: Sequence[Group], offsets: Offsets) -> list[Reader]:
    """Groups that have committed offsets to Kafka, and those that share out partitions only."""
    return [
        Reader(
            name=group.name,
            kind="group",
            positions_in="Kafka" if group.committed else "nothing is committed",
            state=group.state,
            members=group.members,
            topics=_topics(group.committed, offsets),
        )
        for group in groups
    ]


def of_projections(projections: Sequence[Projection], offsets: Offsets) -> list[Reader]:
    """The platform's own projections."""
    return [
        Reader(
            name=each.name,
            kind="projection",
            positions_in=each.store,
            topics=_topics(each.positions or {}, offsets),
            problem=each.problem,
        )
        for each in projections
    ]


def _topics(positions: Mapping[tuple[str, int], int], offsets: Offsets) -> tuple[TopicLag, ...]:
    behind: dict[str, dict[int, int]] = {}
    for (topic, partition), position in positions.items():
        begin, end = offsets.get((topic, partition), (0, 0))
        # what was deleted before it was read is not waiting any more
        behind.setdefault(topic, {})[partition] = max(0, end - max(position, begin))
    return tuple(
        TopicLag(
            topic, len(lags), sum(lags.values()), max(lags, key=lambda each: lags[each]) if any(lags.values()) else None
        )
        for topic, lags in sorted(behind.items())
    )


def _state(reader: Reader) -> str:
    if reader.kind == "projection":
        return ""
    return f"{reader.state}, {reader.members} member{'' if reader.members == 1 else 's'}"


def _lag(reader: Reader) -> str | Cell:
    if reader.lag is None:
        return Cell("unknown", "warn")
    if not reader.topics:
        return Cell("-", "dim")
    tone: Tone = "warn" if reader.lag else "good"
    return Cell(str(reader.lag), tone)
