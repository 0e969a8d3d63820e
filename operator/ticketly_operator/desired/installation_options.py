"""What may differ between two installations of the operator, checked when it is said. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.blueprint import CONTRACT_PORTS

NAME: Final = "ticketly-operator"
"""Of every object of the installation."""

VERSION: Final = "0.1.0"
SETTINGS_PREFIX: Final = "TICKETLY_OPERATOR_"
PORT: Final = 8080
"""Probes and metrics."""

_API_SERVER_PORTS: Final = (443, 6443)
_STORE_PORTS: Final = (5432, 8083, 9092, 9093, 9094)
_OWN_VARIABLES: Final = frozenset(
    {
        f"{SETTINGS_PREFIX}{name}"
        for name in ("SCOPE_NAMESPACE", "LEASE_NAME", "LEASE_NAMESPACE", "LISTEN_HOST", "LISTEN_PORT", "LOG_LEVEL")
    }
)


def selector() -> dict[str, str]:
    """Return the labels that select the operator's pods."""
    return {names.NAME_LABEL: NAME, names.INSTANCE_LABEL: NAME}


def labels() -> dict[str, str]:
    """Return the labels of every object. They do not say ``managed-by``: that marks the objects of platforms."""
    return {
        **selector(),
        names.COMPONENT_LABEL: "operator",
        names.PART_OF_LABEL: "ticketly",
        names.VERSION_LABEL: names.label_value(VERSION),
    }


def _resources() -> dict[str, dict[str, str]]:
    return {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "384Mi"}}


def _egress_ports() -> tuple[int, ...]:
    internal = {ports.internal for ports in CONTRACT_PORTS.values()}
    return tuple(sorted({*_API_SERVER_PORTS, *_STORE_PORTS, *internal}))


_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Installation:
    """What may differ between two installations.

    ``watch_namespace`` empty: platforms in all namespaces, by a ClusterRole. Otherwise the operator sees that one
    namespace only, which must exist. ``egress_ports`` are where the API server, the brokers, Kafka Connect and
    PostgreSQL listen; they are often outside the cluster, so they are allowed by port. ``settings`` are further
    variables of the operator, each beginning with ``TICKETLY_OPERATOR_``. ``monitoring`` adds what Prometheus' operator
    reads: where the metrics are, and the alerts about the operator itself; its kinds must be in the cluster.

    Raises ValueError, naming the field, for what could not work.
    """

    namespace: str = "ticketly-system"
    image: str = f"registry.example.com/ticketly/operator:{VERSION}"
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    replicas: int = 2
    watch_namespace: str = ""
    log_level: str = "info"
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=_resources)
    settings: Mapping[str, str] = field(default_factory=dict)
    network_policy: bool = True
    egress_ports: tuple[int, ...] = field(default_factory=_egress_ports)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    monitoring: bool = False

    def __post_init__(self) -> None:
        """Refuse what the API server or the operator would only find out later, or never."""
        faults = [*self._bad_names(), *self._bad_choices(), *self._bad_settings()]
        if faults:
            raise ValueError("; ".join(faults))

    def _bad_names(self) -> Iterator[str]:
        if not _LABEL.fullmatch(self.namespace):
            yield f"namespace: {self.namespace!r} is not a name for a namespace"
        if self.watch_namespace and not _LABEL.fullmatch(self.watch_namespace):
            yield f"watch_namespace: {self.watch_namespace!r} is not a name for a namespace"
        if not self.image:
            yield "image: must not be empty"

    def _bad_choices(self) -> Iterator[str]:
        if self.replicas < 1:
            yield f"replicas: must be >= 1, is {self.replicas}"
        if self.pull_policy not in {"Always", "IfNotPresent", "Never"}:
            yield f"pull_policy: must be Always, IfNotPresent or Never, is {self.pull_policy!r}"
        if self.log_level not in {"debug", "info", "warning", "error"}:
            yield f"log_level: must be debug, info, warning or error, is {self.log_level!r}"
        if not self.egress_ports:
            # to Kubernetes an empty list of ports means all of them
            yield "egress_ports: must not be empty"
        for port in self.egress_ports:
            if not 1 <= port <= 65535:
                yield f"egress_ports: {port} is not a port"

    def _bad_settings(self) -> Iterator[str]:
        for variable in self.settings:
            if not variable.startswith(SETTINGS_PREFIX):
                yield f"settings: {variable} does not begin with {SETTINGS_PREFIX}"
            if variable in _OWN_VARIABLES:
                yield f"settings: {variable} follows from the installation and cannot be given"
