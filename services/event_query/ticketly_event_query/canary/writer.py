"""The HTTP adapter for the command service's echo."""

from __future__ import annotations

import httpx2
import msgspec

from ticketly_event_query.canary.ports import WriterUnknownError, Written
from ticketly_event_query.canary.tracker import Beat

_PATH = "/api/event-seating/internal/v1/lag-canary"
_MICROS = 1_000_000


class _Answer(msgspec.Struct, rename="camel"):
    beat: int
    written_at_micros: int
    now_micros: int


class HttpWriter:
    """Implements ``ports.Writer``. ``client`` is owned by the composition root."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/") + _PATH

    async def last(self) -> Written:
        """Return the newest beat; raises WriterUnknownError."""
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            found = msgspec.json.decode(answer.content, type=_Answer)
        except (httpx2.HTTPError, msgspec.DecodeError) as error:
            raise WriterUnknownError(str(error) or type(error).__name__) from None
        return Written(Beat(found.beat, found.written_at_micros / _MICROS), found.now_micros / _MICROS)
