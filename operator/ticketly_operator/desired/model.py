"""What the builders of desired state take and give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON: only the fields the operator owns, no status, no managed fields."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What builders must be told because it stands neither in the platform nor in its blueprint.

    ``optional_kinds`` has those of the optional kinds that this API server serves, as ``Kind.group``
    (``Middleware.traefik.io``, ``ServiceMonitor.monitoring.coreos.com``, ``PrometheusRule.monitoring.coreos.com``).
    ``secret_versions`` maps each Secret the services read to an opaque text that changes with its content, so that a
    rotated password rolls the pods. ``restart_token`` is what ``ticketly.io/restart`` says, empty when it says nothing.
    """

    now: datetime
    operator_namespace: str
    termination_grace_seconds: int
    migration_deadline_seconds: int
    rollout_deadline_seconds: int
    optional_kinds: frozenset[str] = frozenset()
    secret_versions: Mapping[str, str] = field(default_factory=dict)
    restart_token: str = ""


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything one platform should consist of in Kubernetes.

    A service's deployment is applied only after its migration has ended well; ``migrations`` and ``deployments`` are
    by service name. Every object carries the platform's labels and an owner reference to it.
    """

    objects: tuple[Manifest, ...]
    migrations: Mapping[str, Manifest]
    deployments: Mapping[str, Manifest]

    def all(self) -> tuple[Manifest, ...]:
        """Return every object, for rendering."""
        return (*self.objects, *self.migrations.values(), *self.deployments.values())
