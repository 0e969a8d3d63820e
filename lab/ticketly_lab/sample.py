"""A platform to try an operator with: the sample for clusters, fitted to a namespace, and its Secrets. Pure."""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from ticketly_crds.blueprint import blueprint
from ticketly_crds.blueprint import cluster as in_cluster
from ticketly_crds.spec import parse

SAMPLE = "samples/cluster.yaml"
NO_CONNECTORS: Mapping[str, Any] = {"eventTables": {"enabled": False}, "orderOutbox": {"enabled": False}}
"""`connectors` of a platform whose capture is not looked at."""


def platform(name: str, namespace: str, **changes: Any) -> dict[str, Any]:
    """The sample under that name. `changes` are members of its spec, merged into it; None takes a member away."""
    text = resources.files("ticketly_crds").joinpath(SAMPLE).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    document["metadata"] = {"name": name, "namespace": namespace}
    document["spec"] = merged(document["spec"], changes)
    return document


def single_broker(bootstrap_servers: str) -> dict[str, Any]:
    """`kafka` of a platform on one broker, with few partitions."""
    topics = {"partitions": 1, "overrides": None}
    return {
        "bootstrapServers": bootstrap_servers,
        "replicationFactor": 1,
        "minInsyncReplicas": 1,
        "topics": topics,
    }


def secrets(document: Mapping[str, Any], content: str = "lab") -> list[dict[str, Any]]:
    """Every Secret a valid platform names, each key with the same content."""
    described = parse(document)
    keys: dict[str, set[str]] = {}
    for ref in blueprint(described, in_cluster(described)).secrets():
        keys.setdefault(ref.name, set()).add(ref.key)
    encoded = base64.b64encode(content.encode()).decode()
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": described.metadata.namespace},
            "data": dict.fromkeys(sorted(found), encoded),
        }
        for name, found in sorted(keys.items())
    ]


def merged(into: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the changes: objects member by member, everything else replaced, None takes away."""
    found = copy.deepcopy(dict(into))
    for key, value in changes.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            known = found.get(key)
            found[key] = merged(known if isinstance(known, Mapping) else {}, value)
        else:
            found[key] = copy.deepcopy(value)
    return found
