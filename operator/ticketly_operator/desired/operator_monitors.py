"""What watches the operator itself, where Prometheus' operator is installed: part of its installation. Pure."""

from __future__ import annotations

from ticketly_operator.desired import rules
from ticketly_operator.desired.installation_options import NAME, labels, selector
from ticketly_operator.desired.model import Manifest
from ticketly_operator.desired.monitors import API_VERSION


def operator_monitors(namespace: str) -> tuple[Manifest, Manifest]:
    """Return the ServiceMonitor and the PrometheusRule of an operator that is installed in ``namespace``.

    The operator's series name the platform they are about by ``namespace`` and ``platform``; without ``honorLabels``
    Prometheus would rename them after the operator's own namespace, and no alert about a platform would match.
    """
    monitor: dict[str, object] = {
        "selector": {"matchLabels": selector()},
        "endpoints": [{"port": "http", "path": "/metrics", "interval": "30s", "honorLabels": True}],
    }
    return (
        _manifest("ServiceMonitor", namespace, monitor),
        _manifest("PrometheusRule", namespace, {"groups": rules.operator_groups()}),
    )


def _manifest(kind: str, namespace: str, spec: dict[str, object]) -> Manifest:
    metadata = {"name": NAME, "namespace": namespace, "labels": labels()}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
