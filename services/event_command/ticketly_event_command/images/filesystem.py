"""Objects as files below one directory: the embedded object store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

from ticketly_event_command.images.domain import parse_name


class FileSystemObjects:
    """Implements ``ports.ObjectStore``; only names of known form are accepted, so no path can escape."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _path(self, name: str) -> Path:
        if parse_name(name) is None:
            msg = f"{name!r} is no object name"
            raise ValueError(msg)
        return self._directory / name

    async def put(self, name: str, content: bytes) -> None:
        """Store an object; readers see all of it or nothing."""
        await asyncio.to_thread(_write, self._path(name), content)

    async def get(self, name: str) -> bytes | None:
        """Return an object, or None when there is none."""
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except FileNotFoundError:
            return None

    async def delete(self, name: str) -> None:
        """Remove an object; no error when there is none."""
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid4().hex}")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
