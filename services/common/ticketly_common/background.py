"""A loop that runs beside a block of code and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

_AGAIN_SECONDS: Final = 5.0


@contextlib.asynccontextmanager
async def background(loop: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run ``loop`` as a task inside the block; at its end the task is cancelled and awaited.

    An error that ended the loop before is raised there.
    """
    task = asyncio.create_task(loop, name=name)
    try:
        yield
    finally:
        await end(task, again_seconds=_AGAIN_SECONDS)
        if not task.cancelled():
            task.result()


async def end(task: asyncio.Task[None], *, again_seconds: float) -> None:
    """Cancel the task and return when it has ended; what it ended with stays in the task.

    The cancellation is repeated after ``again_seconds``, in which an orderly end is long over: before Python 3.12
    ``asyncio.wait_for``, which redis-py and PyMongo await under, drops one that comes in the same turn of the loop as
    the answer, and a loop that goes on would keep the service from ever stopping.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=again_seconds)
