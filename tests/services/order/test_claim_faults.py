"""Claims while something is wrong: locks held elsewhere, poison, broken connections, buyers who leave."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import uuid4

import pytest

from ticketly_order.claims.committer import GroupCommitter
from ticketly_order.claims.domain import Claim, ClaimFailed, ClaimsUnavailable, Lost, Replayed, Won
from ticketly_order.claims.postgres import PostgresClaims
from ticketly_order.postgres import Database


class Proxy:
    """A TCP proxy in front of PostgreSQL that counts what it carries and can lose answers."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.syncs = 0
        self.lose_answers = False
        self.port = 0
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader, writer):
        upstream, downstream = await asyncio.open_connection(*self.target)
        for task in (
            asyncio.create_task(self._requests(reader, downstream, writer)),
            asyncio.create_task(self._answers(upstream, writer, downstream)),
        ):
            self._tasks.add(task)

    async def _requests(self, reader, server, client):
        startup = int.from_bytes(await reader.readexactly(4), "big")
        server.write(startup.to_bytes(4, "big") + await reader.readexactly(startup - 4))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
                self.syncs += head[:1] == b"S"
                server.write(head + body)
        server.close()
        client.close()

    async def _answers(self, server, client, upstream):
        with contextlib.suppress(ConnectionError):
            while data := await server.read(65536):
                if self.lose_answers and not data.startswith(b"R"):
                    break  # whatever the server did is done; the client will never hear of it
                client.write(data)
        client.close()
        upstream.close()


@pytest.fixture
async def proxy(order_settings):
    async with Proxy(order_settings.host, order_settings.port) as running:
        yield running


@pytest.fixture
async def far_desk(order_settings, proxy):
    """A committer whose connections run through the proxy."""
    settings = order_settings.model_copy(update={"host": "127.0.0.1", "port": proxy.port})
    async with Database(settings).running() as database:
        store = PostgresClaims(database, hold_ttl_seconds=300)
        async with GroupCommitter(store).running() as committer:
            yield committer
        await store.close()


async def test_a_claim_is_one_round_trip(far_desk, proxy, open_hall):
    hall = await open_hall(10)
    await far_desk.submit(hall.claim("warm", [0]))
    before = proxy.syncs
    assert isinstance(await far_desk.submit(hall.claim("ann", [1, 2, 3])), Won)
    assert proxy.syncs == before + 1
    before = proxy.syncs
    outcomes = await asyncio.gather(*(far_desk.submit(hall.claim(f"b{seat}", [seat])) for seat in range(4, 10)))
    assert all(isinstance(outcome, Won) for outcome in outcomes)
    assert proxy.syncs - before <= 2, "claims that arrive together travel together"


async def test_an_answer_that_got_lost_is_unknown_and_the_key_tells_the_truth(far_desk, proxy, open_hall, sql, sweep):
    hall = await open_hall(2)
    await far_desk.submit(hall.claim("warm", [1]))
    proxy.lose_answers = True
    claim = hall.claim("ann", [0], idempotency_key="k", body_digest=b"1")
    with pytest.raises(ClaimsUnavailable):
        await far_desk.submit(claim)
    proxy.lose_answers = False
    answer = await far_desk.submit(claim)
    assert isinstance(answer, Replayed), "the order had been placed"
    assert await sql.fetchval("SELECT count(*) FROM orders WHERE user_id = 'ann'") == 1
    assert await sweep() == []


async def test_a_connection_cut_during_a_batch_fails_its_members_and_is_replaced(desk, open_hall, sql, sweep):
    hall = await open_hall(4)
    await desk.committer.submit(hall.claim("warm", [3]))
    async with sql.transaction():
        await sql.execute("SELECT FROM seats WHERE seat_id = $1 FOR UPDATE", hall.seats[0])
        claims = [
            hall.claim("ann", [0], idempotency_key="a", body_digest=b"1"),
            hall.claim("bob", [1], idempotency_key="b", body_digest=b"1"),
        ]
        waiting = [asyncio.create_task(desk.committer.submit(claim)) for claim in claims]
        await terminate_waiting_claims(sql)
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, ClaimsUnavailable)
    outcomes = await asyncio.gather(*map(desk.committer.submit, claims))
    assert all(isinstance(outcome, Won) for outcome in outcomes)
    assert await sweep() == []


async def terminate_waiting_claims(sql):
    async with asyncio.timeout(10):
        while not await sql.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'order-claims'"
            " AND wait_event_type = 'Lock' AND datname = current_database()"
        ):
            await asyncio.sleep(0.002)


async def test_a_seat_locked_elsewhere_delays_only_its_own_claim(desk, open_hall, sql):
    hall = await open_hall(3)
    await desk.committer.submit(hall.claim("warm", [2]))
    async with sql.transaction():
        await sql.execute("SELECT FROM seats WHERE seat_id = $1 FOR UPDATE", hall.seats[0])
        blocked = asyncio.create_task(desk.committer.submit(hall.claim("ann", [0])))
        assert isinstance(await desk.committer.submit(hall.claim("bob", [1])), Won)
        assert not blocked.done()
    assert isinstance(await blocked, Won), "nobody is refused because of a row that was only locked"


async def test_a_poisonous_claim_fails_alone(desk, open_hall, sweep):
    hall = await open_hall(3)
    claims = [hall.claim("ann", [0]), hall.claim("a\x00b", [1]), hall.claim("bob", [2])]
    ann, poison, bob = await asyncio.gather(*map(desk.committer.submit, claims), return_exceptions=True)
    assert isinstance(ann, Won)
    assert isinstance(bob, Won)
    assert isinstance(poison, ClaimFailed)
    assert await sweep() == []


async def test_buyers_who_leave_disturb_nobody(desk, open_hall, sql, sweep):
    hall = await open_hall(60)
    tasks = [asyncio.create_task(desk.committer.submit(hall.claim(f"b{seat}", [seat]))) for seat in range(60)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    stayed = [outcome for number, outcome in enumerate(outcomes) if number % 3]
    assert all(isinstance(outcome, Won) for outcome in stayed)
    assert await sweep() == []


async def test_a_batch_refuses_a_seat_that_it_holds_twice(desk, open_hall, sql):
    """The committer never sends such a batch; the function does not rely on it."""
    hall = await open_hall(1)
    with pytest.raises(Exception, match="each seat once"):
        await desk.store.claim_batch([hall.claim("ann", [0]), hall.claim("bob", [0])])
    assert await sql.fetchval("SELECT count(*) FROM orders") == 0


async def test_claims_fail_cleanly_when_there_is_no_database(order_settings):
    settings = order_settings.model_copy(update={"port": 1})
    store = PostgresClaims(Database(settings), hold_ttl_seconds=300)
    async with GroupCommitter(store).running() as committer:
        with pytest.raises(ClaimsUnavailable):
            await committer.submit(hall_free_claim())


def hall_free_claim():
    one = str(uuid4())
    return Claim(user_id="ann", session_id=one, event_id=one, organization_id=one, seat_ids=(one,), open_order_limit=0)


async def test_no_statement_of_a_claim_or_release_reads_a_whole_table(desk, open_hall, sql):
    """Plans were made on tables nobody analysed; still every table is reached through an index."""
    hall = await open_hall(3000)
    winners = await asyncio.gather(*(desk.committer.submit(hall.claim(f"b{n}", [n], limit=3)) for n in range(200)))
    await asyncio.gather(*(desk.committer.submit(hall.claim(f"c{n}", [n], limit=3)) for n in range(50)))
    await sql.execute("SELECT pg_stat_reset()")
    late = hall.claim("late", [250], limit=3, idempotency_key="k", body_digest=b"1")
    assert isinstance(await desk.committer.submit(late), Won)
    assert isinstance(await desk.committer.submit(hall.claim("late", [1], limit=3)), Lost)
    await desk.orders.release(winners[0].order_id, "buyer")
    await desk.orders.due(10)
    await desk.orders.document(winners[1].order_id, "b1")
    await desk.store.close()
    scans = {}
    async with asyncio.timeout(20):
        while scans.get("seats", (0, 0))[1] == 0:
            await asyncio.sleep(0.05)
            await sql.execute("SELECT pg_stat_clear_snapshot()")
            rows = await sql.fetch("SELECT relname, seq_tup_read, idx_scan FROM pg_stat_user_tables")
            scans = {row["relname"]: (row["seq_tup_read"], row["idx_scan"]) for row in rows}
    assert {name: read for name, (read, _) in scans.items() if read} == {}
