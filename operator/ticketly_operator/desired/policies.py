"""Who may talk to whom: nobody, but along the edges of the blueprint.

Stores are often outside the cluster and known by host name, which a NetworkPolicy cannot name; so traffic to them is
allowed by port. What comes in is allowed by who sends it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint, Service
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata
from ticketly_operator.desired.model import Manifest, Surroundings

METRICS_LABEL: Final = "ticketly.io/metrics"
"""Namespaces with this label set to "true" may read metrics."""

_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
_MONGO_PORT: Final = 27017
_REDIS_PORTS: Final = (6379, 6380)
_OTLP_PORT: Final = 4318


def default_deny(platform: TicketlyPlatform) -> Manifest:
    """Return the policy that closes all pods of the platform, migrations included."""
    spec = {
        "podSelector": {
            "matchLabels": {
                names.INSTANCE_LABEL: names.label_value(platform.name),
                names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
            }
        },
        "policyTypes": ["Ingress", "Egress"],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": _ports([_postgres_port(platform)])},
        ],
    }
    name = names.default_deny_policy(platform.name)
    return metadata.manifest(platform, "networking.k8s.io/v1", "NetworkPolicy", name, {"spec": spec})


def edges(platform: TicketlyPlatform, blueprint: Blueprint, service: Service, around: Surroundings) -> Manifest:
    """Return the policy that opens what this service needs."""
    callers = [other.name for other in blueprint.services if service.name in other.calls]
    ingress: list[dict[str, Any]] = [
        {
            "from": [
                {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: around.operator_namespace}}},
                {"namespaceSelector": {"matchLabels": {METRICS_LABEL: "true"}}},
                *({"podSelector": {"matchLabels": names.selector(platform.name, caller)}} for caller in callers),
            ],
            "ports": _ports([service.internal_port]),
        }
    ]
    if service.public_port is not None:
        # the ingress controller may live anywhere; behind this port everything authenticates by itself
        ingress.append({"from": [{"namespaceSelector": {}}], "ports": _ports([service.public_port])})
    egress: list[dict[str, Any]] = [
        {
            "to": [{"podSelector": {"matchLabels": names.selector(platform.name, called)}}],
            "ports": _ports([blueprint.service(called).internal_port]),
        }
        for called in service.calls
    ]
    outside = _outside(platform, service)
    if outside:
        egress.append({"ports": _ports(outside)})
    spec = {
        "podSelector": {"matchLabels": names.selector(platform.name, service.name)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    }
    name = names.workload(platform.name, service.name)
    return metadata.manifest(platform, "networking.k8s.io/v1", "NetworkPolicy", name, {"spec": spec}, service=service)


def _outside(platform: TicketlyPlatform, service: Service) -> list[int]:
    """Return the ports of the stores a service uses."""
    spec = platform.spec
    found: set[int] = {_OTLP_PORT}
    if spec.telemetry.otlp_endpoint:
        found.add(_url_port(spec.telemetry.otlp_endpoint))
    if "identity" in service.stores and spec.identity is not None:
        found |= {_url_port(url) for url in (spec.identity.issuer, spec.identity.jwks_url) if url}
    if "kafka" in service.stores and spec.kafka is not None:
        brokers = (spec.kafka.bootstrap_servers or "").split(",")
        found |= {int(broker.rpartition(":")[2]) for broker in brokers if broker}
    if "mongo" in service.stores:
        found.add(_MONGO_PORT)
    if "redis" in service.stores:
        found |= set(_REDIS_PORTS)
    if "postgres" in service.stores:
        found.add(_postgres_port(platform))
    return sorted(found)


def _postgres_port(platform: TicketlyPlatform) -> int:
    return platform.spec.postgres.port if platform.spec.postgres is not None else 5432


def _url_port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _ports(ports: list[int]) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
