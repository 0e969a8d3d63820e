"""What the `provision` commands return: plans, updates, outputs, diagnoses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ticketly_cli.errors import ExitCode
from ticketly_cli.provision.changes import Change, Operation, Plan
from ticketly_cli.provision.pending import PendingOperation
from ticketly_cli.results import Cell, Facts, JsonObject, Table, Text, Tone, View

_TONES: Final[dict[Operation, Tone]] = {"create": "good", "update": "plain", "replace": "warn", "delete": "warn"}
_CHECK_TONES: Final[dict[str, Tone]] = {"ok": "good", "warning": "warn", "failed": "bad", "unknown": "dim"}
_MAX_CAUSES: Final = 4


def change_data(change: Change) -> JsonObject:
    return {
        "name": change.name,
        "type": change.type,
        "operation": change.operation,
        "stateful": change.stateful,
        "protected": change.protected,
        "because": list(change.because),
    }


def counts(plan: Plan) -> dict[str, int]:
    return {
        "create": plan.count("create"),
        "update": plan.count("update"),
        "replace": plan.count("replace"),
        "delete": plan.count("delete"),
        "unchanged": plan.unchanged,
    }


def plan_view(plan: Plan, title: str) -> View:
    """The table of changes; what can lose data is red and stands first."""
    if not plan.changes:
        return (Text(f"{title}: nothing changes, {plan.unchanged} resources are as they should be.", "good"),)
    rows = []
    for change in plan.changes:
        tone: Tone = "bad" if change.loss else _TONES[change.operation]
        causes = ", ".join(change.because[:_MAX_CAUSES]) + (" ..." if len(change.because) > _MAX_CAUSES else "")
        notes = [word for word, holds in (("stateful", change.stateful), ("protected", change.protected)) if holds]
        rows.append((Cell(change.operation, tone), Cell(change.name, tone), change.type, causes, ", ".join(notes)))
    numbers = ", ".join(f"{count} to {name}" for name, count in counts(plan).items() if name != "unchanged" and count)
    view: list[Text | Facts | Table] = [
        Table(("change", "resource", "type", "because of", "notes"), rows, title=title),
        Text(f"{numbers}; {plan.unchanged} unchanged"),
    ]
    if plan.losses:
        lost = ", ".join(f"{change.name} ({change.operation})" for change in plan.losses)
        view.append(Text(f"These changes can lose data and have to be approved by name: {lost}", "bad"))
    return tuple(view)


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """A plan. Data: `stack`, `region`, `changes`, `counts`, `needs_approval` {`replace`, `delete`}, `warnings`."""

    stack: str
    region: str
    plan: Plan
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "stack": self.stack,
            "region": self.region,
            "changes": [change_data(change) for change in self.plan.changes],
            "counts": counts(self.plan),
            "needs_approval": {
                kind: [change.name for change in self.plan.losses if change.loss == kind]
                for kind in ("replace", "delete")
            },
            "warnings": list(self.warnings),
        }

    def to_view(self) -> View:
        title = f"Stack {self.stack} in {self.region}"
        return (*plan_view(self.plan, title), *(Text(warning, "warn") for warning in self.warnings))


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """A finished update or destroy. Data: `stack`, `region`, `action`, `changed`, `counts`, `outputs`, `seconds`."""

    stack: str
    region: str
    action: str
    plan: Plan
    changed: int
    seconds: float
    outputs: JsonObject = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "stack": self.stack,
            "region": self.region,
            "action": self.action,
            "changed": self.changed,
            "counts": counts(self.plan),
            "outputs": self.outputs,
            "seconds": round(self.seconds, 1),
            "notes": list(self.notes),
        }

    def to_view(self) -> View:
        word = "destroyed" if self.action == "destroy" else "up to date"
        done = f"Stack {self.stack} is {word}: {self.changed} resources changed in {self.seconds:.0f} s."
        return (Text(done, "good"), *(Text(note) for note in self.notes))


@dataclass(frozen=True, slots=True)
class OutputsResult:
    """Outputs. Data: `stack`, `outputs` {name: value}, `secret` [names]; the value of a secret is "[secret]"."""

    stack: str
    outputs: JsonObject
    secret: tuple[str, ...]
    written: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        data: JsonObject = {"stack": self.stack, "outputs": self.outputs, "secret": list(self.secret)}
        return {**data, "written": list(self.written)} if self.written else data

    def to_view(self) -> View:
        pairs: list[tuple[str, str | Cell]] = [
            (name, Cell("[secret]", "dim") if name in self.secret else _short(value))
            for name, value in self.outputs.items()
        ]
        return (Facts(pairs, f"Stack {self.stack}"), *(Text(f"wrote {path}", "good") for path in self.written))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{len(value)} entries (see -o json)"
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return f"{len(value)} entries (see -o json)"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a diagnosis; `state` is ok, warning, failed or unknown, `step` what to do about it."""

    name: str
    state: str
    detail: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """A diagnosis. Data: `stack`, `region`, `checks` [{name, state, detail, step}], `pending` [{...}]."""

    stack: str
    region: str
    project: str
    checks: tuple[Finding, ...]
    pending: tuple[PendingOperation, ...] = ()

    @property
    def exit_code(self) -> int:
        failed = any(check.state == "failed" for check in self.checks)
        return ExitCode.UNREACHABLE if failed else ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "stack": self.stack,
            "region": self.region,
            "checks": [
                {"name": one.name, "state": one.state, "detail": one.detail, "step": one.step} for one in self.checks
            ],
            "pending": [
                {
                    "name": one.name,
                    "type": one.type,
                    "urn": one.urn,
                    "id": one.id,
                    "operation": one.kind,
                    "meaning": one.meaning,
                    "check": one.check(self.region),
                    "repair": one.repair(self.stack, self.project),
                }
                for one in self.pending
            ],
        }

    def to_view(self) -> View:
        rows = [(one.name, Cell(one.state, _CHECK_TONES[one.state]), one.detail) for one in self.checks]
        view: list[Text | Facts | Table] = [Table(("check", "state", "what"), rows)]
        view += [Text(f"{one.name}: {one.step}", "warn") for one in self.checks if one.step]
        for one in self.pending:
            pairs: list[tuple[str, str | Cell]] = [
                ("interrupted while", one.kind),
                ("which means", one.meaning),
                ("look in AWS", one.check(self.region)),
                ("then run", one.repair(self.stack, self.project)),
            ]
            view.append(Facts(pairs, f"{one.name} ({one.type})"))
        return tuple(view)
