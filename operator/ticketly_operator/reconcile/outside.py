"""A platform's outside systems: who makes their clients, and the credentials for them, read in one place."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.observed import Secret
from ticketly_operator.reconcile.ports import Brokers, Cluster, Connect, Databases


class Clients(Protocol):
    """Makes the clients of one platform's outside systems. Credentials come from its Secrets."""

    def connect(self, platform: TicketlyPlatform) -> AbstractAsyncContextManager[Connect]:
        """Return Kafka Connect."""

    def brokers(self, platform: TicketlyPlatform, credentials: Secret | None) -> AbstractAsyncContextManager[Brokers]:
        """Return Kafka."""

    def databases(self, platform: TicketlyPlatform, credentials: Secret | None) -> Databases:
        """Return PostgreSQL as the capture role."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The Secrets the operator itself signs in with. None: the platform names none, or it does not exist."""

    kafka: Secret | None
    postgres: Secret | None


async def credentials(cluster: Cluster, platform: TicketlyPlatform) -> Credentials:
    """Read both Secrets of a platform."""
    spec, namespace = platform.spec, platform.metadata.namespace
    kafka = spec.kafka.security.credentials_secret_ref if spec.kafka is not None else None
    postgres = spec.postgres.credentials_secret_ref if spec.postgres is not None else None
    return Credentials(
        kafka=await cluster.secret(namespace, kafka.name) if kafka else None,
        postgres=await cluster.secret(namespace, postgres.name) if postgres else None,
    )
