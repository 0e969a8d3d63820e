"""Connectors, their tasks and their slots as a person and a program see them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ticketly_cli.cluster import statuses
from ticketly_cli.cluster.redaction import redact
from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, JsonObject, Table, Text, Tone, View
from ticketly_operator.plan.connectors import cause

_TONES: Final[dict[str, Tone]] = {"RUNNING": "good", "FAILED": "bad"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot; `retained_bytes` is the log the database keeps because of it."""

    name: str
    active: bool
    wal_status: str
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a connector; `trace` is empty unless it failed."""

    id: int
    state: str
    worker: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector as Connect knows it. `restarts` and `note` come from the operator, None and empty without one."""

    name: str
    state: str
    trace: str = ""
    tasks: Sequence[Task] = ()
    slot_name: str = ""
    slot: Slot | None = None
    restarts: int | None = None
    next_restart: str = ""
    note: str = ""

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "name": self.name,
            "state": self.state,
            "problem": problem(self.trace),
            "tasks": [
                {"id": each.id, "state": each.state, "worker": each.worker, "problem": problem(each.trace)}
                for each in self.tasks
            ],
            "slot": None
            if self.slot is None
            else {
                "name": self.slot.name,
                "active": self.slot.active,
                "wal_status": self.slot.wal_status,
                "retained_bytes": self.slot.retained_bytes,
            },
            "restarts": self.restarts,
            "next_restart_time": self.next_restart,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class ConnectorList:
    """Data: `connectors`, `missing` (wanted by the platform, unknown to Connect), `connect_url`. Exit code always 0."""

    connectors: Sequence[Connector]
    missing: Sequence[str]
    connect_url: str

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "connect_url": self.connect_url,
            "connectors": [each.to_data() for each in self.connectors],
            "missing": list(self.missing),
        }

    def to_view(self) -> View:
        rows: list[tuple[str | Cell, ...]] = []
        for each in self.connectors:
            restarts = "" if each.restarts is None else str(each.restarts)
            rows.append((each.name, "", _state(each.state), _slot(each), restarts, problem(each.trace) or each.note))
            rows += [("", f"task {task.id}", _state(task.state), "", "", problem(task.trace)) for task in each.tasks]
        rows += [(name, "", Cell("missing", "bad"), "", "", "the platform wants it") for name in self.missing]
        if not rows:
            return (Text(f"Kafka Connect at {self.connect_url} has no connectors."),)
        return (Table(("connector", "task", "state", "slot holds back", "restarts", "problem"), rows),)


def problem(trace: str) -> str:
    """The innermost cause of a trace in one line; addresses with credentials in them lose those."""
    return redact(cause(trace)) if trace else ""


def completed(
    found: Sequence[Connector], slots: Mapping[str, Slot], told: Sequence[Mapping[str, Any]]
) -> tuple[Connector, ...]:
    """The connectors with their slots and with what the operator tells in the platform's status."""
    by_name = {each["name"]: each for each in told}
    return tuple(_complete(each, slots, by_name.get(each.name, {})) for each in found)


def from_status(told: Sequence[Mapping[str, Any]]) -> tuple[Connector, ...]:
    """What the operator knows, for somebody who cannot reach Connect."""
    return tuple(
        _complete(Connector(each["name"], str(each.get("phase", "Unknown")).upper()), {}, each) for each in told
    )


def _complete(connector: Connector, slots: Mapping[str, Slot], told: Mapping[str, Any]) -> Connector:
    seen = told.get("slot") or {}
    slot = slots.get(connector.slot_name)
    if slot is None and seen:
        slot = Slot(seen["name"], bool(seen["active"]), seen.get("walStatus", ""), int(seen.get("retainedBytes", 0)))
    return replace(
        connector,
        slot=slot,
        restarts=int(told["restarts"]) if "restarts" in told else (0 if told else None),
        next_restart=told.get("nextRestartTime") or "",
        note=told.get("message", ""),
    )


def _state(state: str) -> Cell:
    return Cell(state.lower(), _TONES.get(state, "warn"))


def _slot(connector: Connector) -> str | Cell:
    if connector.slot is None:
        return ""
    seen = {
        "retainedBytes": connector.slot.retained_bytes,
        "active": connector.slot.active,
        "walStatus": connector.slot.wal_status,
    }
    text = statuses.slot_text(seen)
    return text if connector.slot.active and text != "lost" else Cell(text, "bad")
