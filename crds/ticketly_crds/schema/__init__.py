"""The CustomResourceDefinition of TicketlyPlatform, built from the models of spec and status.

``ticketlyplatform.yaml`` beside this package is what ``python -m ticketly_crds.schema`` prints. The models are the
source: a default, a bound or a description is changed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

from ticketly_crds.schema import reference
from ticketly_crds.schema.rules import rules
from ticketly_crds.schema.structural import RULES, Schema, filled, ordered, structural
from ticketly_crds.spec import GROUP, KIND, PLURAL, VERSION, TicketlyPlatform
from ticketly_crds.status import PlatformStatus

COMMAND: Final = "python -m ticketly_crds.schema"
_COLUMNS: Final = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
    ("Version", "string", ".status.version", 0),
    ("Connectors", "string", '.status.conditions[?(@.type=="ConnectorsReady")].status', 0),
    ("Lag", "string", '.status.conditions[?(@.type=="LagWithinSLO")].status', 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Progressing", "string", '.status.conditions[?(@.type=="Progressing")].status', 1),
    ("Degraded", "string", '.status.conditions[?(@.type=="Degraded")].status', 1),
    ("Topics", "string", '.status.conditions[?(@.type=="TopicsReady")].status', 1),
    ("Paused", "string", '.status.conditions[?(@.type=="Paused")].status', 1),
    ("Lag p99 ms", "number", ".status.lag.p99Ms", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
)


def definition() -> dict[str, Any]:
    """Return the whole CustomResourceDefinition as the API server takes it; a new value each time."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["tkp"],
                "categories": ["ticketly"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, **({"priority": priority} if priority else {})}
                        for name, kind, path, priority in _COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": openapi()},
                }
            ],
        },
    }


def openapi() -> Schema:
    """Return the structural schema of the whole document, rules included."""
    document = TicketlyPlatform.model_json_schema(by_alias=True)
    found = structural(document, document["$defs"])
    # the head of an object is the API server's; only a name may be bounded further
    for key in ("apiVersion", "kind"):
        del found["properties"][key]["enum"]
    name = found["properties"]["metadata"]["properties"]["name"]
    found["properties"]["metadata"] = {"type": "object", "properties": {"name": name}}
    found["required"] = ["metadata"]
    status = PlatformStatus.model_json_schema(by_alias=True)
    found["properties"]["status"] = _status(structural(status, status["$defs"], tolerant=True))
    for rule in rules():
        place = _place(found, rule.path)
        place.setdefault(RULES, []).append(rule.wire())
        if rule.path != "spec" and place.get("default") == {}:
            place["default"] = filled(place)
    return ordered(found)


def text() -> str:
    """Return the definition as the YAML text that is kept beside this package."""
    head = f"# Written by `{COMMAND}` from the models: change those, then write this file anew.\n"
    return head + yaml.dump(definition(), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "definition": text,
    "ticketlyplatform": lambda: reference.platform_page(openapi(), COMMAND),
    "conditions": lambda: reference.conditions_page(COMMAND),
}
"""What the command prints, by the word it is given."""


def _status(found: Schema) -> Schema:
    """Return the schema of what the operator writes: lists by key, conditions as all Kubernetes tools read them."""
    for name, key in (("conditions", "type"), ("services", "name"), ("connectors", "name"), ("flashSales", "name")):
        part = found["properties"][name]
        part |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
        part["items"]["required"] = [key]
    condition = found["properties"]["conditions"]["items"]
    condition["required"] = ["type", "status"]
    condition["properties"]["status"]["enum"] = ["True", "False", "Unknown"]
    return found


def _place(schema: Schema, path: str) -> Schema:
    """Return the schema at a path such as ``spec.services.order.env[*]``; raise KeyError for a path that is not."""
    place = schema
    for part in path.replace("[*]", ".[]").split("."):
        if part == "[]":
            place = place["items"]
        elif part == "*":
            place = place["additionalProperties"]
        else:
            place = place["properties"][part]
    return place


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, lists indented below their key."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
