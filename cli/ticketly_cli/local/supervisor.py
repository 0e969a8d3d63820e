"""The process behind `ticketly up`: one per state folder, detached from the terminal, alive until `ticketly down`.

    python -m ticketly_cli.local.supervisor --home FOLDER --cache FOLDER [--only NAME ...]

It owns every process of its platform. When it is killed itself its children go on; the next supervisor recognises them
by recorded process id and start time, stops them, and starts afresh.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import assembly, control, logfiles, memory, orphans, placement, recording, start_order, state
from ticketly_cli.local import credentials as stored
from ticketly_cli.local.component import Component
from ticketly_cli.local.control import ComponentReport, Report, Request
from ticketly_cli.local.identity import ProcessIdentity, identify
from ticketly_cli.local.keeper import Keeper
from ticketly_cli.local.orphans import ProcessRecord
from ticketly_cli.local.paths import HomeFolder
from ticketly_cli.local.placement import Site
from ticketly_cli.local.toolchain import Toolchain
from ticketly_cli.local.versions import load_versions

_log = logging.getLogger("ticketly.platform")

_ROTATE_EVERY_SECONDS = 10.0
_RECORD_AFTER_SECONDS = 120.0
"""Whoever starts a platform uses it at once: recording must not take the cores from the first race."""


class Supervisor:
    """The components of one platform and the tasks that keep them running."""

    def __init__(self, home: HomeFolder, cache: Path, me: ProcessIdentity) -> None:
        self._home = home
        self._cache = cache
        self._me = me
        self._keepers: dict[str, Keeper] = {}
        self._ports: dict[str, int] = {}
        self._notes: list[str] = []
        self._recording: ProcessRecord | None = None
        self._stop = asyncio.Event()
        self._changing = asyncio.Lock()

    async def run(self, only: list[str] | None) -> None:
        """Start, answer requests, and stop everything when asked to. Raises CliError when the platform is not valid."""
        left_over = await orphans.stop_all(self._home.processes_file)
        if left_over:
            self._notes.append(f"Stopped what an earlier supervisor had left behind: {', '.join(left_over)}.")
        components = self._load()
        self._keepers = {name: self._keeper(component) for name, component in components.items()}
        self._want(only)
        server = await control.listen(self._home.control_socket, self._answer)
        chores = [asyncio.create_task(self._rotate()), asyncio.create_task(self._record_classes())]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            await self._stop.wait()
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.wait(chores)
            await self._stop_all()
            server.close()
            self._home.control_socket.unlink(missing_ok=True)
            self._home.processes_file.unlink(missing_ok=True)

    def _load(self) -> dict[str, Component]:
        """Work the platform out anew and write down where it is."""
        remembered = state.read_platform_file(self._home.platform_file)
        credentials = stored.read(self._home.secrets_file)
        placement.ensure_credentials(credentials)
        site = placement.work_out(
            self._home,
            placement.read_specification(self._home),
            credentials,
            remembered.ports,
            ours=self._ports.values(),
        )
        stored.write(self._home.secrets_file, credentials)
        self._note_moved_ports(site, remembered.ports)
        self._ports = dict(site.ports)
        components = assembly.components(site, Toolchain(cache=self._cache, versions=load_versions()))
        state.write_platform_file(
            self._home.platform_file,
            state.PlatformFile(ports=self._ports, addresses=site.addresses, supervisor=self._me),
        )
        return components

    def _note_moved_ports(self, site: Site, remembered: dict[str, int]) -> None:
        moved = []
        for name, usual in placement.wanted_ports().items():
            before, now = remembered.get(name, usual), site.ports[name]
            if now != before:
                moved.append(f"{name} {before} -> {now}")
        if moved:
            self._notes.append(f"These ports are taken and were replaced: {', '.join(moved)}.")

    def _keeper(self, component: Component) -> Keeper:
        log_file = self._home.log_file(component.name)
        return Keeper(component, log_file, self._needs_healthy, self._record_processes)

    async def _needs_healthy(self, component: Component) -> None:
        for name in sorted(component.needs):
            await self._keepers[name].healthy.wait()

    def _want(self, only: list[str] | None) -> None:
        components = {name: keeper.component for name, keeper in self._keepers.items()}
        for name in start_order.closure(components, only if only is not None else components):
            self._keepers[name].start()

    def _record_processes(self) -> None:
        records = [
            ProcessRecord(
                component=name,
                identity=keeper.child.identity,
                stop_signal=keeper.component.process.stop_signal,
                stop_timeout_seconds=keeper.component.process.stop_timeout_seconds,
            )
            for name, keeper in self._keepers.items()
            if keeper.child is not None and keeper.component.process is not None
        ]
        if self._recording is not None:
            records.append(self._recording)
        orphans.write(self._home.processes_file, records)

    async def _stop_all(self) -> None:
        """In reverse order: nobody loses what it needs before it has ended itself."""
        components = {name: keeper.component for name, keeper in self._keepers.items()}
        for group in reversed(start_order.levels(components)):
            await asyncio.gather(*(self._keepers[name].stop() for name in group))

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_EVERY_SECONDS)
            for path in self._home.logs.glob("*.log"):
                await asyncio.to_thread(logfiles.rotate, path)

    async def _record_classes(self) -> None:
        """Once everything has run for a while, make the next starts faster; given up when the platform stops first."""
        keeper = self._keepers.get("keycloak")
        if keeper is None:
            return
        for wanted in [other for other in self._keepers.values() if other.wanted]:
            await wanted.healthy.wait()
        await asyncio.sleep(_RECORD_AFTER_SECONDS)
        if keeper.wanted:
            tools = Toolchain(cache=self._cache, versions=load_versions())
            await recording.record(tools, self._recording_changed)

    def _recording_changed(self, record: ProcessRecord | None) -> None:
        self._recording = record
        self._record_processes()

    async def _answer(self, request: Request) -> Report:
        try:
            match request.op:
                case "start":
                    async with self._changing:
                        await self._start(request.only)
                case "restart":
                    if request.component not in self._keepers:
                        raise start_order.unknown(self._keepers, request.component)
                    _in_background(self._keepers[request.component].restart())
                case "stop":
                    self._stop.set()
                case "status":
                    pass
        except CliError as error:
            return Report(error=str(error))
        return await self._report(request.memory)

    async def _start(self, only: list[str] | None) -> None:
        """Bring the running platform in line with its file as it is now, and start what is asked for."""
        components = self._load()
        gone = [name for name in self._keepers if name not in components]
        for name in gone:
            await self._keepers.pop(name).stop()
        for name, component in components.items():
            keeper = self._keepers.get(name)
            if keeper is None:
                self._keepers[name] = self._keeper(component)
            elif _differs(keeper.component, component):
                await keeper.replace(component)
        self._want(only)

    async def _report(self, with_memory: bool) -> Report:
        pids = [keeper.child.identity.pid for keeper in self._keepers.values() if keeper.child is not None]
        sizes = await asyncio.to_thread(memory.by_root, pids) if with_memory else {}
        return Report(
            components=[self._describe(keeper, sizes) for keeper in self._keepers.values()],
            stopping=self._stop.is_set(),
            notes=list(self._notes),
        )

    @staticmethod
    def _describe(keeper: Keeper, sizes: dict[int, int]) -> ComponentReport:
        component = keeper.component
        pid = None if keeper.child is None else keeper.child.identity.pid
        return ComponentReport(
            name=component.name,
            state=keeper.state,
            wanted=keeper.wanted,
            since=keeper.since.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            seconds_in_state=round(keeper.seconds_in_state, 1),
            version=component.version,
            address=component.address,
            pid=pid,
            memory_bytes=None if pid is None else sizes.get(pid),
            restarts=keeper.restarts,
            reason=keeper.reason,
            stand_in=component.stand_in,
            start_seconds=None if keeper.start_seconds is None else round(keeper.start_seconds, 2),
        )


_background: set[asyncio.Task[None]] = set()
"""Tasks nobody waits for; kept so that they are not collected while they run."""


def _in_background(work: Coroutine[object, object, None]) -> None:
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


def _differs(old: Component, new: Component) -> bool:
    return old.process != new.process or old.fingerprint != new.fingerprint


def arguments(parser_arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="ticketly supervisor")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=None)
    return parser.parse_args(None if parser_arguments is None else list(parser_arguments))


def main() -> int:
    """Entry point. The last line of its log is what a person sees when it cannot start."""
    chosen = arguments()
    form = "%(asctime)s.%(msecs)03dZ %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form, datefmt="%Y-%m-%dT%H:%M:%S")
    logging.Formatter.converter = time.gmtime
    home = HomeFolder(chosen.home)
    me = identify_self()
    try:
        with FileLock(home.supervisor_lock, timeout=0):
            asyncio.run(Supervisor(home, chosen.cache, me).run(chosen.only))
    except Timeout:
        _log.error("another supervisor runs for %s", home.root)
        return ExitCode.FAILED
    except CliError as error:
        _log.error("%s", error)
        return error.exit_code
    return ExitCode.DONE


def identify_self() -> ProcessIdentity:
    """Raises RuntimeError where /proc is not there."""
    found = identify(os.getpid())
    if found is None:
        raise RuntimeError("this process is not in /proc")
    return found


if __name__ == "__main__":
    sys.exit(main())
