"""A platform's status as a person and a program see it. Pure: documents of the API in, views out.

Read as plain JSON, not through the model of `ticketly_crds.status`: a newer operator may use a reason that this version
does not know, and must still be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ticketly_cli.cluster.operators import Operator
from ticketly_cli.errors import ExitCode
from ticketly_cli.printing import BoardRow
from ticketly_cli.results import Cell, Facts, JsonObject, Table, Text, Tone, View

_GOOD_WHEN_FALSE: Final = frozenset({"Degraded", "Progressing", "Paused"})
_BAD_TYPES: Final = frozenset({"Ready", "Degraded", "ConnectorsReady", "TopicsReady"})
_SERVICE_TONES: Final[dict[str, Tone]] = {"Ready": "good", "Stuck": "bad"}
_CONNECTOR_TONES: Final[dict[str, Tone]] = {"Running": "good", "Failed": "bad", "Unknown": "bad"}
_HOPELESS: Final = frozenset({"InvalidSpec", "IncompleteSpec"})
"""Reasons of Ready that no waiting mends."""

_UNITS: Final = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """Data: see `docs/cluster-commands.md`. With `must_be_ready` the exit code is 1 for a platform that is not."""

    platform: JsonObject
    operator: Operator | None
    context: str
    now: datetime
    must_be_ready: bool = False

    @property
    def ready(self) -> bool:
        return is_ready(self.platform)

    @property
    def exit_code(self) -> int:
        return ExitCode.FAILED if self.must_be_ready and not self.ready else ExitCode.DONE

    def to_data(self) -> JsonObject:
        metadata, status = self.platform["metadata"], self.platform.get("status") or {}
        return {
            "context": self.context,
            "namespace": metadata["namespace"],
            "platform": metadata["name"],
            "version": status.get("version", ""),
            "ready": self.ready,
            "paused": bool(status.get("paused", False)),
            "generation": int(metadata.get("generation", 0)),
            "observed_generation": int(status.get("observedGeneration", 0)),
            "deleting": "deletionTimestamp" in metadata,
            "restart_token": status.get("restartToken", ""),
            "conditions": [_snake(each) for each in status.get("conditions") or ()],
            "services": [_snake(each) for each in status.get("services") or ()],
            "connectors": [_snake(each) for each in status.get("connectors") or ()],
            "lag": _snake(status["lag"]) if status.get("lag") else None,
            "flash_sales": [_snake(each) for each in status.get("flashSales") or ()],
            "operator": self.operator.to_data() if self.operator else None,
        }

    def to_view(self) -> View:
        status = self.platform.get("status") or {}
        return (
            self._head(status),
            *self._remarks(status),
            *_table(self._conditions(status)),
            *_table(self._services(status)),
            *_table(self._connectors(status)),
        )

    def _head(self, status: Mapping[str, Any]) -> Facts:
        metadata = self.platform["metadata"]
        ready = condition(self.platform, "Ready")
        state = (
            Cell("ready", "good") if self.ready else Cell(f"not ready: {ready.get('reason', 'no status yet')}", "bad")
        )
        pairs: list[tuple[str, str | Cell]] = [
            ("platform", f"{metadata['namespace']}/{metadata['name']} in {self.context}"),
            ("state", state),
            ("version", str(status.get("version", "")) or "-"),
            ("operator", self._operator()),
        ]
        if status.get("lag"):
            lag = status["lag"]
            measured = age(lag.get("measuredAt"), self.now)
            pairs.append(("lag", f"p50 {lag['p50Ms']:.0f} ms, p99 {lag['p99Ms']:.0f} ms, measured {measured} ago"))
        pairs += [
            ("flash sale", Cell(f"{sale['name']} until {sale['until']}: minimum replicas are raised", "warn"))
            for sale in status.get("flashSales") or ()
        ]
        return Facts(pairs)

    def _operator(self) -> str | Cell:
        if self.operator is None:
            return Cell("none is visible: nobody acts on this platform (`ticketly install`)", "bad")
        counts = f"{self.operator.ready_replicas}/{self.operator.replicas} ready in {self.operator.namespace}"
        return counts if self.operator.ready_replicas else Cell(counts, "bad")

    def _remarks(self, status: Mapping[str, Any]) -> list[Text]:
        metadata = self.platform["metadata"]
        found = []
        if "deletionTimestamp" in metadata:
            found.append(Text("The platform is being deleted.", "warn"))
        if status.get("paused"):
            found.append(Text("Suspended: the operator changes nothing until `ticketly resume`.", "warn"))
        if int(status.get("observedGeneration", 0)) < int(metadata.get("generation", 0)):
            found.append(Text("The operator has not seen the latest change yet.", "warn"))
        return found

    def _conditions(self, status: Mapping[str, Any]) -> Table:
        rows = [
            (
                each["type"],
                Cell(each["status"], tone(each)),
                each.get("reason", ""),
                age(each.get("lastTransitionTime"), self.now),
                each.get("message", ""),
            )
            for each in status.get("conditions") or ()
        ]
        return Table(("condition", "status", "reason", "for", "message"), rows)

    def _services(self, status: Mapping[str, Any]) -> Table:
        rows = [
            (
                each["name"],
                Cell(each["phase"], _SERVICE_TONES.get(each["phase"], "warn")),
                f"{each.get('readyReplicas', 0)}/{each.get('replicas', 0)}",
                each.get("image", "").rsplit("/", 1)[-1],
                each.get("message", ""),
            )
            for each in status.get("services") or ()
        ]
        return Table(("service", "phase", "pods", "image", "message"), rows)

    def _connectors(self, status: Mapping[str, Any]) -> Table:
        rows = []
        for each in status.get("connectors") or ():
            slot = each.get("slot") or {}
            full = slot.get("secondsToFull")
            rows.append(
                (
                    each["name"],
                    Cell(each["phase"], _CONNECTOR_TONES.get(each["phase"], "warn")),
                    str(each.get("restarts", 0)),
                    "" if not each.get("nextRestartTime") else f"in {until(each['nextRestartTime'], self.now)}",
                    slot_text(slot),
                    "" if full is None else f"full in {_duration(full)}",
                    each.get("message", ""),
                )
            )
        return Table(("connector", "phase", "restarts", "next restart", "slot holds back", "", "message"), rows)


def is_ready(platform: JsonObject) -> bool:
    """Ready says True, and about the description as it is now."""
    found = condition(platform, "Ready")
    seen = int(found.get("observedGeneration", 0)) >= int(platform["metadata"].get("generation", 0))
    return found.get("status") == "True" and seen


def hopeless(platform: JsonObject) -> bool:
    """Ready is False for a reason that only another description mends."""
    found = condition(platform, "Ready")
    seen = int(found.get("observedGeneration", 0)) >= int(platform["metadata"].get("generation", 0))
    return seen and found.get("status") == "False" and found.get("reason") in _HOPELESS


def condition(platform: JsonObject, kind: str) -> Mapping[str, Any]:
    """The condition of that type, an empty mapping before it was first set."""
    found: Sequence[Mapping[str, Any]] = (platform.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each["type"] == kind), {})


def why_not_ready(platform: JsonObject) -> str:
    """The reason with its message, or that nobody has said anything yet."""
    found = condition(platform, "Ready")
    if not found:
        return "the operator has not looked at it yet"
    if int(found.get("observedGeneration", 0)) < int(platform["metadata"].get("generation", 0)):
        return "the operator has not seen the latest change yet"
    others = [
        f"{each['type']}={each['status']} {each.get('reason', '')}"
        for each in (platform.get("status") or {}).get("conditions") or ()
        if each["type"] in _BAD_TYPES - {"Ready"} and tone(each) == "bad"
    ]
    return "; ".join([f"{found.get('reason', '')}: {found.get('message', '')}".rstrip(": "), *others])


def board_rows(platform: JsonObject, now: datetime) -> list[BoardRow]:
    """Conditions, services and connectors as lines of a board."""
    status = platform.get("status") or {}
    rows = [
        BoardRow(
            each["type"],
            Cell(each["status"], tone(each)),
            _seconds(each.get("lastTransitionTime"), now),
            f"{each.get('reason', '')} {each.get('message', '')}".strip(),
        )
        for each in status.get("conditions") or ()
    ]
    for each in status.get("services") or ():
        counts = f"{each.get('readyReplicas', 0)}/{each.get('replicas', 0)} {each.get('message', '')}".strip()
        rows.append(BoardRow(each["name"], Cell(each["phase"], _SERVICE_TONES.get(each["phase"], "warn")), 0.0, counts))
    for each in status.get("connectors") or ():
        cell = Cell(each["phase"], _CONNECTOR_TONES.get(each["phase"], "warn"))
        remark = " ".join(part for part in (slot_text(each.get("slot") or {}), each.get("message", "")) if part)
        rows.append(BoardRow(each["name"], cell, _seconds(each.get("runningSince"), now), remark))
    return rows


def tone(each: Mapping[str, Any]) -> Tone:
    """Whether a condition is good news."""
    if each["status"] == "Unknown":
        return "dim" if each["type"] == "LagWithinSLO" else "warn"
    well = (each["status"] == "False") is (each["type"] in _GOOD_WHEN_FALSE)
    if well:
        return "good"
    return "bad" if each["type"] in _BAD_TYPES else "warn"


def slot_text(slot: Mapping[str, Any]) -> str:
    """How much log a slot holds back, and whether somebody reads it."""
    if not slot:
        return ""
    held = size(int(slot.get("retainedBytes", 0)))
    if slot.get("walStatus") == "lost":
        return "lost"
    return held if slot.get("active") else f"{held} (nobody reads)"


def size(count: int) -> str:
    """`12 MiB`."""
    for unit, worth in _UNITS:
        if count >= worth:
            return f"{count / worth:.1f} {unit}" if count < 10 * worth else f"{count / worth:.0f} {unit}"
    return f"{count} B"


def age(moment: str | None, now: datetime) -> str:
    """How long ago: `12 s`, `5 min`, `3 h`, `4 d`; empty for an unknown moment."""
    return "" if not moment else _duration(_seconds(moment, now))


def until(moment: str, now: datetime) -> str:
    """How long it takes till then."""
    return _duration(max(0.0, (_instant(moment) - now).total_seconds()))


def _seconds(moment: str | None, now: datetime) -> float:
    return max(0.0, (now - _instant(moment)).total_seconds()) if moment else 0.0


def _instant(moment: str) -> datetime:
    found = datetime.fromisoformat(moment)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _duration(seconds: float) -> str:
    for unit, worth in (("d", 172_800), ("h", 7200), ("min", 120)):
        if seconds >= worth:
            return f"{seconds / {'d': 86_400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"


def _table(table: Table) -> tuple[Text | Table, ...]:
    if not table.rows:
        return ()
    used = [number for number in range(len(table.columns)) if any(row[number] for row in table.rows)]
    columns = [table.columns[number] for number in used]
    return (Text(""), Table(columns, [[row[number] for number in used] for row in table.rows]))


def _snake(value: Any) -> Any:
    """The same with names as this command writes them: `ready_replicas`."""
    if isinstance(value, Mapping):
        return {_snake_name(key): _snake(inner) for key, inner in value.items()}
    return [_snake(inner) for inner in value] if isinstance(value, list) else value


def _snake_name(name: str) -> str:
    return "".join(f"_{mark.lower()}" if mark.isupper() else mark for mark in name)
