"""``GET /v1/sse/sessions/{id}/seat-status`` as a bare ASGI handler (contract 4.4)."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from ticketly_common.problems import Problem
from ticketly_event_query.ids import same_id
from ticketly_event_query.seats.live import LiveSession, LiveSessions
from ticketly_event_query.settings import Streams
from ticketly_event_query.streams import frames
from ticketly_event_query.streams.connections import connection
from ticketly_event_query.streams.hub import Hub

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"connection", b"close"),
]
_PIECE = 65_536
_OPENING_SECONDS = 30.0


class StreamEndpoint:
    """Opens streams: what the client needs to know first, then over to the hub."""

    def __init__(self, live: LiveSessions, hub: Hub, settings: Streams) -> None:
        self._live = live
        self._hub = hub
        self._settings = settings

    async def serve(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream until it ends; raises Problem 404 or 503 before it begins."""
        if not self._hub.admit():
            raise Problem(503, "overloaded", "Too many open streams.", headers={"Retry-After": "5"})
        try:
            session = await self._live.get(same_id(session_id))
            session.watchers += 1
            try:
                await self._stream(session, scope, receive, send)
            finally:
                session.watchers -= 1
        finally:
            self._hub.leave()

    async def _stream(self, session: LiveSession, scope: Scope, receive: Receive, send: Send) -> None:
        opening = _Opening(session, scope, reached=self._live.reached_by(session))
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        client = connection(scope, send_buffer_bytes=self._settings.socket_send_bytes)
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                # Sent with back-pressure, so it takes a while; then whatever changed meanwhile, until nothing did.
                while data := opening.take():
                    for at in range(0, len(data), _PIECE):
                        body = data[at : at + _PIECE]
                        await send({"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            client.cut()
            return
        self._hub.join(session, client)  # no await since the last look at the board
        try:
            await client.hold(receive, send)
        finally:
            self._hub.part(session, client)


class _Opening:
    """What is left to tell a new stream before it is up to date."""

    def __init__(self, session: LiveSession, scope: Scope, *, reached: int) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        self._session = session
        self._compatible = query.get("mode") != ["snapshot"]
        self._board = session.board
        self._revision = -1
        self._first: bytes | None = self._beginning(_last_event_id(scope), reached)

    def _beginning(self, last_id: str | None, reached: int) -> bytes:
        self._board, self._revision = self._session.board, self._session.board.revision
        if last_id is not None and last_id.isdecimal():
            changed = self._board.changed_since(int(last_id), reached=reached)
            if changed is not None:
                return frames.changes(self._board, changed) or frames.HEARTBEAT
        return self._snapshot(repair=last_id is not None)

    def _snapshot(self, *, repair: bool) -> bytes:
        self._board, self._revision = self._session.board, self._session.board.revision
        return frames.snapshot(
            self._board, self._session.session_id, compatible=self._compatible, repair=repair and self._compatible
        )

    def take(self) -> bytes:
        """Return the next bytes to send, as of this moment; empty when the client knows everything."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._session.board is not self._board:
            return self._snapshot(repair=True)
        changed = self._board.changed_after_revision(self._revision)
        if changed is None:
            return self._snapshot(repair=True)
        self._revision = self._board.revision
        return frames.changes(self._board, changed)


def _last_event_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            return value.decode("latin-1").strip() or None
    return None
