"""What a service needs around its pods: its address, its account, its settings."""

from __future__ import annotations

from ticketly_crds import names
from ticketly_crds.blueprint import Service
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata, pods
from ticketly_operator.desired.model import Manifest


def address(platform: TicketlyPlatform, service: Service) -> Manifest:
    """Return the Service with both listeners; only the ingress decides what of it is public."""
    listeners = [("internal", service.internal_port)]
    if service.public_port is not None:
        listeners.append(("public", service.public_port))
    spec = {
        "type": "ClusterIP",
        "selector": names.selector(platform.name, service.name),
        "ports": [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in listeners],
    }
    name = names.workload(platform.name, service.name)
    return metadata.manifest(platform, "v1", "Service", name, {"spec": spec}, service=service)


def account(platform: TicketlyPlatform, service: Service) -> Manifest:
    """Return the ServiceAccount: an identity for cloud roles, without a token of the API server."""
    name = names.workload(platform.name, service.name)
    body = {"automountServiceAccountToken": False}
    return metadata.manifest(platform, "v1", "ServiceAccount", name, body, service=service)


def settings_map(platform: TicketlyPlatform, service: Service) -> Manifest:
    """Return the ConfigMap with the plain environment."""
    name = names.settings_map(platform.name, service.name)
    return metadata.manifest(platform, "v1", "ConfigMap", name, {"data": pods.settings(service)}, service=service)
