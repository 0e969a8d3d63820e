"""The record of started processes, and what to do with those whose supervisor is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from ticketly_cli.local import processes
from ticketly_cli.local.identity import ProcessIdentity, is_alive


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process of a platform and how to stop it."""

    component: str
    identity: ProcessIdentity
    stop_signal: int
    stop_timeout_seconds: float


def read(path: Path) -> list[ProcessRecord]:
    """In the order in which they were started; nothing when the file is absent or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[ProcessRecord])
    except (FileNotFoundError, msgspec.MsgspecError):
        return []


def write(path: Path, records: list[ProcessRecord]) -> None:
    """Replace the file in one step."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(msgspec.json.encode(records))
    temporary.replace(path)


def alive(path: Path) -> list[ProcessRecord]:
    """Recorded processes that still run."""
    return [record for record in read(path) if is_alive(record.identity)]


async def stop_all(path: Path) -> list[str]:
    """Stop what is left, last started first. Names of the components whose process had to be stopped."""
    records = await asyncio.to_thread(read, path)
    stopped = [
        record.component
        for record in reversed(records)
        if await processes.stop_orphan(record.identity, record.stop_signal, record.stop_timeout_seconds)
    ]
    await asyncio.to_thread(path.unlink, missing_ok=True)
    return stopped
