"""The chart's values: one table for `values.yaml`, its schema, the chart's README, and what each does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ticketly_lab.packaging.documents import document
from ticketly_operator.desired.installation import SETTINGS_PREFIX, Installation

_DEFAULT = Installation()
_REPOSITORY, _, _TAG = _DEFAULT.image.rpartition(":")

_TEXT = {"type": "string"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_NAMED = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string", "minLength": 1}},
}


@dataclass(frozen=True, slots=True)
class Value:
    """`path` is the name in two steps at most, as in `image.tag`. `schema` is JSON Schema."""

    path: str
    default: Any
    text: str
    schema: Mapping[str, Any]


VALUES = (
    Value(
        "image.repository",
        _REPOSITORY,
        "Where the operator's image is. There is no public one: build it (see `docs/install.md`).",
        {"type": "string", "minLength": 1},
    ),
    Value("image.tag", "", "Its tag. Empty: the chart's `appVersion`.", _TEXT),
    Value(
        "image.digest",
        "",
        "`sha256:...`; it counts instead of the tag.",
        {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    ),
    Value(
        "image.pullPolicy",
        _DEFAULT.pull_policy,
        "When nodes pull it.",
        {"type": "string", "enum": ["Always", "IfNotPresent", "Never"]},
    ),
    Value(
        "imagePullSecrets",
        [],
        "Secrets of the namespace that open the registry, each as `{name: ...}`.",
        {"type": "array", "items": _NAMED},
    ),
    Value(
        "replicas",
        _DEFAULT.replicas,
        "Pods. One leads, the others wait for its Lease.",
        {"type": "integer", "minimum": 1, "maximum": 10},
    ),
    Value(
        "watchNamespace",
        _DEFAULT.watch_namespace,
        "The one namespace with platforms, which must exist. Empty: all namespaces, by a ClusterRole.",
        {"type": "string", "maxLength": 63, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"},
    ),
    Value(
        "logLevel",
        _DEFAULT.log_level,
        "`debug`, `info`, `warning` or `error`.",
        {"type": "string", "enum": ["debug", "info", "warning", "error"]},
    ),
    Value(
        "settings",
        {},
        f'Further settings of the operator, `{SETTINGS_PREFIX}...: "value"`.',
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{SETTINGS_PREFIX}[A-Z0-9_]+$"},
            "additionalProperties": _TEXT,
        },
    ),
    Value(
        "resources",
        {kind: dict(amounts) for kind, amounts in _DEFAULT.resources.items()},
        "Requests and limits of the container.",
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                kind: {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
                for kind in ("requests", "limits")
            },
        },
    ),
    Value("nodeSelector", {}, "Labels of the nodes it may run on.", {"type": "object", "additionalProperties": _TEXT}),
    Value("tolerations", [], "Taints it may run on.", {"type": "array", "items": {"type": "object"}}),
    Value(
        "networkPolicy.enabled",
        _DEFAULT.network_policy,
        "Close the pods but for probes and metrics, DNS and the ports below.",
        {"type": "boolean"},
    ),
    Value(
        "networkPolicy.egressPorts",
        list(_DEFAULT.egress_ports),
        "Where the API server, brokers, Kafka Connect, PostgreSQL and the services listen.",
        {"type": "array", "items": _PORT, "minItems": 1, "uniqueItems": True},
    ),
    Value(
        "monitoring.enabled",
        _DEFAULT.monitoring,
        "A ServiceMonitor and a PrometheusRule for the operator itself; needs Prometheus' operator.",
        {"type": "boolean"},
    ),
    Value(
        "crds.install",
        True,
        "Install and upgrade the definition of the kind TicketlyPlatform. It is kept when the chart is uninstalled.",
        {"type": "boolean"},
    ),
)


def defaults() -> dict[str, Any]:
    """The content of `values.yaml`."""
    found: dict[str, Any] = {}
    for value in VALUES:
        *outer, name = value.path.split(".")
        where = found
        for step in outer:
            where = where.setdefault(step, {})
        where[name] = value.default
    return found


def yaml_text() -> str:
    """`values.yaml`: each value below its explanation."""
    lines = ["# Values of the chart ticketly-operator, with their defaults. `values.schema.json` refuses others."]
    section = ""
    for value in VALUES:
        outer, _, name = value.path.rpartition(".")
        if not outer or outer != section:
            lines.append("")
        if outer != section and outer:
            lines.append(f"{outer}:")
        section = outer
        indent = "  " if outer else ""
        lines.append(f"{indent}# {value.text}")
        if isinstance(value.default, dict) and value.default:
            lines += document({name: value.default}).splitlines()
        else:
            # JSON is YAML, and its strings are quoted
            lines.append(f"{indent}{name}: {json.dumps(value.default)}")
    return "\n".join(lines) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema of the values. A misspelt name is refused, not ignored."""
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart ticketly-operator",
        "type": "object",
        "additionalProperties": False,
        "properties": {"global": {"type": "object"}},
    }
    for value in VALUES:
        *outer, name = value.path.split(".")
        where = root
        for step in outer:
            section = {"type": "object", "additionalProperties": False, "properties": {}}
            where = where["properties"].setdefault(step, section)
        where["properties"][name] = {"description": value.text, **value.schema}
    return root


def table() -> str:
    """A Markdown table of the values."""
    rows = [f"| `{value.path}` | `{json.dumps(value.default)}` | {value.text} |" for value in VALUES]
    return "\n".join(["| value | default | what it does |", "|---|---|---|", *rows]) + "\n"


def installation(values: Mapping[str, Any], namespace: str) -> Installation:
    """What the chart makes of complete values in a release's namespace."""
    image = values["image"]
    tag = image["tag"] or _TAG
    return Installation(
        namespace=namespace,
        image=image["repository"] + (f"@{image['digest']}" if image["digest"] else f":{tag}"),
        pull_policy=image["pullPolicy"],
        pull_secrets=tuple(secret["name"] for secret in values["imagePullSecrets"]),
        replicas=values["replicas"],
        watch_namespace=values["watchNamespace"],
        log_level=values["logLevel"],
        resources=values["resources"],
        settings=values["settings"],
        network_policy=values["networkPolicy"]["enabled"],
        egress_ports=tuple(values["networkPolicy"]["egressPorts"]),
        node_selector=values["nodeSelector"],
        tolerations=tuple(values["tolerations"]),
        monitoring=values["monitoring"]["enabled"],
    )
