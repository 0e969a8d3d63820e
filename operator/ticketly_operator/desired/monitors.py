"""What Prometheus' operator is told, where it is installed: whom to scrape, what to compute, when to call somebody."""

from __future__ import annotations

from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata, rules
from ticketly_operator.desired.model import Manifest, Surroundings
from ticketly_operator.desired.selection import Selection

API_VERSION: Final = "monitoring.coreos.com/v1"
SERVICE_MONITOR: Final = "ServiceMonitor.monitoring.coreos.com"
PROMETHEUS_RULE: Final = "PrometheusRule.monitoring.coreos.com"

_SERVICE_LABEL: Final = "__meta_kubernetes_service_label_"


def monitors(platform: TicketlyPlatform, around: Surroundings) -> tuple[Manifest, ...]:
    """Return the ServiceMonitor of all services and the PrometheusRule of the platform, each where it is known."""
    name = names.monitor(platform.name)
    made = []
    if SERVICE_MONITOR in around.optional_kinds:
        made.append(metadata.manifest(platform, API_VERSION, "ServiceMonitor", name, {"spec": _scraping(platform)}))
    if PROMETHEUS_RULE in around.optional_kinds:
        of = Selection(names.label_value(platform.name), platform.metadata.namespace)
        spec = {"groups": rules.platform_groups(of)}
        made.append(metadata.manifest(platform, API_VERSION, "PrometheusRule", name, {"spec": spec}))
    return tuple(made)


def _scraping(platform: TicketlyPlatform) -> dict[str, Any]:
    labels = {names.INSTANCE_LABEL: "platform", names.COMPONENT_LABEL: "component"}
    relabelings = [
        {"sourceLabels": [_SERVICE_LABEL + _as_prometheus_writes(label)], "targetLabel": target}
        for label, target in labels.items()
    ]
    return {
        "selector": {
            "matchLabels": {
                names.INSTANCE_LABEL: names.label_value(platform.name),
                names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
            }
        },
        "endpoints": [{"port": "internal", "path": "/metrics", "interval": "30s", "relabelings": relabelings}],
    }


def _as_prometheus_writes(label: str) -> str:
    return label.translate(str.maketrans("./-", "___"))
