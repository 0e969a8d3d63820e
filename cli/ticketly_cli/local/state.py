"""Addresses and secrets of the platform that runs on this machine: what seed, race, verify and token need.

    platform = state.load()
    platform.front_door_url                          # http://127.0.0.1:8088
    platform.service("order").internal_url           # http://127.0.0.1:9084
    platform.database("order_service").dsn           # owner's login; verify reads with it
    platform.users["test@ticketly.test"].password

Nothing here starts or changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import msgspec

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import credentials as stored
from ticketly_cli.local.identity import ProcessIdentity, is_alive
from ticketly_cli.local.paths import HomeFolder, home_folder

FILE_FORMAT = 1

REALM = "event-ticketing"
KEYCLOAK_ADMINISTRATOR = "admin"
SUPERUSER = "ticketly"


class ServiceAddress(msgspec.Struct, frozen=True):
    """Base URLs without a path and without a trailing slash. `public_url` is None for a service without public routes.

    Paths carry the service's prefix on both listeners: `public_url + "/api/order"`,
    `internal_url + "/api/order/internal/v1/..."`; probes are at `internal_url + "/readyz"`.
    """

    name: str
    module: str
    public_url: str | None
    internal_url: str
    database: str | None = None
    database_role: str | None = None


class Addresses(msgspec.Struct, frozen=True):
    """Where everything listens. Addresses of stores given in the platform file are theirs, else the embedded ones."""

    front_door_url: str
    services: tuple[ServiceAddress, ...]
    postgres_host: str
    postgres_port: int
    redis_url: str | None
    """None when there is none, or when the platform file names one of its own (its URL is a secret)."""
    kafka_bootstrap_servers: str
    connect_url: str
    keycloak_url: str
    issuer: str
    mongo_uri: str | None
    """None when the platform file names a MongoDB of its own."""
    mongo_database: str
    mail_smtp_host: str
    mail_smtp_port: int
    mail_url: str
    """The mail sink's HTTP side: GET / lists, GET /mails is JSON, DELETE /mails forgets."""
    redis_secret: tuple[str, str] | None = None
    mongo_secret: tuple[str, str] | None = None
    """Name and key of the secret that holds the whole URL of a store of the platform file's own."""


class PlatformFile(msgspec.Struct, frozen=True):
    """`platform.json`. `ports` are remembered so that a restarted platform keeps its addresses."""

    format: int = FILE_FORMAT
    ports: dict[str, int] = {}
    addresses: Addresses | None = None
    supervisor: ProcessIdentity | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A user name with its password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A PostgreSQL database with the role to use for it."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)

    @property
    def dsn(self) -> str:
        """Connection URL; holds the password, so never print it."""
        return (
            f"postgresql://{quote(self.user, safe='')}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{quote(self.name, safe='')}"
        )


@dataclass(frozen=True, slots=True)
class PlatformState:
    """A running platform: its addresses and its secrets."""

    home: Path
    addresses: Addresses
    databases: Mapping[str, DatabaseAddress]
    """By database name, as the service's own role."""
    superuser: DatabaseAddress | None
    """Database `postgres` as superuser; None when the platform file names a PostgreSQL of its own."""
    keycloak_administrator: Login | None
    """Administrator of the master realm; None when the platform file names an identity provider of its own."""
    users: Mapping[str, Login]
    """Test users of the local realm by name."""
    client_secrets: Mapping[str, str] = field(repr=False)
    """Secret by confidential client of the local realm."""
    redis_url: str | None = field(repr=False)
    """None when the platform runs without."""
    mongo_uri: str = field(repr=False)

    @property
    def front_door_url(self) -> str:
        """One origin for all public prefixes, e.g. http://127.0.0.1:8088 (no trailing slash)."""
        return self.addresses.front_door_url

    @property
    def services(self) -> Mapping[str, ServiceAddress]:
        return {service.name: service for service in self.addresses.services}

    @property
    def kafka_bootstrap_servers(self) -> str:
        return self.addresses.kafka_bootstrap_servers

    @property
    def connect_url(self) -> str:
        return self.addresses.connect_url

    @property
    def keycloak_url(self) -> str:
        """Keycloak's base URL; the admin API is below `/admin/realms/event-ticketing`."""
        return self.addresses.keycloak_url

    @property
    def issuer(self) -> str:
        return self.addresses.issuer

    @property
    def token_url(self) -> str:
        return f"{self.addresses.issuer}/protocol/openid-connect/token"

    @property
    def mongo_database(self) -> str:
        return self.addresses.mongo_database

    @property
    def mail_url(self) -> str:
        return self.addresses.mail_url

    def service(self, name: str) -> ServiceAddress:
        """The service with that name. Raises CliError when the platform has no such service."""
        found = self.services.get(name)
        if found is None:
            raise CliError(
                f"This platform has no service named {name}.",
                f"It has: {', '.join(sorted(self.services))}.",
                ExitCode.UNREACHABLE,
            )
        return found

    def database(self, name: str) -> DatabaseAddress:
        """The database with that name. Raises CliError when the platform has no such database."""
        found = self.databases.get(name)
        if found is None:
            raise CliError(
                f"This platform has no database named {name}.",
                f"It has: {', '.join(sorted(self.databases))}.",
                ExitCode.UNREACHABLE,
            )
        return found


def read_platform_file(path: Path) -> PlatformFile:
    """Read `platform.json`; an absent file is an empty one. Raises CliError when it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return PlatformFile()
    try:
        found = msgspec.json.decode(content, type=PlatformFile)
    except msgspec.MsgspecError as error:
        raise CliError(f"The file {path} is damaged and cannot be read.", "Delete it and run `ticketly up`.") from error
    if found.format != FILE_FORMAT:
        raise CliError(
            f"The file {path} has format {found.format}; this version of ticketly knows format {FILE_FORMAT}.",
            "Use the version that wrote it, or run `ticketly down --purge`.",
        )
    return found


def write_platform_file(path: Path, content: PlatformFile) -> None:
    """Replace `platform.json` in one step."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2))
    temporary.replace(path)


def not_running(home: HomeFolder) -> CliError:
    """What to say when there is no supervisor."""
    return CliError(
        f"No platform is running for the state folder {home.root}.", "Run `ticketly up` first.", ExitCode.UNREACHABLE
    )


def load(home: Path | None = None) -> PlatformState:
    """The platform of `home` (default: `$TICKETLY_HOME`, else the user's state folder).

    Raises CliError (exit code 4, next step `ticketly up`) when no supervisor runs for it. A running supervisor does
    not mean that every component is healthy: ask `ticketly status` for that.
    """
    folder = home_folder(home)
    content = read_platform_file(folder.platform_file)
    if content.addresses is None or content.supervisor is None or not is_alive(content.supervisor):
        raise not_running(folder)
    return assemble(folder, content.addresses, stored.read(folder.secrets_file))


def assemble(home: HomeFolder, addresses: Addresses, secrets: stored.Credentials) -> PlatformState:
    """Addresses and secrets as one value; pure."""

    def login(role: str, database: str) -> DatabaseAddress:
        return DatabaseAddress(
            host=addresses.postgres_host,
            port=addresses.postgres_port,
            name=database,
            user=role,
            password=secrets.database_roles[role],
        )

    databases = {
        service.database: login(service.database_role, service.database)
        for service in addresses.services
        if service.database is not None and service.database_role in secrets.database_roles
    }

    def given(secret: tuple[str, str] | None) -> str | None:
        return None if secret is None else secrets.given.get(secret[0], {}).get(secret[1])

    administrator = secrets.administrators.get("keycloak")
    return PlatformState(
        home=home.root,
        addresses=addresses,
        databases=databases,
        superuser=login(SUPERUSER, "postgres") if SUPERUSER in secrets.database_roles else None,
        keycloak_administrator=None if administrator is None else Login(KEYCLOAK_ADMINISTRATOR, administrator),
        users={name: Login(name, password) for name, password in secrets.users.items()},
        client_secrets=dict(secrets.clients),
        redis_url=addresses.redis_url or given(addresses.redis_secret),
        mongo_uri=addresses.mongo_uri or given(addresses.mongo_secret) or "",
    )
