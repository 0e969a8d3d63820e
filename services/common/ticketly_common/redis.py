"""The Redis client of every service: short timeouts, because Redis only ever makes things faster."""

from __future__ import annotations

from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ticketly_common.settings import Redis

CONNECT_SECONDS = 0.25
ANSWER_SECONDS = 0.25


def client(settings: Redis) -> Client | None:
    """Return a client that connects on first use, or None when the platform has no Redis.

    A call fails with redis.RedisError or OSError within half a second; nothing is retried behind the caller's back.
    """
    if settings.url is None:
        return None
    return Client.from_url(
        settings.url.get_secret_value(),
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        decode_responses=False,
    )
