"""Where a platform's processes are: what differs between a laptop and a cluster, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ticketly_crds import names
from ticketly_crds.spec import TicketlyPlatform

FRONT_DOOR_URL: Final = "http://127.0.0.1:8088"
"""Origin of the laptop's front door."""


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """The two listeners of a service; ``public`` None when it has nothing public."""

    public: int | None
    internal: int


CONTRACT_PORTS: Final[Mapping[str, ServicePorts]] = {
    "event-command": ServicePorts(8081, 9081),
    "event-query": ServicePorts(8082, 9082),
    "order": ServicePorts(8084, 9084),
    "scheduler": ServicePorts(8085, 9085),
    "email": ServicePorts(None, 9086),
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Addresses of one place.

    ``public_url`` None: derived from the ingress section. ``uploads_directory`` is where the file system object
    storage is mounted. ``autoscaled`` False: one process of each service, whatever the autoscaling sections say.
    """

    listen_host: str
    ports: Mapping[str, ServicePorts]
    peer_hosts: Mapping[str, str]
    public_url: str | None
    uploads_directory: str
    autoscaled: bool


def laptop(
    uploads_directory: str,
    ports: Mapping[str, ServicePorts] | None = None,
    public_url: str = FRONT_DOOR_URL,
) -> Placement:
    """Return the placement on loopback; ``ports`` replaces single services' ports where one is taken."""
    return Placement(
        listen_host="127.0.0.1",
        ports={**CONTRACT_PORTS, **(ports or {})},
        peer_hosts=dict.fromkeys(CONTRACT_PORTS, "127.0.0.1"),
        public_url=public_url,
        uploads_directory=uploads_directory,
        autoscaled=False,
    )


def cluster(platform: TicketlyPlatform) -> Placement:
    """Return the placement in a cluster: all interfaces of a pod, peers by their Service's DNS name."""
    namespace = platform.metadata.namespace
    return Placement(
        listen_host="0.0.0.0",  # noqa: S104  a pod's own network; policies decide who reaches it
        ports=CONTRACT_PORTS,
        peer_hosts={name: f"{names.workload(platform.name, name)}.{namespace}.svc" for name in CONTRACT_PORTS},
        public_url=None,
        uploads_directory="/var/lib/ticketly/uploads",
        autoscaled=True,
    )
