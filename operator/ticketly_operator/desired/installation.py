"""The operator's own installation: everything a cluster needs to run it but the definition of its kind.

``ticketly install``, the plain YAML and the Helm chart are made from this. The order of ``manifests`` is the order in
which they are applied: what others refer to comes first.

Pure.
"""

from __future__ import annotations

from typing import Any, Final

from ticketly_operator.desired import permissions
from ticketly_operator.desired.installation_options import (
    NAME,
    PORT,
    SETTINGS_PREFIX,
    VERSION,
    Installation,
    labels,
    selector,
)
from ticketly_operator.desired.model import Manifest
from ticketly_operator.desired.operator_monitors import operator_monitors
from ticketly_operator.desired.pods import USER_ID
from ticketly_operator.desired.policies import METRICS_LABEL

__all__ = ["NAME", "PORT", "SETTINGS_PREFIX", "VERSION", "Installation", "labels", "manifests", "selector"]

TOKEN_SECONDS: Final = 3600
"""Life of the pod's token; the kubelet replaces it in time and the operator reads it again."""

_ACCOUNT_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def manifests(installation: Installation) -> tuple[Manifest, ...]:
    """Return the objects in the order to apply them; the CustomResourceDefinition goes before all of them."""
    made = (
        _namespace(installation),
        _account(installation),
        *_access(installation),
        _lease_role(installation),
        _binding(installation, installation.namespace, f"{NAME}-lease", "Role"),
        _metrics_service(installation),
        _network_policy(installation) if installation.network_policy else None,
        _budget(installation) if installation.replicas > 1 else None,
        _deployment(installation),
        *(operator_monitors(installation.namespace) if installation.monitoring else ()),
    )
    return tuple(each for each in made if each is not None)


def _manifest(api_version: str, kind: str, name: str, namespace: str, body: dict[str, Any]) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "labels": labels()}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def _namespace(installation: Installation) -> Manifest:
    made = _manifest("v1", "Namespace", installation.namespace, "", {})
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    made["metadata"]["labels"].update(levels)
    return made


def _account(installation: Installation) -> Manifest:
    return _manifest("v1", "ServiceAccount", NAME, installation.namespace, {"automountServiceAccountToken": False})


def _access(installation: Installation) -> tuple[Manifest, Manifest]:
    """Return what it may do with platforms: everywhere, or in one namespace."""
    where = installation.watch_namespace
    kind = "Role" if where else "ClusterRole"
    rules = {"rules": permissions.rules(permissions.ON_PLATFORMS)}
    role = _manifest("rbac.authorization.k8s.io/v1", kind, NAME, where, rules)
    return role, _binding(installation, where, NAME, kind)


def _lease_role(installation: Installation) -> Manifest:
    rules = {"rules": permissions.rules(permissions.ON_ITSELF, NAME)}
    return _manifest("rbac.authorization.k8s.io/v1", "Role", f"{NAME}-lease", installation.namespace, rules)


def _binding(installation: Installation, where: str, name: str, role_kind: str) -> Manifest:
    body = {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": installation.namespace}],
    }
    kind = "RoleBinding" if where else "ClusterRoleBinding"
    return _manifest("rbac.authorization.k8s.io/v1", kind, name, where, body)


def _metrics_service(installation: Installation) -> Manifest:
    spec = {
        "selector": selector(),
        "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
    }
    return _manifest("v1", "Service", f"{NAME}-metrics", installation.namespace, {"spec": spec})


def _network_policy(installation: Installation) -> Manifest:
    """Kubelets may always probe the pods of their node; Prometheus comes from a namespace that carries the label."""
    spec = {
        "podSelector": {"matchLabels": selector()},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {"matchLabels": {METRICS_LABEL: "true"}}}],
                "ports": [{"port": PORT, "protocol": "TCP"}],
            }
        ],
        "egress": [
            {"ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]},
            {"ports": [{"port": port, "protocol": "TCP"} for port in installation.egress_ports]},
        ],
    }
    return _manifest("networking.k8s.io/v1", "NetworkPolicy", NAME, installation.namespace, {"spec": spec})


def _budget(installation: Installation) -> Manifest:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector()}}
    return _manifest("policy/v1", "PodDisruptionBudget", NAME, installation.namespace, {"spec": spec})


def _deployment(installation: Installation) -> Manifest:
    spec = {
        "replicas": installation.replicas,
        "selector": {"matchLabels": selector()},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "revisionHistoryLimit": 3,
        "template": {"metadata": {"labels": labels()}, "spec": _pod(installation)},
    }
    return _manifest("apps/v1", "Deployment", NAME, installation.namespace, {"spec": spec})


def _pod(installation: Installation) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector()},
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
        "imagePullSecrets": [{"name": name} for name in installation.pull_secrets],
        "nodeSelector": dict(installation.node_selector),
        "tolerations": [dict(toleration) for toleration in installation.tolerations],
        "containers": [_container(installation)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, _token_volume()],
    }


def _container(installation: Installation) -> dict[str, Any]:
    variables = {
        f"{SETTINGS_PREFIX}SCOPE_NAMESPACE": installation.watch_namespace,
        f"{SETTINGS_PREFIX}LEASE_NAME": NAME,
        f"{SETTINGS_PREFIX}LISTEN_PORT": str(PORT),
        f"{SETTINGS_PREFIX}LOG_LEVEL": installation.log_level,
        **dict(sorted(installation.settings.items())),
    }
    return {
        "name": "operator",
        "image": installation.image,
        "imagePullPolicy": installation.pull_policy,
        "command": ["python"],
        "args": ["-m", "ticketly_operator"],
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            *({"name": name, "value": value} for name, value in variables.items()),
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=5, failures=2),
        "resources": {kind: dict(amounts) for kind, amounts in installation.resources.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own
            {"name": "token", "mountPath": _ACCOUNT_FOLDER, "readOnly": True},
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _token_volume() -> dict[str, Any]:
    """Return what the kubelet would mount by itself, but with a token that lives an hour instead of a year."""
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return {
        "name": "token",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
        },
    }
