"""Sections of ``.spec`` that name what the platform stands on: images, edges, stores, capture, payment, mail.

Every model is frozen, refuses unknown fields and speaks camelCase on the wire. A secret never stands in a section:
only the name of a Secret and a key in it.

Over 300 lines because these small models are read as one list: what a platform may say about what it stands on.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

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

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
SecretKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9./:@_-]*$", max_length=512)]


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
    )


class SecretName(Section):
    """A Secret in the platform's namespace; which keys it must have is fixed by ``names``."""

    name: ObjectName


class UriKey(Section):
    """One key of a Secret that holds a whole connection URI, credentials included."""

    name: ObjectName
    key: SecretKey = "uri"


class UrlKey(Section):
    """One key of a Secret that holds a whole connection URL, credentials included."""

    name: ObjectName
    key: SecretKey = "url"


class Images(Section):
    """Where container images come from; processes on a laptop need none."""

    registry: ImageReference = Field(default="ticketly", description="Prefix of every image, without trailing slash")
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    pull_secrets: tuple[SecretName, ...] = Field(default=(), max_length=8)
    overrides: dict[ServiceKey, ImageReference] = Field(
        default={}, description="A whole image reference for one service, preferably by digest"
    )


class IngressRateLimit(Section):
    """Token bucket at the edge, per client address: ``average`` requests per ``period``."""

    average: int = Field(default=100, ge=0, le=1_000_000, description="0 switches the limit off")
    burst: int = Field(default=200, ge=1, le=1_000_000)
    period: Duration = "1s"


class Ingress(Section):
    """The one origin that serves the public prefixes."""

    enabled: bool = True
    class_name: ObjectName = "traefik"
    host: OptionalHost = Field(default="", description="Empty: any host")
    tls_secret_name: Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$", max_length=253)] = ""
    public_url: OptionalUrl = Field(
        default="", description="Origin written into links; empty: derived from host and tlsSecretName"
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(), max_length=32, description="Browser origins that may call the public listeners"
    )
    rate_limit: IngressRateLimit = IngressRateLimit()


class Identity(Section):
    """The token issuer. ``clientSecretsRef`` has one key per service client, named like the client id."""

    issuer: Url
    audience: str = Field(default="ticketly-api", min_length=1, max_length=128)
    jwks_url: OptionalUrl = Field(default="", description="Empty: <issuer>/protocol/openid-connect/certs")
    client_secrets_ref: SecretName


class Postgres(Section):
    """One server for all services, a database and a role for each; passwords by key in the Secret."""

    host: Host
    port: Port = 5432
    ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "verify-full"
    credentials_secret_ref: SecretName


class Mongo(Section):
    """The store of the read side."""

    uri_secret_ref: UriKey
    database: str = Field(default="event-seating", pattern=r"^[A-Za-z0-9_-]{1,63}$")


class Redis(Section):
    """Shield and cache. Without it everything is slower and nothing is wrong."""

    url_secret_ref: UrlKey


class KafkaSecurity(Section):
    """How clients reach the brokers. SASL credentials: keys ``username`` and ``password`` of the Secret."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    credentials_secret_ref: SecretName | None = None

    @field_validator("credentials_secret_ref")
    @classmethod
    def _sasl_needs_credentials(cls, value: SecretName | None, info: ValidationInfo) -> SecretName | None:
        if value is None and str(info.data.get("protocol", "")).startswith("SASL"):
            raise ValueError(f"required with protocol {info.data['protocol']}")
        return value


class TopicOverride(Section):
    """Partitions of one topic. They can grow, never shrink; growing a keyed topic breaks per-key order once."""

    partitions: int = Field(ge=1, le=1000)


class Topics(Section):
    """Partitions of keyed topics; heartbeats, canary and dead letters have one each."""

    partitions: int = Field(default=12, ge=1, le=1000)
    overrides: dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")], TopicOverride] = Field(
        default={}, max_length=64
    )


class Kafka(Section):
    """Brokers. Without ``bootstrapServers`` a laptop runs an embedded broker; a cluster must name them."""

    bootstrap_servers: HostPorts | None = None
    replication_factor: int = Field(default=3, ge=1, le=15)
    min_insync_replicas: int = Field(default=2, ge=1, le=15)
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
    """The REST address of Kafka Connect (distributed mode, Debezium's PostgreSQL connector installed).

    In a cluster connectors refer to passwords instead of carrying them: the workers have Kafka's
    DirectoryConfigProvider under the name ``directory`` and each Secret mounted at
    ``secretsPath``/<its name>.
    """

    url: Url
    secrets_path: str = Field(
        default="/opt/kafka/external-configuration", pattern=r"^(/[A-Za-z0-9._-]+)+$", max_length=256
    )


class Slot(Section):
    """What to do when a replication slot holds back the log. ``rebuild`` drops it and takes a full snapshot."""

    retained_bytes_warn: ByteQuantity = "1Gi"
    retained_bytes_act: ByteQuantity = "4Gi"
    policy: Literal["alert", "restart", "rebuild"] = "alert"

    @field_validator("retained_bytes_act")
    @classmethod
    def _acts_after_warning(cls, value: str, info: ValidationInfo) -> str:
        warn = info.data.get("retained_bytes_warn")
        if warn is not None and parse_bytes(value) < parse_bytes(warn):
            raise ValueError(f"must be >= retainedBytesWarn ({warn})")
        return value


class ConnectorSpec(Section):
    """One capture connector. ``maxRestarts`` bounds restarts of a failed task between two healthy periods."""

    enabled: bool = True
    state: Literal["running", "paused", "stopped"] = "running"
    heartbeat_seconds: int = Field(default=10, ge=1, le=3600)
    max_restarts: int = Field(default=7, ge=0, le=1000, description="0: never restarted by the operator")
    slot: Slot = Slot()


class Connectors(Section):
    """Table capture of the event database and the outbox of the order database."""

    event_tables: ConnectorSpec = ConnectorSpec()
    order_outbox: ConnectorSpec = ConnectorSpec()


class ObjectStorage(Section):
    """Where uploaded images live. ``filesystem`` in a cluster needs a claim that all pods can mount."""

    mode: Literal["filesystem", "s3"] = "filesystem"
    bucket: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    claim_name: Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$", max_length=253)] = ""

    @field_validator("bucket")
    @classmethod
    def _s3_needs_bucket(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("mode") == "s3" and not value:
            raise ValueError("required with mode s3")
        return value


class AwsQueues(Section):
    """SQS queue URLs; each queue has its dead-letter queue by redrive policy."""

    session_scheduling: Url
    session_reminders: Url
    trending_job: Url


class AwsScheduling(Section):
    """EventBridge Scheduler and SQS."""

    region: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    group_name: str = Field(pattern=r"^[0-9a-zA-Z._-]{1,64}$")
    role_arn: str = Field(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/.{1,512}$")
    queues: AwsQueues


class Scheduling(Section):
    """The engine of due work: PostgreSQL, or EventBridge Scheduler with SQS."""

    mode: Literal["postgres", "aws"] = "postgres"
    aws: AwsScheduling | None = None

    @field_validator("aws")
    @classmethod
    def _aws_needs_section(cls, value: AwsScheduling | None, info: ValidationInfo) -> AwsScheduling | None:
        if info.data.get("mode") == "aws" and value is None:
            raise ValueError("required with mode aws")
        return value


class Payments(Section):
    """The payment provider. The Secret has the keys ``secret-key`` and ``webhook-secret``."""

    provider: Literal["stripe"] = "stripe"
    currency: Currency = Field(default=DEFAULT_CURRENCY, description="ISO 4217; cannot change once orders exist")
    secret_ref: SecretName
    api_url: OptionalUrl = Field(default="", description="Empty: the provider's own address")


class Mail(Section):
    """The SMTP relay. Without ``secretRef`` (keys ``username``, ``password``) it is used without login."""

    host: Host
    port: Port = 587
    sender: Annotated[str, Field(alias="from", pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
    security: Literal["none", "starttls", "tls"] = "starttls"
    secret_ref: SecretName | None = None


class Log(Section):
    """``json`` for machines, ``console`` for a person."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
