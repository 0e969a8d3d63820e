"""``GET /v1/sessions/{id}/seating-map`` as a bare ASGI handler (contract 4.3): cached bytes, ETag, 304, delta."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Scope, Send

from ticketly_common.problems import malformed
from ticketly_event_query.ids import same_id
from ticketly_event_query.seats import rendering
from ticketly_event_query.seats.live import LiveSession, LiveSessions

_Headers = list[tuple[bytes, bytes]]


class MapEndpoint:
    """Serves seat maps from memory."""

    def __init__(self, live: LiveSessions) -> None:
        self._live = live

    async def serve(self, session_id: str, scope: Scope, send: Send) -> None:
        """Answer one request; raises Problem 400, 404 or 503."""
        session = self._live.loaded(session_id) or await self._live.get(same_id(session_id))
        given = {name: value for name, value in scope["headers"] if name in {b"accept-encoding", b"if-none-match"}}
        gzip = accepts_gzip(given.get(b"accept-encoding", b""))
        rendered = self._live.rendered(session)
        etag = b'"%b%b"' % (rendered.etag.encode(), b"-gz" if gzip else b"")
        headers: _Headers = [
            (b"etag", etag),
            (b"cache-control", b"public, max-age=0"),
            (b"vary", b"Accept-Encoding"),
        ]
        query = scope.get("query_string", b"")
        since = _since(query) if query else None
        # A delta has no tag of its own: its tag would have to name both ends.
        if since is None and matches(given.get(b"if-none-match"), etag):
            await _answer(send, 304, headers, b"")
            return
        headers.append((b"content-type", b"application/json"))
        if since is not None:
            body = self._since(session, since)
            headers = headers[1:]
            if gzip:
                body = rendering.gzipped(body)
        else:
            body = session.seat_map.compressed(rendered) if gzip else rendered.body
        if gzip:
            headers.append((b"content-encoding", b"gzip"))
        await _answer(send, 200, headers, b"" if scope["method"] == "HEAD" else body, length=len(body))

    def _since(self, session: LiveSession, since: int) -> bytes:
        changed = session.board.changed_since(since, reached=self._live.reached_by(session))
        if changed is None:
            return rendering.full_answer(self._live.rendered(session))
        return rendering.delta(session.board, session.session_id, since, changed)


async def _answer(send: Send, status: int, headers: _Headers, body: bytes, *, length: int | None = None) -> None:
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _since(query: bytes) -> int | None:
    values = parse_qs(query.decode("latin-1")).get("since")
    if not values:
        return None
    if not values[-1].isdecimal():
        raise malformed("since: must be a whole number")
    return int(values[-1])


def accepts_gzip(header: bytes) -> bool:
    """Tell whether an ``Accept-Encoding`` header allows gzip (``q=0`` forbids)."""
    for part in header.lower().split(b","):
        name, _, parameters = part.strip().partition(b";")
        if name.strip() in {b"gzip", b"*"}:
            quality = parameters.strip().removeprefix(b"q=").strip() or b"1"
            return quality.strip(b"0.") != b""
    return False


def matches(header: bytes | None, etag: bytes) -> bool:
    """Tell whether an ``If-None-Match`` header names this tag."""
    if header is None:
        return False
    return any(part.strip().removeprefix(b"W/") in {etag, b"*"} for part in header.split(b","))
