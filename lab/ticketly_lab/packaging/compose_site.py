"""Where the parts of the platform in containers find each other, and which variable holds which secret."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Final

from ticketly_cli.local import realm
from ticketly_crds import spec
from ticketly_crds.blueprint import (
    CONTRACT_PORTS,
    Blueprint,
    Embedded,
    Placement,
    SecretRef,
    blueprint,
    with_embedded,
)

FRONT_DOOR_PORT: Final = 8088
KEYCLOAK_PORT: Final = 8180
KEYCLOAK_HOST: Final = "keycloak.localhost"
"""A name that means the same issuer to a browser on this machine and to a container: loopback there, an alias here."""

REALM: Final = "event-ticketing"
UPLOADS: Final = "/var/lib/ticketly/uploads"


def variable(ref: SecretRef) -> str:
    """Which variable holds a secret: `TICKETLY_SECRET_POSTGRES_ORDER_PASSWORD`."""
    words = f"{ref.name.removeprefix('ticketly-')}_{ref.key}"
    return f"TICKETLY_SECRET_{words.upper().replace('-', '_').replace('.', '_')}"


def reference(ref: SecretRef) -> str:
    """How Compose puts it in. The two connection strings are made of a password and known addresses."""
    if ref.key == "uri":
        return f"mongodb://ticketly:{required('TICKETLY_SECRET_MONGO_PASSWORD')}@mongo:27017/?authSource=admin"
    if ref.key == "url":
        return f"redis://:{required('TICKETLY_SECRET_REDIS_PASSWORD')}@valkey:6379/0"
    return required(variable(ref))


def required(name: str) -> str:
    return f"${{{name}:?see compose/example.env}}"


def platform_blueprint() -> Blueprint:
    """The local sample, placed in containers."""
    text = resources.files("ticketly_crds").joinpath("samples", "local.yaml").read_text(encoding="utf-8")
    platform = with_embedded(
        spec.load(text),
        Embedded(
            postgres_host="postgres",
            postgres_port=5432,
            kafka_bootstrap_servers="kafka:9092",
            connect_url="http://connect:8083",
            identity_issuer=f"http://{KEYCLOAK_HOST}:{KEYCLOAK_PORT}/realms/{REALM}",
            mail_host="mail",
            mail_port=1025,
        ),
    )
    placement = Placement(
        listen_host="0.0.0.0",  # noqa: S104 - a container's own network; only loopback is published
        ports=CONTRACT_PORTS,
        peer_hosts={name: name for name in CONTRACT_PORTS},
        public_url=f"http://127.0.0.1:{FRONT_DOOR_PORT}",
        uploads_directory=UPLOADS,
        autoscaled=False,
    )
    return blueprint(platform, placement)


def client_variable(client: str) -> str:
    return variable(SecretRef("ticketly-oidc", client))


def user_variable(user: str) -> str:
    return f"TICKETLY_SECRET_USER_{user.partition('@')[0].upper()}"


def realm_variables() -> Sequence[str]:
    return [*map(client_variable, realm.SERVICE_CLIENTS), *map(user_variable, realm.TEST_USERS)]
