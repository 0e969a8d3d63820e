"""What Prometheus' operator is told, where it is installed: whom to scrape."""

from __future__ import annotations

from typing import Final

from ticketly_crds import names
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata
from ticketly_operator.desired.model import Manifest, Surroundings

SERVICE_MONITOR: Final = "ServiceMonitor.monitoring.coreos.com"


def monitors(platform: TicketlyPlatform, around: Surroundings) -> tuple[Manifest, ...]:
    """Return the ServiceMonitor of all services, nothing where the kind is unknown."""
    if SERVICE_MONITOR not in around.optional_kinds:
        return ()
    spec = {
        "selector": {
            "matchLabels": {
                names.INSTANCE_LABEL: names.label_value(platform.name),
                names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
            }
        },
        "endpoints": [{"port": "internal", "path": "/metrics", "interval": "30s"}],
    }
    name = names.monitor(platform.name)
    return (metadata.manifest(platform, "monitoring.coreos.com/v1", "ServiceMonitor", name, {"spec": spec}),)
