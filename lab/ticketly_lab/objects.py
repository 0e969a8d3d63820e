"""What is put into a fresh cluster: simulated nodes and the registration of the metrics API. Pure."""

from __future__ import annotations

import json
from typing import Any

from ticketly_lab import flags


def node_name(number: int) -> str:
    return f"simulated-{number}"


def node(number: int) -> dict[str, Any]:
    name = node_name(number)
    annotation, value = flags.NODE_MARK
    size = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {annotation: value}},
        "status": {"allocatable": size, "capacity": size},
    }


def is_ready(node: bytes) -> bool:
    conditions = json.loads(node).get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def metrics_registration(port: int) -> list[dict[str, Any]]:
    """A Service by an external name is the one way to an aggregated API that runs outside the cluster."""
    name = {"name": "metrics", "namespace": "kube-system"}
    service = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    registration = {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {**name, "port": port},
    }
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": service},
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": registration,
        },
    ]
