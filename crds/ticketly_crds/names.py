"""Every name derived from a platform: objects, labels, roles, databases, topics, connectors, slots.

Nobody else composes names. Names of Kubernetes objects and label values are at most 63 characters: a longer one is
cut and ends in a hash of the whole, so that it is the same each time and differs from every other. Topics, databases,
connectors, slots and publications do not carry the platform's name: they are part of the wire contract, one platform
per broker and database server.
"""

from __future__ import annotations

import hashlib
from typing import Final

LENGTH_LIMIT: Final = 63
"""Limit of DNS labels, label values and PostgreSQL identifiers."""

_HASH_CHARS: Final = 8

# Objects of the Kubernetes API ------------------------------------------------------------------------------------

FIELD_MANAGER: Final = "ticketly-operator"
FINALIZER: Final = "ticketly.io/finalizer"
PAUSE_ANNOTATION: Final = "ticketly.io/pause"
RESTART_ANNOTATION: Final = "ticketly.io/restart"
SETTINGS_CHECKSUM_ANNOTATION: Final = "ticketly.io/settings-checksum"
RESTARTED_ANNOTATION: Final = "ticketly.io/restarted"
"""On pods: the restart token they were started for."""
MIGRATION_ANNOTATION: Final = "ticketly.io/migration"
"""On a deployment: the migration its pods rely on, so that a finished Job may be deleted."""
APPLIED_ANNOTATION: Final = "ticketly.io/applied-checksum"
"""On every managed object: checksum of what was last applied, which tells somebody else's edit from a new wish."""
PARTITIONS_ANNOTATION: Final = "ticketly.io/acknowledge-partitions"
"""``topic=count,...``: growing these keyed topics breaks the order of their keys once, and somebody agreed."""

NAME_LABEL: Final = "app.kubernetes.io/name"
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
VERSION_LABEL: Final = "app.kubernetes.io/version"
PART_OF_LABEL: Final = "app.kubernetes.io/part-of"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"


def shortened(*parts: str, limit: int = LENGTH_LIMIT) -> str:
    """Join the non-empty parts with dashes; cut to ``limit`` characters with a hash of the whole at the end."""
    whole = "-".join(part for part in parts if part)
    if len(whole) <= limit:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH_CHARS]
    return whole[: limit - _HASH_CHARS - 1].rstrip("-._") + "-" + digest


def workload(platform: str, service: str) -> str:
    """Return the name of a service's Deployment, Service, ServiceAccount, autoscaler, budget and network policy."""
    return shortened(platform, service)


def settings_map(platform: str, service: str) -> str:
    """Return the name of the ConfigMap with a service's plain environment."""
    return shortened(platform, service, "settings")


def migration_job(platform: str, service: str, digest: str) -> str:
    """Return the name of the Job that migrates a service's database; ``digest`` identifies image and settings."""
    return shortened(platform, service, "migrate", digest)


def ingress(platform: str) -> str:
    """Return the name of the Ingress with the public prefixes."""
    return shortened(platform, "public")


def middleware(platform: str, purpose: str) -> str:
    """Return the name of a Traefik Middleware such as ``rate-limit`` or ``body-limit``."""
    return shortened(platform, purpose)


def monitor(platform: str) -> str:
    """Return the name of the ServiceMonitor and the PrometheusRule."""
    return shortened(platform, "metrics")


def default_deny_policy(platform: str) -> str:
    """Return the name of the NetworkPolicy that closes everything the blueprint does not open."""
    return shortened(platform, "default-deny")


def lease(platform: str) -> str:
    """Return the name of a Lease that belongs to one platform."""
    return shortened(platform, "lease")


def label_value(text: str) -> str:
    """Return text that is valid as a label value: allowed characters, at most 63, deterministic."""
    allowed = "".join(mark if mark.isascii() and (mark.isalnum() or mark in "-._") else "-" for mark in text)
    if allowed != text:
        allowed = f"{allowed}-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARS]}"
    return shortened(allowed.strip("-._"))


def selector(platform: str, service: str) -> dict[str, str]:
    """Return the labels that select a service's pods; they never change, so they name no version."""
    return {
        NAME_LABEL: "ticketly",
        INSTANCE_LABEL: label_value(platform),
        COMPONENT_LABEL: label_value(service),
    }


def labels(platform: str, service: str | None = None, version: str | None = None) -> dict[str, str]:
    """Return the labels of an object; ``service`` None for objects of the whole platform."""
    found = {
        NAME_LABEL: "ticketly",
        INSTANCE_LABEL: label_value(platform),
        PART_OF_LABEL: "ticketly",
        MANAGED_BY_LABEL: FIELD_MANAGER,
    }
    if service is not None:
        found[COMPONENT_LABEL] = label_value(service)
    if version is not None:
        found[VERSION_LABEL] = label_value(version)
    return found


# Secrets ----------------------------------------------------------------------------------------------------------


def secret(platform: str, store: str) -> str:
    """Return the Secret that embedded stores use: ``ticketly-postgres``, ``ticketly-oidc``."""
    return shortened(platform, store)


def password_key(service: str) -> str:
    """Return the key of a service's database password in the PostgreSQL Secret: ``order-password``."""
    return f"{service}-password"


CDC_PASSWORD_KEY: Final = "cdc-password"  # noqa: S105  the name of a key
KAFKA_USER_KEY: Final = "username"
KAFKA_PASSWORD_KEY: Final = "password"  # noqa: S105  the name of a key

# PostgreSQL -------------------------------------------------------------------------------------------------------

EVENT_DATABASE: Final = "event_service"
ORDER_DATABASE: Final = "order_service"
CDC_ROLE: Final = "ticketly_cdc"
HEARTBEAT_TABLE: Final = "public.debezium_heartbeat"


def database_role(service: str) -> str:
    """Return the role that owns a service's database: ``ticketly_order``."""
    return f"ticketly_{service.replace('-', '_')}"


# Capture ----------------------------------------------------------------------------------------------------------

EVENT_CONNECTOR: Final = "ticketly-event-tables"
EVENT_SLOT: Final = "ticketly_event_tables"
EVENT_PUBLICATION: Final = "ticketly_tables"
EVENT_TOPIC_PREFIX: Final = "dbz.ticketly"

OUTBOX_CONNECTOR: Final = "ticketly-order-outbox"
OUTBOX_SLOT: Final = "ticketly_order_outbox"
OUTBOX_PUBLICATION: Final = "ticketly_outbox"
OUTBOX_TOPIC_PREFIX: Final = "dbz.ticketly_order"
OUTBOX_TABLE: Final = "public.outbox"

HEARTBEAT_TOPIC_PREFIX: Final = "__debezium-heartbeat"
DEAD_LETTER_SUFFIX: Final = ".DLT"

ORDER_CREATED_TOPIC: Final = "ticketly.order.created"
ORDER_UPDATED_TOPIC: Final = "ticketly.order.updated"
ORDER_CANCELED_TOPIC: Final = "ticketly.order.canceled"
SEATS_STATUS_TOPIC: Final = "ticketly.seats.status"
NOTIFICATIONS_TOPIC: Final = "ticketly.notifications"


def table_topic(table: str) -> str:
    """Return the topic with the rows of a captured table of the event database: ``dbz.ticketly.public.events``."""
    return f"{EVENT_TOPIC_PREFIX}.public.{table}"


def heartbeat_topic(topic_prefix: str) -> str:
    """Return the topic a connector writes its own heartbeats to."""
    return f"{HEARTBEAT_TOPIC_PREFIX}.{topic_prefix}"


def dead_letter_topic(topic: str) -> str:
    """Return where a consumer puts a record it cannot handle."""
    return topic + DEAD_LETTER_SUFFIX


def outbox_heartbeat_table_topic() -> str:
    """Return the topic with the heartbeat row of the order database (its connector's router lets it pass)."""
    return f"{OUTBOX_TOPIC_PREFIX}.{HEARTBEAT_TABLE}"
