"""Working off the agenda: several platforms at a time, one at a time each, for as long as this process leads.

A reconcile that raises or hangs concerns its own platform only: it is given up, counted, and repeated later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from ticketly_operator.agenda import Agenda, Key, Turn
from ticketly_operator.desired.model import Manifest
from ticketly_operator.errors import FencedError, OperatorError
from ticketly_operator.metrics import Metrics
from ticketly_operator.settings import Reconcile
from ticketly_operator.watching import WatchProof

_log = logging.getLogger(__name__)


class Work(Protocol):
    """What is done with a platform."""

    async def __call__(self, platform: Manifest) -> Turn:
        """Reconcile it; raise OperatorError when even the status could not be written."""

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a platform that is gone."""


class Source(Protocol):
    """Where platforms come from."""

    async def platforms(self) -> Sequence[Manifest]:
        """Return all of them."""

    async def platform(self, namespace: str, name: str) -> Manifest | None:
        """Return one, None when it is gone."""


class Runner:
    """Hands platforms to the work when they are due."""

    def __init__(
        self,
        source: Source,
        work: Work,
        agenda: Agenda,
        proof: WatchProof,
        metrics: Metrics,
        settings: Reconcile,
        monotonic: Callable[[], float],
    ) -> None:
        """Nothing runs yet."""
        self._source = source
        self._work = work
        self._agenda = agenda
        self._proof = proof
        self._metrics = metrics
        self._settings = settings
        self._monotonic = monotonic
        self._something_new = asyncio.Event()
        self._paused: set[Key] = set()

    def wake(self, key: Key) -> None:
        """An event concerns this platform."""
        self._agenda.wake(key, self._monotonic())
        self._something_new.set()

    async def run(self) -> None:
        """Work until cancelled; what is being worked on is cancelled too (every step may be cut off anywhere)."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_listing(), name="listing of platforms")
            slots = asyncio.Semaphore(self._settings.concurrency)
            while True:
                await slots.acquire()
                key = await self._next()
                task = tasks.create_task(self._one(key), name=f"reconcile {key[0]}/{key[1]}")
                task.add_done_callback(lambda _task: slots.release())

    async def list_once(self) -> None:
        """Take in everything that exists now; raise OperatorError when that cannot be told."""
        listed_at = self._monotonic()
        found = await self._source.platforms()
        versions = {key_of(platform): str(platform["metadata"]["resourceVersion"]) for platform in found}
        self._proof.listed(versions, listed_at)
        self._agenda.known(versions, self._monotonic())
        self._metrics.platforms.set(len(versions))
        self._something_new.set()

    async def _keep_listing(self) -> None:
        while True:
            try:
                await self.list_once()
            except OperatorError as error:
                _log.warning("platforms were not listed: %s", error)
            await asyncio.sleep(self._settings.interval_seconds)

    async def _next(self) -> Key:
        while True:
            self._something_new.clear()
            now = self._monotonic()
            self._metrics.queue.set(self._agenda.depth(now))
            key = self._agenda.take(now)
            if key is not None:
                return key
            try:
                async with asyncio.timeout(self._agenda.seconds_to_next(now)):
                    await self._something_new.wait()
            except TimeoutError:
                continue

    async def _one(self, key: Key) -> None:
        started = self._monotonic()
        turn = Turn(failed=True)
        outcome = "failed"
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                platform = await self._source.platform(*key)
                if platform is None:
                    self._gone(key)
                    outcome = "gone"
                    return
                turn = await self._work(platform)
            outcome = "failed" if turn.failed else "ok"
        except TimeoutError:
            _log.warning("%s/%s: given up after %g s", *key, self._settings.timeout_seconds)
            outcome = "timeout"
        except FencedError as error:
            _log.info("%s/%s: %s", *key, error)
            outcome = "fenced"
        except OperatorError as error:
            _log.warning("%s/%s: %s", *key, error)
        except Exception:  # noqa: BLE001  a defect in the handling of one platform must not stop the others
            _log.exception("%s/%s: unexpected error", *key)
        finally:
            now = self._monotonic()
            self._metrics.reconciles.labels(outcome=outcome).inc()
            self._metrics.duration.observe(now - started)
            if turn.paused:
                self._paused.add(key)
            else:
                self._paused.discard(key)
            self._metrics.paused.set(len(self._paused))
            self._agenda.done(key, now, failed=turn.failed and outcome != "gone", again_in=turn.again_in)
            self._something_new.set()

    def _gone(self, key: Key) -> None:
        self._agenda.forget(key)
        self._work.forget(key)
        self._metrics.forget(*key)


def key_of(platform: Manifest) -> Key:
    """Return namespace and name."""
    return platform["metadata"]["namespace"], platform["metadata"]["name"]
