"""Sections of ``.spec`` that name what the platform stands on: images, edges, stores, capture, payment, mail.

Every model is frozen, refuses unknown fields and speaks camelCase on the wire. A secret never stands in a section:
only the name of a Secret and a key in it. The text below a field is what ``kubectl explain`` shows, so it speaks of
fields by their names on the wire.

Over 300 lines because these small models are read as one list: what a platform may say about what it stands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ticketly_crds.quantities import (
    ByteQuantity,
    Duration,
    Host,
    HostPorts,
    OptionalHost,
    OptionalUrl,
    Origin,
    Port,
    Url,
    parse_bytes,
)

DEFAULT_CURRENCY: Final = "LKR"
"""ISO 4217 code that holds when no payments section says otherwise."""

ServiceKey = Literal["eventCommand", "eventQuery", "order", "scheduler", "email"]
"""How a service is named inside a platform file."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", max_length=3)]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
SecretKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9./:@_-]*$", max_length=512)]

BY_NAME: Final[dict[str, Any]] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
"""A list whose entries have distinct names: managers of single entries do not overwrite each other's."""

SEVERAL_FAULTS: Final = "several_faults"


def several_faults(found: Sequence[tuple[str, str]]) -> PydanticCustomError:
    """Return an error of a check that found more than one fault, or one below its field: pairs of path and message."""
    return PydanticCustomError(SEVERAL_FAULTS, "several faults", {"found": list(found)})


def repeated_names(field: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return a fault for each name that an earlier entry of the list has."""
    first: dict[str, int] = {}
    found = []
    for index, name in enumerate(names):
        if name in first:
            found.append((f"[{index}].name", f"must be distinct, {name} is {field}[{first[name]}]"))
        first.setdefault(name, index)
    return found


class Section(BaseModel):
    """Base of everything in a platform file. Defaults are checked like given values."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


class SecretName(Section):
    """A Secret in the platform's namespace."""

    name: ObjectName
    """Name of the Secret."""


class UriKey(Section):
    """One key of a Secret that holds a whole connection URI, credentials included."""

    name: ObjectName
    """Name of the Secret."""
    key: SecretKey = "uri"
    """Key in the Secret whose value is the URI."""


class UrlKey(Section):
    """One key of a Secret that holds a whole connection URL, credentials included."""

    name: ObjectName
    """Name of the Secret."""
    key: SecretKey = "url"
    """Key in the Secret whose value is the URL."""


class Images(Section):
    """Where container images come from; processes on a laptop need none."""

    registry: ImageReference = "ticketly"
    """Prefix of every image, without trailing slash."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When a node fetches an image."""
    pull_secrets: tuple[SecretName, ...] = Field(default=(), max_length=8)
    """Secrets of type kubernetes.io/dockerconfigjson to fetch images with."""
    overrides: dict[ServiceKey, ImageReference] = Field(default={}, max_length=5)
    """A whole image reference for single services, preferably by digest."""


class IngressRateLimit(Section):
    """Token bucket at the edge, per client address: ``average`` requests per ``period``."""

    average: int = Field(default=100, ge=0, le=1_000_000)
    """Requests per period; 0 switches the limit off."""
    burst: int = Field(default=200, ge=1, le=1_000_000)
    """Requests that may come at once."""
    period: Duration = "1s"
    """Length of the period, such as 500ms, 1s or 5m."""


class Ingress(Section):
    """The one origin that serves the public prefixes."""

    enabled: bool = True
    """False: the operator makes no Ingress, something else leads to the Services."""
    class_name: ObjectName = "traefik"
    """IngressClass; with Traefik's kinds present, limits become its Middlewares."""
    host: OptionalHost = ""
    """Host name of the public origin. Empty: any host."""
    tls_secret_name: Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$", max_length=253)] = ""
    """Secret of type kubernetes.io/tls with the certificate. Empty: plain HTTP."""
    public_url: OptionalUrl = ""
    """Origin written into links. Empty: derived from host and tlsSecretName."""
    cors_origins: tuple[Origin, ...] = Field(default=(), max_length=32)
    """Browser origins that may call the public listeners."""
    rate_limit: IngressRateLimit = IngressRateLimit()


class Identity(Section):
    """The token issuer (OpenID Connect)."""

    issuer: Url
    """Issuer as it stands in tokens."""
    audience: str = Field(default="ticketly-api", min_length=1, max_length=128)
    """Audience that tokens of users must carry."""
    jwks_url: OptionalUrl = ""
    """Where the signing keys are. Empty: issuer + /protocol/openid-connect/certs."""
    client_secrets_ref: SecretName
    """Secret with one key per service client, named like the client id: events-service,
    event-projection-service-client, ticket-service-client, scheduler-service-client, email-service-client."""


class Telemetry(Section):
    """Traces. Without an endpoint there are none and they cost nothing."""

    otlp_endpoint: OptionalUrl = ""
    """OTLP over HTTP, the whole path: http://collector:4318/v1/traces. Empty: no traces."""
    sampling_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of requests that are traced."""


class Postgres(Section):
    """One server for all services, a database and a role for each."""

    host: Host
    """Host name or IPv4 address."""
    port: Port = 5432
    """TCP port."""
    ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "verify-full"
    """As libpq's sslmode."""
    credentials_secret_ref: SecretName
    """Secret with the passwords by key: event-command-password, order-password, cdc-password."""
    connection_budget: int = Field(default=90, ge=1, le=100_000)
    """Connections this platform may hold at most: max_connections of the server less what others need. It is divided
    among the pods of autoscaling.max and two more per service (one that starts and one that drains while a new release
    rolls out), capture, migrations and the operator; each pod's pool is made as large as that allows."""


class Mongo(Section):
    """The store of the read side."""

    uri_secret_ref: UriKey
    database: str = Field(default="event-seating", pattern=r"^[A-Za-z0-9_-]{1,63}$", max_length=63)
    """Name of the database."""


class Redis(Section):
    """Shield and cache. Without it everything is slower and nothing is wrong."""

    url_secret_ref: UrlKey


class KafkaSecurity(Section):
    """How clients reach the brokers."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """As Kafka's security.protocol."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """As Kafka's sasl.mechanism; read with a SASL protocol only."""
    credentials_secret_ref: SecretName | None = None
    """Secret with the keys username and password; required with a SASL protocol."""

    @field_validator("credentials_secret_ref")
    @classmethod
    def _sasl_needs_credentials(cls, value: SecretName | None, info: ValidationInfo) -> SecretName | None:
        if value is None and str(info.data.get("protocol", "")).startswith("SASL"):
            raise ValueError(f"required with protocol {info.data['protocol']}")
        return value


class TopicOverride(Section):
    """Partitions of one topic."""

    partitions: int = Field(ge=1, le=1000)
    """They can grow, never shrink; growing a keyed topic breaks the order of its keys once."""


class Topics(Section):
    """Partitions of topics."""

    partitions: int = Field(default=12, ge=1, le=1000)
    """Partitions of each keyed topic; they can grow, never shrink. Heartbeats, canary and dead letters have one."""
    overrides: dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")], TopicOverride] = Field(
        default={}, max_length=64
    )
    """Other values for single topics, by the topic's name."""


class Kafka(Section):
    """The brokers and what topics are made like."""

    bootstrap_servers: HostPorts | None = None
    """host:port, several separated by commas. Without it a laptop runs an embedded broker; a cluster must name them."""
    replication_factor: int = Field(default=3, ge=1, le=15)
    """Copies of each partition."""
    min_insync_replicas: int = Field(default=2, ge=1, le=15)
    """Copies that must have a record before a writer is told so; at most replicationFactor."""
    security: KafkaSecurity = KafkaSecurity()
    topics: Topics = Topics()

    @field_validator("min_insync_replicas")
    @classmethod
    def _fits_replication(cls, value: int, info: ValidationInfo) -> int:
        replicas = info.data.get("replication_factor", value)
        if value > replicas:
            raise ValueError(f"must be <= replicationFactor ({replicas})")
        return value


class Connect(Section):
    """Kafka Connect in distributed mode, with Debezium's PostgreSQL connector installed."""

    url: Url
    """Address of its REST interface."""
    secrets_path: str = Field(
        default="/opt/kafka/external-configuration", pattern=r"^(/[A-Za-z0-9._-]+)+$", max_length=256
    )
    """In a cluster connectors refer to passwords instead of carrying them: the workers have Kafka's
    DirectoryConfigProvider under the name directory, and each Secret mounted below this path under its name."""


class Slot(Section):
    """What to do when a replication slot holds back the database's log."""

    retained_bytes_warn: ByteQuantity = "1Gi"
    """Retained log at which a condition warns."""
    retained_bytes_act: ByteQuantity = "4Gi"
    """Retained log at which the policy is carried out; at least retainedBytesWarn."""
    policy: Literal["alert", "restart", "rebuild"] = "alert"
    """alert: only tell. restart: restart the connector. rebuild: drop the slot and take a full snapshot."""

    @field_validator("retained_bytes_act")
    @classmethod
    def _acts_after_warning(cls, value: str, info: ValidationInfo) -> str:
        warn = info.data.get("retained_bytes_warn")
        if warn is not None and parse_bytes(value) < parse_bytes(warn):
            raise ValueError(f"must be >= retainedBytesWarn ({warn})")
        return value


class ConnectorSpec(Section):
    """One capture connector."""

    enabled: bool = True
    """False: the operator neither makes it nor looks at it."""
    state: Literal["running", "paused", "stopped"] = "running"
    """Wanted state. A connector that does not run holds back the database's log."""
    heartbeat_seconds: int = Field(default=10, ge=1, le=3600)
    """How often it writes a heartbeat, so that its slot moves on when nothing is sold."""
    max_restarts: int = Field(default=7, ge=0, le=1000)
    """Restarts of a failed task between two healthy periods. 0: never restarted by the operator."""
    slot: Slot = Slot()


class Connectors(Section):
    """Change capture by Debezium."""

    event_tables: ConnectorSpec = ConnectorSpec()
    """Rows of the event database's tables."""
    order_outbox: ConnectorSpec = ConnectorSpec()
    """Events in the outbox of the order database."""


class ObjectStorage(Section):
    """Where uploaded images live."""

    mode: Literal["filesystem", "s3"] = "filesystem"
    """filesystem: a folder; in a cluster it needs a claim that all pods can mount. s3: a bucket."""
    bucket: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", max_length=63)
    """Name of the bucket; required with mode s3."""
    claim_name: Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$", max_length=253)] = ""
    """PersistentVolumeClaim for mode filesystem. Empty: uploads live as long as their pod."""

    @field_validator("bucket")
    @classmethod
    def _s3_needs_bucket(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("mode") == "s3" and not value:
            raise ValueError("required with mode s3")
        return value


class AwsQueues(Section):
    """URLs of SQS queues; each queue has its dead-letter queue by redrive policy."""

    session_scheduling: Url
    """Sessions that open or close."""
    session_reminders: Url
    """Reminders of sessions."""
    trending_job: Url
    """The trending computation."""


class AwsScheduling(Section):
    """EventBridge Scheduler and SQS; required with mode aws."""

    region: str = Field(pattern=r"^[a-z0-9-]{1,32}$", max_length=32)
    """AWS region."""
    group_name: str = Field(pattern=r"^[0-9a-zA-Z._-]{1,64}$", max_length=64)
    """Schedule group."""
    role_arn: str = Field(pattern=r"^arn:[a-z-]{1,16}:iam::[0-9]{12}:role/[!-~]{1,512}$", max_length=562)
    """Role that EventBridge Scheduler takes on to write to the queues."""
    queues: AwsQueues


class Scheduling(Section):
    """The engine of due work."""

    mode: Literal["postgres", "aws"] = "postgres"
    """postgres: PostgreSQL. aws: EventBridge Scheduler with SQS."""
    aws: AwsScheduling | None = None

    @field_validator("aws")
    @classmethod
    def _aws_needs_section(cls, value: AwsScheduling | None, info: ValidationInfo) -> AwsScheduling | None:
        if info.data.get("mode") == "aws" and value is None:
            raise ValueError("required with mode aws")
        return value


class Payments(Section):
    """The payment provider."""

    provider: Literal["stripe"] = "stripe"
    """Name of the provider."""
    currency: Currency = DEFAULT_CURRENCY
    """ISO 4217 code of all prices. It cannot change; without a payments section it is LKR."""
    secret_ref: SecretName
    """Secret with the keys secret-key and webhook-secret."""
    api_url: OptionalUrl = ""
    """Empty: the provider's own address."""


class Mail(Section):
    """The SMTP relay."""

    host: Host
    """Host name or IPv4 address."""
    port: Port = 587
    """TCP port."""
    sender: Annotated[str, Field(alias="from", pattern=r"^[!-?A-~]+@[!-?A-~]+$", max_length=254)]
    """Address of the sender."""
    security: Literal["none", "starttls", "tls"] = "starttls"
    """starttls: encrypted after a greeting. tls: encrypted from the start. none: for a relay on this machine."""
    secret_ref: SecretName | None = None
    """Secret with the keys username and password. Without it the relay is used without login."""


class Log(Section):
    """What services write to standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""
    format: Literal["json", "console"] = "json"
    """json for machines, console for a person."""
