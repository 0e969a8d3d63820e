"""Topics as they are beside topics as the blueprint wants them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ticketly_cli.cluster.brokers import Offsets, Topic
from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, JsonObject, Table, Text, Tone, View
from ticketly_crds.blueprint import Topic as WantedTopic


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic. `differs` says in words what is not as wanted; `known` False: the blueprint does not have it."""

    name: str
    partitions: int
    replication_factor: int
    under_replicated: int
    records: int
    begin: int
    end: int
    known: bool
    missing: bool
    differs: tuple[str, ...]
    config: Mapping[str, str]

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "name": self.name,
            "partitions": self.partitions,
            "replication_factor": self.replication_factor,
            "under_replicated_partitions": self.under_replicated,
            "offsets": self.records,
            "first_offset_sum": self.begin,
            "next_offset_sum": self.end,
            "in_blueprint": self.known,
            "missing": self.missing,
            "differences": list(self.differs),
            "config": dict(self.config),
        }


@dataclass(frozen=True, slots=True)
class TopicList:
    """Data: `topics`, `compared` (there is a blueprint), `bootstrap_servers`. Exit code always 0."""

    rows: Sequence[TopicRow]
    compared: bool
    bootstrap_servers: str

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "compared": self.compared,
            "topics": [row.to_data() for row in self.rows],
        }

    def to_view(self) -> View:
        if not self.rows:
            return (Text(f"Kafka at {self.bootstrap_servers} has no topics."),)
        table = Table(
            ("topic", "partitions", "replicas", "offsets", "differs"),
            [
                (
                    row.name,
                    "" if row.missing else str(row.partitions),
                    "" if row.missing else str(row.replication_factor),
                    "" if row.missing else f"{row.records}",
                    self._difference(row),
                )
                for row in self.rows
            ],
        )
        wrong = sum(bool(row.differs) for row in self.rows)
        strange = sum(not row.known for row in self.rows) if self.compared else 0
        summary = f"{len(self.rows)} topics"
        if not self.compared:
            return (table, Text(f"{summary}; nothing to compare with (no platform was named).", "dim"))
        tone: Tone = "warn" if wrong else "good"
        return (table, Text(f"{summary}, {wrong} not as wanted, {strange} not of the platform.", tone))

    def _difference(self, row: TopicRow) -> str | Cell:
        if row.differs:
            return Cell("; ".join(row.differs), "bad" if row.missing else "warn")
        return Cell("not of the platform", "dim") if self.compared and not row.known else ""


def compare(seen: Sequence[Topic], offsets: Offsets, wanted: Sequence[WantedTopic] | None) -> tuple[TopicRow, ...]:
    """One row per topic that is there or wanted, sorted by name; without `wanted` nothing is compared."""
    blueprint = {topic.name: topic for topic in wanted or ()}
    rows = [_row(topic, offsets, blueprint.get(topic.name)) for topic in seen]
    there = {topic.name for topic in seen}
    rows += [
        TopicRow(name, topic.partitions, topic.replication_factor, 0, 0, 0, 0, True, True, ("missing",), topic.config)
        for name, topic in blueprint.items()
        if name not in there
    ]
    return tuple(sorted(rows, key=lambda row: row.name))


def _row(topic: Topic, offsets: Offsets, wanted: WantedTopic | None) -> TopicRow:
    own = [span for (name, _), span in offsets.items() if name == topic.name]
    begin, end = sum(first for first, _ in own), sum(following for _, following in own)
    differs = _differences(topic, wanted) if wanted else []
    if topic.under_replicated:
        differs.append(f"{topic.under_replicated} partitions lack replicas")
    return TopicRow(
        topic.name,
        topic.partitions,
        topic.replication_factor,
        topic.under_replicated,
        end - begin,
        begin,
        end,
        wanted is not None,
        False,
        tuple(differs),
        topic.config,
    )


def _differences(topic: Topic, wanted: WantedTopic) -> list[str]:
    found = []
    if topic.partitions != wanted.partitions:
        found.append(f"partitions {topic.partitions}, wanted {wanted.partitions}")
    if topic.replication_factor != wanted.replication_factor:
        found.append(f"replicas {topic.replication_factor}, wanted {wanted.replication_factor}")
    for key in sorted({*topic.config, *wanted.config}):
        is_now, should = topic.config.get(key), wanted.config.get(key)
        if is_now != should:
            found.append(f"{key} {is_now or 'default'}, wanted {should or 'default'}")
    return found
