"""What of a changed definition breaks platforms that exist."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketly_cli.cluster import definition, definitions

anything = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with control planes and brokers."""

LIMITS = st.dictionaries(st.sampled_from(["minimum", "maximum"]), st.integers(0, 9))
LEAVES = st.one_of(
    st.builds(lambda limits: {"type": "integer", **limits}, LIMITS),
    st.builds(
        lambda length, enum: {"type": "string", **length, **enum},
        st.dictionaries(st.sampled_from(["minLength", "maxLength"]), st.integers(0, 9)),
        st.dictionaries(st.just("enum"), st.lists(st.sampled_from("abc"), min_size=1, unique=True)),
    ),
    st.just({"type": "boolean"}),
)


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [each for each in required if each in properties]}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            _object,
            st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
            st.lists(st.sampled_from("abcd"), unique=True),
        ),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
    ),
    max_leaves=8,
)


def _spec(schema: dict[str, Any], **version: Any) -> dict[str, Any]:
    names = {"kind": "K", "plural": "ks"}
    whole = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    return {"group": "g", "scope": "Namespaced", "names": names, "versions": [whole]}


@anything
@given(SCHEMAS)
def test_a_definition_does_not_differ_from_itself(schema):
    assert definitions.compare(_spec(schema), copy.deepcopy(_spec(schema))) == ()


@anything
@given(SCHEMAS, SCHEMAS)
def test_schemas_that_differ_are_told_in_both_directions(one, other):
    there, back = definitions.compare(_spec(one), _spec(other)), definitions.compare(_spec(other), _spec(one))
    assert bool(there) == bool(back) == (_normal(one) != _normal(other))


@anything
@given(SCHEMAS, SCHEMAS)
def test_an_accepted_value_that_is_refused_afterwards_was_announced(one, other):
    """The meaning of "breaking", checked against a validator: no surprise when nothing is marked."""
    if any(each.breaking for each in definitions.compare(_spec(one), _spec(other))):
        return
    for value in _samples(one):
        if _accepts(one, value):
            assert _accepts(other, value), (value, one, other)


def _normal(schema):
    return {key: sorted(value) if key == "required" else _normal(value) if isinstance(value, dict) else value
            for key, value in schema.items() if not (key == "required" and not value)}  # fmt: skip


def _samples(schema: dict[str, Any]) -> list[Any]:
    match schema["type"]:
        case "integer":
            return list(range(10))
        case "string":
            return ["", "a", "b", "c", "aaaaa", "a" * 9]
        case "boolean":
            return [True]
        case "array":
            return [[], *([each] for each in _samples(schema["items"]))]
        case _:
            properties = schema["properties"]
            whole = {name: _samples(inner)[0] for name, inner in properties.items()}
            return [
                {},
                whole,
                *({**whole, name: value} for name, inner in properties.items() for value in _samples(inner)),
            ]


def _accepts(schema: dict[str, Any], value: Any) -> bool:
    match schema["type"]:
        case "integer":
            fits = isinstance(value, int) and not isinstance(value, bool)
            return fits and schema.get("minimum", -1) <= value <= schema.get("maximum", 99)
        case "string":
            fits = isinstance(value, str) and value in schema.get("enum", [value])
            return fits and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 99)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list) and all(_accepts(schema["items"], each) for each in value)
        case _:
            if not isinstance(value, dict) or not set(schema["required"]) <= set(value) <= set(schema["properties"]):
                return False
            return all(_accepts(schema["properties"][name], inner) for name, inner in value.items())


STRING = {"type": "string"}
FILLED = {**STRING, "default": "x"}
SHORT = {**STRING, "maxLength": 3}


@pytest.mark.parametrize(
    ("before", "after", "path", "breaking"),
    [
        (_object({"a": STRING}, []), _object({}, []), "v1.a", True),
        (_object({}, []), _object({"a": STRING}, []), "v1.a", False),
        (_object({"a": STRING}, []), _object({"a": STRING}, ["a"]), "v1.a", True),
        (_object({"a": FILLED}, []), _object({"a": FILLED}, ["a"]), "v1.a", False),
        (_object({"a": STRING}, ["a"]), _object({"a": STRING}, []), "v1.a", False),
        ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}, "v1.pattern", True),
        ({"type": "string", "pattern": "a"}, {"type": "string"}, "v1.pattern", False),
        ({"type": "string"}, {"type": "string", "format": "date-time"}, "v1.format", True),
        ({"type": "string", "default": "a"}, {"type": "string", "default": "b"}, "v1.default", False),
        ({"type": "string"}, {"type": "integer"}, "v1", True),
        ({"type": "string", "description": "a"}, {"type": "string", "description": "b"}, "v1", False),
        ({"type": "array", "items": STRING}, {"type": "array", "items": SHORT}, "v1[].maxLength", True),
        ({"type": "string"}, {"type": "string", "x-kubernetes-validations": [{"rule": "r"}]}, "v1", True),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "r"}]}, {"type": "string"}, "v1", False),
        (
            {"type": "object", "additionalProperties": SHORT},
            {"type": "object", "additionalProperties": STRING},
            "v1.*.maxLength",
            False,
        ),
    ],
)  # fmt: skip
def test_each_kind_of_change(before, after, path, breaking):
    (found,) = definitions.compare(_spec(before), _spec(after))
    assert (found.path, found.breaking) == (path, breaking)


def test_versions_that_go_or_are_not_served_any_more_break():
    two = _spec(STRING)
    two["versions"].append({**two["versions"][0], "name": "v2", "storage": False})
    (removed,) = definitions.compare(two, _spec(STRING))
    assert (removed.path, removed.text, removed.breaking) == ("v2", "version removed", True)
    (added,) = definitions.compare(_spec(STRING), two)
    assert (added.text, added.breaking) == ("version added", False)
    (unserved,) = definitions.compare(_spec(STRING), _spec(STRING, served=False))
    assert unserved.breaking


def test_stored_versions_that_we_do_not_know_are_named():
    ours = definition.ours()
    assert definitions.lost_versions({"status": {"storedVersions": ["v1alpha1", "v2"]}}, ours) == ("v2",)
    assert definitions.lost_versions({"status": {"storedVersions": ["v1alpha1"]}}, ours) == ()


def test_a_report_lists_what_breaks_first():
    found = definitions.compare(_spec(_object({"a": STRING}, [])), _spec(_object({"b": STRING}, [])))
    report = definitions.DefinitionReport("lab", installed=True, changes=found)
    assert report.exit_code == 2
    assert report.to_data()["breaking"] is True
    table, _, summary = report.to_view()
    assert [row[1] for row in table.rows] == ["v1.a", "v1.b"]
    assert summary.text == (
        "2 differences would be made by `ticketly crd upgrade`; 1 of them may refuse platforms that exist."
    )
