"""The kinds of the Kubernetes API that operator and command speak: one table for requests, watches and permissions.

Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ticketly_crds.spec import GROUP, KIND, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class ApiKind:
    """A kind with its place in the API; ``group`` is empty for the core group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``Middleware.traefik.io``: how optional kinds are named."""
        return f"{self.kind}.{self.group}"

    @property
    def resource(self) -> str:
        """``deployments.apps``: how people name it in commands and permissions."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the URL path of the collection (everywhere without a namespace) or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


PLATFORM: Final = ApiKind(GROUP, VERSION, KIND, PLURAL)
SECRET: Final = ApiKind("", "v1", "Secret", "secrets")
POD: Final = ApiKind("", "v1", "Pod", "pods")
EVENT: Final = ApiKind("", "v1", "Event", "events")
LEASE: Final = ApiKind("coordination.k8s.io", "v1", "Lease", "leases")
DEPLOYMENT: Final = ApiKind("apps", "v1", "Deployment", "deployments")
JOB: Final = ApiKind("batch", "v1", "Job", "jobs")

MANAGED: Final = (
    DEPLOYMENT,
    JOB,
    ApiKind("", "v1", "Service", "services"),
    ApiKind("", "v1", "ServiceAccount", "serviceaccounts"),
    ApiKind("", "v1", "ConfigMap", "configmaps"),
    ApiKind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ApiKind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ApiKind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    ApiKind("networking.k8s.io", "v1", "Ingress", "ingresses"),
)
"""Kinds of which every platform has objects; every API server serves them."""

OPTIONAL: Final = (
    ApiKind("traefik.io", "v1alpha1", "Middleware", "middlewares"),
    ApiKind("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
    ApiKind("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"),
)
"""Kinds that are used where they are served."""


_BY_NAME: Final = {(kind.api_version, kind.kind): kind for kind in (*MANAGED, *OPTIONAL)}


def of(manifest: Mapping[str, Any]) -> ApiKind:
    """Return the managed or optional kind of a manifest; raise KeyError when no platform has objects of it."""
    return _BY_NAME[manifest["apiVersion"], manifest["kind"]]
