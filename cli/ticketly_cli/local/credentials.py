"""The passwords of one platform, generated once per machine and kept in `secrets.json` (mode 0600).

There are no default passwords. A value is created when it is first asked for and then stays, so that a platform
that grows a service keeps everything it had.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from ticketly_cli.errors import CliError, ExitCode

_PASSWORD_BYTES = 24


class Credentials(msgspec.Struct):
    """Generated secrets by kind and name. Not shown by repr."""

    database_roles: dict[str, str] = {}
    """Password by PostgreSQL role."""
    clients: dict[str, str] = {}
    """Client secret by confidential client of the realm."""
    users: dict[str, str] = {}
    """Password by user of the realm."""
    administrators: dict[str, str] = {}
    """Password by component that has an administrator of its own (keycloak)."""
    seeds: dict[str, str] = {}
    """Random values that are no passwords but must stay the same (Kafka cluster id, user ids)."""

    given: dict[str, dict[str, str]] = {}
    """Written by hand: values of Secrets that a platform file names for stores of its own, by secret and key."""

    def __repr__(self) -> str:
        return "Credentials(...)"


def read(path: Path) -> Credentials:
    """Read the file; an absent file is an empty set. Raises CliError when it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Credentials()
    try:
        return msgspec.json.decode(content, type=Credentials)
    except msgspec.MsgspecError as error:
        raise CliError(
            f"The file {path} is damaged and cannot be read.",
            "Run `ticketly down --purge` to begin again with new passwords and empty stores.",
            ExitCode.FAILED,
        ) from error


def write(path: Path, credentials: Credentials) -> None:
    """Replace the file in one step, readable by its owner only."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(credentials), indent=2))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def ensure(values: dict[str, str], name: str) -> str:
    """The value under `name`, generated when it is missing."""
    if name not in values:
        values[name] = secrets.token_urlsafe(_PASSWORD_BYTES)
    return values[name]
