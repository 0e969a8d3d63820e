"""The API server's schema and the parser accept the same documents, except for what a rule (CEL) is written for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from importlib import resources
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ticketly_crds import quantities, schema, spec
from ticketly_crds.quantities import parse_bytes
from ticketly_crds.schema.rules import rules
from ticketly_crds.schema.structural import RULES

Schema = dict[str, Any]
OPENAPI: Schema = schema.openapi()
SPEC: Schema = OPENAPI["properties"]["spec"]
HEAD = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform"}
PATIENT = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MILLENNIUM = datetime(2000, 1, 1)  # noqa: DTZ001  the zone is drawn
KEY_RULE = re.compile(r"self\.all\(key, key\.matches\('(.*)'\)\)")


# A structural schema, as far as ours uses it ----------------------------------------------------------------------


def refusals(value: Any, found: Schema, path: str) -> Iterator[str]:
    """Yield what the API server's schema check refuses."""
    if value is None:
        yield from [] if found.get("nullable") else [f"{path}: null"]
        return
    checks = {"object": refused_object, "array": refused_list, "string": refused_text}
    numbers = {"integer": int, "number": (int, float)}
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, **numbers}
    kind = found["type"]
    if not isinstance(value, kinds[kind]) or (kind in numbers and isinstance(value, bool)):
        yield f"{path}: no {kind}"
        return
    if "enum" in found and value not in found["enum"]:
        yield f"{path}: not one of the values"
    if kind in numbers and not found.get("minimum", value) <= value <= found.get("maximum", value):
        yield f"{path}: out of bounds"
    if kind in checks:
        yield from checks[kind](value, found, path)


def refused_object(value: dict[str, Any], found: Schema, path: str) -> Iterator[str]:
    if not found.get("minProperties", 0) <= len(value) <= found.get("maxProperties", len(value)):
        yield f"{path}: wrong number of keys"
    yield from (f"{path}.{name}: required" for name in found.get("required", ()) if name not in value)
    for rule in found.get(RULES, ()):
        if pattern := KEY_RULE.fullmatch(rule["rule"]):
            yield from (f"{path}.{key}: no such key" for key in value if not re.search(python(pattern[1]), key))
    for key, inner in value.items():
        below = found["properties"].get(key) if "properties" in found else found["additionalProperties"]
        if below is None:
            yield f"{path}.{key}: unknown"
        else:
            yield from refusals(inner, below, f"{path}.{key}")


def refused_list(value: list[Any], found: Schema, path: str) -> Iterator[str]:
    if not found.get("minItems", 0) <= len(value) <= found.get("maxItems", len(value)):
        yield f"{path}: wrong number of entries"
    for index, inner in enumerate(value):
        yield from refusals(inner, found["items"], f"{path}[{index}]")
    if found.get("x-kubernetes-list-type") == "map":
        entries = [inner for inner in value if isinstance(inner, dict)]
        keys = [json.dumps([inner.get(key) for key in found["x-kubernetes-list-map-keys"]]) for inner in entries]
        if len(set(keys)) < len(keys):
            yield f"{path}: repeated key"


def refused_text(value: str, found: Schema, path: str) -> Iterator[str]:
    if not found.get("minLength", 0) <= len(value) <= found.get("maxLength", len(value)):
        yield f"{path}: wrong length"
    if "pattern" in found and not re.search(python(found["pattern"]), value):
        yield f"{path}: no match"
    if found.get("format") == "date-time" and not is_instant(value):
        yield f"{path}: no instant"


def is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def python(pattern: str) -> str:
    """`$` of RE2 is the end of the text, Python's also stands before a last line feed."""
    return re.sub(r"\$$", r"\\Z", pattern)


# Documents from the schema ----------------------------------------------------------------------------------------


def values(found: Schema) -> st.SearchStrategy[Any]:
    if "enum" in found:
        chosen: st.SearchStrategy[Any] = st.sampled_from(found["enum"])
    elif found.get("format") == "date-time":
        chosen = instants()
    else:
        chosen = {
            "object": objects,
            "array": lists,
            "string": quick_texts,
            "integer": lambda inner: st.integers(inner["minimum"], inner["maximum"]),
            "number": lambda inner: st.floats(inner["minimum"], inner["maximum"]),
            "boolean": lambda _: st.booleans(),
        }[found["type"]](found)
    return st.none() | chosen if found.get("nullable") else chosen


def objects(found: Schema) -> st.SearchStrategy[Any]:
    if "additionalProperties" in found:
        (pattern,) = [match[1] for rule in found[RULES] if (match := KEY_RULE.fullmatch(rule["rule"]))]
        keys = st.from_regex(python(pattern), fullmatch=True)
        return st.dictionaries(keys, values(found["additionalProperties"]), max_size=3)
    parts = {name: values(below) for name, below in found["properties"].items()}
    required = {name: parts.pop(name) for name in found.get("required", ())}
    made = st.fixed_dictionaries(required, optional=parts)
    return made.filter(lambda value: len(value) >= found.get("minProperties", 0))


def lists(found: Schema) -> st.SearchStrategy[Any]:
    unique = (lambda item: item["name"]) if "x-kubernetes-list-type" in found else None
    least = found.get("minItems", 0)
    return st.lists(values(found["items"]), min_size=least, max_size=max(least, 2), unique_by=unique)


ADDRESSES = ("http://a", "https://a.example:8443/path", "http://127.0.0.1:8080/", "https://a.example")
EXAMPLES = {
    "host name or IPv4 address": ("db", "db.example.com", "127.0.0.1"),
    "host name, IPv4 address or empty": ("", "api.example.com"),
    "host:port, several separated by commas": ("k:9092", "a:1, b.example:65535"),
    "http or https URL": ADDRESSES,
    "http or https URL or empty": ("", *ADDRESSES),
    "origin: scheme, host and port": ("http://a", "https://a.example:8443", "https://a.example/"),
}
"""Drawn from a pattern these take long; `test_a_text_is_accepted_exactly_when_it_fits_the_pattern` does it."""


def quick_texts(found: Schema) -> st.SearchStrategy[str]:
    examples = EXAMPLES.get(quantities.PATTERN_NAMES.get(found.get("pattern", ""), ""))
    return st.sampled_from(examples) if examples else texts(found)


def texts(found: Schema) -> st.SearchStrategy[str]:
    if "pattern" not in found:
        return st.text(min_size=found.get("minLength", 0), max_size=found["maxLength"])
    made = st.from_regex(python(found["pattern"]), fullmatch=True)
    return made.filter(lambda text: len(text) <= found.get("maxLength", len(text)))


def instants() -> st.SearchStrategy[str]:
    zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    moments = st.datetimes(MILLENNIUM, MILLENNIUM.replace(year=2999), timezones=zones)
    return moments.map(lambda moment: moment.isoformat().replace("+00:00", "Z"))


spec_documents = objects(SPEC)
rule_places = {rule.path + rule.at for rule in rules() if "oldSelf" not in rule.rule}


def faults(document: dict[str, Any]) -> tuple[spec.Fault, ...]:
    try:
        spec.parse(document)
    except spec.SpecError as error:
        return error.faults
    return ()


def platform(spec_document: Any) -> dict[str, Any]:
    return {**HEAD, "metadata": {"name": "ticketly"}, "spec": spec_document}


@PATIENT
@given(spec_documents)
def test_what_the_schema_describes_is_parsed_or_refused_for_a_rule(document: dict[str, Any]) -> None:
    assert list(refusals(document, SPEC, "spec")) == []
    for fault in faults(platform(document)):
        place = re.sub(r"\[\d+\]", "[*]", fault.path)
        assert place in rule_places or place.startswith("spec.flashSales[*].minReplicas."), str(fault)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield before
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*before, key))


def replaced(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], change)
    return copy


def nearly(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, str) and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value)))
        return value[:at] + data.draw(st.text(max_size=2)) + value[at + data.draw(st.integers(0, 1)) :]
    if isinstance(value, int) and data.draw(st.booleans()):
        return value + data.draw(st.sampled_from([-1000, -1, 1, 1000, 0.5]))
    return data.draw(json_values)


@PATIENT
@given(spec_documents, st.data())
def test_what_the_parser_accepts_the_schema_describes(document: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(paths(document))))
    changed = replaced(document, path, lambda value: nearly(value, data))
    if not faults(platform(changed)):
        assert list(refusals(changed, SPEC, "spec")) == []


@PATIENT
@given(spec_documents, st.data())
def test_what_the_schema_refuses_the_parser_refuses_at_the_same_field(
    document: dict[str, Any], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(list(paths(document))))
    changed = replaced(document, path, lambda value: nearly(value, data))
    refused = [text.partition(": ")[0] for text in refusals(changed, SPEC, "spec")]
    assume(refused)
    told = [fault.path for fault in faults(platform(changed))]
    for place in refused:
        assert any(one.startswith(place) or place.startswith(one) for one in told), (place, told)


def test_the_samples_are_described_by_the_schema() -> None:
    for name in ("local.yaml", "cluster.yaml"):
        text = resources.files("ticketly_crds").joinpath("samples", name).read_text(encoding="utf-8")
        assert list(refusals(yaml.safe_load(text)["spec"], SPEC, "spec")) == []


def test_the_check_of_this_file_refuses_what_is_wrong() -> None:
    wrong = {
        "version": "",
        "log": {"level": "loud"},
        "holds": {"ttlSeconds": 0, "maxSeatsPerOrder": True, "more": 1},
        "postgres": {"port": 1},
        "images": {"pullSecrets": [{"name": str(number)} for number in range(9)]},
        "flashSales": [{"name": "a", "start": "2027-02-30T00:00:00Z", "minReplicas": {}}] * 2,
        "compat": {"lostSeatStatusByClient": {"a b": 400}},
    }
    assert sorted(refusals(wrong, SPEC, "spec")) == [
        "spec.compat.lostSeatStatusByClient.a b: no such key",
        "spec.flashSales: repeated key",
        *[
            f"spec.flashSales[{index}].{fault}"
            for index in (0, 1)
            for fault in ("minReplicas: wrong number of keys", "start: no instant")
        ],
        "spec.holds.maxSeatsPerOrder: no integer",
        "spec.holds.more: unknown",
        "spec.holds.ttlSeconds: out of bounds",
        "spec.images.pullSecrets: wrong number of entries",
        "spec.log.level: not one of the values",
        "spec.postgres.credentialsSecretRef: required",
        "spec.postgres.host: required",
        "spec.version: no match",
    ]


# Texts with a pattern of their own ----------------------------------------------------------------------------------

KINDS = {
    "Quantity": "0123456789.mkKMGiI ",
    "ByteQuantity": "0123456789.mkKMGi ",
    "Duration": "0123456789msh ",
    "Host": "ab1-._:/A",
    "OptionalHost": "ab1-.A",
    "HostPorts": "ab1-.:, 059",
    "Url": "htps:/ab1.-@?# 09é\n",
    "OptionalUrl": "htps:/ab1.-@?# 09",
    "Origin": "htps:/ab1.-@?# 09",
    "TimeZone": "Asi/_+-1 ",
    "Instant": "0123456789-:TZtz+. ",
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_text_is_accepted_exactly_when_it_fits_the_pattern(kind: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(getattr(quantities, kind))
    found = adapter.json_schema()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        text = data.draw(texts(found) | st.text(KINDS[kind], max_size=24) | instants())
        if data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(text)))
            text = text[:at] + data.draw(st.text(KINDS[kind], max_size=2)) + text[at + 1 :]
        try:
            adapter.validate_json(json.dumps(text))
            accepted = True
        except ValidationError:
            accepted = False
        described = not list(refusals(text, found, ""))
        if kind == "ByteQuantity" and described and not accepted:
            with pytest.raises(ValueError, match="whole number"):  # there is a rule for it
                parse_bytes(text)
        else:
            assert accepted is described, text

    check()


def test_an_instant_at_the_ends_of_the_calendar_is_refused_and_nothing_overflows() -> None:
    sale = {"name": "s", "minReplicas": {"order": 1}}
    for start in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 1_800_000_000, "2027-03-01 09:00:00Z"):
        (fault,) = faults(platform({"flashSales": [{**sale, "start": start}]}))
        assert fault.path == "spec.flashSales[0].start"
        assert fault.message.startswith("must be an instant such as 2027-03-01T09:00:00Z")
    last = spec.parse(platform({"flashSales": [{**sale, "start": "2999-12-31T23:59:59-23:59"}]}))
    assert last.spec.flash_sales[0].start == datetime(3000, 1, 1, 23, 58, 59, tzinfo=UTC)
