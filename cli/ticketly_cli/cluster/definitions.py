"""Two versions of a CustomResourceDefinition -> what differs, and what of it breaks platforms that exist. Pure.

A difference breaks when an object that was accepted before may be refused afterwards, or loses a field: a version or
field that goes away, another type, a field that becomes required without a default, a limit that becomes tighter. What
only reads differently (descriptions, columns) does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, JsonObject, Table, Text, View

_LOWER_LIMITS: Final = ("minimum", "minLength", "minItems", "minProperties")
_UPPER_LIMITS: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_WORDING: Final = frozenset({"description", "title", "example", "externalDocs"})
_PLAIN: Final = frozenset(
    {
        "format",
        "default",
        "nullable",
        "multipleOf",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "uniqueItems",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "x-kubernetes-embedded-resource",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
    }
)
_HARMLESS: Final = frozenset({"default"})
_MAX_VALUE_CHARS: Final = 50
_VALIDATIONS: Final = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """One difference: where, what, and whether it breaks platforms that exist."""

    path: str
    text: str
    breaking: bool = False

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {"path": self.path, "change": self.text, "breaking": self.breaking}


@dataclass(frozen=True, slots=True)
class DefinitionReport:
    """Data: `context`, `installed`, `differences`, `breaking`, `changes`, `applied`.

    Exit code 2 when there are differences that were not applied.
    """

    context: str
    installed: bool
    changes: tuple[DefinitionChange, ...]
    applied: bool = False

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE if self.applied or (self.installed and not self.changes) else ExitCode.UNDECIDED

    def to_data(self) -> JsonObject:
        return {
            "context": self.context,
            "installed": self.installed,
            "differences": not self.installed or bool(self.changes),
            "breaking": any(each.breaking for each in self.changes),
            "changes": [each.to_data() for each in self.changes],
            "applied": self.applied,
        }

    def to_view(self) -> View:
        if not self.installed:
            done = "The definition is installed now." if self.applied else "The cluster has no definition of ours."
            return (Text(done),)
        if not self.changes:
            return (Text("The cluster's definition is the one of this version.", "good"),)
        breaking = sum(each.breaking for each in self.changes)
        verb = "were applied" if self.applied else "would be made by `ticketly crd upgrade`"
        plural = "s" if len(self.changes) > 1 else ""
        risk = f"{breaking or 'none'} of them may refuse platforms that exist"
        summary = f"{len(self.changes)} difference{plural} {verb}; {risk}."
        rows = [
            (Cell("breaking", "bad") if each.breaking else Cell("compatible", "good"), each.path, each.text)
            for each in sorted(self.changes, key=lambda each: not each.breaking)
        ]
        return (Table(("", "field", "change"), rows), Text(""), Text(summary, "bad" if breaking else "plain"))


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[DefinitionChange, ...]:
    """Every difference between the `spec` of two definitions, in the server's own normal form."""
    return tuple(_spec(before, after))


def lost_versions(live: JsonObject, ours: JsonObject) -> tuple[str, ...]:
    """Versions in which the cluster has stored objects and which our definition does not know any more."""
    known = {each["name"] for each in ours["spec"]["versions"]}
    stored = (live.get("status") or {}).get("storedVersions") or ()
    return tuple(version for version in stored if version not in known)


def _spec(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    for key in ("group", "scope"):
        if before.get(key) != after.get(key):
            yield _changed(key, before.get(key), after.get(key), breaking=True)
    for key in ("names", "conversion", "preserveUnknownFields"):
        if before.get(key) != after.get(key):
            yield _changed(key, before.get(key), after.get(key), breaking=key == "names" and _renamed(before, after))
    old = {each["name"]: each for each in before.get("versions", ())}
    new = {each["name"]: each for each in after.get("versions", ())}
    for name in old:
        if name not in new:
            yield DefinitionChange(name, "version removed", breaking=True)
    for name, version in new.items():
        if name in old:
            yield from _version(name, old[name], version)
        else:
            yield DefinitionChange(name, "version added")


def _renamed(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return any(before["names"].get(key) != after["names"].get(key) for key in ("kind", "plural"))


def _version(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    if before.get("served") and not after.get("served"):
        yield DefinitionChange(name, "version is not served any more", breaking=True)
    elif before.get("served") != after.get("served"):
        yield DefinitionChange(name, "version is served now")
    if before.get("storage") != after.get("storage"):
        yield _changed(f"{name}.storage", before.get("storage"), after.get("storage"), breaking=False)
    for key in ("deprecated", "deprecationWarning", "additionalPrinterColumns", "selectableFields"):
        if before.get(key) != after.get(key):
            yield DefinitionChange(f"{name}.{key}", "changed")
    for key in sorted({*before.get("subresources", {}), *after.get("subresources", {})}):
        there, then = before.get("subresources", {}).get(key), after.get("subresources", {}).get(key)
        if there != then:
            word = "added" if there is None else "removed" if then is None else "changed"
            yield DefinitionChange(f"{name}.subresources.{key}", word, breaking=then is None)
    old, new = _schema_of(before), _schema_of(after)
    yield from _schema(name, old, new)


def _schema_of(version: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return found


def _schema(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    if before.get("type") != after.get("type"):
        yield _changed(path, before.get("type"), after.get("type"), breaking=True)
        return
    yield from _limits(path, before, after)
    yield from _choices(path, before, after)
    yield from _required(path, before, after)
    yield from _rules(path, before.get(_VALIDATIONS) or (), after.get(_VALIDATIONS) or ())
    if any(before.get(key) != after.get(key) for key in _WORDING):
        yield DefinitionChange(path, "description changed")
    for key in sorted(_PLAIN):
        if before.get(key) != after.get(key):
            yield _changed(f"{path}.{key}", before.get(key), after.get(key), breaking=key not in _HARMLESS)
    yield from _properties(path, before.get("properties") or {}, after.get("properties") or {})
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _schema(f"{path}{mark}", old, new)
        elif old != new:
            yield DefinitionChange(f"{path}{mark}", _added_or_removed(old, new), breaking=True)


def _properties(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    for name in before:
        if name not in after:
            yield DefinitionChange(f"{path}.{name}", "field removed", breaking=True)
    for name, schema in after.items():
        if name in before:
            yield from _schema(f"{path}.{name}", before[name], schema)
        else:
            yield DefinitionChange(f"{path}.{name}", "field added")


def _limits(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    for keys, tighter in ((_LOWER_LIMITS, 1), (_UPPER_LIMITS, -1)):
        for key in keys:
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            breaks = new is not None and (old is None or (new - old) * tighter > 0)
            yield _changed(f"{path}.{key}", old, new, breaking=breaks)


def _choices(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    old, new = before.get("enum"), after.get("enum")
    if old != new:
        gone = new is not None and (old is None or any(value not in new for value in old))
        yield _changed(f"{path}.enum", old, new, breaking=gone)
    if before.get("pattern") != after.get("pattern"):
        yield _changed(f"{path}.pattern", before.get("pattern"), after.get("pattern"), breaking="pattern" in after)


def _required(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    old, new = set(before.get("required") or ()), set(after.get("required") or ())
    for name in sorted(new - old):
        # a field with a default is filled in before it is asked for
        filled = "default" in ((after.get("properties") or {}).get(name) or {})
        yield DefinitionChange(f"{path}.{name}", "required now", breaking=not filled)
    for name in sorted(old - new):
        yield DefinitionChange(f"{path}.{name}", "not required any more")


def _rules(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[DefinitionChange]:
    old, new = {each["rule"]: each for each in before}, {each["rule"]: each for each in after}
    for rule in old:
        if rule not in new:
            yield DefinitionChange(path, f"rule removed: {_short(rule)}")
    for rule, each in new.items():
        if rule not in old:
            yield DefinitionChange(path, f"rule added: {_short(each.get('message') or rule)}", breaking=True)
        elif old[rule] != each:
            yield DefinitionChange(path, f"message of a rule changed: {_short(rule)}")


def _changed(path: str, old: Any, new: Any, *, breaking: bool) -> DefinitionChange:
    return DefinitionChange(path, f"{_short(old)} -> {_short(new)}", breaking)


def _added_or_removed(old: Any, new: Any) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _short(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 1] + "…"
