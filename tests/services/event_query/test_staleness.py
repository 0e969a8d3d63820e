"""How long documents have been out of date is told until they are built, by whomever."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from prometheus_client import REGISTRY

from ticketly_event_query.projection.ports import Job
from ticketly_event_query.projection.rebuilds import Rebuilder

JOB = Job("event", "e-1")


class Queue:
    """Counters in memory."""

    def __init__(self) -> None:
        self.counts: dict[Job, tuple[int, int]] = {}

    async def mark(self, jobs: Collection[Job]) -> None:
        for job in jobs:
            wanted, built = self.counts.get(job, (0, 0))
            self.counts[job] = wanted + 1, built

    async def wanted(self, job: Job) -> int:
        return self.counts.get(job, (0, 0))[0]

    async def finish(self, job: Job, wanted: int) -> bool:
        now, _ = self.counts.get(job, (0, 0))
        if now == wanted:
            self.counts[job] = now, wanted
        return now == wanted

    async def pending(self) -> list[Job]:
        return [job for job, (wanted, built) in self.counts.items() if built < wanted]


class Desk:
    """A rebuilder whose builder fails for as long as ``broken`` says so."""

    def __init__(self) -> None:
        self.queue, self.broken = Queue(), True
        self.rebuilder = Rebuilder(self.queue, {"event": self.build}, quiet_seconds={}, sweep_seconds=0.02)

    async def build(self, _id: str, _build: int) -> None:
        if self.broken:
            raise ConnectionError("the store is away")


def pending() -> float | None:
    return REGISTRY.get_sample_value("ticketly_event_query_rebuilds_pending", {"kind": "event"})


def oldest() -> float:
    return REGISTRY.get_sample_value("ticketly_event_query_rebuild_oldest_seconds") or 0.0


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_document_that_cannot_be_built_grows_older_until_it_can():
    desk = Desk()
    async with desk.rebuilder.running():
        assert pending() == 0
        await desk.rebuilder.mark([JOB])
        await until(lambda: oldest() > 0.1)
        assert pending() == 1
        desk.broken = False
        await until(lambda: pending() == 0)
        assert oldest() < 0.1


async def test_what_another_process_built_is_not_called_stale_here():
    desk = Desk()
    async with desk.rebuilder.running():
        await desk.rebuilder.mark([JOB])
        await until(lambda: pending() == 1)
        await desk.queue.finish(JOB, await desk.queue.wanted(JOB))
        await until(lambda: pending() == 0)
