"""Rebuilds documents that are out of date, in the background of every process.

The counters in the store make this safe with any number of processes: a job is *marked* (wanted + 1) after its rows
are stored; a build reads ``wanted``, then the rows, writes the document under that number, and notes it as built
only if nothing more was wanted meanwhile. The process that marked a job rebuilds it at once; ``sweep`` finds what a
dead process left behind. A job that cannot be built is logged and tried again by the sweep; the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

import structlog

from ticketly_common.background import background
from ticketly_event_query import metrics
from ticketly_event_query.projection.ports import Job, RebuildQueue

_log = structlog.get_logger(__name__)

Builder = Callable[[str, int], Awaitable[Iterable[Job] | None]]
"""Builds the document of an id at a build number; returns jobs that depend on it."""

_PARALLEL = 4
_MAX_ROUNDS = 100


class Rebuilder:
    """``quiet_seconds`` per kind: how long to wait for more changes of the same document, at most ten times over."""

    def __init__(
        self,
        queue: RebuildQueue,
        builders: Mapping[str, Builder],
        *,
        quiet_seconds: Mapping[str, float],
        sweep_seconds: float,
    ) -> None:
        self._queue = queue
        self._builders = builders
        self._quiet = quiet_seconds
        self._sweep_seconds = sweep_seconds
        self._due: dict[Job, tuple[float, float]] = {}
        self._wake = asyncio.Event()
        self._building = 0
        self._stale_since: dict[Job, float] = {}
        for kind in builders:
            metrics.REBUILDS_PENDING.labels(kind).set_function(functools.partial(self._pending, kind))
            metrics.REBUILD_FAILURES.labels(kind)
        metrics.REBUILD_OLDEST.set_function(self._oldest_seconds)

    @property
    def idle(self) -> bool:
        """Tell whether this process knows of nothing that is out of date."""
        return not self._due and not self._building

    def notify(self, jobs: Iterable[Job]) -> None:
        """Tell that these jobs were marked."""
        now = asyncio.get_running_loop().time()
        for job in jobs:
            quiet = self._quiet.get(job.kind, 0.0)
            latest = self._due.get(job, (0.0, now + 10 * quiet))[1]
            self._due[job] = (min(now + quiet, latest), latest)
            self._stale_since.setdefault(job, time.monotonic())
        self._wake.set()

    async def mark(self, jobs: Iterable[Job]) -> None:
        """Mark jobs in the store and rebuild them soon."""
        chosen = set(jobs)
        await self._queue.mark(chosen)
        self.notify(chosen)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Rebuilder]:
        """Rebuild in the background for the length of the block."""
        async with background(self._run(), name="rebuilder"), background(self._sweep(), name="sweep"):
            yield self

    async def rebuild(self, job: Job) -> None:
        """Build until the store agrees that nothing newer is wanted; errors of the builder pass through."""
        builder = self._builders.get(job.kind)
        if builder is None:
            self._stale_since.pop(job, None)
            return
        for _ in range(_MAX_ROUNDS):
            wanted = await self._queue.wanted(job)
            dependants = await builder(job.id, wanted)
            metrics.REBUILDS.labels(job.kind).inc()
            if dependants:
                await self.mark(dependants)
            if await self._queue.finish(job, wanted):
                if job not in self._due:
                    self._stale_since.pop(job, None)
                return

    async def drain(self) -> None:
        """Rebuild everything that is pending in the store, and what follows from it (also used by tests)."""
        while jobs := await self._queue.pending():
            for job in jobs:
                await self.rebuild(job)
        self._due.clear()
        self._stale_since.clear()

    def _pending(self, kind: str) -> int:
        return sum(job.kind == kind for job in list(self._stale_since))

    def _oldest_seconds(self) -> float:
        return time.monotonic() - min(self._stale_since.values(), default=time.monotonic())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        limit = asyncio.Semaphore(_PARALLEL)
        while True:
            now = loop.time()
            ready = [job for job, (due, _) in self._due.items() if due <= now]
            for job in ready:
                del self._due[job]
            if ready:
                await asyncio.gather(*(self._guarded(job, limit) for job in ready))
                continue
            self._wake.clear()
            delay = min((due for due, _ in self._due.values()), default=now + 3600) - now
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(delay, 0.001)):
                    await self._wake.wait()

    async def _guarded(self, job: Job, limit: asyncio.Semaphore) -> None:
        self._building += 1
        async with limit:
            try:
                await self.rebuild(job)
            except Exception as error:  # noqa: BLE001 - one document must not stop the others; the sweep retries it
                metrics.REBUILD_FAILURES.labels(job.kind).inc()
                _log.warning("document not rebuilt", kind=job.kind, id=job.id, error=repr(error))
            finally:
                self._building -= 1

    async def _sweep(self) -> None:
        while True:
            try:
                left = await self._queue.pending()
                for job in self._stale_since.keys() - set(left) - self._due.keys():
                    del self._stale_since[job]  # another process built it
                self.notify(job for job in left if job not in self._due)
            except Exception as error:  # noqa: BLE001 - the store is away: the next round finds it
                _log.warning("sweep failed", error=repr(error))
            await asyncio.sleep(self._sweep_seconds)
