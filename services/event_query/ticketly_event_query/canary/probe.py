"""Measures in this process how late the streams of its readers are.

The canary's document is looked at in the same round as the layouts of the sessions in memory, and put on the hub's
streams as a session of one seat that no address leads to: it has no layout, no event and no place among the sessions.
One subscriber inside the process takes what the hub writes and reads the beat from the encoded event. What is not
measured is the way from here to the client's socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable

import structlog

from ticketly_common.background import background
from ticketly_event_query import metrics
from ticketly_event_query.canary.ports import CanaryDocuments, Writer, WriterUnknownError
from ticketly_event_query.canary.server_clock import Echo, ServerClock
from ticketly_event_query.canary.tracker import Tracker
from ticketly_event_query.seats.board import SeatBoard
from ticketly_event_query.seats.messages import AVAILABLE
from ticketly_event_query.streams.hub import Hub
from ticketly_event_query.streams.subscriber import Subscriber

_log = structlog.get_logger(__name__)

_SEAT = "lag-canary"
_ASK_SECONDS = 1.0
_KNOWN_SECONDS = 10.0
"""For this long after the writer last answered "nothing is on its way" may be believed."""


class CanarySession:
    """What the hub needs of a session: a name no client can ask for, and one seat."""

    session_id = "lag-canary"

    def __init__(self) -> None:
        self.board = _board()


def _board() -> SeatBoard:
    return SeatBoard([_SEAT], (), ring_changes=16)


class Probe:
    """One per process. ``look`` is called in the round that compares layouts; see the module."""

    def __init__(
        self,
        documents: CanaryDocuments,
        writer: Writer,
        hub: Hub,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._writer = writer
        self._hub = hub
        self._monotonic = monotonic
        self._session = CanarySession()
        self._subscriber = Subscriber(self._received)
        self._tracker = Tracker()
        self._clock = ServerClock()
        self._failing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Probe]:
        """Subscribe and ask the writer for the length of the block; the gauges are unknown before and after it."""
        self._hub.join(self._session, self._subscriber)
        metrics.CANARY_PENDING.set_function(self.pending_seconds)
        metrics.CANARY_CLOCK_ERROR.set_function(self.clock_error_seconds)
        try:
            async with background(self._ask_forever(), name="lag-canary"):
                yield self
        finally:
            for gauge in (metrics.CANARY_PENDING, metrics.CANARY_CLOCK_ERROR):
                gauge.set_function(_unknown)
            self._hub.part(self._session, self._subscriber)

    async def look(self) -> None:
        """Put the document's beat on the stream if it is another than before."""
        beat = await self._documents.read()
        board = self._session.board
        if beat is None or beat.number == board.position:
            return
        if beat.number < board.position:
            # the numbers began anew: the database was restored, or its row was deleted
            self._session.board = board = _board()
            self._tracker.restart()
        now = self._clock.at(self._monotonic())
        if now is not None:
            self._tracker.written(beat, now)
        board.apply([_SEAT], AVAILABLE, version=beat.number, position=beat.number)
        self._hub.changed(self._session, [0])

    async def ask(self) -> None:
        """Learn from the writer what is on its way, and what its clock shows; raises WriterUnknownError."""
        sent = self._monotonic()
        written = await self._writer.last()
        received = self._monotonic()
        self._clock.learn(Echo(sent, received, written.now))
        self._tracker.written(written.beat, written.now)

    def pending_seconds(self) -> float:
        """Return the age of the oldest beat that was written and is not here; NaN when nobody can tell."""
        monotonic = self._monotonic()
        now, age = self._clock.at(monotonic), self._clock.age_seconds(monotonic)
        if now is None or age is None or (age > _KNOWN_SECONDS and not self._tracker.waits):
            return math.nan
        return self._tracker.pending_seconds(now)

    def clock_error_seconds(self) -> float:
        """Return the bound of the error of every age; NaN before the writer answered."""
        error = self._clock.error_seconds(self._monotonic())
        return math.nan if error is None else error

    def _received(self, number: int) -> None:
        now = self._clock.at(self._monotonic())
        # without a clock the beat only counts as here
        for age in self._tracker.arrived(number, 0.0 if now is None else now):
            metrics.CANARY_AGE.observe(age)

    async def _ask_forever(self) -> None:
        while True:
            try:
                await self.ask()
                self._failing = False
            except WriterUnknownError as error:
                if not self._failing:
                    _log.warning("the command service does not tell about the lag canary", error=str(error))
                self._failing = True
            await asyncio.sleep(_ASK_SECONDS)


def _unknown() -> float:
    return math.nan
