"""The shared shield on a real server, and with one that is flushed, hangs, or is not there."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from ticketly_common.redis import client as common_client
from ticketly_common.settings import Redis as RedisSettings
from ticketly_order.claims.domain import Claim, Lost, SeatFact, Won
from ticketly_order.claims.handlers import place
from ticketly_order.claims.redis import CHANNEL, RedisShield
from ticketly_order.claims.shield import Shield, Sighting, Transition


@pytest.fixture
async def raw(valkey_server):
    connection = Redis.from_url(valkey_server.url())
    await connection.flushall()
    yield connection
    await connection.aclose()


@pytest.fixture
async def shared(valkey_server, raw):
    async with RedisShield(common_client(RedisSettings(url=valkey_server.url()))).running() as running:
        yield running


async def until(check):
    async with asyncio.timeout(10):
        while not (found := await check()):
            await asyncio.sleep(0.005)
    return found


def soon_ms(seconds=1.0):
    return int((time.time() + seconds) * 1000)


def transition(seats, fence, *, taken=True, held_seconds=300.0, message=None):
    held_until = datetime.now(UTC) + timedelta(seconds=held_seconds) if taken and held_seconds else None
    return Transition(tuple(seats), fence, taken, f"order-{fence}", held_until, message)


async def test_a_hold_writes_the_lock_key_of_the_contract_and_can_be_seen_by_others(shared, raw):
    shared.tell(transition(["s"], 5), soon_ms())
    assert await until(lambda: raw.get("seat_lock:s")) == b"order-5"
    assert 290_000 < await raw.pttl("seat_lock:s") <= 300_000
    found = await shared.lookup(["s", "t"])
    assert list(found) == ["s"]
    assert found["s"].fact.fence == 5


async def test_a_paused_writer_cannot_resurrect_what_was_released_since(shared, raw):
    shared.tell(transition(["s"], 5), soon_ms())
    shared.tell(transition(["s"], 6, taken=False), 0)
    shared.tell(transition(["s"], 5), soon_ms())  # wakes up late
    shared.confirm([Sighting(SeatFact("s", 5, datetime.now(UTC) + timedelta(minutes=5)), soon_ms())])
    shared.tell(transition(["mark"], 1), soon_ms())
    await until(lambda: raw.get("seat_lock:mark"))
    assert await raw.get("seat_lock:s") is None
    assert await shared.lookup(["s"]) == {}


async def test_a_sale_deletes_the_lock_key_and_stays_known(shared, raw):
    shared.tell(transition(["s"], 5), soon_ms())
    shared.tell(transition(["s"], 6, held_seconds=0), soon_ms())
    await until(lambda: raw.get("shield:s"))
    assert await raw.get("seat_lock:s") is None
    assert (await shared.lookup(["s"]))["s"].fact.held_until is None


async def test_a_sighting_says_nothing_after_its_second(shared, raw):
    shared.tell(transition(["s"], 5), soon_ms(-0.001))
    await until(lambda: raw.get("shield:s"))
    assert await shared.lookup(["s"]) == {}


async def test_another_process_refuses_early_what_this_one_sold(shared, raw, valkey_server):
    shared.tell(transition(["s"], 5), soon_ms())
    await until(lambda: raw.get("shield:s"))
    async with RedisShield(common_client(RedisSettings(url=valkey_server.url()))).running() as elsewhere:
        claim = Claim(user_id="u", session_id="x", event_id="x", organization_id="x", seat_ids=("s",),
                      open_order_limit=0)  # fmt: skip
        assert isinstance(await Shield(elsewhere).early_refusal(claim), Lost)


async def test_hints_are_published_as_they_are_in_the_log(shared, raw):
    async with raw.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        await listener.get_message(timeout=5)
        shared.tell(transition(["s"], 5, message='{"seat_ids" : ["s"]}'), soon_ms())
        message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
    assert json.loads(message["data"]) == {"seat_ids": ["s"]}


async def test_lookups_of_one_turn_share_one_question(shared, raw):
    before = (await raw.info("commandstats"))["cmdstat_mget"]["calls"] if await raw.mget(["x"]) else 0
    await asyncio.gather(*(shared.lookup([f"seat-{n}"]) for n in range(200)))
    assert (await raw.info("commandstats"))["cmdstat_mget"]["calls"] - before <= 2


class Stalling:
    """A TCP proxy that says nothing while ``stalled``."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.stalled = True

    async def __aenter__(self):
        self._tasks = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        if self.stalled:
            await reader.read()
        else:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target_port)
            await asyncio.gather(self._pipe(reader, downstream), self._pipe(upstream, writer))
        writer.close()

    @staticmethod
    async def _pipe(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


async def test_a_server_that_hangs_is_left_alone_and_asked_again_when_it_is_back(valkey_server, raw):
    async with Stalling(valkey_server.port) as proxy:
        client = common_client(RedisSettings(url=f"redis://127.0.0.1:{proxy.port}/0"))
        async with RedisShield(client).running() as shield:
            answers = await asyncio.gather(*(shield.lookup(["s"]) for _ in range(50)))
            assert answers == [{}] * 50
            assert not shield.available
            assert await shield.lookup(["s"]) == {}
            proxy.stalled = False

            async def back():
                return shield.available

            await until(back)
            shield.tell(transition(["s"], 1), soon_ms())
            assert await until(lambda: raw.get("seat_lock:s"))


async def test_nothing_listening_means_no_shield_and_no_error():
    async with RedisShield(common_client(RedisSettings(url="redis://127.0.0.1:1/0"))).running() as shield:
        shield.tell(transition(["s"], 1), soon_ms())
        assert await shield.lookup(["s"]) == {}
        assert not shield.available


@pytest.mark.parametrize("trouble", ["flushed", "absent"])
async def test_one_winner_per_seat_while_redis_is_in_trouble(valkey_server, raw, open_hall, open_desk, sweep, trouble):
    hall = await open_hall(6)
    url = valkey_server.url() if trouble == "flushed" else "redis://127.0.0.1:1/0"
    stop = asyncio.Event()

    async def flush():
        while not stop.is_set():
            await raw.flushall()
            await asyncio.sleep(0.02)

    flusher = asyncio.create_task(flush())
    async with (
        RedisShield(common_client(RedisSettings(url=url))).running() as one,
        RedisShield(common_client(RedisSettings(url=url))).running() as two,
    ):
        desks = [await open_desk(shield=Shield(shared)) for shared in (one, two)]
        outcomes = await asyncio.gather(
            *(
                place(
                    hall.claim(f"buyer-{number}", [seat]),
                    claims=desks[number % 2].committer,
                    shield=desks[number % 2].shield,
                )
                for seat in range(6)
                for number in range(50)
            )
        )
    stop.set()
    await flusher
    won = [outcome.seat_ids[0] for outcome in outcomes if isinstance(outcome, Won)]
    assert sorted(won) == sorted(hall.seats)
    assert sum(isinstance(outcome, Lost) for outcome in outcomes) == 6 * 49
    assert await sweep() == []
