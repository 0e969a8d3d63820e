"""Which Kafka and which Kafka Connect a command is about, and what they should look like.

In this order: addresses given on the command line, a platform file, a platform in a cluster, the platform on this
machine. What is given first may be completed by what comes later: `--context prod --bootstrap-servers localhost:9092`
is the cluster's Kafka through a forwarded port, with the cluster's credentials.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ticketly_cli.cluster import connection, platform_files, platforms
from ticketly_cli.cluster.connection import Api, Choice
from ticketly_cli.cluster.kinds import SECRET
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.state import PlatformState
from ticketly_cli.results import JsonObject
from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint
from ticketly_crds.sections import KafkaSecurity
from ticketly_crds.spec import TicketlyPlatform

USER_VARIABLE: Final = "TICKETLY_KAFKA_USERNAME"
PASSWORD_VARIABLE: Final = "TICKETLY_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Access:
    """How brokers are reached."""

    bootstrap_servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person said on the command line; empty where nothing was said."""

    file: Path | None = None
    bootstrap_servers: str = ""
    connect_url: str = ""
    choice: Choice = field(default_factory=Choice)
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Stores:
    """`blueprint` None: nobody said what there should be. `live` is the platform's document in a cluster."""

    origin: str
    kafka: Access | None
    connect_url: str
    blueprint: Blueprint | None = None
    live: JsonObject | None = None
    local: PlatformState | None = field(default=None, repr=False)

    def need_kafka(self) -> Access:
        """Raises CliError (exit code 3) when no address is known."""
        if self.kafka is None:
            raise CliError(f"{self.origin} names no Kafka.", "Give --bootstrap-servers.", ExitCode.BAD_ARGUMENTS)
        return self.kafka

    def need_connect(self) -> str:
        """Raises CliError (exit code 3) when no address is known."""
        if not self.connect_url:
            raise CliError(f"{self.origin} names no Kafka Connect.", "Give --connect-url.", ExitCode.BAD_ARGUMENTS)
        return self.connect_url


def find(wanted: Wanted) -> Stores:
    """Raises CliError: 3 for a file or address that is not valid, 4 when nothing runs."""
    if wanted.file is not None:
        return _from_file(wanted, wanted.file)
    if wanted.choice.given:
        with connection.connected(wanted.choice) as api:
            return _from_cluster(wanted, api)
    if wanted.bootstrap_servers or wanted.connect_url:
        kafka = Access(wanted.bootstrap_servers) if wanted.bootstrap_servers else None
        return Stores("The command line", kafka, wanted.connect_url)
    return _from_this_machine()


def _from_file(wanted: Wanted, path: Path) -> Stores:
    found = platform_files.read(path).platform
    blueprint = platform_files.cluster_blueprint(found)
    credentials = os.environ.get(USER_VARIABLE, ""), os.environ.get(PASSWORD_VARIABLE, "")
    security = found.spec.kafka.security if found.spec.kafka else KafkaSecurity()
    if security.protocol.startswith("SASL") and not all(credentials):
        message = f"{path} wants {security.protocol}, and a file holds no credentials."
        step = f"Set {USER_VARIABLE} and {PASSWORD_VARIABLE}, or use --context to have them read from the Secret."
        raise CliError(message, step, ExitCode.BAD_ARGUMENTS)
    return Stores(str(path), _access(wanted, found, credentials), _connect(wanted, found), blueprint)


def _from_cluster(wanted: Wanted, api: Api) -> Stores:
    live = platforms.find(api, wanted.platform)
    metadata = live["metadata"]
    found = platform_files.parsed(live, metadata["name"])
    origin = f"Platform {metadata['namespace']}/{metadata['name']}"
    credentials = _credentials(api, found, metadata["namespace"])
    blueprint = platform_files.cluster_blueprint(found)
    return Stores(origin, _access(wanted, found, credentials), _connect(wanted, found), blueprint, live)


def _credentials(api: Api, platform: TicketlyPlatform, namespace: str) -> tuple[str, str]:
    """The one place that reads a Secret, because a person asked to talk to that Kafka."""
    ref = platform.spec.kafka.security.credentials_secret_ref if platform.spec.kafka else None
    if ref is None:
        return "", ""
    found = api.get(SECRET, namespace, ref.name)
    if found is None:
        message = f"Secret {ref.name} with Kafka's credentials does not exist in namespace {namespace}."
        raise CliError(message, "Create it; the operator waits for it as well.", ExitCode.UNREACHABLE)
    data = found.get("data") or {}
    return tuple(  # type: ignore[return-value]  # two keys give two texts
        base64.b64decode(data.get(key, "")).decode() for key in (names.KAFKA_USER_KEY, names.KAFKA_PASSWORD_KEY)
    )


def _access(wanted: Wanted, platform: TicketlyPlatform, credentials: tuple[str, str]) -> Access | None:
    kafka = platform.spec.kafka
    servers = wanted.bootstrap_servers or (kafka.bootstrap_servers if kafka else "") or ""
    if not servers or kafka is None:
        return Access(servers) if servers else None
    username, password = credentials
    return Access(servers, kafka.security.protocol, kafka.security.sasl_mechanism, username, password)


def _connect(wanted: Wanted, platform: TicketlyPlatform) -> str:
    return wanted.connect_url or (platform.spec.connect.url if platform.spec.connect else "")


def _from_this_machine() -> Stores:
    from ticketly_cli.local import credentials as stored
    from ticketly_cli.local import placement, state
    from ticketly_cli.local.paths import home_folder

    running = state.load()
    home = home_folder()
    secrets = stored.read(home.secrets_file)
    remembered = state.read_platform_file(home.platform_file).ports
    site = placement.work_out(home, placement.read_specification(home), secrets, remembered, ours=remembered.values())
    kafka = Access(running.kafka_bootstrap_servers)
    return Stores("The platform on this machine", kafka, running.connect_url, site.blueprint, None, running)
