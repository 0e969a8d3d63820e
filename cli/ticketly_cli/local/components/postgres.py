"""PostgreSQL: durable, with logical decoding, passwords for every role, TCP on the loopback interface only.

PostgreSQL refuses to run as root, so root's platform runs it as another user. That user must be able to reach program
and data; where it cannot (a state folder below /root) both live in /var/lib/ticketly instead.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from ticketly_cli.local import os_user
from ticketly_cli.local.component import Component, ProcessSpec, Step, UnhealthyError, nothing
from ticketly_cli.local.os_user import OsUser

DURABLE_SETTINGS: Mapping[str, str] = {
    "wal_level": "logical",
    "max_replication_slots": "8",
    "max_wal_senders": "8",
    "max_slot_wal_keep_size": "1GB",
    "wal_sender_timeout": "60s",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_messages": "warning",
}
"""Durability is the point of the proof, so it is never switched off here."""

THROW_AWAY_SETTINGS: Mapping[str, str] = {
    **DURABLE_SETTINGS,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
"""For databases of a test run only: faster, and lost with the machine."""


@dataclass(frozen=True, slots=True)
class PostgresPlaces:
    """Where program and data are, and who runs them. Only paths; `PostgresServer.initialise` makes them so."""

    unpacked: Path
    """The program in the download cache."""
    program: Path
    """The program where `os_user` can reach it: `unpacked`, or a copy of it."""
    data: Path
    os_user: OsUser | None

    @property
    def outside_home(self) -> bool:
        """Whether the data had to leave the state folder."""
        return self.data.is_relative_to(os_user.SYSTEM_FOLDER)


def places(program: Path, home: Path) -> PostgresPlaces:
    """Program and data folder for a platform, moved to a passable place when the unprivileged user needs that."""
    user = os_user.unprivileged()
    if user is None:
        return PostgresPlaces(program, program, home / "data" / "postgres", None)
    if os_user.everybody_can_enter(home) and os_user.everybody_can_enter(home / "data"):
        data = home / "data" / "postgres"
    else:
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        data = os_user.SYSTEM_FOLDER / digest / "postgres"
    passable = os_user.everybody_can_enter(program if program.exists() else program.parent)
    return PostgresPlaces(program, program if passable else os_user.SYSTEM_FOLDER / program.name, data, user)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One server: where, on which port, with which superuser."""

    where: PostgresPlaces
    port: int
    superuser: str
    password: str = field(repr=False)
    settings: Mapping[str, str]

    def initialise(self) -> None:
        """Make the data folder once; a half-made one (without its last file) is made again."""
        if self.where.program != self.where.unpacked:
            os_user.copy_tree(self.where.unpacked, os_user.system_folder() / self.where.program.name)
        if self.where.outside_home:
            os_user.system_folder()
            self.where.data.parent.mkdir(exist_ok=True)
            self.where.data.parent.chmod(0o711)
        marker = self.where.data / "PG_VERSION"
        if marker.is_file() and (self.where.data / "ticketly_complete").is_file():
            return
        self._initdb()

    def _initdb(self) -> None:
        user = self.where.os_user
        if self.where.data.exists():
            shutil.rmtree(self.where.data)
        os_user.owned_folder(self.where.data, user)
        with tempfile.NamedTemporaryFile("w", prefix="ticketly-", encoding="utf-8") as password_file:
            password_file.write(f"{self.password}\n")
            password_file.flush()
            if user is not None:
                os.chown(password_file.name, user.uid, user.gid)
            done = self._run_initdb(password_file.name, user)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise UnhealthyError(f"initdb failed: {last}")
        complete = self.where.data / "ticketly_complete"
        complete.touch(mode=0o600)
        if user is not None:
            os.chown(complete, user.uid, user.gid)

    def _run_initdb(self, password_file: str, user: OsUser | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(self.where.program / "bin" / "initdb"),
                f"--pgdata={self.where.data}",
                f"--username={self.superuser}",
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )

    def process(self) -> ProcessSpec:
        settings = {**self.settings, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            argv=(
                str(self.where.program / "bin" / "postgres"),
                "-D",
                str(self.where.data),
                "-p",
                str(self.port),
                *options,
            ),
            folder=Path("/"),
            environment={"LC_ALL": "C"},
            stop_signal=signal.SIGINT,
            stop_timeout_seconds=30.0,
            os_user=self.where.os_user,
        )

    async def connect(self, database: str = "postgres") -> asyncpg.Connection[asyncpg.Record]:
        """As superuser; the caller closes it."""
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.superuser,
            password=self.password,
            database=database,
            ssl=False,
            timeout=5,
            server_settings={"application_name": "ticketly platform"},
        )

    async def probe(self) -> None:
        try:
            connection = await self.connect()
            try:
                await connection.fetchval("select 1")
            finally:
                await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnhealthyError(str(error)) from error


def component(server: PostgresServer, version: str, settle: Step = nothing, settles: str = "") -> Component:
    """`settles` is a digest of what `settle` brings about."""
    return Component(
        name="postgres",
        needs=frozenset(),
        version=version,
        address=f"127.0.0.1:{server.port}",
        process=server.process(),
        prepare=server.initialise,
        probe=server.probe,
        settle=settle,
        fingerprint=settles,
        probe_every_seconds=10.0,
    )
