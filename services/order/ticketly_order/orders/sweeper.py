"""Ends orders nobody ends: holds that ran out and orders of cancelled sessions.

The deadline in the row is the truth, claims take over without waiting for this, and readers see "expired" at once; the
sweeper only makes it official. Every process runs one. Ids are picked without locks and each order is ended in a
transaction of its own that checks again, so two sweepers meeting on one order are harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from ticketly_common.background import background
from ticketly_order.orders import handlers
from ticketly_order.orders.handlers import Released
from ticketly_order.orders.ports import OrderStore, Reason

_log = structlog.get_logger(__name__)
_PAGE = 200
_LANES = 4
_PRUNE_EVERY = 600  # rounds
_MEASURE_EVERY = 15  # rounds; it counts every pending order


class Sweeper:
    """Use ``running()`` around the service's life. ``interval_seconds`` is the mean pause between rounds."""

    def __init__(
        self, orders: OrderStore, *, released: Released, interval_seconds: float = 1.0, seed: int | None = None
    ) -> None:
        self._orders = orders
        self._released = released
        self._interval_seconds = interval_seconds
        self._random = random.Random(seed)  # noqa: S311 - jitter
        self._wake = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Sweeper]:
        """Sweep in the background for the length of the block."""
        async with background(self._run(), name="sweeper"):
            yield self

    def wake(self) -> None:
        """Start the next round now."""
        self._wake.set()

    async def sweep(self) -> int:
        """Do one round; return how many orders it ended."""
        expired = await self._all(self._orders.due, "expired")
        return expired + await self._all(self._orders.of_cancelled_sessions, "session-cancelled")

    async def _all(self, pick: Callable[[int], Awaitable[Sequence[str]]], reason: Reason) -> int:
        ended = 0
        while True:
            found = list(await pick(_PAGE))
            self._random.shuffle(found)  # several sweepers should not walk the same list in step
            lanes = asyncio.Semaphore(_LANES)

            async def end(order_id: str, lanes: asyncio.Semaphore = lanes) -> bool:
                async with lanes:
                    return await handlers.end(order_id, reason, orders=self._orders, released=self._released)

            done = await asyncio.gather(*map(end, found))
            ended += sum(done)
            if len(found) < _PAGE or not any(done):
                return ended

    async def _run(self) -> None:
        rounds = self._random.randrange(_PRUNE_EVERY)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds * self._random.uniform(0.5, 1.5)):
                    await self._wake.wait()
            self._wake.clear()
            rounds += 1
            try:
                await self.sweep()
                if rounds % _MEASURE_EVERY == 0:
                    await handlers.measure(orders=self._orders)
                if rounds % _PRUNE_EVERY == 0:
                    await self._orders.prune()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                _log.warning("sweep interrupted", error=repr(error))
