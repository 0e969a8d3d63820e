"""Completing a platform for a laptop: absent store sections become the embedded components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ticketly_crds import names
from ticketly_crds.sections import (
    Connect,
    Identity,
    Kafka,
    Mail,
    Mongo,
    Payments,
    Postgres,
    Redis,
    SecretName,
    UriKey,
    UrlKey,
)
from ticketly_crds.spec import TicketlyPlatform

_LOCAL_SENDER: Final = "tickets@ticketly.test"
_REQUIRED: Final = ("postgres", "mongo", "kafka", "connect", "identity")
_OPTIONAL: Final = ("redis", "mail", "payments")


@dataclass(frozen=True, slots=True)
class Embedded:
    """Addresses of the embedded components. Those whose section is given in the platform file are not looked at.

    Mongo and Redis URIs carry credentials, so they are Secrets: ``<platform>-mongo`` / ``uri`` and
    ``<platform>-redis`` / ``url``. ``payments_api_url`` is the stand-in's address; None when none runs.
    """

    postgres_host: str
    postgres_port: int
    kafka_bootstrap_servers: str
    connect_url: str
    identity_issuer: str
    mail_host: str
    mail_port: int
    payments_api_url: str | None = None


class IncompletePlatform(ValueError):  # noqa: N818  it says what the platform is
    """Sections that this place needs are absent; ``missing`` has their paths."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        """Name the paths of the missing sections."""
        super().__init__(f"missing: {', '.join(missing)}")
        self.missing = missing


def absent_sections(platform: TicketlyPlatform) -> tuple[str, ...]:
    """Return which of the store sections are embedded on a laptop, in a fixed order.

    A Kafka section without ``bootstrapServers`` counts as absent: it only tunes the embedded broker.
    """
    spec = platform.spec
    absent = [key for key in (*_REQUIRED, *_OPTIONAL) if getattr(spec, key) is None]
    if spec.kafka is not None and spec.kafka.bootstrap_servers is None:
        absent.append("kafka")
    return tuple(key for key in (*_REQUIRED, *_OPTIONAL) if key in absent)


def missing_sections(platform: TicketlyPlatform) -> tuple[str, ...]:
    """Return the paths of what no blueprint can do without."""
    missing = [f"spec.{key}" for key in _REQUIRED if getattr(platform.spec, key) is None]
    if platform.spec.kafka is not None and platform.spec.kafka.bootstrap_servers is None:
        missing.append("spec.kafka.bootstrapServers")
    return tuple(missing)


def with_embedded(platform: TicketlyPlatform, embedded: Embedded) -> TicketlyPlatform:
    """Return the platform with every absent store section filled in; a given section stays as it is.

    The one embedded broker cannot replicate: replication is 1 with it, whatever the file says.
    """
    spec, name = platform.spec, platform.name
    kafka = spec.kafka
    if kafka is None or kafka.bootstrap_servers is None:
        kafka = (kafka or Kafka()).model_copy(
            update={
                "bootstrap_servers": embedded.kafka_bootstrap_servers,
                "replication_factor": 1,
                "min_insync_replicas": 1,
            }
        )
    payments = spec.payments
    if payments is None and embedded.payments_api_url is not None:
        payments = Payments(secret_ref=_secret(name, "payments"), api_url=embedded.payments_api_url)
    completed = spec.model_copy(
        update={
            "identity": spec.identity
            or Identity(issuer=embedded.identity_issuer, client_secrets_ref=_secret(name, "oidc")),
            "postgres": spec.postgres
            or Postgres(
                host=embedded.postgres_host,
                port=embedded.postgres_port,
                ssl_mode="disable",
                credentials_secret_ref=_secret(name, "postgres"),
            ),
            "mongo": spec.mongo or Mongo(uri_secret_ref=UriKey(name=names.secret(name, "mongo"))),
            "redis": spec.redis or Redis(url_secret_ref=UrlKey(name=names.secret(name, "redis"))),
            "kafka": kafka,
            "connect": spec.connect or Connect(url=embedded.connect_url),
            "mail": spec.mail
            or Mail(host=embedded.mail_host, port=embedded.mail_port, sender=_LOCAL_SENDER, security="none"),
            "payments": payments,
        }
    )
    return platform.model_copy(update={"spec": completed})


def _secret(platform: str, store: str) -> SecretName:
    return SecretName(name=names.secret(platform, store))
