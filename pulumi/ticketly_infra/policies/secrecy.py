"""No secret in plain: what is secret is marked, and nothing that looks like one stands anywhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ticketly_infra.policies.model import UNKNOWN, Rule, Seen, many, of, texts

_SECRET_INPUTS: Final = {
    "docdb/cluster:Cluster": ("masterPassword",),
    "elasticache/replicationGroup:ReplicationGroup": ("authToken",),
    "elasticache/user:User": ("passwords",),
    "rds/instance:Instance": ("password",),
    "secretsmanager/secretVersion:SecretVersion": ("secretString",),
}
_SHAPES: Final = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9]{8,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"(?<=://)[^\s/:@\"'$]*:[^\s/@\"'$]+(?=@)"),
    re.compile(r"(?i)\b(?:password|passphrase|token|secret)=['\"]?[A-Za-z0-9+/]{8,}"),
)
_TELLING_NAME: Final = re.compile(r"(?i)(password|secret|token|private_?key|credential)")


def marked(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Inputs that are secret by nature are marked, so that the state holds them encrypted and nobody prints them."""
    for one in of(resources, *_SECRET_INPUTS):
        for path in _SECRET_INPUTS[one.type]:
            if one.get(path) not in (None, UNKNOWN) and path not in one.secrets:
                yield one.name, f"{path} is not marked as secret"


def plain(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """User data, tags, variables of containers, and whatever else is not marked."""
    for one in resources:
        unmarked = {name: value for name, value in one.inputs.items() if name not in one.secrets}
        for name, value in unmarked.items():
            if any(shape.search(text) for shape in _SHAPES for text in texts(value)):
                yield one.name, f"{name} holds something that looks like a secret"
    for one in of(resources, "ecs/taskDefinition:TaskDefinition"):
        for variable in _variables(one.get("containerDefinitions")):
            if _TELLING_NAME.search(variable):
                yield one.name, f"{variable} is given as plain text"


def _variables(definitions: Any) -> list[str]:
    if not isinstance(definitions, str) or definitions == UNKNOWN:
        return []
    return [str(entry.get("name")) for one in json.loads(definitions) for entry in many(one.get("environment"))]


SINGLE: Final[dict[str, Rule]] = {"secrets-marked": marked, "no-secret-in-plain": plain}
