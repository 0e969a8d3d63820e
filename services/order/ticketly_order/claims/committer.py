"""Group commit: claims that arrive while a batch is on its way travel together in the next one.

There is no timer: the next batch starts when the last one returns, so a single buyer waits for nobody and under load
batches fill by themselves. Handlers only wait for a future; one that is cancelled or whose client hung up disturbs
neither the batch nor its neighbours. Claims the server refused to decide together are decided one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter as Multiset
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Gauge, Histogram

from ticketly_common import tracing
from ticketly_common.background import background
from ticketly_order.claims.domain import (
    Claim,
    ClaimFailed,
    ClaimsOverloaded,
    ClaimsUnavailable,
    Lost,
    Outcome,
    select_batch,
)
from ticketly_order.claims.ports import BatchRefused, ClaimStore

_log = structlog.get_logger(__name__)

BATCH_SIZE = Histogram("ticketly_order_claim_batch_size", "Claims per batch", buckets=(1, 2, 4, 8, 16, 32, 64))
BATCH_SECONDS = Histogram(
    "ticketly_order_claim_batch_seconds",
    "Time of one batch in the database",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
WAITING = Gauge("ticketly_order_claims_waiting", "Claims that wait for their batch")
SINGLES = Counter("ticketly_order_claim_singles_total", "Claims decided one by one", ["reason"])

_MAX_BATCH = 64
_LOOK_AHEAD = 1024
_SINGLE_LANES = 4
_MAX_WAITING = 20_000


@dataclass(eq=False, slots=True)
class _Waiting:
    claim: Claim
    answer: asyncio.Future[Outcome]


@dataclass
class _SinglesInFlight:
    """Users and seats that a single claim is busy with: a batch that touched them would only wait for its locks."""

    users: Multiset[str] = field(default_factory=Multiset)
    seats: Multiset[str] = field(default_factory=Multiset)

    def add(self, claim: Claim) -> None:
        self.users[claim.user_id] += 1
        self.seats.update(claim.seat_ids)

    def remove(self, claim: Claim) -> None:
        self.users[claim.user_id] -= 1
        self.seats.subtract(claim.seat_ids)
        if not self.users[claim.user_id]:
            del self.users[claim.user_id]
        for seat in claim.seat_ids:
            if not self.seats[seat]:
                del self.seats[seat]

    def touches(self, claim: Claim) -> bool:
        return bool(self.users) and (claim.user_id in self.users or any(seat in self.seats for seat in claim.seat_ids))


@contextlib.contextmanager
def _traced(name: str, entries: Sequence[_Waiting]) -> Iterator[None]:
    """Show the call to the database in the trace of every claim that travels with it."""
    if not tracing.enabled():
        yield
        return
    start_ns = time.time_ns()
    try:
        yield
    finally:
        for entry in entries:
            tracing.record(
                name,
                entry.claim.traceparent,
                start_ns=start_ns,
                kind="client",
                attributes={
                    "db.system.name": "postgresql",
                    "db.stored_procedure.name": "claim_orders",
                    "db.operation.batch.size": len(entries),
                },
            )


class GroupCommitter:
    """Implements ``Claims`` over a ``ClaimStore``. Use ``running()`` around the service's life.

    ``decided`` hears every outcome with a monotonic instant before which nothing of it was read, also when nobody waits
    for it any more. ``known_lost`` is asked once more just before a claim travels: what an earlier batch has shown need
    not be asked of the database again. Both must not raise. ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        store: ClaimStore,
        *,
        decided: Callable[[Outcome, float], None] = lambda _outcome, _asked_at: None,
        known_lost: Callable[[Claim], Lost | None] = lambda _claim: None,
        max_batch: int = _MAX_BATCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._decided = decided
        self._known_lost = known_lost
        self._max_batch = max_batch
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._singles = _SinglesInFlight()
        self._single_lanes = asyncio.Semaphore(_SINGLE_LANES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[GroupCommitter]:
        """Accept claims inside the block; at its end waiting ones are answered with ClaimsUnavailable."""
        self._open = True
        WAITING.set_function(lambda: len(self._waiting))
        try:
            async with background(self._run(), name="group-committer"):
                try:
                    yield self
                finally:
                    self._open = False
                    await self._drain()
        finally:
            self._fail_all(self._waiting, "the service is stopping")
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(self, claim: Claim) -> Outcome:
        """Return the outcome; raises ClaimFailed, ClaimsUnavailable or ClaimsOverloaded."""
        if not self._open:
            raise ClaimsUnavailable("the service is stopping")
        if len(self._waiting) >= _MAX_WAITING:
            raise ClaimsOverloaded(f"{_MAX_WAITING} claims are waiting")
        entry = _Waiting(claim, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._arrived.set()
        return await entry.answer

    async def _drain(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while self._waiting:  # noqa: ASYNC110 - bounded, at shutdown only
                    await asyncio.sleep(0.01)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._next_batch()
            if not batch:
                if not self._waiting:
                    self._arrived.clear()
                continue
            BATCH_SIZE.observe(len(batch))
            started = self._clock()
            try:
                await self._decide(batch, started)
            except asyncio.CancelledError:
                self._fail_all(batch, "the service is stopping")
                raise
            BATCH_SECONDS.observe(self._clock() - started)
            # Answers go out, and arrivals come in, before the next batch is put together.
            await asyncio.sleep(0)

    async def _decide(self, batch: list[_Waiting], started: float) -> None:
        try:
            with _traced("claim_orders", batch):
                outcomes = await self._store.claim_batch([entry.claim for entry in batch])
        except BatchRefused as refused:
            _log.warning("batch refused, members go singly", size=len(batch), reason=str(refused))
            for entry in batch:
                self._go_singly(entry, "batch-refused")
        except ClaimsUnavailable as unknown:
            self._fail_all(batch, str(unknown))
        except Exception as error:  # noqa: BLE001 - the loop must outlive any fault
            _log.exception("batch failed")
            self._fail_all(batch, repr(error))
        else:
            for entry, outcome in zip(batch, outcomes, strict=True):
                self._decided(outcome, started)
                self._succeed(entry, outcome)

    def _next_batch(self) -> list[_Waiting]:
        head: list[_Waiting] = []
        for entry in itertools.islice(self._waiting, _LOOK_AHEAD):
            if entry.answer.done():  # the client is gone, and nothing was sent yet
                continue
            lost = self._known_lost(entry.claim)
            if lost is not None:
                self._succeed(entry, lost)
            elif self._singles.touches(entry.claim):
                self._go_singly(entry, "behind-a-single")
            else:
                head.append(entry)
        for _ in range(min(_LOOK_AHEAD, len(self._waiting))):
            self._waiting.popleft()
        batch, staying = select_batch(head, limit=self._max_batch)
        self._waiting.extendleft(reversed(staying))
        return batch

    def _go_singly(self, entry: _Waiting, reason: str) -> None:
        SINGLES.labels(reason).inc()
        self._singles.add(entry.claim)
        task = asyncio.create_task(self._single(entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _single(self, entry: _Waiting) -> None:
        try:
            async with self._single_lanes:
                started = self._clock()
                with _traced("claim_orders (single)", [entry]):
                    outcome = await self._store.claim_one(entry.claim)
        except (ClaimFailed, ClaimsUnavailable) as error:
            self._fail(entry, error)
        except Exception as error:  # noqa: BLE001 - whoever waits must get an answer
            _log.exception("single claim failed")
            self._fail(entry, ClaimFailed(repr(error)))
        else:
            self._decided(outcome, started)
            self._succeed(entry, outcome)
        finally:
            self._singles.remove(entry.claim)

    @staticmethod
    def _succeed(entry: _Waiting, outcome: Outcome) -> None:
        if not entry.answer.done():
            entry.answer.set_result(outcome)

    def _fail_all(self, entries: Iterable[_Waiting], reason: str) -> None:
        for entry in entries:
            self._fail(entry, ClaimsUnavailable(reason))

    @staticmethod
    def _fail(entry: _Waiting, error: Exception) -> None:
        if not entry.answer.done():
            entry.answer.set_exception(error)
