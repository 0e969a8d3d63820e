"""Outputs: what `ticketly provision outputs` shows, and what it turns into a platform file and its Secrets.

`platform` is the part of `.spec` that AWS decides. It names Secrets and holds none: `secretSources` says which key of
which Secret comes from which field of which secret of Secrets Manager. Names of Secrets are the program's; keys are
those the platform resource fixes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from ticketly_crds import names
from ticketly_infra import identity, roles
from ticketly_infra.naming import Scope
from ticketly_infra.secrets import Kept

POSTGRES: Final = "ticketly-postgres"
OIDC: Final = "ticketly-oidc"
STRIPE: Final = "ticketly-stripe"
SMTP: Final = "ticketly-smtp"
MONGO: Final = "ticketly-mongo"
REDIS: Final = "ticketly-redis"
KAFKA: Final = "ticketly-kafka"
CONNECT_URL: Final = "http://connect.kafka:8083"
"""Where docs/aws/connect.yaml puts Kafka Connect in the cluster of profile `prod`."""


@dataclass(frozen=True, slots=True)
class Broker:
    """How clients reach Kafka and Connect."""

    bootstrap_servers: pulumi.Input[str]
    protocol: str
    replicas: int
    connect_url: pulumi.Input[str]


@dataclass(frozen=True, slots=True)
class Scheduling:
    """EventBridge Scheduler and its queues (word -> URL)."""

    group_name: pulumi.Input[str]
    role_arn: pulumi.Input[str]
    urls: dict[str, pulumi.Output[str]]


@dataclass(frozen=True, slots=True)
class Stores:
    """The secrets by the name of their Kubernetes Secret."""

    postgres: Kept
    oidc: Kept
    stripe: Kept
    smtp: Kept
    mongo: Kept
    redis: Kept
    kafka: Kept


@dataclass(frozen=True, slots=True)
class ExportArgs:
    """Everything the outputs are made of. `more`: further outputs, each for a person."""

    scope: Scope
    registry: str
    issuer: str
    database_host: pulumi.Input[str]
    broker: Broker
    bucket: pulumi.Input[str]
    scheduling: Scheduling
    mail_host: str
    stores: Stores
    more: dict[str, Any] = field(default_factory=dict)


def platform(args: ExportArgs) -> dict[str, Any]:
    """The part of `.spec`."""
    settings = args.scope.settings
    urls = args.scheduling.urls
    return {
        "images": {"registry": args.registry},
        "ingress": {
            "className": "traefik",
            "host": settings.api_host,
            # TLS ends at the load balancer, so the cluster has no certificate to name
            "publicUrl": f"https://{settings.api_host}",
            "corsOrigins": list(settings.web_origins),
        },
        "identity": {"issuer": args.issuer, "clientSecretsRef": {"name": OIDC}},
        "postgres": {
            "host": args.database_host,
            "sslMode": "verify-full",
            "credentialsSecretRef": {"name": POSTGRES},
        },
        "mongo": {"uriSecretRef": {"name": MONGO, "key": "uri"}},
        "redis": {"urlSecretRef": {"name": REDIS, "key": "url"}},
        "kafka": {
            "bootstrapServers": args.broker.bootstrap_servers,
            "replicationFactor": args.broker.replicas,
            "minInsyncReplicas": max(1, args.broker.replicas - 1),
            "security": {
                "protocol": args.broker.protocol,
                "saslMechanism": "SCRAM-SHA-512",
                "credentialsSecretRef": {"name": KAFKA},
            },
        },
        "connect": {"url": args.broker.connect_url},
        "objectStorage": {"mode": "s3", "bucket": args.bucket},
        "scheduling": {
            "mode": "aws",
            "aws": {
                "region": args.scope.region,
                "groupName": args.scheduling.group_name,
                "roleArn": args.scheduling.role_arn,
                "queues": {
                    "sessionScheduling": urls["session-scheduling"],
                    "sessionReminders": urls["session-reminders"],
                    "trendingJob": urls["trending-job"],
                },
            },
        },
        "payments": {"provider": "stripe", "secretRef": {"name": STRIPE}},
        "mail": {"host": args.mail_host, "port": 587, "from": settings.mail_sender, "secretRef": {"name": SMTP}},
    }


def sources(stores: Stores) -> list[dict[str, Any]]:
    """Each key of each Secret, and where its value is."""
    found = [_source(POSTGRES, names.password_key(word), stores.postgres) for word in (*roles.SERVICES, roles.CAPTURE)]
    found += [_source(OIDC, client, stores.oidc) for client in identity.CLIENTS]
    found += [_source(STRIPE, key, stores.stripe) for key in ("secret-key", "webhook-secret")]
    for secret, kept in ((SMTP, stores.smtp), (KAFKA, stores.kafka)):
        found += [_source(secret, key, kept) for key in ("username", "password")]
    return [*found, _source(MONGO, "uri", stores.mongo), _source(REDIS, "url", stores.redis)]


def _source(secret: str, key: str, kept: Kept) -> dict[str, Any]:
    if key not in kept.fields:
        raise KeyError(f"{secret}/{key}")
    return {"secretName": secret, "key": key, "arn": kept.arn, "field": key}


def export(args: ExportArgs) -> None:
    """Name the outputs of the stack."""
    pulumi.export("platform", platform(args))
    pulumi.export("secretSources", sources(args.stores))
    for name, value in args.more.items():
        pulumi.export(name, value)
