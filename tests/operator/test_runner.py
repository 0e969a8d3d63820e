"""The runner keeps platforms apart, survives whatever one of them does, and forgets those that are gone."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from ticketly_operator.agenda import Agenda, Pace, Turn
from ticketly_operator.errors import ClusterUnreachableError, FencedError
from ticketly_operator.metrics import Metrics
from ticketly_operator.runner import Runner
from ticketly_operator.settings import Reconcile
from ticketly_operator.watching import WatchProof

SETTINGS = Reconcile(interval_seconds=0.2, debounce_seconds=0, timeout_seconds=0.2, error_backoff_first_seconds=0.01)


def manifest(name, version="1"):
    return {"metadata": {"namespace": "ns", "name": name, "resourceVersion": version}}


class Cluster:
    def __init__(self, *names):
        self.objects = {("ns", name): manifest(name) for name in names}
        self.down = False

    async def platforms(self):
        if self.down:
            raise ClusterUnreachableError("down")
        return list(self.objects.values())

    async def platform(self, namespace, name):
        return self.objects.get((namespace, name))


class Work:
    """Does what it is told per platform and remembers what happened."""

    def __init__(self, **behaviour):
        self.behaviour = behaviour
        self.turns = []
        self.running = set()
        self.overlaps = 0
        self.forgotten = []
        self.changed = asyncio.Event()

    async def __call__(self, platform):
        name = platform["metadata"]["name"]
        self.overlaps += name in self.running
        self.running.add(name)
        self.turns.append(name)
        self.changed.set()
        try:
            act = self.behaviour.get(name)
            return (await act()) if act else Turn()
        finally:
            self.running.discard(name)

    def forget(self, key):
        self.forgotten.append(key)
        self.changed.set()

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def running(cluster, work, metrics=None, settings=SETTINGS):
    pace = Pace(settings.interval_seconds, settings.debounce_seconds, settings.error_backoff_first_seconds, 1)
    proof = WatchProof(time.monotonic())
    runner = Runner(cluster, work, Agenda(pace), proof, metrics or Metrics(), settings, time.monotonic)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_every_platform_comes_up_again_and_again_without_events():
    work = Work()
    async with running(Cluster("a", "b"), work):
        await work.until(lambda: work.turns.count("a") >= 3 and work.turns.count("b") >= 3)


@pytest.mark.parametrize(
    "trouble", [RuntimeError("defect"), ClusterUnreachableError("down"), FencedError("not leading")]
)
async def test_what_one_platform_raises_does_not_stop_the_others(trouble):
    async def fail():
        raise trouble

    work, metrics = Work(bad=fail), Metrics()
    async with running(Cluster("bad", "good"), work, metrics):
        await work.until(lambda: work.turns.count("good") >= 3 and work.turns.count("bad") >= 2)
    assert b'ticketly_operator_reconciles_total{outcome="ok"}' in metrics.text()


async def test_a_platform_that_hangs_is_given_up_and_tried_again():
    async def hang():
        await asyncio.Event().wait()

    work, metrics = Work(bad=hang), Metrics()
    async with running(Cluster("bad", "good"), work, metrics):
        await work.until(lambda: work.turns.count("bad") >= 2)
    assert b'ticketly_operator_reconciles_total{outcome="timeout"}' in metrics.text()


async def test_one_platform_is_never_worked_on_twice_at_once():
    async def slow():
        for _ in range(20):
            await asyncio.sleep(0)
        return Turn()

    work = Work(a=slow)
    async with running(Cluster("a"), work) as runner:
        while len(work.turns) < 20:
            runner.wake(("ns", "a"))
            await asyncio.sleep(0)
    assert work.overlaps == 0


async def test_no_more_than_the_allowed_number_work_at_the_same_time():
    most = 0
    gate = asyncio.Event()

    async def wait():
        nonlocal most
        most = max(most, len(work.running))
        await gate.wait()
        return Turn()

    names = [f"p{number}" for number in range(12)]
    work = Work(**dict.fromkeys(names, wait))
    settings = SETTINGS.model_copy(update={"concurrency": 3, "timeout_seconds": 30.0})
    async with running(Cluster(*names), work, settings=settings):
        await work.until(lambda: len(work.running) == 3)
        gate.set()
        await work.until(lambda: len(set(work.turns)) == 12)
    assert most == 3


async def test_a_platform_that_is_gone_is_forgotten_everywhere():
    cluster, work, metrics = Cluster("a"), Work(), Metrics()
    metrics.condition.labels(platform="a", namespace="ns", type="Ready", status="True").set(1)
    async with running(cluster, work, metrics) as runner:
        await work.until(lambda: "a" in work.turns)
        cluster.objects.clear()
        runner.wake(("ns", "a"))
        await work.until(lambda: work.forgotten == [("ns", "a")])
    assert b'platform="a"' not in metrics.text()


async def test_a_cluster_that_cannot_be_listed_for_a_while_is_asked_again():
    cluster, work = Cluster("a"), Work()
    cluster.down = True
    async with running(cluster, work) as runner:
        with pytest.raises(ClusterUnreachableError):
            await runner.list_once()
        cluster.down = False
        await work.until(lambda: "a" in work.turns)
