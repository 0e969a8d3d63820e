"""The canary's row: one, numbered, at one pace whoever writes it; its echo tells number, time and the clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from ticketly_common.auth import Access, declared_access
from ticketly_common.background import background
from ticketly_common.problems import Problem, unavailable
from ticketly_common.settings import Identity, Listen
from ticketly_event_command.app import create_app
from ticketly_event_command.canary import beats
from ticketly_event_command.canary.routes import router
from ticketly_event_command.settings import Canary, Peers, Settings, Uploads

ECHO = "/api/event-seating/internal/v1/lag-canary"


async def rows(world):
    return [tuple(row) for row in await world.sql("SELECT id, beat, ts FROM lag_canary")]


async def make_old(world, seconds=5.0):
    await world.sql("UPDATE lag_canary SET ts = clock_timestamp() - make_interval(secs => $1)", seconds)


async def test_a_beat_numbers_the_one_row_and_carries_the_database_s_time(world):
    await make_old(world)
    [(_, before, _)] = await rows(world)
    assert await beats.beat(world.parts.database)
    [(key, number, written)] = await rows(world)
    assert (key, number) == (1, before + 1)
    [row] = await world.sql("SELECT clock_timestamp() AS now")
    assert timedelta() <= row["now"] - written < timedelta(seconds=30)


async def test_many_processes_together_write_one_beat_an_interval(world):
    await make_old(world)
    [(_, before, _)] = await rows(world)
    written = await asyncio.gather(*(beats.beat(world.parts.database) for _ in range(8)))
    assert written.count(True) == 1
    [(_, number, _)] = await rows(world)
    assert number == before + 1


async def test_a_row_that_is_gone_or_ahead_of_the_clock_stops_no_beat(world):
    await world.sql("DELETE FROM lag_canary")
    assert (await world.internal.get(ECHO)).status_code == 503
    assert await beats.beat(world.parts.database)
    assert [(key, number) for key, number, _ in await rows(world)] == [(1, 1)]
    await make_old(world, -3600)
    assert await beats.beat(world.parts.database)
    assert [(key, number) for key, number, _ in await rows(world)] == [(1, 2)]


async def test_the_echo_tells_what_was_written_last_and_what_the_same_clock_shows(world):
    await make_old(world)
    await beats.beat(world.parts.database)
    answer = await world.internal.get(ECHO)
    assert answer.status_code == 200
    told = answer.json()
    [(_, number, written)] = await rows(world)
    assert told["beat"] == number
    assert told["writtenAtMicros"] == round(written.timestamp() * 1_000_000)
    assert 0 <= told["nowMicros"] - told["writtenAtMicros"] < 30_000_000
    assert (await world.client.get(ECHO)).status_code == 404, "only the internal listener tells"
    assert [declared_access(route) for route in router.routes] == [Access.PUBLIC]


async def test_the_loop_goes_on_after_an_outage_and_tells_it_once(world):
    tries = 0

    class Away:
        def transaction(self):
            nonlocal tries
            tries += 1
            if tries <= 5:
                raise unavailable("The database cannot be reached at the moment.")
            return world.parts.database.transaction()

    [(_, before, _)] = await rows(world)
    beating = beats.keep_beating(Away(), interval_seconds=0.02)
    with capture_logs() as said:
        async with background(beating, name="canary"), asyncio.timeout(30):
            while (await rows(world))[0][1] < before + 3:
                await asyncio.sleep(0.01)
    assert [entry["event"] for entry in said] == ["the lag canary is not written"]
    assert len(await rows(world)) == 1


async def test_one_beat_tells_the_caller_of_an_outage():
    class Away:
        def transaction(self):
            raise unavailable("The database cannot be reached at the moment.")

    with pytest.raises(Problem):
        await beats.beat(Away())


@pytest.mark.parametrize("enabled", [True, False])
async def test_the_service_beats_only_when_it_is_told_to(world, issuer, tmp_path, enabled):
    await make_old(world)
    [(_, before, _)] = await rows(world)
    identity = issuer.identity().model_dump() | {"client_id": "events-service", "client_secret": SecretStr("x")}
    settings = Settings(
        listen=Listen(public_port=0, internal_port=0),
        identity=Identity(**identity | {"jwks_url": "http://127.0.0.1:9/keys"}),
        postgres=world.settings,
        uploads=Uploads(directory=tmp_path),
        peers=Peers(order_internal_url="http://127.0.0.1:9"),
        canary=Canary(enabled=enabled),
    )
    async with create_app(settings).lifespan():
        if enabled:
            async with asyncio.timeout(30):
                while (await rows(world))[0][1] < before + 2:
                    await asyncio.sleep(0.02)
        else:
            await asyncio.sleep(0.3)
    assert (await rows(world))[0][1] > before or not enabled
    if not enabled:
        assert (await rows(world))[0][1] == before


def test_the_canary_is_off_unless_told_otherwise():
    assert Canary() == Canary(enabled=False)
