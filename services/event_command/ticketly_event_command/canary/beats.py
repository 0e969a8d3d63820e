"""Writes the canary row, beside everything else, for as long as the service runs."""

from __future__ import annotations

import asyncio
import random

import structlog
from prometheus_client import Counter

from ticketly_event_command.ports import Database

BEATS = Counter("ticketly_lag_canary_beats", "Canary rows written by this process")
INTERVAL_SECONDS = 1.0
_JITTER = (0.9, 1.1)
"""Readers look for changes at a steady pace: beats at a steady pace would meet it at one and the same phase."""
_SHARE = 0.8
"""A beat this part of an interval ago is recent enough: processes that wake a little early do not skip a turn."""

_log = structlog.get_logger(__name__)


async def beat(database: Database, *, interval_seconds: float = INTERVAL_SECONDS) -> bool:
    """Write the row unless another process just did; raises Problem 503 when the database cannot be reached."""
    async with database.transaction() as tx:
        written = await tx.run("write_canary", _SHARE * interval_seconds) > 0
    if written:
        BEATS.inc()
    return written


async def keep_beating(database: Database, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Beat until cancelled; an outage of the database is logged once, not every second."""
    failing = False
    while True:
        try:
            await beat(database, interval_seconds=interval_seconds)
            failing = False
        except Exception as error:  # noqa: BLE001 - the canary must never take the service down
            if not failing:
                _log.warning("the lag canary is not written", error=repr(error))
            failing = True
        await asyncio.sleep(interval_seconds * random.uniform(*_JITTER))  # noqa: S311 - no secret
