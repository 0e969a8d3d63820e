"""From a platform file to what runs here: ports, addresses, the blueprint, and the value behind every secret."""

from __future__ import annotations

import base64
import secrets as random_source
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import credentials as stored
from ticketly_cli.local import ports as port_choice
from ticketly_cli.local import realm
from ticketly_cli.local.components import service as service_component
from ticketly_cli.local.credentials import Credentials
from ticketly_cli.local.paths import HomeFolder
from ticketly_cli.local.state import REALM, SUPERUSER, Addresses, ServiceAddress
from ticketly_crds import names, spec
from ticketly_crds.blueprint import (
    CONTRACT_PORTS,
    Blueprint,
    Embedded,
    SecretRef,
    Service,
    ServicePorts,
    absent_sections,
    blueprint,
    laptop,
    with_embedded,
)
from ticketly_crds.sections import UriKey, UrlKey
from ticketly_crds.spec import SpecError, TicketlyPlatform

_HOST = "127.0.0.1"
_CLUSTER_ID_BYTES = 16

EMBEDDED_COMPONENTS: Mapping[str, str] = {
    "postgres": "postgres",
    "redis": "valkey",
    "kafka": "kafka",
    "connect": "connect",
    "identity": "keycloak",
    "mongo": "mongo",
    "mail": "mail",
}
"""Component by the store section whose absence asks for it."""


@dataclass(frozen=True, slots=True)
class Site:
    """One platform on this machine, fully worked out. No process has been started for it yet."""

    home: HomeFolder
    platform: TicketlyPlatform
    """Completed: every store section is there."""
    embedded: frozenset[str]
    """Store sections that are served by components of ours."""
    blueprint: Blueprint
    services: tuple[Service, ...]
    """Those of the blueprint whose packages are installed here."""
    ports: Mapping[str, int]
    addresses: Addresses
    credentials: Credentials = field(repr=False)

    def secret(self, ref: SecretRef) -> str:
        """The value behind a reference. Raises CliError when nobody gave one."""
        given = self.credentials.given.get(ref.name, {})
        if ref.key in given:
            return given[ref.key]
        return _secrets_of_ours(self)[ref]

    def environment(self, service: Service) -> dict[str, str]:
        """The blueprint's environment with values."""
        return {v.name: v.value if isinstance(v.value, str) else self.secret(v.value) for v in service.env}


def wanted_ports() -> dict[str, int]:
    """Usual port by name, for everything that listens."""
    wanted = dict(port_choice.USUAL_PORTS)
    for name, listeners in CONTRACT_PORTS.items():
        if listeners.public is not None:
            wanted[f"{name}-public"] = listeners.public
        wanted[f"{name}-internal"] = listeners.internal
    return wanted


def all_port_names() -> list[str]:
    return list(wanted_ports())


def read_specification(home: HomeFolder) -> TicketlyPlatform:
    """The platform file this state folder was started with, else the sample that ships with the program.

    Raises CliError (exit code 3) that names the first faulty field.
    """
    if home.specification_file.is_file():
        return parse_specification(home.specification_file)
    sample = resources.files("ticketly_crds").joinpath("samples", "local.yaml")
    return spec.load(sample.read_text(encoding="utf-8"))


def parse_specification(path: Path) -> TicketlyPlatform:
    """Raises CliError (exit code 3) for a file that cannot be read or is not valid."""
    try:
        return spec.load(path)
    except OSError as error:
        raise CliError(
            f"The platform file {path} cannot be read: {error.strerror}.", "", ExitCode.BAD_ARGUMENTS
        ) from error
    except SpecError as error:
        more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
        raise CliError(
            f"The platform file {path} is not valid: {error.faults[0]}{more}.",
            "Correct it and run this again.",
            ExitCode.BAD_ARGUMENTS,
        ) from error


def embedded_components(platform: TicketlyPlatform) -> list[str]:
    """Components of ours that stand for the sections a platform file leaves out."""
    absent = absent_sections(platform)
    return [component for section, component in EMBEDDED_COMPONENTS.items() if section in absent]


def ensure_credentials(credentials: Credentials) -> None:
    """Generate every secret of the embedded components that is not there yet."""
    stored.ensure(credentials.database_roles, SUPERUSER)
    stored.ensure(credentials.database_roles, names.CDC_ROLE)
    for service in CONTRACT_PORTS:
        stored.ensure(credentials.database_roles, names.database_role(service))
    if "kafka cluster" not in credentials.seeds:
        raw = random_source.token_bytes(_CLUSTER_ID_BYTES)
        # a leading dash would look like an option to Kafka's format tool
        credentials.seeds["kafka cluster"] = base64.urlsafe_b64encode(raw).decode().rstrip("=").replace("-", "A")
    realm.ensure_credentials(credentials)


def work_out(
    home: HomeFolder,
    platform: TicketlyPlatform,
    credentials: Credentials,
    remembered_ports: Mapping[str, int],
    ours: Iterable[int] = (),
) -> Site:
    """Choose ports, complete the platform, make the blueprint.

    `ours` are ports held by this platform already. Raises CliError when no port is left or a secret is missing.
    """
    ports = port_choice.choose(
        wanted_ports(), remembered_ports, ours, first_spare=port_choice.spare_start(str(home.root))
    )
    completed = with_embedded(platform, _embedded(ports))
    front_door = f"http://{_HOST}:{ports['front-door']}"
    placed = laptop(str(home.data / "uploads"), _service_ports(ports), platform.spec.ingress.public_url or front_door)
    made = blueprint(completed, placed)
    embedded = frozenset(absent_sections(platform))
    services = tuple(service for service in made.services if service_component.is_installed(service))
    site = Site(
        home=home,
        platform=completed,
        embedded=embedded,
        blueprint=made,
        services=services,
        ports=ports,
        addresses=_addresses(completed, made, services, ports, front_door, embedded),
        credentials=credentials,
    )
    for ref in made.secrets():
        try:
            site.secret(ref)
        except KeyError:
            raise CliError(
                f"The platform file names the secret {ref.name}, whose key {ref.key} has no value here.",
                f"Write it into {home.secrets_file} below given / {ref.name} / {ref.key}.",
                ExitCode.BAD_ARGUMENTS,
            ) from None
    return site


def _embedded(ports: Mapping[str, int]) -> Embedded:
    return Embedded(
        postgres_host=_HOST,
        postgres_port=ports["postgres"],
        kafka_bootstrap_servers=f"{_HOST}:{ports['kafka']}",
        connect_url=f"http://{_HOST}:{ports['connect']}",
        identity_issuer=f"http://{_HOST}:{ports['keycloak']}/realms/{REALM}",
        mail_host=_HOST,
        mail_port=ports["mail-smtp"],
    )


def _service_ports(ports: Mapping[str, int]) -> dict[str, ServicePorts]:
    return {
        name: ServicePorts(
            None if listeners.public is None else ports[f"{name}-public"],
            ports[f"{name}-internal"],
        )
        for name, listeners in CONTRACT_PORTS.items()
    }


def _addresses(
    platform: TicketlyPlatform,
    made: Blueprint,
    services: Iterable[Service],
    ports: Mapping[str, int],
    front_door: str,
    embedded: frozenset[str],
) -> Addresses:
    given = platform.spec
    if given.identity is None or given.postgres is None or given.kafka is None or given.connect is None:
        raise AssertionError("a completed platform has these sections")
    roles = {database.service: database.role for database in made.databases}
    issuer = urlsplit(given.identity.issuer)
    mail = given.mail
    return Addresses(
        front_door_url=front_door,
        services=tuple(
            ServiceAddress(
                name=service.name,
                module=service.module,
                public_url=None if service.public_port is None else f"http://{_HOST}:{service.public_port}",
                internal_url=f"http://{_HOST}:{service.internal_port}",
                database=service.database,
                database_role=roles.get(service.name),
            )
            for service in services
        ),
        postgres_host=given.postgres.host,
        postgres_port=given.postgres.port,
        redis_url=f"redis://{_HOST}:{ports['redis']}/0" if "redis" in embedded else None,
        kafka_bootstrap_servers=given.kafka.bootstrap_servers or "",
        connect_url=given.connect.url,
        keycloak_url=f"{issuer.scheme}://{issuer.netloc}",
        issuer=given.identity.issuer,
        mongo_uri=f"mongodb://{_HOST}:{ports['mongo']}/" if "mongo" in embedded else None,
        mongo_database="" if given.mongo is None else given.mongo.database,
        mail_smtp_host=_HOST if mail is None else mail.host,
        mail_smtp_port=ports["mail-smtp"] if mail is None else mail.port,
        mail_url=f"http://{_HOST}:{ports['mail-http']}",
        redis_secret=_reference(given.redis.url_secret_ref) if given.redis and "redis" not in embedded else None,
        mongo_secret=_reference(given.mongo.uri_secret_ref) if given.mongo and "mongo" not in embedded else None,
    )


def _reference(key: UriKey | UrlKey) -> tuple[str, str]:
    return key.name, key.key


def _secrets_of_ours(site: Site) -> dict[SecretRef, str]:
    """Values of the Secrets that the completed platform names for embedded components."""
    name = site.platform.name
    known: dict[SecretRef, str] = {}
    credentials = site.credentials
    if "postgres" in site.embedded:
        secret = names.secret(name, "postgres")
        known[SecretRef(secret, names.CDC_PASSWORD_KEY)] = credentials.database_roles[names.CDC_ROLE]
        for database in site.blueprint.databases:
            key = names.password_key(database.service)
            known[SecretRef(secret, key)] = credentials.database_roles[database.role]
    if "identity" in site.embedded:
        for client, value in credentials.clients.items():
            known[SecretRef(names.secret(name, "oidc"), client)] = value
    if "mongo" in site.embedded and site.addresses.mongo_uri is not None:
        known[SecretRef(names.secret(name, "mongo"), "uri")] = site.addresses.mongo_uri
    if "redis" in site.embedded and site.addresses.redis_url is not None:
        known[SecretRef(names.secret(name, "redis"), "url")] = site.addresses.redis_url
    return known
