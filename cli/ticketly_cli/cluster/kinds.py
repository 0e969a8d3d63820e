"""The kinds of the Kubernetes API that the command speaks: those of platforms, and those of an installation.

Pure data.
"""

from __future__ import annotations

from typing import Any, Final

from ticketly_crds.kinds import (
    DEPLOYMENT,
    EVENT,
    JOB,
    LEASE,
    MANAGED,
    OPTIONAL,
    PLATFORM,
    POD,
    SECRET,
    ApiKind,
)

__all__ = [
    "DEFINITION",
    "DEPLOYMENT",
    "EVENT",
    "JOB",
    "LEASE",
    "MANAGED",
    "NAMESPACE",
    "OPTIONAL",
    "PLATFORM",
    "POD",
    "REPLICA_SET",
    "SECRET",
    "ApiKind",
    "of",
]

DEFINITION: Final = ApiKind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
NAMESPACE: Final = ApiKind("", "v1", "Namespace", "namespaces", namespaced=False)
REPLICA_SET: Final = ApiKind("apps", "v1", "ReplicaSet", "replicasets")

_INSTALLED: Final = (
    DEFINITION,
    NAMESPACE,
    LEASE,
    ApiKind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
    ApiKind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    ApiKind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    ApiKind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    ApiKind("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"),
    ApiKind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False),
)
"""What an installation of the operator may consist of besides the managed kinds."""

_BY_NAME: Final = {
    (kind.api_version, kind.kind): kind for kind in (*MANAGED, *OPTIONAL, *_INSTALLED, PLATFORM, POD, EVENT, SECRET)
}


def of(manifest: dict[str, Any]) -> ApiKind:
    """The kind of a manifest. Raises KeyError for one that this command does not handle."""
    return _BY_NAME[manifest["apiVersion"], manifest["kind"]]
