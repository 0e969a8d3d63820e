"""The processes of one control plane: started in groups of their own, recorded, and gone when we are."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import health, logfiles, processes, run_one
from ticketly_cli.local.component import ProcessSpec, UnhealthyError
from ticketly_cli.local.identity import ProcessIdentity, is_alive
from ticketly_cli.local.processes import Child

RECORD = "processes.json"
STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.05
_LINES_SHOWN = 15

Result = TypeVar("Result")


def run_apart(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Also where an event loop runs already: on a loop of its own, in a thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class Children:
    """Named processes. They are killed when the interpreter ends, unless `release` was called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Child] = {}
        atexit.register(self.kill_all)

    def start(self, name: str, argv: Iterable[str], environment: Mapping[str, str] | None = None) -> None:
        """Its output goes to `<name>.log`. A process of that name must not run."""
        self.run(name, ProcessSpec(tuple(argv), self._folder, {"HOME": str(self._folder), **(environment or {})}))

    def run(self, name: str, spec: ProcessSpec) -> None:
        """As `start`, with everything that can be said about a process."""
        self._running[name] = processes.spawn(spec, self._folder / f"{name}.log")
        self._record()

    def names(self) -> list[str]:
        return list(self._running)

    def identity(self, name: str) -> ProcessIdentity:
        """Raises KeyError when no process of that name was started."""
        return self._running[name].identity

    def signal(self, name: str, number: int) -> None:
        """Raises KeyError when no process of that name was started."""
        self._running[name].process.send_signal(number)

    def exit_code(self, name: str) -> int | None:
        """None while it runs; negative is the signal that ended it. Raises KeyError as `identity` does."""
        return self._running[name].exit_code()

    def stop(self, name: str, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> int:
        """Ask it to end, wait, then kill; returns its exit code. Raises KeyError as `identity` does."""
        child = self._running.pop(name)
        spec = ProcessSpec(argv=(), folder=self._folder, stop_timeout_seconds=timeout_seconds)
        run_apart(processes.stop(child, spec))
        self._record()
        return child.process.wait()

    def end(self, name: str, spec: ProcessSpec) -> None:
        """As `stop`, in the way and the time that `spec` says. Nothing when it does not run."""
        if name in self._running:
            run_apart(processes.stop(self._running.pop(name), spec))
            self._record()

    def signal_group(self, name: str, number: int) -> None:
        """As `signal`, with all the processes it has started."""
        os.killpg(self._running[name].identity.pid, number)

    async def ready(self, name: str, probe: Callable[[], Awaitable[object]], timeout_seconds: float) -> None:
        """Wait until the probe passes. Raises CliError with the end of the log when it ends or is too late."""
        child = self._running[name]
        log = self._folder / f"{name}.log"
        waiting = asyncio.create_task(health.wait_until(probe, timeout_seconds, _POLL_SECONDS))
        try:
            while not waiting.done() and child.exit_code() is None:
                await asyncio.wait((waiting,), timeout=_POLL_SECONDS)
            if not waiting.done():
                raise _did_not_start(name, run_one.exit_reason(child, log), log)
            waiting.result()
        except UnhealthyError as error:
            raise _did_not_start(name, str(error), log) from error
        finally:
            waiting.cancel()

    def kill(self, name: str) -> None:
        """End it as a crash would. Nothing when it does not run."""
        if name in self._running:
            _end([self._running.pop(name)])
            self._record()

    def kill_all(self) -> None:
        """Their data is thrown away, so nobody needs time to put things in order. Can be repeated."""
        atexit.unregister(self.kill_all)
        _end(list(self._running.values()))
        self._running.clear()
        (self._folder / RECORD).unlink(missing_ok=True)

    def release(self) -> None:
        """Leave them running; `kill_recorded` ends them."""
        atexit.unregister(self.kill_all)
        for child in self._running.values():
            # a released child is nobody's to reap, and Popen would complain about that
            child.process.returncode = 0
        self._running.clear()

    def _record(self) -> None:
        found = {name: child.identity for name, child in self._running.items()}
        content = {name: [one.pid, one.started_ticks, one.boot] for name, one in found.items()}
        (self._folder / RECORD).write_text(json.dumps(content), encoding="utf-8")


def _did_not_start(name: str, reason: str, log: Path) -> CliError:
    lines = "\n".join(logfiles.last_lines(log, _LINES_SHOWN))
    return CliError(f"{name} did not start: {reason}\n{lines}", "", ExitCode.FAILED)


def _end(children: list[Child]) -> None:
    for child in children:
        if child.exit_code() is None:
            os.killpg(child.identity.pid, signal.SIGKILL)
    for child in children:
        child.process.wait()


def recorded(folder: Path) -> dict[str, ProcessIdentity]:
    """Processes of a control plane in that folder that still run."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    known = {name: ProcessIdentity(*values) for name, values in content.items()}
    return {name: identity for name, identity in known.items() if is_alive(identity)}


def kill_recorded(folder: Path) -> list[str]:
    """End what still runs of a control plane in that folder; returns the names."""
    running = recorded(folder)

    async def stop_all() -> None:
        await asyncio.gather(
            *(processes.stop_orphan(identity, signal.SIGKILL, STOP_TIMEOUT_SECONDS) for identity in running.values())
        )

    run_apart(stop_all())
    (folder / RECORD).unlink(missing_ok=True)
    return list(running)
