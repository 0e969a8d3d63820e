"""Faults while the race runs: what must cost availability at most, never a seat.

Every fault acts on the local platform only, and undoes itself: a paused process is continued, and the supervisor
brings a killed one back, also when the race fails or is interrupted.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.state import PlatformState
from ticketly_cli.race import control

Note: TypeAlias = Callable[[str], None]
Fault: TypeAlias = Callable[[PlatformState, Note, asyncio.Event], Coroutine[Any, Any, None]]

FLUSH_EVERY_SECONDS = 0.2
PAUSE_SECONDS = 1.5
RUN_SECONDS = 0.5
FIRST_KILL_SECONDS = 0.15
KILL_EVERY_SECONDS = 0.3
HEAD_START_SECONDS = 0.5
REDIS_TIMEOUT_SECONDS = 1.0
END_SECONDS = 10.0
REDIS, KAFKA, ORDER = "valkey", "kafka", "order"


async def _stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait; True as soon as the faults are to end."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _flush_redis(platform: PlatformState, note: Note, stop: asyncio.Event) -> None:
    """Wipe the shield again and again: it may only ever reject early, so nothing may depend on it."""
    if platform.redis_url is None:
        return
    redis = Redis.from_url(platform.redis_url, socket_timeout=REDIS_TIMEOUT_SECONDS)
    try:
        while True:
            try:
                await redis.flushall()
                note("redis flushed")
            except (RedisError, OSError, TimeoutError) as error:
                note(f"redis could not be flushed ({type(error).__name__})")
            if await _stopped_within(stop, FLUSH_EVERY_SECONDS):
                return
    finally:
        await redis.aclose()


async def _pause_order(platform: PlatformState, note: Note, stop: asyncio.Event) -> None:
    """Stop the order process in the middle of its work, let it run a little, and again."""
    while True:
        pid = await control.send_signal(platform.home, ORDER, signal.SIGSTOP)
        note("order paused")
        try:
            await _stopped_within(stop, PAUSE_SECONDS)
        finally:
            if pid is not None:
                os.kill(pid, signal.SIGCONT)
            note("order continued")
        if await _stopped_within(stop, RUN_SECONDS):
            return


async def _kill_order(platform: PlatformState, note: Note, stop: asyncio.Event) -> None:
    """Kill the order process once, in the middle of its work."""
    await _stopped_within(stop, FIRST_KILL_SECONDS)
    await control.send_signal(platform.home, ORDER, signal.SIGKILL)
    note("order killed")


def _keep_down(component: str) -> Fault:
    async def fault(platform: PlatformState, note: Note, stop: asyncio.Event) -> None:
        """Kill the component whenever the supervisor has started it again, until the race is over."""
        while True:
            if await control.send_signal(platform.home, component, signal.SIGKILL) is not None:
                note(f"{component} killed")
            if await _stopped_within(stop, KILL_EVERY_SECONDS):
                return

    return fault


FAULTS: dict[str, Fault] = {
    "redis-flush": _flush_redis,
    "redis-stop": _keep_down(REDIS),
    "kafka-stop": _keep_down(KAFKA),
    "order-pause": _pause_order,
    "order-kill": _kill_order,
}


TOUCHED = {"redis-stop": REDIS, "kafka-stop": KAFKA, "order-pause": ORDER, "order-kill": ORDER}
"""The component that must be healthy again when the fault is over."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """The faults of one race."""

    names: tuple[str, ...]
    platform: PlatformState

    @classmethod
    def prepare(cls, names: tuple[str, ...], platform: PlatformState) -> Chaos:
        """Raises CliError (exit 3) for an unknown fault."""
        unknown = sorted(set(names) - set(FAULTS))
        if unknown:
            raise CliError(
                f"There is no fault named {unknown[0]}.", f"Known: {', '.join(FAULTS)}.", ExitCode.BAD_ARGUMENTS
            )
        return cls(tuple(dict.fromkeys(names)), platform)

    @asynccontextmanager
    async def during(self, note: Note) -> AsyncIterator[None]:
        """Let the faults act while the body runs. A fault that cannot act fails the race (CliError)."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(FAULTS[name](self.platform, note, stop)) for name in self.names]
        try:
            if any(name.endswith("-stop") for name in self.names):
                await asyncio.sleep(HEAD_START_SECONDS)
            yield
        finally:
            stop.set()
            await _end(tasks)
            for name in self.names:
                if name in TOUCHED:
                    await control.wait_until_healthy(self.platform.home, TOUCHED[name])


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the faults to end by themselves. Cancelling them is the last resort: redis-py can swallow a cancel."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=END_SECONDS)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=END_SECONDS)
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
