"""Who asked the API server for what, read from its audit log. Pure.

The log has one JSON object per line for each finished request, without contents. A line is written when the answer is
complete, so the last request may be missing for a moment after its client has the answer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WRITING = frozenset({"create", "update", "patch", "delete", "deletecollection"})

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/openapi*", "/api", "/api/*"]},
        {"level": "None", "nonResourceURLs": ["/apis", "/apis/*", "/version", "/metrics"]},
        {"level": "Metadata"},
    ],
}
"""Probes and discovery are left out. A watch is in the log when it ends."""


@dataclass(frozen=True, slots=True)
class Request:
    """One finished request. `resource` is the plural name, with its subresource as `deployments/status`."""

    at: datetime
    """When it arrived, UTC."""
    user: str
    verb: str
    group: str
    """Empty for the core group."""
    resource: str
    namespace: str
    name: str
    """Empty where the request names no object, such as a list or a create."""
    code: int
    agent: str

    @property
    def writes(self) -> bool:
        """It asked for a change; whether it was granted says `code`."""
        return self.verb in WRITING


def parse(line: str) -> Request | None:
    """None for a line that is not about a resource, and for one that is not written to its end yet."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    reference = event.get("objectRef")
    if not isinstance(reference, dict):
        return None
    resource = reference.get("resource", "")
    if reference.get("subresource"):
        resource += f"/{reference['subresource']}"
    return Request(
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        user=event.get("user", {}).get("username", ""),
        verb=event.get("verb", ""),
        group=reference.get("apiGroup", ""),
        resource=resource,
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        agent=event.get("userAgent", ""),
    )


def parse_all(lines: Iterable[str]) -> Iterator[Request]:
    for line in lines:
        request = parse(line)
        if request is not None:
            yield request


def count(requests: Iterable[Request]) -> Counter[tuple[str, str, str]]:
    """How often each (user, verb, resource) was asked for."""
    return Counter((request.user, request.verb, request.resource) for request in requests)
