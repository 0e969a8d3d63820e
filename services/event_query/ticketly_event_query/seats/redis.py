"""Redis in: hints about seat changes, milliseconds before the log. Without Redis everything is slower, not wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ticketly_common.background import background
from ticketly_common.kafka import backoff_seconds
from ticketly_event_query import metrics
from ticketly_event_query.seats.live import LiveSessions
from ticketly_event_query.seats.messages import MalformedMessage, decode

CHANNEL = "ticketly.seats"
_log = structlog.get_logger(__name__)


class Hints:
    """Listens on the channel for as long as it runs; reconnects by itself."""

    def __init__(self, client: Redis | None, live: LiveSessions) -> None:
        self._client = client
        self._live = live

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Hints]:
        """Listen in the background for the length of the block."""
        async with background(self._run(), name="hints"):
            yield self

    async def _run(self) -> None:
        attempt = 0
        while self._client is not None:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(CHANNEL)
                    while True:
                        message = await subscription.get_message(timeout=5.0)
                        attempt = 0
                        if message is not None:
                            self._take(message["data"])
            except (RedisError, OSError) as error:
                attempt += 1
                _log.warning("no seat hints, the log goes on", attempt=attempt, error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))

    def _take(self, data: bytes) -> None:
        try:
            message = decode(data)
        except MalformedMessage as error:
            metrics.HINTS.labels("malformed").inc()
            _log.warning("unreadable seat hint", error=str(error))
            return
        metrics.HINTS.labels("taken").inc()
        self._live.hint(message)
