"""Acts on components of the local platform for the faults of a race."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.control import ComponentReport, Request, ask
from ticketly_cli.local.paths import HomeFolder

HEALTHY_SECONDS = 90.0
POLL_SECONDS = 0.1


async def report_of(home: Path, component: str) -> ComponentReport:
    """What the supervisor says about a component. Raises CliError (exit 4) when there is none of that name."""
    try:
        report = await asyncio.to_thread(ask, HomeFolder(home).control_socket, Request("status"))
    except OSError as error:
        raise CliError(
            "The platform's supervisor does not answer.", "Run `ticketly up` again.", ExitCode.UNREACHABLE
        ) from error
    for found in report.components:
        if found.name == component:
            return found
    raise CliError(
        f"This platform has no component named {component}.", "Choose another --chaos.", ExitCode.UNREACHABLE
    )


async def send_signal(home: Path, component: str, number: signal.Signals) -> int | None:
    """Signal the component's process; returns its id, or None when it does not run at the moment."""
    pid = (await report_of(home, component)).pid
    if pid is None:
        return None
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return None
    return pid


async def wait_until_healthy(home: Path, component: str) -> None:
    """The supervisor brings killed components back by itself. Raises CliError (exit 4) when it does not in time."""
    until = time.monotonic() + HEALTHY_SECONDS
    while (await report_of(home, component)).state != "healthy":
        if time.monotonic() > until:
            raise CliError(
                f"The component {component} did not come back within {HEALTHY_SECONDS:.0f} s.",
                f"Run `ticketly restart {component}`.",
                ExitCode.UNREACHABLE,
            )
        await asyncio.sleep(POLL_SECONDS)
