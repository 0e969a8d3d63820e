"""What `up`, `down` and `restart` do, as seen from the terminal: prepare, start the supervisor, follow it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import (
    assembly,
    control,
    logfiles,
    orphans,
    os_user,
    placement,
    start_order,
    state,
    toolchain,
)
from ticketly_cli.local import credentials as stored
from ticketly_cli.local.component import Component
from ticketly_cli.local.components import postgres
from ticketly_cli.local.control import Report, Request
from ticketly_cli.local.identity import ProcessIdentity, is_alive
from ticketly_cli.local.paths import HomeFolder
from ticketly_cli.local.placement import Site
from ticketly_cli.local.toolchain import Toolchain
from ticketly_cli.local.versions import load_versions

START_DEADLINE_SECONDS = 420.0
STOP_DEADLINE_SECONDS = 120.0
RESTARTS_BEFORE_GIVING_UP = 3
_POLL_SECONDS = 0.2
_LISTEN_DEADLINE_SECONDS = 60.0


class Watcher(Protocol):
    """Who shows what happens."""

    def say(self, text: str) -> None:
        """A step of the preparation."""
        ...

    def show(self, report: Report) -> None:
        """The components as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class UpOutcome:
    """A platform whose wanted components are all healthy."""

    report: Report
    seconds: float


def dry_plan(home: HomeFolder, cache: Path) -> tuple[Site, dict[str, Component]]:
    """What would run, without starting or writing anything."""
    credentials = stored.read(home.secrets_file)
    placement.ensure_credentials(credentials)
    remembered = state.read_platform_file(home.platform_file).ports
    site = placement.work_out(
        home, placement.read_specification(home), credentials, remembered, ours=remembered.values()
    )
    return site, assembly.components(site, Toolchain(cache=cache, versions=load_versions()))


def running_supervisor(home: HomeFolder) -> ProcessIdentity | None:
    """The supervisor of this state folder, when it runs."""
    found = state.read_platform_file(home.platform_file).supervisor
    return found if found is not None and is_alive(found) else None


def report(home: HomeFolder) -> Report:
    """The components as the supervisor sees them. Raises CliError (exit code 4) when none runs."""
    return _ask(home, Request(op="status", memory=True))


def _ask(home: HomeFolder, request: Request) -> Report:
    try:
        answer = control.ask(home.control_socket, request)
    except OSError as error:
        raise state.not_running(home) from error
    if answer.error:
        raise CliError(answer.error, "", ExitCode.BAD_ARGUMENTS)
    return answer


def up(
    home: HomeFolder, cache: Path, specification: Path | None, only: list[str] | None, watcher: Watcher
) -> UpOutcome:
    """Start what is not running yet and wait until everything asked for is healthy. Can be repeated and resumed.

    Raises CliError when a part cannot be had or does not start (what does start goes on running), and with exit code
    130 when interrupted: then what this call had started is stopped again.
    """
    began = time.monotonic()
    started: list[subprocess.Popen[bytes]] = []
    try:
        if specification is not None:
            placement.parse_specification(specification)
        home.create()
        with _alone(home, watcher):
            if specification is not None:
                shutil.copyfile(specification, home.specification_file)
            _, components = dry_plan(home, cache)
            chosen = start_order.closure(components, only if only is not None else components)
            toolchain.prepare(chosen, cache, watcher.say)
            before = _reach_supervisor(home, cache, only, started, watcher)
        found = _follow(home, before, watcher, lambda: _supervisor_failure(home, started))
    except KeyboardInterrupt:
        raise _interrupted(home, started) from None
    return UpOutcome(report=found, seconds=time.monotonic() - began)


@contextmanager
def _alone(home: HomeFolder, watcher: Watcher) -> Iterator[None]:
    """Only one `up` prepares at a time; a second one waits here and then finds everything prepared."""
    lock = FileLock(home.up_lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        watcher.say("another `ticketly up` prepares this platform; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _reach_supervisor(
    home: HomeFolder,
    cache: Path,
    only: list[str] | None,
    started: list[subprocess.Popen[bytes]],
    watcher: Watcher,
) -> Report:
    """Tell a running supervisor what is wanted, or start one. The answer is its first report."""
    supervisor = running_supervisor(home)
    if supervisor is not None and not report(home).stopping:
        return _ask(home, Request(op="start", only=only))
    if supervisor is not None:
        watcher.say("waiting for the platform to stop first")
        _wait_until_gone(supervisor)
    watcher.say("starting the supervisor")
    command = [sys.executable, "-m", "ticketly_cli.local.supervisor", "--home", str(home.root), "--cache", str(cache)]
    with home.log_file("supervisor").open("ab") as log:
        process = subprocess.Popen(
            [*command, *(["--only", *only] if only is not None else [])],
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    started.append(process)
    deadline = time.monotonic() + _LISTEN_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        failure = _supervisor_failure(home, started)
        if failure is not None:
            raise failure
        try:
            return control.ask(home.control_socket, Request(op="status"))
        except OSError:
            time.sleep(_POLL_SECONDS)
    raise CliError("The supervisor does not answer.", "See `ticketly logs supervisor`.")


def _supervisor_failure(home: HomeFolder, started: Iterable[subprocess.Popen[bytes]]) -> CliError | None:
    """Why the supervisor this command started has ended; None while it runs or when it is not ours."""
    for process in started:
        code = process.poll()
        if code is not None:
            last = logfiles.last_line(home.log_file("supervisor")).partition(" ")[2]
            return CliError(f"The supervisor ended: {last}", "See `ticketly logs supervisor`.", max(code, 1))
    return None


def _follow(home: HomeFolder, before: Report, watcher: Watcher, failure: Callable[[], CliError | None]) -> Report:
    """Until every wanted component is healthy. Raises CliError for one that fails again and again."""
    restarts_before = {one.name: one.restarts for one in before.components}
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while True:
        ended = failure()
        if ended is not None:
            raise ended
        found = _ask(home, Request(op="status"))
        watcher.show(found)
        late = [one for one in found.components if one.wanted and one.state != "healthy"]
        if not late:
            return found
        for one in late:
            if one.restarts - restarts_before.get(one.name, 0) >= RESTARTS_BEFORE_GIVING_UP:
                raise _does_not_start(one.name, one.reason)
        if time.monotonic() > deadline:
            raise _does_not_start(late[0].name, late[0].reason or f"still {late[0].state}")
        time.sleep(_POLL_SECONDS)


def _does_not_start(name: str, reason: str) -> CliError:
    return CliError(
        f"{name} does not start: {reason}.",
        f"See `ticketly logs {name}`; everything else goes on running (`ticketly down` stops it).",
    )


def _interrupted(home: HomeFolder, started: list[subprocess.Popen[bytes]]) -> CliError:
    if started:
        started[0].send_signal(signal.SIGTERM)
        try:
            started[0].wait(STOP_DEADLINE_SECONDS)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            return CliError(
                "Interrupted while stopping what this command had started.",
                "`ticketly down` stops the rest.",
                ExitCode.INTERRUPTED,
            )
        return CliError("Interrupted; what this command had started is stopped.", "", ExitCode.INTERRUPTED)
    if running_supervisor(home) is not None:
        return CliError(
            "Interrupted; the platform that was running before goes on.",
            "`ticketly status` shows it, `ticketly down` stops it.",
            ExitCode.INTERRUPTED,
        )
    return CliError("Interrupted; nothing is running.", "", ExitCode.INTERRUPTED)


def restart(home: HomeFolder, component: str, watcher: Watcher) -> Report:
    """Restart one component and wait until it is healthy."""
    before = _ask(home, Request(op="restart", component=component))
    time.sleep(_POLL_SECONDS)
    return _follow(home, before, watcher, lambda: None)


def down(home: HomeFolder) -> list[str]:
    """Stop everything this platform started; the names of components that were running."""
    supervisor = running_supervisor(home)
    if supervisor is None:
        return asyncio.run(orphans.stop_all(home.processes_file))
    running = [record.component for record in orphans.alive(home.processes_file)]
    try:
        control.ask(home.control_socket, Request(op="stop"))
    except OSError:
        os.kill(supervisor.pid, signal.SIGTERM)
    if not _wait_until_gone(supervisor):
        os.kill(supervisor.pid, signal.SIGKILL)
        _wait_until_gone(supervisor)
    asyncio.run(orphans.stop_all(home.processes_file))
    return running


def _wait_until_gone(supervisor: ProcessIdentity) -> bool:
    deadline = time.monotonic() + STOP_DEADLINE_SECONDS
    while is_alive(supervisor):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def purge(home: HomeFolder, cache: Path) -> None:
    """Delete data, logs and secrets of a stopped platform; nothing else in its folder, and no download."""
    program = Toolchain(cache=cache, versions=load_versions()).postgres
    places = postgres.places(program, home.root)
    if places.outside_home:
        shutil.rmtree(places.data.parent, ignore_errors=True)
        remove_unused_programs(os_user.SYSTEM_FOLDER)
    for folder in (home.data, home.logs, home.configuration):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (
        home.platform_file,
        home.processes_file,
        home.secrets_file,
        home.specification_file,
        home.control_socket,
        home.up_lock,
        home.supervisor_lock,
    ):
        file.unlink(missing_ok=True)
    if home.root.is_dir() and not any(home.root.iterdir()):
        home.root.rmdir()


def remove_unused_programs(folder: Path) -> None:
    """Copies of PostgreSQL in the system folder go with the last platform that had its data there."""
    if folder.is_dir() and all(path.name.startswith("postgres-") for path in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
