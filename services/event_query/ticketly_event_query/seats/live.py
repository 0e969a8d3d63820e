"""Sessions whose seats are in memory, and how they are kept equal to the log.

Loading a session without a gap: from the first step on, live records of it are buffered; then wait until the store
has stored all that this process has already read past; read the store; apply the buffer. From there on every record
of the broadcast and every hint is applied as it comes; versions make the order irrelevant.

Everything here runs in one event loop. Between two awaits nothing else happens, so "take the snapshot and subscribe"
is one step.

Over 300 lines because loading, applying and renewing share one dictionary of sessions and only make sense together.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog

from ticketly_common import clock
from ticketly_common.background import background
from ticketly_common.kafka import Position
from ticketly_common.problems import not_found, unavailable
from ticketly_event_query import metrics
from ticketly_event_query.projection.ports import Positions
from ticketly_event_query.seats.board import SeatBoard
from ticketly_event_query.seats.messages import SeatMessage
from ticketly_event_query.seats.ports import SeatStates, SessionStatics, Statics, StoredSession
from ticketly_event_query.seats.rendering import RenderedMap, SeatMap
from ticketly_event_query.settings import Seats

_log = structlog.get_logger(__name__)

STATES = "seat-states"
"""Name under which the projector of seat states keeps its positions."""
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class LiveSession:
    """One session in memory. ``watchers`` counts open streams; ``partition`` is known after the first record."""

    statics: SessionStatics
    board: SeatBoard
    seat_map: SeatMap
    partition: int | None
    last_used: float
    rendered_at: float = float("-inf")
    watchers: int = 0

    @property
    def session_id(self) -> str:
        """Return the session's id."""
        return self.statics.session_id


@dataclass(frozen=True, slots=True)
class _Buffered:
    message: SeatMessage
    partition: int | None
    position: int | None


@dataclass(slots=True)
class _Loading:
    task: asyncio.Task[LiveSession]
    buffers: list[_Buffered] = field(default_factory=list)


class Listener:
    """What happens to open streams; the default does nothing."""

    def changed(self, session: LiveSession, numbers: Collection[int]) -> None:
        """Seats changed state."""

    def replaced(self, session: LiveSession, numbers: Collection[int]) -> None:
        """The layout was replaced; ``numbers`` are seats whose state differs from before."""

    def dropped(self, session: LiveSession) -> None:
        """The session is not visible any more."""


class LiveSessions:
    """Loads sessions on demand, applies records and hints, renders maps, drops what nobody needs."""

    def __init__(self, settings: Seats, *, statics: Statics, states: SeatStates, positions: Positions) -> None:
        self.listener = Listener()
        self.also: list[Callable[[], Awaitable[None]]] = []
        """What else is looked at in every round that compares layouts."""
        self.reached: dict[Position, int] = {}
        """How far this process has read each partition of the seat log."""
        self.reading = asyncio.Event()
        self._settings = settings
        self._statics = statics
        self._states = states
        self._positions = positions
        self._sessions: dict[str, LiveSession] = {}
        self._loading: dict[str, _Loading] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    def loaded(self, session_id: str) -> LiveSession | None:
        """Return a session that is in memory already."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.last_used = _now()
        return session

    async def get(self, session_id: str) -> LiveSession:
        """Return a session, loading it first if need be.

        Raises Problem 404 for an unknown or invisible session, 503 when its layout or the store is not ready yet.
        """
        session = self.loaded(session_id)
        if session is not None:
            return session
        loading = self._loading.get(session_id)
        if loading is None:
            loading = _Loading(asyncio.create_task(self._load(session_id)))
            self._loading[session_id] = loading
            loading.task.add_done_callback(lambda done: self._loaded(session_id, done))
        return await asyncio.shield(loading.task)

    def reached_by(self, session: LiveSession) -> int:
        """Return how far the session's partition was read; 0 while its partition is unknown."""
        if session.partition is None:
            return session.board.position
        return max((at for (_, number), at in self.reached.items() if number == session.partition), default=0)

    def rendered(self, session: LiveSession) -> RenderedMap:
        """Return the session's map, at most ``map_refresh_ms`` old."""
        now = _now()
        cached = session.seat_map.cached
        if cached is not None and now - session.rendered_at < self._settings.map_refresh_ms / 1000:
            return cached
        rendered = session.seat_map.render(session.board)
        if rendered is not cached:
            session.rendered_at = now
            metrics.MAP_RENDERS.inc()
        return rendered

    # -- loading -------------------------------------------------------------------------------------------------

    async def _load(self, session_id: str) -> LiveSession:
        try:
            async with asyncio.timeout(self._settings.load_timeout_ms / 1000):
                await self.reading.wait()
                statics = await self._await_statics(session_id)
                stored, reached = await self._read_store(session_id)
        except TimeoutError:
            raise unavailable("The seats of this session are being prepared.") from None
        session = self._assemble(statics, stored, reached)
        for item in self._loading[session_id].buffers:
            self._apply(session, item)
        self._sessions[session_id] = session
        self._measure()
        return session

    async def _await_statics(self, session_id: str) -> SessionStatics:
        while True:
            statics = await self._statics.load(session_id)
            if statics is not None:
                return statics
            if not await self._statics.visible(session_id):
                raise not_found("session")
            await asyncio.sleep(_POLL_SECONDS)

    async def _read_store(self, session_id: str) -> tuple[StoredSession, dict[Position, int]]:
        """Wait for the store to have what was read past before buffering began, then read it."""
        reached = dict(self.reached)
        while True:
            stored = await self._positions.load(STATES, reached)
            if all(stored.get(partition, 0) >= position for partition, position in reached.items()):
                return await self._states.read(session_id), reached
            await asyncio.sleep(_POLL_SECONDS)

    def _assemble(self, statics: SessionStatics, stored: StoredSession, reached: dict[Position, int]) -> LiveSession:
        layout = statics.layout
        blocked = (number for number, flags in enumerate(layout.seats.flags) if flags & 1)
        board = SeatBoard(layout.seats.ids, blocked, ring_changes=self._settings.ring_changes)
        # The store may be further than the buffer's begin, and mid-record: those records come again from the buffer,
        # so the board's place is the begin of the buffer.
        limit = [at for (_, number), at in reached.items() if number == stored.partition]
        board.restore(stored.seats, min([stored.position, *limit]))
        seat_map = SeatMap(layout, statics.tiers, statics.currency)
        return LiveSession(statics, board, seat_map, stored.partition, last_used=_now())

    def _loaded(self, session_id: str, task: asyncio.Task[LiveSession]) -> None:
        self._loading.pop(session_id, None)
        if not task.cancelled():
            task.exception()  # seen by whoever awaits; unseen when everybody has gone

    # -- records and hints ---------------------------------------------------------------------------------------

    def wants(self, session_id: str) -> bool:
        """Tell whether messages of a session matter to this process."""
        return session_id in self._sessions or session_id in self._loading

    def record(self, message: SeatMessage, *, partition: int, position: int) -> None:
        """Apply a record of the log."""
        self._take(_Buffered(message, partition, position), "log")

    def hint(self, message: SeatMessage) -> None:
        """Apply a hint; it carries no place in the log."""
        self._take(_Buffered(message, None, None), "hint")

    def _take(self, item: _Buffered, way: str) -> None:
        session_id = item.message.session_id
        loading = self._loading.get(session_id)
        if loading is not None:
            loading.buffers.append(item)
        session = self._sessions.get(session_id)
        if session is None:
            return
        changed = self._apply(session, item)
        age = item.message.age_seconds(clock.now()) if changed else None
        if age is not None:
            metrics.CHANGE_AGE.labels(way).observe(age)
        if changed:
            self.listener.changed(session, changed)

    def _apply(self, session: LiveSession, item: _Buffered) -> list[int]:
        if item.partition is not None:
            session.partition = item.partition
        message = item.message
        changed = session.board.apply(message.seat_ids, message.code, message.version, item.position)
        session.seat_map.touch(changed)
        return changed

    # -- keeping current -----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[LiveSessions]:
        """Follow layouts and drop idle sessions for the length of the block."""
        async with background(self._follow(), name="live-sessions"):
            try:
                yield self
            finally:
                for loading in self._loading.values():
                    loading.task.cancel()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._settings.layout_poll_ms / 1000)
            try:
                await self.refresh()
                for look in self.also:
                    await look()
            except Exception as error:  # noqa: BLE001 - the store is away: maps stay as they are until it is back
                _log.warning("layouts not compared", error=repr(error))

    async def refresh(self) -> None:
        """Compare every loaded session with its documents once; drop what is idle."""
        self._drop_idle()
        known = {session_id: session.statics.event_id for session_id, session in self._sessions.items()}
        if not known:
            return
        stamps = await self._statics.stamps(known)
        for session_id in known:
            session = self._sessions.get(session_id)
            if session is None or stamps.get(session_id) == session.statics.stamp:
                continue
            await self._renew(session)

    async def _renew(self, session: LiveSession) -> None:
        session_id = session.session_id
        statics = await self._statics.load(session_id)
        if statics is None:
            if not await self._statics.visible(session_id):
                self._drop(session)
            return  # otherwise a layout edit is on its way: the old one stays until the new one is complete
        if statics.stamp.layout == session.statics.stamp.layout:
            session.statics = statics
            changed_prices = (statics.tiers, statics.currency) != (session.seat_map.tiers, session.seat_map.currency)
            if changed_prices:
                session.seat_map = SeatMap(statics.layout, statics.tiers, statics.currency)
            return
        before = session.board
        del self._sessions[session_id]
        try:
            renewed = await self.get(session_id)
        except Exception:
            self._sessions.setdefault(session_id, session)
            raise
        board = renewed.board
        differing = [
            number
            for number, seat in enumerate(board.ids)
            if seat not in before.index or before.states[before.index[seat]] != board.states[number]
        ]
        # Streams hold on to the old object: it becomes the new one.
        session.statics, session.board, session.seat_map = renewed.statics, renewed.board, renewed.seat_map
        session.partition = renewed.partition
        self._sessions[session_id] = session
        self.listener.replaced(session, differing)

    def _drop_idle(self) -> None:
        now = _now()
        unwatched = sorted(
            (session for session in self._sessions.values() if not session.watchers),
            key=lambda session: session.last_used,
        )
        seats = sum(len(session.board.ids) for session in self._sessions.values())
        for session in unwatched:
            idle = now - session.last_used > self._settings.idle_seconds
            if idle or seats > self._settings.max_loaded_seats:
                seats -= len(session.board.ids)
                self._drop(session)

    def _drop(self, session: LiveSession) -> None:
        if self._sessions.get(session.session_id) is session:
            del self._sessions[session.session_id]
        self.listener.dropped(session)
        self._measure()

    def _measure(self) -> None:
        metrics.SESSIONS_LOADED.set(len(self._sessions))
        metrics.SEATS_LOADED.set(sum(len(session.board.ids) for session in self._sessions.values()))


def _now() -> float:
    return asyncio.get_running_loop().time()
