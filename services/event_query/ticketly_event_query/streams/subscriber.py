"""A subscriber inside the process: it is written to like every client, and reads the ids of the events it gets."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.types import Receive, Send

from ticketly_event_query.streams.connections import Frame

_EVENT_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Subscriber:
    """Implements ``streams.connections.Connection``: a client that takes everything at once."""

    def __init__(self, received: Callable[[int], None]) -> None:
        self.slot = 0
        self._received = received

    def write(self, frame: Frame) -> None:
        """Read the event id, which is the beat; heartbeats and farewells have none."""
        for found in _EVENT_ID.findall(frame.data):
            self._received(int(found))

    def unsent_bytes(self) -> int:
        """Nothing is ever left over."""
        return 0

    def cut(self) -> None:
        """It is never slow, so it is never cut."""

    def finish(self, frame: Frame) -> None:
        """Nobody comes back."""

    async def hold(self, receive: Receive, send: Send) -> None:
        """There is no request to hold open."""
