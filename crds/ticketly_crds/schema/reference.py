"""The reference pages: the same schema and the same texts as tables for people. Pure text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ticketly_crds.quantities import PATTERN_NAMES
from ticketly_crds.reasons import CONDITIONS, EXPLANATIONS
from ticketly_crds.schema.rules import Rule, rules
from ticketly_crds.schema.structural import Schema, default_note
from ticketly_crds.spec import API_VERSION, KIND
from ticketly_crds.status import REASONS, ConditionType, Reason

_LONGEST_PATTERN: Final = 48
_SIZES: Final = (("Length", "characters"), ("Items", "entries"), ("Properties", "keys"))
_LEGEND: Final = (
    "A field in **bold** must be given when its section is. `null` is written where it means something else than"
    " leaving the field out. `[]` stands for an entry of a list, `<key>` for a key of a map."
)
_TOLERANCE: Final = (
    "Conditions and their reasons: [conditions](conditions.md). The API server keeps fields and values it does not"
    " know, so that a status of an operator of another release is not refused."
)
_ANSWERS: Final = (
    "A condition has the status `True`, `False` or `Unknown`; `Unknown` means that the operator could not look."
    " Each reason belongs to one condition."
)
_HEAD: Final = "| Field | Type | Default | Constraints | Description |\n| --- | --- | --- | --- | --- |"


def platform_page(openapi: Schema, command: str) -> str:
    """Return docs/reference/ticketlyplatform.md for the schema of the document."""
    spec, status = openapi["properties"]["spec"], openapi["properties"]["status"]
    name = openapi["properties"]["metadata"]["properties"]["name"]
    lines = [
        f"# {KIND}",
        "",
        f"<!-- Written by `{command} ticketlyplatform`: change the models instead. -->",
        "",
        f"`apiVersion: {API_VERSION}`, `kind: {KIND}`, namespaced, short name `tkp`, category `ticketly`.",
        "",
        f"`metadata.name` has at most {name['maxLength']} characters and matches `{name['pattern']}`.",
        "",
        f"{spec['description']} `kubectl explain tkp.spec` tells the same as this page.",
        "",
        _LEGEND,
        "",
        "## Spec",
        "",
        "### Fields directly in spec",
        "",
        _HEAD,
    ]
    sections = {key: below for key, below in spec["properties"].items() if "properties" in below}
    lines += [
        _row(key, below, required=False)
        for key, below in spec["properties"].items()
        if key not in {*sections, "flashSales"}
    ]
    for key, section in {**sections, "flashSales": spec["properties"]["flashSales"]}.items():
        presence = "" if "default" in section else " The section may be absent."
        lines += ["", f"### {key}", "", f"{_told(section)}{presence}", "", _HEAD]
        lines += [_row(path, below, required=required) for path, below, required in _fields(section, key)]
    lines += ["", "## Rules", "", "What a schema cannot say. The API server and the parser use the same words.", ""]
    lines += [
        "| Field | Rule |",
        "| --- | --- |",
        *dict.fromkeys(_rule_row(rule) for rule in rules() if not _changes(rule)),
    ]
    lines += ["", "These hold when a platform is changed:", "", "| Field | Rule |", "| --- | --- |"]
    lines += dict.fromkeys(_rule_row(rule) for rule in rules() if _changes(rule))
    lines += [
        "",
        "## Status",
        "",
        f"{_told(status)} {_TOLERANCE}",
        "",
        "| Field | Type | Description |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{path}` | {_type(below)} | {_cell(_told(below))} |" for path, below, _ in _fields(status, "")]
    return "\n".join(lines) + "\n"


def conditions_page(command: str) -> str:
    """Return docs/reference/conditions.md: each condition, each reason, what it means and what to do."""
    lines = [
        "# Conditions and reasons",
        "",
        f"<!-- Written by `{command} conditions`: change ticketly_crds/reasons.py instead. -->",
        "",
        _ANSWERS,
        "",
        "```",
        "kubectl get tkp",
        "kubectl wait --for=condition=Ready tkp/ticketly",
        "kubectl get tkp ticketly -o wide",
        "kubectl get tkp ticketly -o jsonpath='{.status.conditions}'",
        "```",
    ]
    for kind in ConditionType:
        lines += [
            "",
            f"## {kind}",
            "",
            CONDITIONS[kind],
            "",
            "| Reason | Meaning | What to do |",
            "| --- | --- | --- |",
        ]
        for reason in (reason for reason in Reason if reason in REASONS[kind]):
            told = EXPLANATIONS[reason]
            lines.append(f"| `{reason}` | {_cell(told.meaning)} | {_cell(told.action)} |")
    return "\n".join(lines) + "\n"


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Yield every field below a schema with its path and whether it must be given."""
    if "items" in schema:
        path, schema = f"{path}[]", schema["items"]
    if "additionalProperties" in schema:
        yield f"{path}.<key>", schema["additionalProperties"], False
        yield from _fields(schema["additionalProperties"], f"{path}.<key>")
    for name, below in schema.get("properties", {}).items():
        inner = f"{path}.{name}".removeprefix(".")
        yield inner, below, name in schema.get("required", ())
        yield from _fields(below, inner)


def _row(path: str, schema: Schema, *, required: bool) -> str:
    name = f"**`{path}`**" if required else f"`{path}`"
    default = schema.get("default")
    shown = "" if default is None or "properties" in schema else f"`{_literal(default)}`"
    return f"| {name} | {_type(schema)} | {shown} | {_cell(_constraints(schema))} | {_cell(_told(schema))} |"


def _told(schema: Schema) -> str:
    told: str = schema.get("description", "")
    return told.removesuffix(default_note(schema.get("default", "")))


def _type(schema: Schema) -> str:
    match schema["type"]:
        case "array":
            return f"list of {_type(schema['items'])}"
        case "object" if "additionalProperties" in schema:
            return f"map to {_type(schema['additionalProperties'])}"
        case "string" if schema.get("format") == "date-time":
            return "instant"
        case kind:
            return f"{kind} or null" if schema.get("nullable") and "default" in schema else str(kind)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_literal(item)}' for key, item in value.items())}}}"
    return str(value) if value != "" else '""'


def _constraints(schema: Schema) -> str:
    told = []
    if "enum" in schema:
        told.append(", ".join(f"`{value}`" for value in schema["enum"]))
    if "minimum" in schema or "maximum" in schema:
        told.append(f"{schema.get('minimum', '')} to {schema.get('maximum', '')}".strip())
    for size, unit in _SIZES:
        least, most = schema.get(f"min{size}"), schema.get(f"max{size}")
        if least is not None and most is not None:
            told.append(f"{least} to {most} {unit}")
        elif most is not None:
            told.append(f"at most {most} {unit}")
    pattern = schema.get("pattern")
    if pattern in PATTERN_NAMES:
        told.append(PATTERN_NAMES[pattern])
    elif pattern:
        told.append(f"`{pattern}`" if len(pattern) <= _LONGEST_PATTERN else "pattern: see the definition")
    if schema.get("x-kubernetes-list-type") == "map":
        told.append("distinct " + ", ".join(f"`{key}`" for key in schema["x-kubernetes-list-map-keys"]))
    return "; ".join(told)


def _changes(rule: Rule) -> bool:
    return "oldSelf" in rule.rule


def _rule_row(rule: Rule) -> str:
    told = rule.message.replace("%d", "…").replace("%s", "…")
    return f"| `{rule.path}{rule.at}` | {_cell(told)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
