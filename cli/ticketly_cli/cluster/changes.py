"""A plan as data: objects, their fields, and how a person and a program see them. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, JsonObject, Table, Text, Tone, View
from ticketly_crds import names
from ticketly_operator.plan.difference import Step

Action: TypeAlias = Literal["create", "update", "delete", "refused", "none"]

_TONES: Final[dict[Action, Tone]] = {
    "create": "good",
    "update": "warn",
    "delete": "bad",
    "refused": "bad",
    "none": "dim",
}
_MAX_VALUE_CHARS: Final = 32
_CONTEXT_CHARS: Final = 16
_SHORTER: Final = (
    ("spec.template.spec.containers", "container"),
    ("spec.template.spec.", "pod "),
    ("spec.template.metadata.annotations.", "pod annotation "),
    ("spec.template.metadata.labels.", "pod label "),
    ("metadata.annotations.", "annotation "),
    ("metadata.labels.", "label "),
)
_OURS: Final = frozenset({names.FIELD_MANAGER, "ticketly-cli", ""})
Row: TypeAlias = tuple[str | Cell, ...]
_WORDS: Final[dict[Action, str]] = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "refused": "refused",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field. `manager` is who set the value that is there, empty when there is none.

    `conflict`: the manager is not the one that would set it, and says that it owns it.
    """

    field: str
    before: Any
    after: Any
    manager: str = ""
    conflict: bool = False
    path: tuple[Step, ...] = ()

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "field": self.field,
            "before": self.before,
            "after": self.after,
            "manager": self.manager,
            "conflict": self.conflict,
        }


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What would become of one object."""

    kind: str
    name: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    reason: str = ""

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "reason": self.reason,
            "fields": [each.to_data() for each in self.fields],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Data: `platform`, `namespace`, `context`, `differences`, `counts`, `objects` (those that change), `notes`.

    The first object is the platform itself. Exit code 2 when anything would change.
    """

    platform: str
    namespace: str
    context: str
    objects: tuple[ObjectChange, ...]
    notes: tuple[str, ...] = ()
    verbose: bool = False

    @property
    def changed(self) -> tuple[ObjectChange, ...]:
        """The objects that would change."""
        return tuple(each for each in self.objects if each.action != "none")

    @property
    def exit_code(self) -> int:
        return ExitCode.UNDECIDED if self.changed else ExitCode.DONE

    def to_data(self) -> JsonObject:
        counts = Counter(each.action for each in self.objects)
        return {
            "platform": self.platform,
            "namespace": self.namespace,
            "context": self.context,
            "differences": bool(self.changed),
            "counts": {name: counts.get(name, 0) for name in ("create", "update", "delete", "refused", "none")},
            "objects": [each.to_data() for each in self.changed],
            "notes": list(self.notes),
        }

    def to_view(self) -> View:
        common = set() if self.verbose else _common(self.changed)
        rows = [row for each in self.changed for row in _rows(each, common)]
        rows += [row for each in sorted(common) for row in _common_rows(each, self.changed)]
        hint = [Text("What many objects have in common stands once; -v shows every object.", "dim")] if common else []
        table: View = (Table(("", "object", "change"), rows), *hint, Text("")) if rows else ()
        return (*table, *(Text(note, "warn") for note in self.notes), Text(self.summary, "strong"))

    @property
    def summary(self) -> str:
        """One sentence."""
        counts = Counter(each.action for each in self.objects)
        parts = [f"{counts[name]} {word}" for name, word in _WORDS.items() if counts.get(name)]
        where = f"{self.namespace}/{self.platform}"
        if not parts:
            return f"No difference: all {len(self.objects)} objects of {where} are as wanted."
        return f"{where}: {', '.join(parts)}, {counts.get('none', 0)} as wanted."


_FEW_OBJECTS: Final = 3
_Common: TypeAlias = tuple[str, str, str]
"""A field with both of its values: what the same change of several objects has in common."""


def _common(changed: Sequence[ObjectChange]) -> set[_Common]:
    """Changes of a plain field that more than a few objects share, such as the label with the version."""
    counts = Counter(_key(each) for change in changed for each in change.fields if not _foreign(each))
    return {key for key, count in counts.items() if count > _FEW_OBJECTS}


def _key(change: FieldChange) -> _Common:
    return change.field, *shown_pair(change.before, change.after)


def _common_rows(key: _Common, changed: Sequence[ObjectChange]) -> list[Row]:
    count = sum(_key(each) == key and not _foreign(each) for change in changed for each in change.fields)
    field, before, after = key
    head: Row = (Cell("update", _TONES["update"]), f"{count} objects", "")
    return [head, ("", f"  {_short(field)}", f"{before} -> {after}")]


def _rows(change: ObjectChange, common: set[_Common]) -> list[Row]:
    """The object in one line, each of its fields in one below."""
    head: Row = (Cell(change.action, _TONES[change.action]), f"{change.kind} {change.name}", change.reason)
    own = [each for each in change.fields if _foreign(each) or _key(each) not in common]
    fields: list[Row] = [("", f"  {_short(each.field)}", _change(each)) for each in own]
    return [head, *fields] if own or not change.fields else []


def _change(change: FieldChange) -> str | Cell:
    """Our own hand needs no mention; somebody else's is why there is a difference."""
    values = " -> ".join(shown_pair(change.before, change.after))
    if change.conflict:
        return Cell(f"{values}, a conflict: set by {change.manager}", "bad")
    return Cell(f"{values}, set by {change.manager}", "warn") if _foreign(change) else values


def _foreign(change: FieldChange) -> bool:
    """Somebody else set it; that is never hidden among what many objects have in common."""
    return change.conflict or change.manager not in _OURS


def _short(field: str) -> str:
    for prefix, word in _SHORTER:
        if field.startswith(prefix):
            return f"{word}{field.removeprefix(prefix)}"
    return field


def shown_pair(before: Any, after: Any) -> tuple[str, str]:
    """Both values in a few characters; of long texts the part in which they differ is shown."""
    one, other = _text(before), _text(after)
    if max(len(one), len(other)) > _MAX_VALUE_CHARS:
        alike = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        if alike > _CONTEXT_CHARS:
            cut = alike - _CONTEXT_CHARS
            one, other = f"…{one[cut:]}", f"…{other[cut:]}"
    return _cut(one), _cut(other)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 1] + "…"
