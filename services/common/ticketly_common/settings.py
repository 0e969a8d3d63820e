"""Settings groups that services share; each service composes the ones it needs.

A service declares ``class Settings(ServiceSettings)`` with the groups as fields. Values come from environment
variables ``TICKETLY_<GROUP>_<NAME>`` (``TICKETLY_HOLDS_TTL_SECONDS`` -> ``holds.ttl_seconds``). Secrets have no
default: a missing one stops the process at start with the variable's name.
"""

from __future__ import annotations

import ssl
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Group(BaseModel):
    """A frozen group of settings; unknown names are ignored because the environment is shared."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Listen(Group):
    """Where the two listeners bind. Loopback unless told otherwise: containers set 0.0.0.0."""

    host: str = "127.0.0.1"
    public_port: int = Field(ge=0, le=65535)
    internal_port: int = Field(ge=0, le=65535)


class Postgres(Group):
    """The service's own database. ``pool_size`` bounds connections per process."""

    host: str
    port: int = 5432
    database: str
    user: str
    password: SecretStr
    ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    pool_size: int = Field(default=8, ge=1, le=100)

    def url(self) -> str:
        """Return the connection URL **with** the password: hand it to a driver, never to a log."""
        user, password = quote(self.user, safe=""), quote(self.password.get_secret_value(), safe="")
        return f"postgres://{user}:{password}@{self.host}:{self.port}/{self.database}?sslmode={self.ssl_mode}"


class Kafka(Group):
    """Broker addresses, comma separated ``host:port``, and how to speak to them (librdkafka's and Java's words)."""

    bootstrap_servers: str
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None

    def client_options(self) -> dict[str, Any]:
        """Return the keyword arguments that every aiokafka client takes."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context()
        if self.security_protocol.startswith("SASL") and self.sasl_password is not None:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return options


class Redis(Group):
    """Optional: without a URL everything is slower, nothing is wrong."""

    url: SecretStr | None = None


class Identity(Group):
    """The token issuer. ``audience`` is what user tokens must carry."""

    issuer: str
    audience: str = "ticketly-api"
    internal_audience: str = "ticketly-internal"
    jwks_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    service_clients: frozenset[str] = frozenset(
        {
            "events-service",
            "event-projection-service-client",
            "ticket-service-client",
            "scheduler-service-client",
            "email-service-client",
        }
    )

    def keys_url(self) -> str:
        """Return where the signing keys are published."""
        return self.jwks_url or f"{self.issuer}/protocol/openid-connect/certs"

    def token_url(self) -> str:
        """Return the token endpoint."""
        return f"{self.issuer}/protocol/openid-connect/token"


class Cors(Group):
    """Browser origins that may call the public listener; given comma separated."""

    origins: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


class Platform(Group):
    """Facts of the whole platform: ISO 4217 currency, IANA zone of events, origin of the front door."""

    currency: str = Field(default="LKR", pattern="^[A-Z]{3}$")
    time_zone: str = "Asia/Colombo"
    public_url: str = "http://127.0.0.1:8088"


class Log(Group):
    """``json`` for machines, ``console`` for a person."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Tracing(Group):
    """Where traces go: the URL of an OTLP/HTTP receiver (``http://collector:4318/v1/traces``); empty means nowhere.

    ``sampling_ratio`` is the share of requests that are traced, from 0 to 1. Headers, certificates and compression of
    the exporter come from OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_HEADERS``).
    """

    otlp_endpoint: str = Field(default="", pattern=r"^(https?://[^\s/?#]+(/[^\s]*)?)?$")
    sampling_ratio: float = Field(default=0.01, ge=0, le=1, allow_inf_nan=False)


class ServiceSettings(BaseSettings):
    """Base of every service's settings: listeners, identity and logging are common to all."""

    model_config = SettingsConfigDict(
        env_prefix="TICKETLY_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
    )

    listen: Listen
    identity: Identity
    log: Log = Log()
    tracing: Tracing = Tracing()


S = TypeVar("S", bound="ServiceSettings")


class SettingsError(Exception):
    """The environment is incomplete or wrong; the text names each variable, never a value."""


def load(kind: type[S]) -> S:
    """Read settings from the environment; raise SettingsError naming the variables at fault."""
    try:
        return kind()
    except ValidationError as error:
        faults = "; ".join(
            "TICKETLY_" + "_".join(str(part) for part in fault["loc"]).upper() + f": {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(faults) from None
