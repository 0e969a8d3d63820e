"""The five services with their environment. A service gets the variables it needs and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ticketly_crds import connections, names
from ticketly_crds.blueprint.model import (
    Amounts,
    EnvVar,
    Probe,
    Probes,
    Resources,
    ScalePolicy,
    ScaleRule,
    Scaling,
    SecretRef,
    Service,
    Store,
)
from ticketly_crds.blueprint.placement import Placement
from ticketly_crds.sections import Identity, Kafka, Mongo, Postgres
from ticketly_crds.spec import TicketlyPlatform
from ticketly_crds.workloads import ScaleDown, ScaleUp, ServiceSpec


@dataclass(frozen=True, slots=True)
class Stores:
    """The store sections of a complete platform."""

    identity: Identity
    postgres: Postgres
    mongo: Mongo
    kafka: Kafka


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is fixed about a service."""

    name: str
    key: str
    client_id: str
    public_prefix: str | None = None
    database: str | None = None
    calls: tuple[str, ...] = ()
    stores: tuple[Store, ...] = ()

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


KINDS: Final = (
    _Kind(
        name="event-command",
        key="eventCommand",
        client_id="events-service",
        public_prefix="/api/event-seating",
        database=names.EVENT_DATABASE,
        calls=("order",),
        stores=("identity", "kafka", "postgres"),
    ),
    _Kind(
        name="event-query",
        key="eventQuery",
        client_id="event-projection-service-client",
        public_prefix="/api/event-query",
        calls=("event-command",),
        stores=("identity", "kafka", "mongo", "redis"),
    ),
    _Kind(
        name="order",
        key="order",
        client_id="ticket-service-client",
        public_prefix="/api/order",
        database=names.ORDER_DATABASE,
        stores=("identity", "kafka", "postgres", "redis"),
    ),
    _Kind(
        name="scheduler",
        key="scheduler",
        client_id="scheduler-service-client",
        public_prefix="/api/scheduler",
        stores=("identity",),
    ),
    _Kind(name="email", key="email", client_id="email-service-client", stores=("identity",)),
)

_PROBES: Final = Probes(
    startup=Probe(path="/livez", period_seconds=1, timeout_seconds=2, failure_threshold=60),
    readiness=Probe(path="/readyz", period_seconds=5, timeout_seconds=2, failure_threshold=2),
    liveness=Probe(path="/livez", period_seconds=10, timeout_seconds=5, failure_threshold=6),
)


def services(platform: TicketlyPlatform, placement: Placement, stores: Stores, public_url: str) -> tuple[Service, ...]:
    """Return all services, in the contract's order."""
    return tuple(_service(kind, platform, placement, stores, public_url) for kind in KINDS)


def _service(kind: _Kind, platform: TicketlyPlatform, placement: Placement, stores: Stores, public_url: str) -> Service:
    spec = platform.spec
    wanted: ServiceSpec = getattr(spec.services, kind.attribute)
    ports = placement.ports[kind.name]
    uses_redis = spec.redis is not None
    given = [
        *_common(kind, platform, placement, stores.identity),
        *_store_env(kind, platform, placement, stores),
        *_own_env(kind, platform, placement, public_url),
    ]
    environment = {var.name: var for var in given}
    for entry in wanted.env:
        ref = entry.secret_ref
        environment[entry.name] = EnvVar(entry.name, SecretRef(ref.name, ref.key) if ref else entry.value)
    return Service(
        name=kind.name,
        key=kind.key,
        module=f"ticketly_{kind.attribute}",
        image=_image(kind, platform),
        env=tuple(sorted(environment.values(), key=lambda var: var.name)),
        public_port=ports.public,
        internal_port=ports.internal,
        public_prefix=kind.public_prefix,
        migrates=kind.database is not None,
        database=kind.database,
        probes=_PROBES,
        resources=_resources(wanted),
        scaling=_scaling(wanted),
        calls=kind.calls,
        stores=tuple(store for store in kind.stores if store != "redis" or uses_redis),
    )


def _image(kind: _Kind, platform: TicketlyPlatform) -> str:
    images = platform.spec.images
    for key, reference in images.overrides.items():
        if key == kind.key:
            return reference
    return f"{images.registry.rstrip('/')}/{kind.name}:{platform.spec.version}"


def _common(kind: _Kind, platform: TicketlyPlatform, placement: Placement, identity: Identity) -> list[EnvVar]:
    ports, log = placement.ports[kind.name], platform.spec.log
    found = [
        EnvVar("TICKETLY_LISTEN_HOST", placement.listen_host),
        EnvVar("TICKETLY_LISTEN_INTERNAL_PORT", str(ports.internal)),
        EnvVar("TICKETLY_LOG_LEVEL", log.level),
        EnvVar("TICKETLY_LOG_FORMAT", log.format),
        EnvVar("TICKETLY_IDENTITY_ISSUER", identity.issuer),
        EnvVar("TICKETLY_IDENTITY_AUDIENCE", identity.audience),
        EnvVar("TICKETLY_IDENTITY_CLIENT_ID", kind.client_id),
        EnvVar("TICKETLY_IDENTITY_CLIENT_SECRET", SecretRef(identity.client_secrets_ref.name, kind.client_id)),
    ]
    if ports.public is not None:
        found.append(EnvVar("TICKETLY_LISTEN_PUBLIC_PORT", str(ports.public)))
    telemetry = platform.spec.telemetry
    if telemetry.otlp_endpoint:
        found += [
            EnvVar("TICKETLY_TRACING_OTLP_ENDPOINT", telemetry.otlp_endpoint),
            EnvVar("TICKETLY_TRACING_SAMPLING_RATIO", f"{telemetry.sampling_ratio:.6f}"),
        ]
    if identity.jwks_url:
        found.append(EnvVar("TICKETLY_IDENTITY_JWKS_URL", identity.jwks_url))
    return found


def _store_env(kind: _Kind, platform: TicketlyPlatform, placement: Placement, stores: Stores) -> list[EnvVar]:
    found = []
    if kind.database is not None:
        postgres = stores.postgres
        found += [
            EnvVar("TICKETLY_POSTGRES_HOST", postgres.host),
            EnvVar("TICKETLY_POSTGRES_PORT", str(postgres.port)),
            EnvVar("TICKETLY_POSTGRES_DATABASE", kind.database),
            EnvVar("TICKETLY_POSTGRES_USER", names.database_role(kind.name)),
            EnvVar("TICKETLY_POSTGRES_PASSWORD", database_password(postgres, kind.name)),
            EnvVar("TICKETLY_POSTGRES_SSL_MODE", postgres.ssl_mode),
            EnvVar("TICKETLY_POSTGRES_POOL_SIZE", str(_pool_size(kind, platform, placement, postgres))),
        ]
    if "kafka" in kind.stores:
        found += _kafka_env(stores.kafka)
    if "mongo" in kind.stores:
        uri = stores.mongo.uri_secret_ref
        found += [
            EnvVar("TICKETLY_MONGO_URI", SecretRef(uri.name, uri.key)),
            EnvVar("TICKETLY_MONGO_DATABASE", stores.mongo.database),
        ]
    redis = platform.spec.redis
    if "redis" in kind.stores and redis is not None:
        found.append(EnvVar("TICKETLY_REDIS_URL", SecretRef(redis.url_secret_ref.name, redis.url_secret_ref.key)))
    return found


def _pool_size(kind: _Kind, platform: TicketlyPlatform, placement: Placement, postgres: Postgres) -> int:
    pods = platform.spec.pods_at_most()
    if not placement.autoscaled:
        pods = dict.fromkeys(pods, 1)
    return connections.pools(postgres.connection_budget, pods)[kind.key]


def database_password(postgres: Postgres, service: str) -> SecretRef:
    """Return where a service's database password is."""
    return SecretRef(postgres.credentials_secret_ref.name, names.password_key(service))


def _kafka_env(kafka: Kafka) -> list[EnvVar]:
    found = [EnvVar("TICKETLY_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers or "")]
    security = kafka.security
    if security.protocol != "PLAINTEXT":
        found.append(EnvVar("TICKETLY_KAFKA_SECURITY_PROTOCOL", security.protocol))
    credentials = security.credentials_secret_ref
    if security.protocol.startswith("SASL") and credentials is not None:
        found += [
            EnvVar("TICKETLY_KAFKA_SASL_MECHANISM", security.sasl_mechanism),
            EnvVar("TICKETLY_KAFKA_SASL_USERNAME", SecretRef(credentials.name, names.KAFKA_USER_KEY)),
            EnvVar("TICKETLY_KAFKA_SASL_PASSWORD", SecretRef(credentials.name, names.KAFKA_PASSWORD_KEY)),
        ]
    return found


def _own_env(kind: _Kind, platform: TicketlyPlatform, placement: Placement, public_url: str) -> list[EnvVar]:
    spec = platform.spec
    if kind.name == "email":
        return []
    found = [EnvVar("TICKETLY_CORS_ORIGINS", ",".join(spec.ingress.cors_origins))]
    if kind.name == "scheduler":
        return found
    found += [
        EnvVar("TICKETLY_PLATFORM_CURRENCY", spec.currency),
        EnvVar("TICKETLY_PLATFORM_TIME_ZONE", spec.time_zone),
        EnvVar("TICKETLY_PLATFORM_PUBLIC_URL", public_url),
    ]
    if kind.name in ("event-command", "event-query"):
        found.append(EnvVar("TICKETLY_CANARY_ENABLED", str(spec.lag.probe).lower()))
    if kind.name == "event-query":
        writer = f"http://{placement.peer_hosts['event-command']}:{placement.ports['event-command'].internal}"
        found.append(EnvVar("TICKETLY_CANARY_WRITER_URL", writer))
    if kind.name == "event-command":
        order = f"http://{placement.peer_hosts['order']}:{placement.ports['order'].internal}"
        found += [
            EnvVar("TICKETLY_UPLOADS_MAX_BYTES", str(spec.uploads.max_bytes)),
            EnvVar("TICKETLY_UPLOADS_DIRECTORY", placement.uploads_directory),
            EnvVar("TICKETLY_PEERS_ORDER_INTERNAL_URL", order),
        ]
    if kind.name == "order":
        holds = spec.holds
        by_client = spec.compat.lost_seat_status_by_client
        found += [
            EnvVar("TICKETLY_HOLDS_TTL_SECONDS", str(holds.ttl_seconds)),
            EnvVar("TICKETLY_HOLDS_PAYMENT_EXTENSION_SECONDS", str(holds.payment_extension_seconds)),
            EnvVar("TICKETLY_HOLDS_MAX_SEATS_PER_ORDER", str(holds.max_seats_per_order)),
            EnvVar("TICKETLY_HOLDS_MAX_OPEN_ORDERS_PER_USER", str(holds.max_open_orders_per_user)),
            EnvVar("TICKETLY_HOLDS_EXEMPT_GROUP", holds.exempt_group),
            EnvVar(
                "TICKETLY_COMPAT_LOST_SEAT_STATUS_BY_CLIENT",
                ",".join(f"{client}={status}" for client, status in sorted(by_client.items())),
            ),
        ]
    return found


def _resources(wanted: ServiceSpec) -> Resources:
    requests, limits = wanted.resources.requests, wanted.resources.limits
    return Resources(Amounts(requests.cpu, requests.memory), Amounts(limits.cpu, limits.memory))


def _scaling(wanted: ServiceSpec) -> Scaling:
    scaling = wanted.autoscaling
    return Scaling(
        min=scaling.min,
        max=scaling.max,
        cpu_percent=scaling.cpu,
        memory_percent=scaling.memory,
        up=_rule(scaling.scale_up),
        down=_rule(scaling.scale_down),
    )


def _rule(wanted: ScaleUp | ScaleDown) -> ScaleRule:
    policies = tuple(ScalePolicy(policy.type, policy.value, policy.period_seconds) for policy in wanted.policies)
    return ScaleRule(wanted.stabilization_seconds, policies)
