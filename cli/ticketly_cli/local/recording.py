"""Recording Keycloak's loaded classes (an ahead-of-time cache), so that later starts take less than half the time.

Recording is a start of its own with empty data and a slow end. It runs at the lowest priority next to a platform that
is up, belongs to the supervisor, and ends with it; then the next platform tries again. The archive is one file in the
download cache, complete or absent.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from ticketly_cli.local import health, java, processes
from ticketly_cli.local.component import ProcessSpec, UnhealthyError
from ticketly_cli.local.components import keycloak
from ticketly_cli.local.orphans import ProcessRecord
from ticketly_cli.local.processes import Child
from ticketly_cli.local.toolchain import Toolchain

_log = logging.getLogger("ticketly.platform")

_DEADLINE_SECONDS = 900.0
_POLL_SECONDS = 0.5
_STOP_SECONDS = 5.0


async def record(tools: Toolchain, process_changed: Callable[[ProcessRecord | None], None]) -> None:
    """Make the archive when there is none and nobody else makes it. A failure is logged and costs nothing else.

    `process_changed` hears of the process while there is one, so that a crash of ours does not leave it behind.
    """
    if await asyncio.to_thread(tools.keycloak_archive.exists):
        return
    try:
        with FileLock(tools.cache / "recording.lock", timeout=0):
            folder = Path(tempfile.mkdtemp(prefix="recording-", dir=tools.cache))
            try:
                await _record(tools, folder, process_changed)
                _log.info("recorded Keycloak's classes; its next starts are faster")
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    except Timeout:
        return
    except (UnhealthyError, OSError) as error:
        _log.info("Keycloak's classes were not recorded: %s", error)


async def _record(tools: Toolchain, folder: Path, process_changed: Callable[[ProcessRecord | None], None]) -> None:
    archive = folder / "classes.aot"
    port = _free_port()
    home = folder / "keycloak"
    keycloak.link_code(tools.keycloak, home)
    flags = java.record_archive(archive)
    command = java.keycloak(tools.keycloak, home, keycloak.HEAP_MB, keycloak.start_arguments(port), flags)
    spec = ProcessSpec(argv=("nice", "-n", "19", *command), folder=folder, stop_timeout_seconds=_STOP_SECONDS)
    child = processes.spawn(spec, folder / "recording.log")
    process_changed(ProcessRecord("recording", child.identity, spec.stop_signal, spec.stop_timeout_seconds))
    try:
        probe = functools.partial(health.http, f"http://127.0.0.1:{port}/realms/master")
        await health.wait_until(probe, _DEADLINE_SECONDS, _POLL_SECONDS)
        child.process.terminate()
        await _ended(child)
        await asyncio.to_thread(archive.replace, tools.keycloak_archive)
    finally:
        await asyncio.shield(processes.stop(child, spec))
        process_changed(None)


async def _ended(child: Child) -> None:
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while child.exit_code() is None:  # noqa: ASYNC110 - a process gives no event
            await asyncio.sleep(_POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
