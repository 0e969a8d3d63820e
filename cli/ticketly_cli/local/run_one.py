"""One component from nothing to healthy and back: what the supervisor does for each, usable by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from ticketly_cli.local import health, logfiles, processes
from ticketly_cli.local.component import Component, UnhealthyError
from ticketly_cli.local.processes import Child

_POLL_SECONDS = 0.1


async def start(
    component: Component, log_file: Path, started: Callable[[Child], None] = lambda _: None
) -> Child | None:
    """Prepare, start, wait for the first good probe, settle. `started` hears of the process as soon as it exists.

    Raises UnhealthyError with a reason a person can use; a process started until then is stopped first.
    """
    try:
        await asyncio.to_thread(component.prepare)
    except OSError as error:
        raise UnhealthyError(f"preparation failed: {health.describe(error)}") from error
    child = None
    if component.process is not None:
        try:
            child = processes.spawn(component.process, log_file)
        except OSError as error:
            raise UnhealthyError(f"cannot be started: {health.describe(error)}") from error
        started(child)
    try:
        await _until_ready(component, child, log_file)
    except BaseException:
        if child is not None and component.process is not None:
            await asyncio.shield(processes.stop(child, component.process))
        raise
    return child


async def _until_ready(component: Component, child: Child | None, log_file: Path) -> None:
    ready = asyncio.create_task(_probe_and_settle(component))
    try:
        while not ready.done():
            if child is not None and child.exit_code() is not None:
                raise UnhealthyError(exit_reason(child, log_file))
            await asyncio.wait((ready,), timeout=_POLL_SECONDS)
        ready.result()
    finally:
        ready.cancel()


async def _probe_and_settle(component: Component) -> None:
    await health.wait_until(component.probe, component.start_timeout_seconds)
    await component.settle()


def exit_reason(child: Child, log_file: Path) -> str:
    """How the process ended, with the last thing it wrote."""
    code = child.exit_code()
    ended = processes.describe_exit(code if code is not None else 0)
    last = logfiles.last_line(log_file)
    return f"{ended}: {last}" if last else ended
