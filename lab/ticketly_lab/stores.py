"""What a cluster platform needs from outside the cluster: PostgreSQL, Kafka, Kafka Connect with Debezium.

The parts are those of the local platform, started here without topics and connectors, which are the operator's work.
The databases are as the services' own migrations leave them. A folder plays the Secrets that a cluster mounts into the
Connect workers. Nothing is durable: everything is gone when the `with` block or the interpreter ends.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import signal
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType
from typing import Final

import asyncpg

from ticketly_cli.local import assembly, os_user, paths, placement, toolchain
from ticketly_cli.local.component import Component, ProcessSpec, nothing
from ticketly_cli.local.components import connect, kafka, postgres
from ticketly_cli.local.credentials import Credentials
from ticketly_cli.local.placement import Site
from ticketly_cli.local.prerequisites import Say
from ticketly_cli.local.provisioning import databases
from ticketly_cli.local.state import SUPERUSER
from ticketly_cli.local.toolchain import Toolchain
from ticketly_crds import names, spec
from ticketly_crds.blueprint import SecretRef, blueprint, cluster
from ticketly_crds.spec import TicketlyPlatform
from ticketly_lab import build
from ticketly_lab.adaptation import Addresses
from ticketly_lab.children import Children, run_apart
from ticketly_lab.ports import free_ports

POSTGRES: Final = "postgres"
KAFKA: Final = "kafka"
CONNECT: Final = "connect"
PARTS: Final = (POSTGRES, KAFKA, CONNECT)
"""In the order of their start."""

START_TIMEOUT_SECONDS: Final = 300.0
"""For one part; many test processes may start theirs at the same moment."""

_POSTGRES_SETTINGS: Final = {**postgres.THROW_AWAY_SETTINGS, "synchronous_commit": "on"}
"""Lost with the machine, but what was committed survives `kill`: the parts' troubles are what this is for."""

Secrets = dict[str, dict[str, str]]
"""Contents by name of the Secret and key."""


class Stores:
    """Made by `start`. A part is named by one of PARTS; whatever is done to it has happened when the method returns."""

    def __init__(self, site: Site, tools: Toolchain, postgres_settings: Mapping[str, str]) -> None:
        self.folder = site.home.root
        self.children = Children(self.folder)
        self._site = site
        self._tools = tools
        self._postgres_settings = dict(postgres_settings)
        self._secrets_folder = self.folder / "secrets"
        self._secrets_folder.mkdir(mode=0o700, exist_ok=True)

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        say: Say = build.say_on_standard_error,
    ) -> Stores:
        """Download what is missing, start everything, migrate the databases.

        `folder` must be empty or absent; without one a temporary folder is used. It is deleted at the end.
        Raises CliError or UnhealthyError with the reason; nothing is left running then.
        """
        tools = toolchain.prepare(PARTS, paths.cache_folder(), say)
        home = paths.HomeFolder(_passable(folder))
        stores = cls(_site(home), tools, {**_POSTGRES_SETTINGS, **(postgres_settings or {})})
        try:
            for part in PARTS:
                stores.start_part(part)
                if part == POSTGRES:
                    stores.migrate()
        except BaseException:
            stores.close()
            raise
        return stores

    def __enter__(self) -> Stores:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything and delete the data. Can be repeated."""
        self.children.kill_all()
        self.delete(self.folder)

    @staticmethod
    def delete(folder: Path) -> None:
        """Delete the data of stores that do not run any more."""
        where = postgres.places(folder, folder)
        if where.outside_home:
            shutil.rmtree(where.data.parent, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def addresses(self) -> Addresses:
        ports = self._site.ports
        return Addresses(
            postgres_host="127.0.0.1",
            postgres_port=ports[POSTGRES],
            bootstrap_servers=f"127.0.0.1:{ports[KAFKA]}",
            connect_url=f"http://127.0.0.1:{ports[CONNECT]}",
            secrets_path=str(self._secrets_folder),
        )

    # The parts' troubles ---------------------------------------------------------------------------------------------

    def start_part(self, part: str) -> None:
        """After `stop` or `kill`: same address, same data."""
        component = self._component(part)
        component.prepare()
        self.children.run(part, _process(component))
        run_apart(self.children.ready(part, component.probe, START_TIMEOUT_SECONDS))
        run_apart(_settle(component))

    def stop(self, part: str) -> None:
        """It ends in good order. Nothing when it does not run."""
        self.children.end(part, _process(self._component(part)))

    def kill(self, part: str) -> None:
        """It ends as in a crash. Nothing when it does not run."""
        self.children.kill(part)

    def restart(self, part: str) -> None:
        self.stop(part)
        self.start_part(part)

    def restart_postgres(self, **settings: str) -> None:
        """With other settings from now on."""
        self._postgres_settings.update(settings)
        self.restart(POSTGRES)

    def pause(self, part: str) -> None:
        """Connections are accepted by the system, and nothing is ever answered."""
        self.children.signal_group(part, signal.SIGSTOP)

    def resume(self, part: str) -> None:
        self.children.signal_group(part, signal.SIGCONT)

    def revive(self) -> None:
        """Bring back what was stopped, killed or paused."""
        for part in PARTS:
            if part in self.children.names() and self.children.exit_code(part) is None:
                self.resume(part)
            else:
                self.kill(part)
                self.start_part(part)

    # Databases and secrets -------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the databases up to date as the services do it. Raises UnhealthyError."""
        components = assembly.components(self._site, self._tools)
        for service in self._site.services:
            components[service.name].prepare()

    async def sql(self, database: str) -> asyncpg.Connection[asyncpg.Record]:
        """As superuser; the caller closes it."""
        return await self._server().connect(database)

    def new_database_cluster(self) -> None:
        """Another database server with the same roles and tables and nothing else in the place of the old one."""
        self.kill(POSTGRES)
        shutil.rmtree(self._server().where.data)
        self.start_part(POSTGRES)
        self.migrate()

    def secrets(self, platform: TicketlyPlatform) -> Secrets:
        """Contents for every Secret the platform names: real for what runs here, random for what does not."""
        made = blueprint(platform, cluster(platform))
        passwords = self._site.credentials.database_roles
        known = {database.password: passwords[database.role] for database in made.databases}
        if platform.spec.postgres is not None:
            reference = platform.spec.postgres.credentials_secret_ref.name
            known[SecretRef(reference, names.CDC_PASSWORD_KEY)] = passwords[names.CDC_ROLE]
        found: Secrets = {}
        for ref in made.secrets():
            found.setdefault(ref.name, {})[ref.key] = known.get(ref) or token_urlsafe(12)
        return found

    def mount(self, secret: str, content: Mapping[str, str] | None) -> None:
        """Let the Connect workers see a Secret as it is now; None takes it away."""
        folder = self._secrets_folder / secret
        if content is None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        for key, value in content.items():
            fresh = folder.with_name(f"{secret}.{key}.new")
            fresh.touch(mode=0o600)
            fresh.write_text(value, encoding="utf-8")
            fresh.replace(folder / key)

    # ------------------------------------------------------------------------------------------------------------------

    def _server(self) -> postgres.PostgresServer:
        return postgres.PostgresServer(
            where=_places(self._tools, self.folder),
            port=self._site.ports[POSTGRES],
            superuser=SUPERUSER,
            password=self._site.credentials.database_roles[SUPERUSER],
            settings=self._postgres_settings,
        )

    def _component(self, part: str) -> Component:
        versions = self._tools.versions.tools
        if part == POSTGRES:
            server = self._server()
            passwords = self._site.credentials.database_roles
            step = functools.partial(databases.provision, server, self._site.blueprint.databases, passwords)
            return postgres.component(server, versions[POSTGRES].version, step)
        if part == KAFKA:
            broker = assembly.kafka_broker(self._site, self._tools)
            return dataclasses.replace(kafka.component(broker, versions[KAFKA].version), settle=nothing)
        worker = connect.ConnectWorker(
            class_path=self._tools.kafka_class_path,
            plugins=self._tools.connect_plugins,
            configuration_file=self._site.home.configuration / "connect.properties",
            port=self._site.ports[CONNECT],
            bootstrap_servers=self.addresses.bootstrap_servers,
            secrets_folder=self._secrets_folder,
        )
        return connect.component(worker, versions[KAFKA].version)


def _process(component: Component) -> ProcessSpec:
    if component.process is None:
        raise AssertionError(f"{component.name} has no process")
    return component.process


async def _settle(component: Component) -> None:
    await component.settle()


def _places(tools: Toolchain, folder: Path) -> postgres.PostgresPlaces:
    """As for a local platform, but what no platform uses is no reason to take the program away from under us."""
    found = postgres.places(tools.postgres, folder)
    if found.program == found.unpacked or found.outside_home:
        return found
    own = folder / "program"
    os_user.copy_tree(found.unpacked, own)
    return dataclasses.replace(found, unpacked=own, program=own)


def _passable(folder: Path | None) -> Path:
    """PostgreSQL does not run as root, so other users may pass through the folder; they may not list it."""
    root = Path(tempfile.mkdtemp(prefix="ticketly-stores-")) if folder is None else folder
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o711)
    (root / "data").mkdir(mode=0o711, exist_ok=True)
    return root


def _site(home: paths.HomeFolder) -> Site:
    """The local platform's site, on ports that leave the usual ones alone."""
    home.create()
    sample = resources.files("ticketly_crds").joinpath("samples", "local.yaml").read_text(encoding="utf-8")
    credentials = Credentials()
    placement.ensure_credentials(credentials)
    port_names = placement.all_port_names()
    ports = dict(zip(port_names, free_ports(len(port_names)), strict=True))
    return placement.work_out(home, spec.load(sample), credentials, ports)
