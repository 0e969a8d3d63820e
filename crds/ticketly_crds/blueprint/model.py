"""What a blueprint consists of. Frozen values without behaviour: equal platforms give equal blueprints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, order=True)
class SecretRef:
    """A key of a Secret in the platform's namespace. The value is looked up where the process starts."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One environment variable; a secret only ever by reference."""

    name: str
    value: str | SecretRef


@dataclass(frozen=True, slots=True)
class Probe:
    """An HTTP check on the internal listener; it fails after ``failure_threshold`` misses in a row."""

    path: str
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int


@dataclass(frozen=True, slots=True)
class Probes:
    """Startup guards the slow first seconds, readiness gates traffic, liveness restarts."""

    startup: Probe
    readiness: Probe
    liveness: Probe


@dataclass(frozen=True, slots=True)
class Amounts:
    """CPU and memory as Kubernetes quantities; None is not set."""

    cpu: str | None
    memory: str | None


@dataclass(frozen=True, slots=True)
class Resources:
    """What one pod is promised and what it may not exceed."""

    requests: Amounts
    limits: Amounts


@dataclass(frozen=True, slots=True)
class ScalePolicy:
    """At most ``value`` percent or pods per period."""

    type: Literal["Percent", "Pods"]
    value: int
    period_seconds: int


@dataclass(frozen=True, slots=True)
class ScaleRule:
    """How fast the pod count may move in one direction."""

    stabilization_seconds: int
    policies: tuple[ScalePolicy, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Bounds of the pod count; utilisation in percent of the requests, None is not looked at."""

    min: int
    max: int
    cpu_percent: int
    memory_percent: int | None
    up: ScaleRule
    down: ScaleRule


@dataclass(frozen=True, slots=True)
class Service:
    """One process type.

    ``name`` is the kebab-case name (``event-command``), ``key`` its name inside a platform file (``eventCommand``).
    ``module`` runs by ``python -m``; with ``migrates`` the argument ``migrate`` brings ``database`` up to date first.
    ``calls`` names services it speaks to over their internal listener, ``stores`` what else it connects to.
    """

    name: str
    key: str
    module: str
    image: str
    env: tuple[EnvVar, ...]
    public_port: int | None
    internal_port: int
    public_prefix: str | None
    migrates: bool
    database: str | None
    probes: Probes
    resources: Resources
    scaling: Scaling
    calls: tuple[str, ...]
    stores: tuple[Store, ...]


Store = Literal["postgres", "mongo", "redis", "kafka", "identity"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic with its complete own configuration; what is not listed is the broker's default.

    ``keyed``: records with one key keep their order, so growing it needs somebody's word.
    """

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    keyed: bool


@dataclass(frozen=True, slots=True)
class SlotGuard:
    """Retained log in bytes at which to warn and to act, and how."""

    warn_bytes: int
    act_bytes: int
    policy: Literal["alert", "restart", "rebuild"]


@dataclass(frozen=True, slots=True)
class Connector:
    """A Kafka Connect connector. ``topics`` are all topics it writes: each must exist, or the task waits silently."""

    name: str
    config: Mapping[str, str | SecretRef]
    slot: str
    publication: str
    database: str
    state: Literal["running", "paused", "stopped"]
    max_restarts: int
    guard: SlotGuard
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database with the role that owns it."""

    name: str
    service: str
    role: str
    password: SecretRef


@dataclass(frozen=True, slots=True)
class FlashSale:
    """Raised minimum replicas by service name from ``raise_at`` (inclusive) to ``restore_at`` (exclusive), UTC."""

    name: str
    raise_at: datetime
    restore_at: datetime
    min_replicas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Route:
    """A public prefix at the front door and the listener behind it. Streams pass unbuffered."""

    prefix: str
    service: str
    port: int


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Everything one platform consists of, wherever it runs."""

    name: str
    namespace: str
    services: tuple[Service, ...]
    topics: tuple[Topic, ...]
    connectors: tuple[Connector, ...]
    schedules: tuple[FlashSale, ...]
    databases: tuple[Database, ...]
    routes: tuple[Route, ...]

    def service(self, name: str) -> Service:
        """Return the service called ``name``; raise KeyError when there is none."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)

    def secrets(self) -> tuple[SecretRef, ...]:
        """Return every secret that somebody must provide, sorted, each once."""
        found = {database.password for database in self.databases}
        found |= {var.value for service in self.services for var in service.env if isinstance(var.value, SecretRef)}
        for connector in self.connectors:
            found |= {value for value in connector.config.values() if isinstance(value, SecretRef)}
        return tuple(sorted(found))
