"""The resource definition is what the models say, field by field, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ticketly_crds import schema
from ticketly_crds.reasons import CONDITIONS, EXPLANATIONS
from ticketly_crds.schema.rules import CONNECTORS, SERVICES, rules
from ticketly_crds.schema.structural import RULES, structural
from ticketly_crds.sections import Connectors, ServiceKey
from ticketly_crds.spec import Metadata, Spec, TicketlyPlatform
from ticketly_crds.status import ConditionType, PlatformStatus, Reason
from ticketly_crds.workloads import Services

ROOT = Path(__file__).resolve().parents[2]
KEPT = {
    "definition": "crds/ticketly_crds/ticketlyplatform.yaml",
    "ticketlyplatform": "docs/reference/ticketlyplatform.md",
    "conditions": "docs/reference/conditions.md",
}
FACETS = ("type", "format", "enum", "pattern", "minimum", "maximum")
SIZES = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
CONTENT = ("properties", "items", "additionalProperties", "required")
LISTS = ("x-kubernetes-list-type", "x-kubernetes-list-map-keys")
KNOWN = {*FACETS, *SIZES, *CONTENT, *LISTS, "description", "default", "nullable", RULES}

Schema = dict[str, Any]


def spec_schema() -> Schema:
    found: Schema = schema.openapi()["properties"]["spec"]
    return found


def walk(below: Schema, path: str = "spec") -> Iterator[tuple[str, Schema]]:
    yield path, below
    for name, inner in below.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    for key, mark in (("items", "[*]"), ("additionalProperties", ".*")):
        if key in below:
            yield from walk(below[key], path + mark)


# Kept files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_kept_file_is_what_the_models_give(name: str) -> None:
    kept = (ROOT / KEPT[name]).read_text(encoding="utf-8")
    assert kept == schema.FILES[name](), f"write it anew: .venv/bin/{schema.COMMAND} {name} > {KEPT[name]}"


def test_the_command_prints_each_file_and_refuses_other_names() -> None:
    command = [sys.executable, "-m", "ticketly_crds.schema"]
    assert set(KEPT) == set(schema.FILES)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == schema.text()
    wrong = subprocess.run([*command, "chart"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "ticketlyplatform" in wrong.stderr


def test_definition_and_samples_are_data_of_the_package() -> None:
    package = resources.files("ticketly_crds")
    assert package.joinpath("ticketlyplatform.yaml").is_file()
    assert package.joinpath("samples", "cluster.yaml").is_file()


def test_each_call_gives_a_definition_of_its_own() -> None:
    first = schema.definition()
    first["spec"]["versions"].clear()
    assert schema.definition()["spec"]["versions"]


# Names and columns ----------------------------------------------------------------------------------------------


def test_the_resource_is_named_as_documented() -> None:
    found = schema.definition()
    assert found["metadata"]["name"] == "ticketlyplatforms.ticketly.io"
    assert (found["spec"]["group"], found["spec"]["scope"]) == ("ticketly.io", "Namespaced")
    assert found["spec"]["names"] == {
        "kind": "TicketlyPlatform",
        "listKind": "TicketlyPlatformList",
        "plural": "ticketlyplatforms",
        "singular": "ticketlyplatform",
        "shortNames": ["tkp"],
        "categories": ["ticketly"],
    }
    (version,) = found["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["subresources"] == {"status": {}}


def test_every_column_leads_to_a_field_and_every_condition_has_one() -> None:
    (version,) = schema.definition()["spec"]["versions"]
    shown = set()
    for column in version["additionalPrinterColumns"]:
        match = re.fullmatch(r'\.status\.conditions\[\?\(@\.type=="(\w+)"\)\]\.(\w+)', column["jsonPath"])
        if match:
            shown.add(ConditionType(match[1]))
            assert match[2] in ("status", "reason", "message")
        elif column["jsonPath"] != ".metadata.creationTimestamp":
            place = schema.openapi()
            for part in column["jsonPath"].removeprefix(".").split("."):
                place = place["properties"][part]
            assert place["type"] == column["type"]
    assert shown == set(ConditionType)


# The schema is the models ---------------------------------------------------------------------------------------


def test_every_field_of_the_models_is_in_the_schema_with_the_same_bounds_and_the_schema_has_no_other() -> None:
    compare(Spec, spec_schema(), "spec")
    name = schema.openapi()["properties"]["metadata"]["properties"]["name"]
    assert facets(name) == expected(Metadata.model_fields["name"].annotation, Metadata.model_fields["name"].metadata)


def compare(model: type[BaseModel], found: Schema, path: str) -> None:
    """Read pydantic's own field records; the schema was made from its JSON schema, so a fault there shows here."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    assert list(found["properties"]) == list(fields), path
    assert set(found.get("required", ())) == {alias for alias, field in fields.items() if field.is_required()}, path
    for alias, field in fields.items():
        below, where = found["properties"][alias], f"{path}.{alias}"
        assert facets(below) == expected(field.annotation, field_marks(field)), where
        assert bool(below.get("nullable")) is bare(field.annotation)[2], where
        compare_default(field, below, where)
        compare_content(field.annotation, below, where)


def compare_content(annotation: Any, found: Schema, where: str) -> None:
    inner, _, _ = bare(annotation)
    if get_origin(inner) is tuple:
        item = get_args(inner)[0]
        assert facets(found["items"]) == expected(item, []), where
        compare_content(item, found["items"], f"{where}[*]")
    elif get_origin(inner) is dict and get_args(inner)[0] == ServiceKey:
        assert list(found["properties"]) == list(get_args(ServiceKey)), where
        for below in found["properties"].values():
            assert facets(below) == expected(get_args(inner)[1], []), where
    elif get_origin(inner) is dict:
        key, value = get_args(inner)
        (pattern,) = [mark.pattern for mark in marks(bare(key)[1]) if hasattr(mark, "pattern")]
        assert f"matches('{pattern}')" in found[RULES][0]["rule"], where
        assert facets(found["additionalProperties"]) == expected(value, []), where
        compare_content(value, found["additionalProperties"], f"{where}.*")
    elif isinstance(inner, type) and issubclass(inner, BaseModel):
        compare(inner, found, where)


def compare_default(field: FieldInfo, found: Schema, where: str) -> None:
    default = None if field.is_required() else field.get_default()
    if default is None:
        assert "default" not in found, where
        return
    told = plain(default)
    assert server_fills(found["default"], found) == told, where


def server_fills(value: Any, found: Schema) -> Any:
    """What the API server makes of a value: defaults are filled in from the outside in."""
    if isinstance(value, dict) and "properties" in found:
        filled = dict(value)
        for name, below in found["properties"].items():
            if name not in filled and "default" in below:
                filled[name] = below["default"]
            if name in filled:
                filled[name] = server_fills(filled[name], below)
        return filled
    if isinstance(value, list):
        return [server_fills(item, found["items"]) for item in value]
    return value


def plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def facets(found: Schema) -> Schema:
    return {key: found[key] for key in (*FACETS, *SIZES, *LISTS) if key in found}


def field_marks(field: FieldInfo) -> list[Any]:
    extra = field.json_schema_extra
    return [*field.metadata, *([extra] if isinstance(extra, dict) else [])]


def bare(annotation: Any) -> tuple[Any, list[Any], bool]:
    """An annotation without Annotated and `| None`, the marks found on the way, whether None is allowed."""
    found: list[Any] = []
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            found += more
        elif get_origin(annotation) in (Union, types.UnionType):
            (annotation,) = [part for part in get_args(annotation) if part is not type(None)]
            optional = True
        else:
            return annotation, found, optional


def marks(given: list[Any]) -> Iterator[Any]:
    for mark in given:
        if isinstance(mark, FieldInfo):
            yield from marks(field_marks(mark))
        else:
            yield mark


def expected(annotation: Any, more: list[Any]) -> Schema:
    inner, found, _ = bare(annotation)
    kind, sizes = json_type(inner)
    told: Schema = {"type": kind}
    if inner is datetime:
        told["format"] = "date-time"
    if get_origin(inner) is Literal:
        told["enum"] = list(get_args(inner))
    for mark in marks([*found, *more]):
        match mark:
            case annotated_types.Ge():
                told["minimum"] = mark.ge
            case annotated_types.Le():
                told["maximum"] = mark.le
            case annotated_types.MinLen():
                told[f"min{sizes}"] = mark.min_length
            case annotated_types.MaxLen():
                told[f"max{sizes}"] = mark.max_length
            case dict():
                told |= mark
            case _ if getattr(mark, "pattern", None):
                told["pattern"] = mark.pattern
    return told


def json_type(inner: Any) -> tuple[str, str]:
    origin = get_origin(inner)
    if origin is Literal:
        return ("integer" if isinstance(get_args(inner)[0], int) else "string"), ""
    if origin is tuple:
        return "array", "Items"
    if origin is dict:
        return "object", "Properties"
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return "object", ""
    plain = {int: "integer", float: "number", bool: "boolean"}
    return (plain[inner], "") if inner in plain else ({str: "string", datetime: "string"}[inner], "Length")


def test_every_field_says_what_it_is_for() -> None:
    for path, below in walk(schema.openapi(), ""):
        head = path.startswith((".apiVersion", ".kind", ".metadata"))
        if not (head or path.endswith(("[*]", ".*"))):
            told = below.get("description", "")
            assert told, path
            assert told.rstrip("`").endswith((".", "LKR.")), f"{path}: {told}"


def test_everything_in_the_spec_is_bounded_so_that_the_cost_of_rules_is() -> None:
    for path, below in walk(spec_schema()):
        match below["type"]:
            case "string":
                assert "maxLength" in below or "enum" in below or below.get("format") == "date-time", path
            case "integer" | "number":
                assert {"minimum", "maximum"} <= set(below) or "enum" in below, path
            case "array":
                assert "maxItems" in below, path
            case "object":
                assert "properties" in below or "maxProperties" in below, path


def test_the_spec_has_no_word_that_a_structural_schema_lacks() -> None:
    for path, below in walk(spec_schema()):
        assert set(below) <= KNOWN, path


def test_patterns_mean_the_same_to_python_and_to_the_api_server() -> None:
    # RE2 has no look-around and no references back; \d, \s, \w and . differ between the three engines at hand
    for path, below in walk(spec_schema()):
        pattern = below.get("pattern", "^$")
        assert pattern.startswith("^"), path
        assert pattern.endswith("$"), path
        assert not re.search(r"\(\?[^:]|\\[dDsSwWbB1-9]|(?<!\\)\.(?![^\[]*\])", pattern), f"{path}: {pattern}"


def test_alternatives_are_refused_rather_than_dropped() -> None:
    with pytest.raises(ValueError, match="no alternatives"):
        structural({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {})
    with pytest.raises(ValueError, match="no structural schema"):
        structural({"type": "null"}, {})


# Rules ----------------------------------------------------------------------------------------------------------


def test_every_rule_stands_at_a_field_and_reports_one() -> None:
    places = dict(walk(spec_schema()))
    for rule in rules():
        place = places[rule.path]
        assert rule.wire() in place[RULES], rule
        for part in rule.at.removeprefix(".").split(".") if rule.at else ():
            place = place["properties"][part]
        assert rule.message.count("%") == len(rule.shows), rule


def test_every_service_and_connector_has_its_rules() -> None:
    assert [field.alias for field in Services.model_fields.values()] == list(SERVICES) == list(get_args(ServiceKey))
    assert [field.alias for field in Connectors.model_fields.values()] == list(CONNECTORS)


# Status ---------------------------------------------------------------------------------------------------------


def test_the_status_has_every_field_and_refuses_no_other_release() -> None:
    found = schema.openapi()["properties"]["status"]
    same_fields(PlatformStatus, found)
    for path, below in walk(found, "status"):
        assert not set(below) & {"default", "minimum", "maximum", "maxLength", "pattern", RULES}, path
        if "properties" in below:
            assert below["x-kubernetes-preserve-unknown-fields"] is True, path
        if "enum" in below:
            assert path == "status.conditions[*].status"


def same_fields(model: type[BaseModel], found: Schema) -> None:
    assert list(found["properties"]) == [field.alias for field in model.model_fields.values()]
    for field in model.model_fields.values():
        below = found["properties"][field.alias or ""]
        inner, _, optional = bare(field.annotation)
        assert bool(below.get("nullable")) is optional
        if get_origin(inner) is tuple:
            below, inner = below["items"], typing.get_args(inner)[0]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            same_fields(inner, below)


def test_conditions_are_a_map_by_type_as_everywhere_in_kubernetes() -> None:
    conditions = schema.openapi()["properties"]["status"]["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])
    assert conditions["items"]["properties"]["lastTransitionTime"]["format"] == "date-time"


# Words about reasons ----------------------------------------------------------------------------------------------


def test_every_condition_and_every_reason_is_explained() -> None:
    assert set(CONDITIONS) == set(ConditionType)
    assert set(EXPLANATIONS) == set(Reason)
    for told in (*CONDITIONS.values(), *(text for one in EXPLANATIONS.values() for text in (one.meaning, one.action))):
        assert told.endswith("."), told
        assert told[0].isupper() or told[0] == "`", told


def test_the_document_itself_has_the_four_parts() -> None:
    found = schema.openapi()
    assert list(found["properties"]) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert set(TicketlyPlatform.model_fields) == {"api_version", "kind", "metadata", "spec"}
    assert found["required"] == ["metadata"]
