"""The shared half of the shield, in Redis, and the hint channel. Nothing here decides anything.

Reading: all seats that handlers ask for while a read is on its way travel in the next MGET. Writing: a background
task sends what has gathered as one script call plus the hints. Redis may be absent, dead, hanging or emptied at any
time: a call that fails or takes too long opens a breaker, during which nothing is asked or written, and a probe in the
background closes it again. Buyers never see an error from here and wait at most LOOKUP_SECONDS once.

``shield:<seat>`` = ``<fence>:<until_ms>:<held_until_ms>`` where until_ms 0 says "released" and held_until_ms 0 "not a
hold". A higher fence wins, so a writer that was paused cannot bring back what has been released since. The key lives
longer than until_ms, only to keep that fence. ``seat_lock:<seat>`` = order id while a hold runs (contract 8).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ticketly_common.background import background
from ticketly_order.claims.domain import SeatFact
from ticketly_order.claims.shield import Sighting, Transition

_log = structlog.get_logger(__name__)

CHANNEL: Final = "ticketly.seats"
LOOKUP_SECONDS: Final = 0.05
_WRITE_SECONDS: Final = 0.5
_PROBE_SECONDS: Final = 1.0
_MARKER_MS: Final = 600_000
_MAX_PENDING: Final = 20_000
_MAX_WRITE: Final = 256  # a script must not keep Redis from everybody else for long

_OPEN = Gauge("ticketly_order_shield_breaker_open", "1 while Redis is left alone after a failure")
_FAILURES = Counter("ticketly_order_shield_failures_total", "Redis calls that failed or were too slow", ["call"])

# KEYS: shield key and lock key of each seat. ARGV per seat: fence, value, life of the value in ms, and what to do with
# the lock key: an order id to set (for the ms that follow), '-' to delete it, '' to leave it alone.
WRITE_SCRIPT: Final = """
for i = 1, #KEYS / 2 do
    local base = (i - 1) * 5
    local known = redis.call('GET', KEYS[2 * i - 1])
    if not known or tonumber(ARGV[base + 1]) >= tonumber(string.match(known, '^%d+')) then
        redis.call('SET', KEYS[2 * i - 1], ARGV[base + 2], 'PX', ARGV[base + 3])
        local owner = ARGV[base + 4]
        if owner == '-' then
            redis.call('DEL', KEYS[2 * i])
        elseif owner ~= '' then
            redis.call('SET', KEYS[2 * i], owner, 'PX', ARGV[base + 5])
        end
    end
end
return 0
"""


class RedisShield:
    """Implements ``SharedShield``. Use ``running()`` around the service's life. ``wall`` is epoch seconds."""

    def __init__(self, client: Redis, *, wall: Callable[[], float] = time.time) -> None:
        self._client = client
        self._wall = wall
        self.available = True
        self._wanted: dict[str, None] = {}
        self._round: asyncio.Future[dict[str, Sighting]] | None = None
        self._reading = False
        self._pending: list[tuple[Transition | Sighting, int]] = []
        self._to_write = asyncio.Event()
        self._reads: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[RedisShield]:
        """Write and probe in the background; closes the client at the end."""
        try:
            async with (
                background(self._write_forever(), name="shield-writes"),
                background(self._probe_forever(), name="shield-probe"),
            ):
                yield self
        finally:
            await asyncio.gather(*self._reads, return_exceptions=True)
            with contextlib.suppress(RedisError, OSError):
                await self._client.aclose()

    async def lookup(self, seat_ids: Sequence[str]) -> dict[str, Sighting]:
        """Return the sightings that still mean something; {} when Redis does not answer quickly."""
        if not self.available:
            return {}
        self._wanted.update(dict.fromkeys(seat_ids))
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        answer = self._round
        if not self._reading:
            self._reading = True
            task = asyncio.create_task(self._read())
            self._reads.add(task)
            task.add_done_callback(self._reads.discard)
        found = await asyncio.shield(answer)
        return {seat: found[seat] for seat in seat_ids if seat in found}

    def tell(self, transition: Transition, until_ms: int) -> None:
        """See ``SharedShield``."""
        self._enqueue(transition, until_ms)

    def confirm(self, sightings: Sequence[Sighting]) -> None:
        """See ``SharedShield``."""
        for sighting in sightings:
            self._enqueue(sighting, sighting.until_ms)

    def _enqueue(self, item: Transition | Sighting, until_ms: int) -> None:
        if self.available and len(self._pending) < _MAX_PENDING:
            self._pending.append((item, until_ms))
            self._to_write.set()

    async def _read(self) -> None:
        """Answer rounds until nobody asks any more; whoever asks during a round is in the next one."""
        await asyncio.sleep(0)  # everybody of this turn of the loop joins
        while self._round is not None:
            answer, self._round = self._round, None
            wanted, self._wanted = list(self._wanted), {}
            found: dict[str, Sighting] = {}
            if self.available:
                try:
                    async with asyncio.timeout(LOOKUP_SECONDS):
                        values = await self._client.mget([f"shield:{seat}" for seat in wanted])
                    found = self._sightings(wanted, values)
                except (RedisError, OSError, TimeoutError) as error:
                    self._trip("lookup", error)
                except Exception:  # noqa: BLE001 - a waiting buyer must get an answer whatever happens here
                    _log.exception("shield lookup failed")
            answer.set_result(found)
        self._reading = False

    def _sightings(self, seats: Sequence[str], values: Sequence[bytes | str | None]) -> dict[str, Sighting]:
        now_ms = self._wall() * 1000
        found: dict[str, Sighting] = {}
        for seat, value in zip(seats, values, strict=True):
            if value is None:
                continue
            text = value.decode() if isinstance(value, bytes) else value
            fence, until_ms, held_ms = map(int, text.split(":"))
            if until_ms > now_ms:
                held_until = datetime.fromtimestamp(held_ms / 1000, UTC) if held_ms else None
                found[seat] = Sighting(SeatFact(seat, fence, held_until), until_ms)
        return found

    def _trip(self, call: str, error: Exception) -> None:
        _FAILURES.labels(call).inc()
        if self.available:
            _log.warning("redis is left alone for now", call=call, error=repr(error))
        self.available = False
        self._pending.clear()
        _OPEN.set(1)

    async def _probe_forever(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            if self.available:
                continue
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_WRITE_SECONDS):
                    await self._client.ping()
                self.available = True
                _OPEN.set(0)
                _log.info("redis is back")

    async def _write_forever(self) -> None:
        while True:
            await self._to_write.wait()
            items, self._pending = self._pending[:_MAX_WRITE], self._pending[_MAX_WRITE:]
            if not items:
                self._to_write.clear()
                continue
            try:
                async with asyncio.timeout(_WRITE_SECONDS):
                    await self._write(items)
            except (RedisError, OSError, TimeoutError) as error:
                self._trip("write", error)
            except Exception:  # noqa: BLE001 - a fault in one write must not end all later ones
                _log.exception("shield write failed")

    async def _write(self, items: Sequence[tuple[Transition | Sighting, int]]) -> None:
        now_ms = int(self._wall() * 1000)
        keys: list[str] = []
        arguments: list[str | int] = []
        pipeline = self._client.pipeline(transaction=False)
        for item, until_ms in items:
            fence, held_until, owner, seats = _parts(item)
            held_ms = 0 if held_until is None else int(held_until.timestamp() * 1000)
            life_ms = max(_MARKER_MS, held_ms - now_ms + _MARKER_MS)
            if held_ms and held_ms <= now_ms:
                continue  # written too late to say anything true
            for seat in seats:
                keys += [f"shield:{seat}", f"seat_lock:{seat}"]
                arguments += [fence, f"{fence}:{until_ms}:{held_ms}", life_ms, owner, max(held_ms - now_ms, 1)]
        if keys:
            pipeline.eval(WRITE_SCRIPT, len(keys), *keys, *arguments)
        for item, _ in items:
            if isinstance(item, Transition) and item.message is not None:
                pipeline.publish(CHANNEL, item.message)
        await pipeline.execute()


def _parts(item: Transition | Sighting) -> tuple[int, datetime | None, str, tuple[str, ...]]:
    """Return fence, deadline, what to do with the lock key, and the seats."""
    if isinstance(item, Sighting):
        return item.fact.fence, item.fact.held_until, "", (item.fact.seat_id,)
    owner = item.order_id if item.taken and item.held_until is not None else "-"
    return item.fence, item.held_until, owner, item.seat_ids
