"""Spec -> blueprint: services, environment, ports, topics, connectors, schedules. Pure data, no I/O.

The operator maps a blueprint to Kubernetes objects, Kafka and Connect calls; ``ticketly up`` maps the same blueprint
to local processes. Only the placement differs between them. On a laptop ``with_embedded`` completes the platform
first; in a cluster an incomplete platform is refused with the sections it lacks.
"""

from __future__ import annotations

from datetime import timedelta

from ticketly_crds import names
from ticketly_crds.blueprint.connectors import connectors
from ticketly_crds.blueprint.embedded import (
    Embedded,
    IncompletePlatform,
    absent_sections,
    missing_sections,
    with_embedded,
)
from ticketly_crds.blueprint.model import (
    Amounts,
    Blueprint,
    Connector,
    Database,
    EnvVar,
    FlashSale,
    Probe,
    Probes,
    Resources,
    Route,
    ScalePolicy,
    ScaleRule,
    Scaling,
    SecretRef,
    Service,
    SlotGuard,
    Topic,
)
from ticketly_crds.blueprint.placement import CONTRACT_PORTS, Placement, ServicePorts, cluster, laptop
from ticketly_crds.blueprint.services import KINDS, Stores, database_password, services
from ticketly_crds.blueprint.topics import topics
from ticketly_crds.spec import TicketlyPlatform

__all__ = [
    "CONTRACT_PORTS",
    "Amounts",
    "Blueprint",
    "Connector",
    "Database",
    "Embedded",
    "EnvVar",
    "FlashSale",
    "IncompletePlatform",
    "Placement",
    "Probe",
    "Probes",
    "Resources",
    "Route",
    "ScalePolicy",
    "ScaleRule",
    "Scaling",
    "SecretRef",
    "Service",
    "ServicePorts",
    "SlotGuard",
    "Topic",
    "absent_sections",
    "blueprint",
    "cluster",
    "laptop",
    "missing_sections",
    "with_embedded",
]


def blueprint(platform: TicketlyPlatform, placement: Placement) -> Blueprint:
    """Return what the platform consists of at that place.

    Raises IncompletePlatform naming the sections that are absent; on a laptop complete them with ``with_embedded``.
    """
    spec = platform.spec
    public_url = placement.public_url or _public_url(platform)
    missing = missing_sections(platform) + (() if public_url else ("spec.ingress.host",))
    if missing or spec.identity is None or spec.postgres is None or spec.mongo is None or spec.kafka is None:
        raise IncompletePlatform(missing)
    stores = Stores(identity=spec.identity, postgres=spec.postgres, mongo=spec.mongo, kafka=spec.kafka)
    found = services(platform, placement, stores, public_url)
    return Blueprint(
        name=platform.name,
        namespace=platform.metadata.namespace,
        services=found,
        topics=topics(spec.kafka),
        connectors=connectors(platform, spec.postgres),
        schedules=_flash_sales(platform),
        databases=tuple(
            Database(
                name=service.database,
                service=service.name,
                role=names.database_role(service.name),
                password=database_password(spec.postgres, service.name),
            )
            for service in found
            if service.database is not None
        ),
        routes=tuple(
            Route(service.public_prefix, service.name, service.public_port)
            for service in found
            if service.public_prefix is not None and service.public_port is not None
        ),
    )


def _public_url(platform: TicketlyPlatform) -> str:
    """Return the origin of the front door, empty when nothing tells it."""
    ingress = platform.spec.ingress
    if ingress.public_url or not ingress.host:
        return ingress.public_url
    return f"{'https' if ingress.tls_secret_name else 'http'}://{ingress.host}"


def _flash_sales(platform: TicketlyPlatform) -> tuple[FlashSale, ...]:
    service_names = {kind.key: kind.name for kind in KINDS}
    found = [
        FlashSale(
            name=sale.name,
            raise_at=sale.start - timedelta(minutes=sale.lead_minutes),
            restore_at=sale.start + timedelta(minutes=sale.duration_minutes),
            min_replicas={service_names[key]: count for key, count in sorted(sale.min_replicas.items())},
        )
        for sale in platform.spec.flash_sales
    ]
    return tuple(sorted(found, key=lambda sale: (sale.raise_at, sale.name)))
