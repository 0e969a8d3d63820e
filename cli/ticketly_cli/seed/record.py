"""`seed-data.json`: what a seeding made, so that it can be reused and removed.

Written after every event, so that an interrupted seeding can be continued or cleaned up. Holds no secret.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ticketly_cli.errors import CliError

FORMAT = 1


class SeededSession(msgspec.Struct, frozen=True, rename="camel"):
    """A session with the ids of its sellable seats in layout order."""

    id: str
    seat_ids: list[str]


class SeededEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event with the server's ids."""

    id: str
    title: str
    session_ids: list[str]
    sessions: list[SeededSession]


class SeedRecord(msgspec.Struct, rename="camel"):
    """The file. `organization_made` is false when the organization was there before."""

    organization_id: str
    organization_name: str
    organization_made: bool
    seed: int
    target: str
    events: list[SeededEvent] = []
    users: list[str] = []
    users_made: list[str] = []
    format: int = FORMAT


def read_record(path: Path) -> SeedRecord | None:
    """None when there is no such file. Raises CliError when it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CliError(f"The file {path} cannot be read: {error.strerror}.") from error
    try:
        return msgspec.json.decode(content, type=SeedRecord)
    except msgspec.MsgspecError as error:
        raise CliError(f"The file {path} is damaged and cannot be read.", "Move it away and seed again.") from error


def write_record(path: Path, record: SeedRecord) -> None:
    """Replace the file in one step. Raises CliError."""
    temporary = path.with_name(f"{path.name}.new")
    try:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
        temporary.replace(path)
    except OSError as error:
        raise CliError(f"The file {path} cannot be written: {error.strerror}.", "Choose another --file.") from error


def forget_record(path: Path) -> None:
    """Remove the file: what it named is gone."""
    path.unlink(missing_ok=True)
