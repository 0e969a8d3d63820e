"""Writes every change to every open stream of its session: one encoding, one flusher, no work per client but a write.

Pacing: the first change of a quiet session goes out at once, later ones wait for the window; after writing, the
flusher rests as long as it wrote, so overload widens the window by itself and the event loop stays at half load.
A client with too much unsent is cut; it comes back with its last id and gets what it missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ticketly_common.background import background
from ticketly_event_query import metrics
from ticketly_event_query.seats.board import SeatBoard
from ticketly_event_query.seats.live import Listener, LiveSession
from ticketly_event_query.settings import Streams
from ticketly_event_query.streams import frames
from ticketly_event_query.streams.connections import Connection, Frame

_SLICE = 250
_SLOTS = 150


class Streamed(Protocol):
    """What a stream shows: a session in memory, or the canary's stand-in for one."""

    @property
    def session_id(self) -> str:
        """Name under which its streams are kept."""

    @property
    def board(self) -> SeatBoard:
        """The seats as they are now."""


@dataclass(eq=False, slots=True)
class _Channel:
    session: Streamed
    connections: set[Connection] = field(default_factory=set)
    dirty: set[int] = field(default_factory=set)
    reset: bool = False
    flushed_at: float = float("-inf")
    last_frame_bytes: int = 0


class Hub(Listener):
    """All open streams of the process."""

    def __init__(self, settings: Streams) -> None:
        self._settings = settings
        self._channels: dict[str, _Channel] = {}
        self._dirty: dict[_Channel, None] = {}
        self._wake = asyncio.Event()
        self._slots: list[dict[Connection, _Channel]] = [{} for _ in range(_SLOTS)]
        self._slot = 0
        self._closing = False
        self._open = 0

    # -- streams come and go -------------------------------------------------------------------------------------

    def admit(self) -> bool:
        """Take one of the places; False when the process is full or stopping. ``leave`` gives it back."""
        if self._closing or self._open >= self._settings.max_connections:
            metrics.STREAMS_REFUSED.inc()
            return False
        self._open += 1
        metrics.STREAMS.set(self._open)
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._open -= 1
        metrics.STREAMS.set(self._open)

    def join(self, session: Streamed, connection: Connection) -> None:
        """Write all further changes of a session to a connection that knows the board as it is now."""
        channel = self._channels.get(session.session_id)
        if channel is None:
            channel = self._channels[session.session_id] = _Channel(session)
        channel.connections.add(connection)
        connection.slot = (self._slot - 1) % _SLOTS
        self._slots[connection.slot][connection] = channel
        if self._closing:
            self._end(channel, connection)

    def part(self, session: Streamed, connection: Connection) -> None:
        """Stop writing to a connection; harmless when it was removed already."""
        channel = self._channels.get(session.session_id)
        if channel is not None:
            self._remove(channel, connection)

    def _remove(self, channel: _Channel, connection: Connection) -> None:
        channel.connections.discard(connection)
        self._slots[connection.slot].pop(connection, None)
        if not channel.connections:
            self._dirty.pop(channel, None)
            if self._channels.get(channel.session.session_id) is channel:
                del self._channels[channel.session.session_id]

    def _end(self, channel: _Channel, connection: Connection) -> None:
        connection.finish(Frame(frames.goodbye(self._settings.retry_ms)))
        self._remove(channel, connection)

    # -- changes -------------------------------------------------------------------------------------------------

    def changed(self, session: Streamed, numbers: Collection[int]) -> None:
        """Note changed seats; they are written soon."""
        channel = self._channels.get(session.session_id)
        if channel is not None:
            channel.dirty.update(numbers)
            self._dirty.setdefault(channel)
            self._wake.set()

    def replaced(self, session: LiveSession, numbers: Collection[int]) -> None:
        """The layout is another: a snapshot first, then what differs from before."""
        channel = self._channels.get(session.session_id)
        if channel is not None:
            channel.reset = True
            channel.dirty = set(numbers)  # indexes of the old layout mean nothing any more
            self._dirty.setdefault(channel)
            self._wake.set()

    def dropped(self, session: LiveSession) -> None:
        """The session is gone: close its streams; whoever comes back is told 404."""
        channel = self._channels.get(session.session_id)
        if channel is not None:
            for connection in list(channel.connections):
                self._end(channel, connection)

    async def close(self) -> None:
        """Tell every client when to come back and close its stream; refuse new ones."""
        self._closing = True
        for channel in list(self._channels.values()):
            for connections in _slices(list(channel.connections)):
                for connection in connections:
                    self._end(channel, connection)
                await asyncio.sleep(0)

    # -- background ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Hub]:
        """Flush and beat for the length of the block."""
        async with (
            background(self._flush_forever(), name="hub-flush"),
            background(self._beat_forever(), name="hub-beat"),
        ):
            try:
                yield self
            finally:
                await self.close()

    async def _flush_forever(self) -> None:
        loop = asyncio.get_running_loop()
        window = self._settings.window_ms / 1000
        while True:
            if not self._dirty:
                self._wake.clear()
                await self._wake.wait()
            now = loop.time()
            due, channel = min(
                ((max(channel.flushed_at + window, 0.0), channel) for channel in self._dirty), key=lambda pair: pair[0]
            )
            if due > now:
                await asyncio.sleep(due - now)
                continue
            del self._dirty[channel]
            await self._flush(channel)
            spent = loop.time() - now
            channel.flushed_at = now
            metrics.BROADCAST_SECONDS.observe(spent)
            await asyncio.sleep(spent)

    async def _flush(self, channel: _Channel) -> None:
        board, numbers, reset = channel.session.board, channel.dirty, channel.reset
        channel.dirty, channel.reset = set(), False
        opening = frames.snapshot(board, channel.session.session_id, compatible=False, repair=False) if reset else b""
        data = opening + frames.changes(board, numbers)
        if not data:
            return
        frame = Frame(data)
        limit = self._settings.buffer_bytes + channel.last_frame_bytes
        channel.last_frame_bytes = len(data)
        metrics.BROADCASTS.inc()
        for connections in _slices(list(channel.connections)):
            for connection in connections:
                self._write(channel, connection, frame, limit)
            await asyncio.sleep(0)

    def _write(self, channel: _Channel, connection: Connection, frame: Frame, limit: int) -> None:
        if connection.unsent_bytes() > limit:
            metrics.STREAMS_CUT.inc()
            connection.cut()
            self._remove(channel, connection)
        else:
            connection.write(frame)
            metrics.BROADCAST_WRITES.inc()

    async def _beat_forever(self) -> None:
        beat = Frame(frames.HEARTBEAT)
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds / _SLOTS)
            self._slot = (self._slot + 1) % _SLOTS
            for connection, channel in list(self._slots[self._slot].items()):
                self._write(channel, connection, beat, self._settings.buffer_bytes + channel.last_frame_bytes)


def _slices(connections: list[Connection]) -> Iterable[list[Connection]]:
    return (connections[at : at + _SLICE] for at in range(0, len(connections), _SLICE))
