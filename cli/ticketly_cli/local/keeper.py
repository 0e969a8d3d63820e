"""Keeps one component running: starts it when what it needs is healthy, watches it, starts it again when it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from ticketly_cli.local import health, processes, run_one
from ticketly_cli.local.back_off import BackOff
from ticketly_cli.local.component import Component, UnhealthyError
from ticketly_cli.local.control import State
from ticketly_cli.local.processes import Child

_log = logging.getLogger("ticketly.platform")

_WATCH_SECONDS = 0.25
_PROBE_TIMEOUT_SECONDS = 15.0
_MISSES_BEFORE_UNHEALTHY = 2


class Keeper:
    """One component's life. `needs_healthy` waits until everything it needs is healthy.

    `process_changed` is called whenever its process begins or ends, so that the record of processes stays true.
    """

    def __init__(
        self,
        component: Component,
        log_file: Path,
        needs_healthy: Callable[[Component], Awaitable[None]],
        process_changed: Callable[[], None],
    ) -> None:
        self.component = component
        self.log_file = log_file
        self.state: State = "stopped"
        self.reason = ""
        self.restarts = 0
        self.start_seconds: float | None = None
        self.child: Child | None = None
        self.healthy = asyncio.Event()
        self._needs_healthy = needs_healthy
        self._process_changed = process_changed
        self._task: asyncio.Task[None] | None = None
        self._since = datetime.now(UTC)
        self._since_monotonic = time.monotonic()

    @property
    def since(self) -> datetime:
        """When it got into its present state."""
        return self._since

    @property
    def seconds_in_state(self) -> float:
        return time.monotonic() - self._since_monotonic

    @property
    def wanted(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Begin to keep it running; nothing when that is the case already."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"keep {self.component.name}")

    async def stop(self) -> None:
        """Stop it and keep it stopped; returns when its process is gone."""
        task, self._task = self._task, None
        if task is None:
            return
        self._enter("stopping")
        task.cancel()
        await asyncio.wait((task,))
        self._enter("stopped")

    async def replace(self, component: Component) -> None:
        """Go on with a changed description of the same component."""
        running = self.wanted
        await self.stop()
        self.component = component
        self.reason = "its configuration changed"
        if running:
            self.start()

    async def restart(self) -> None:
        """Stop and start it because somebody asked."""
        await self.stop()
        self.reason = "restarted on request"
        self.restarts += 1
        self.start()

    def _enter(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._since = datetime.now(UTC)
            self._since_monotonic = time.monotonic()
            detail = f": {self.reason}" if self.reason and state in ("failed", "unhealthy") else ""
            _log.info("%s is %s%s", self.component.name, state, detail)
        if state == "healthy":
            self.healthy.set()
        else:
            self.healthy.clear()

    async def _keep(self) -> None:
        back_off = BackOff()
        try:
            while True:
                self._enter("waiting")
                await self._needs_healthy(self.component)
                healthy_seconds = 0.0
                try:
                    await self._bring_up()
                    self.reason = await self._watch()
                    healthy_seconds = self.seconds_in_state if self.state == "healthy" else 0.0
                    await self._stop_process()
                except UnhealthyError as error:
                    self.reason = str(error)
                except Exception as error:  # noqa: BLE001 - a defect of one component must not end the others
                    _log.exception("%s", self.component.name)
                    self.reason = f"{type(error).__name__}: {error}"
                self._forget()
                self.restarts += 1
                self._enter("failed")
                await asyncio.sleep(back_off.next_seconds(healthy_seconds))
        finally:
            await self._stop_process()
            self._forget()

    async def _bring_up(self) -> None:
        self._enter("starting")
        began = time.monotonic()
        await run_one.start(self.component, self.log_file, self._remember)
        self.start_seconds = time.monotonic() - began
        self._enter("healthy")

    def _remember(self, child: Child) -> None:
        self.child = child
        self._process_changed()

    def _forget(self) -> None:
        if self.child is not None:
            self.child = None
            self._process_changed()

    async def _stop_process(self) -> None:
        if self.child is not None and self.component.process is not None:
            await processes.stop(self.child, self.component.process)

    async def _watch(self) -> str:
        """Returns the reason when the process ended, or when a component without a process stopped working."""
        misses = 0
        next_probe = time.monotonic() + self.component.probe_every_seconds
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self.child is not None and self.child.exit_code() is not None:
                return run_one.exit_reason(self.child, self.log_file)
            if time.monotonic() < next_probe:
                continue
            seen = await self._probe()
            next_probe = time.monotonic() + self.component.probe_every_seconds
            misses = misses + 1 if seen else 0
            if misses >= _MISSES_BEFORE_UNHEALTHY:
                if self.child is None:
                    return seen
                self.reason = seen
                self._enter("unhealthy")
            elif not seen:
                self._enter("healthy")

    async def _probe(self) -> str:
        """What is wrong; empty when nothing is."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
                await self.component.probe()
        except (UnhealthyError, OSError, EOFError, TimeoutError) as error:
            return health.describe(error)
        return ""
