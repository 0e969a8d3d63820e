"""Many buyers, several connections, the same seats: scenarios that return what went wrong, and mutants they must catch.

A mutant is a change to the SQL of the database function, made by the test in its own database.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter

import pytest

from ticketly_order.catalogue.postgres import PostgresCatalogue
from ticketly_order.claims.domain import Lost, Refused, Replayed, Won
from ticketly_order.claims.shield import Shield
from ticketly_order.orders.sweeper import Sweeper


async def together(desks, claims):
    """Submit all claims at one moment, dealt to the desks in turn; answers in order."""
    barrier = asyncio.Barrier(len(claims))

    async def one(number, claim):
        await barrier.wait()
        return await desks[number % len(desks)].committer.submit(claim)

    return await asyncio.gather(*(one(number, claim) for number, claim in enumerate(claims)))


# --- scenarios: each returns a list of violations -------------------------------------------------------------------


async def everybody_wants_each_seat(desks, hall, sweep, *, buyers=100):
    wrong = []
    for seat in range(len(hall.seats)):
        claims = [hall.claim(f"buyer-{number}", [seat]) for number in range(buyers)]
        outcomes = await together(desks, claims)
        winners = sum(isinstance(outcome, Won) for outcome in outcomes)
        losers = sum(isinstance(outcome, Lost) for outcome in outcomes)
        if (winners, losers) != (1, buyers - 1):
            wrong.append(f"seat {seat}: {winners} winners, {losers} losers")
    return wrong + await sweep()


async def an_expired_seat_is_claimed_by_many(desks, hall, sql, sweep):
    await desks[0].committer.submit(hall.claim("first", [0]))
    await sql.execute("UPDATE seats SET held_until = clock_timestamp() WHERE state = 'HELD'")
    await sql.execute("UPDATE orders SET held_until = clock_timestamp()")
    outcomes = await together(desks, [hall.claim(f"buyer-{number}", [0]) for number in range(20)])
    winners = sum(isinstance(outcome, Won) for outcome in outcomes)
    return ([] if winners == 1 else [f"{winners} winners of an expired seat"]) + await sweep()


async def a_holder_sleeps_past_its_deadline_and_writes(desks, hall, sql, sweep, *, reason="buyer"):
    asleep = await desks[0].committer.submit(hall.claim("asleep", [0, 1]))
    await sql.execute("UPDATE seats SET held_until = now(); UPDATE orders SET held_until = now()")
    awake = await desks[1].committer.submit(hall.claim("awake", [1]))
    if not isinstance(awake, Won):
        return ["an expired hold was not taken over"]
    released = await desks[0].orders.release(asleep.order_id, reason)
    wrong = [] if released.seat_ids == (hall.seats[0],) else [f"released {released.seat_ids}"]
    owner = await sql.fetchval("SELECT order_id::text FROM seats WHERE seat_id = $1", hall.seats[1])
    return wrong + ([] if owner == awake.order_id else [f"the seat went to {owner}"]) + await sweep()


async def one_user_opens_many_orders_at_once(desks, hall, sql, *, limit=2):
    await together(desks, [hall.claim("greedy", [seat], limit=limit) for seat in range(len(hall.seats))])
    count = await sql.fetchval("SELECT count(*) FROM orders")
    return [] if count == limit else [f"{count} open orders where {limit} are allowed"]


async def claims_meet_the_sessions_end(desks, hall, sql, database, *, gate=None):
    """After the flip is committed no order may appear in the session any more.

    ``gate``: of a mutant; the session ends while a claim waits there, and the claim goes on afterwards.
    """
    claims = [hall.claim(f"buyer-{seat}", [seat]) for seat in range(len(hall.seats))]
    racing = asyncio.create_task(together(desks, claims))
    if gate is not None:
        await gate.somebody_waits()
    hall.version += 1
    await PostgresCatalogue(database).apply_session(hall.session_row(status="CANCELLED"))
    at_flip = await sql.fetchval("SELECT count(*) FROM orders")
    if gate is not None:
        await gate.open()
    outcomes = await racing
    at_end = await sql.fetchval("SELECT count(*) FROM orders")
    wrong = [] if at_flip == at_end else [f"{at_end - at_flip} orders slipped in after the flip"]
    if sum(isinstance(outcome, Won) for outcome in outcomes) != at_end:
        wrong.append("a winner without an order")
    if any(isinstance(outcome, Refused) and outcome.code != "session-not-on-sale" for outcome in outcomes):
        wrong.append(str(outcomes))
    await Sweeper(desks[0].orders, released=lambda _transition: None).sweep()
    if await sql.fetchval("SELECT count(*) FROM seats WHERE state <> 'AVAILABLE'"):
        wrong.append("a cancelled session still holds seats")
    reasons = await sql.fetch("SELECT DISTINCT status, cancel_reason FROM orders")
    if [tuple(row) for row in reasons] not in ([], [("cancelled", "session-cancelled")]):
        wrong.append(str(reasons))
    return wrong


# --- the product holds ----------------------------------------------------------------------------------------------


async def test_a_hundred_buyers_two_committers_one_winner_per_seat(open_desk, open_hall, sweep):
    desks = [await open_desk(), await open_desk()]
    assert await everybody_wants_each_seat(desks, await open_hall(4), sweep) == []


async def test_the_shield_changes_nothing_about_who_wins(open_desk, open_hall, sweep):
    desks = [await open_desk(shield=Shield()), await open_desk(shield=Shield())]
    assert await everybody_wants_each_seat(desks, await open_hall(8), sweep) == []


async def test_overlapping_baskets_win_whole_or_not_at_all(open_desk, open_hall, sweep, sql):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    desks = [await open_desk(), await open_desk()]
    hall = await open_hall(40)
    baskets = [dice.sample(range(40), 4) for _ in range(64)]
    outcomes = await together(desks, [hall.claim(f"buyer-{n}", basket) for n, basket in enumerate(baskets)])
    taken = Counter(seat for outcome in outcomes if isinstance(outcome, Won) for seat in outcome.seat_ids)
    assert set(taken.values()) == {1}
    held = {str(row[0]) for row in await sql.fetch("SELECT seat_id FROM seats WHERE state = 'HELD'")}
    assert held == set(taken)
    for outcome, basket in zip(outcomes, baskets, strict=True):
        if isinstance(outcome, Won):
            assert list(outcome.seat_ids) == [hall.seats[seat] for seat in basket]
        else:
            assert isinstance(outcome, Lost)
            contested = {fact.seat_id for fact in outcome.contested}
            assert contested, "refused although everything was free"
            assert contested <= held, "refused because of a seat that nobody got"
    assert await sweep() == []


async def test_singles_with_overlapping_baskets_do_not_deadlock(open_desk, open_hall, sweep):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    desk = await open_desk()
    hall = await open_hall(12)
    claims = [hall.claim(f"buyer-{number}", dice.sample(range(12), 5)) for number in range(60)]
    outcomes = await asyncio.gather(*map(desk.store.claim_one, claims))
    assert {type(outcome) for outcome in outcomes} <= {Won, Lost}
    assert await sweep() == []


async def test_an_expired_seat_gets_one_new_owner(open_desk, open_hall, sql, sweep):
    desks = [await open_desk(), await open_desk()]
    assert await an_expired_seat_is_claimed_by_many(desks, await open_hall(1), sql, sweep) == []


@pytest.mark.parametrize("reason", ["buyer", "expired"])
async def test_a_holder_that_wakes_up_late_frees_only_what_is_still_its_own(open_desk, open_hall, sql, sweep, reason):
    desks = [await open_desk(), await open_desk()]
    hall = await open_hall(2)
    assert await a_holder_sleeps_past_its_deadline_and_writes(desks, hall, sql, sweep, reason=reason) == []


async def test_limits_bind_concurrent_claims_of_one_user(open_desk, open_hall, sql):
    desks = [await open_desk(), await open_desk()]
    assert await one_user_opens_many_orders_at_once(desks, await open_hall(12), sql) == []


async def test_a_cancelled_session_keeps_no_order_whatever_was_on_its_way(open_desk, open_hall, sql, database):
    desks = [await open_desk(), await open_desk()]
    for _ in range(4):
        await sql.execute("TRUNCATE orders, order_lines, seats CASCADE")
        assert await claims_meet_the_sessions_end(desks, await open_hall(150), sql, database) == []


async def test_concurrent_repetitions_of_one_key_get_one_order(open_desk, open_hall, sql):
    desks = [await open_desk(), await open_desk()]
    hall = await open_hall(1)
    claim = hall.claim("ann", [0], idempotency_key="once", body_digest=b"1")
    outcomes = await together(desks, [claim] * 10)
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, Won)]
    assert Counter(outcome.body for outcome in outcomes if isinstance(outcome, Replayed)) == {won.body: 9}
    assert await sql.fetchval("SELECT count(*) FROM orders") == 1


# --- and the scenarios would notice if it did not -------------------------------------------------------------------


async def mutate(sql, function, pattern, replacement):
    """Replace one fragment of a database function; the fragment must be there exactly once."""
    source = await sql.fetchval("SELECT pg_get_functiondef($1::regproc)", function)
    changed, count = re.subn(pattern, replacement, source, flags=re.DOTALL)
    assert count == 1, f"{function}: the fragment occurs {count} times"
    await sql.execute(changed)


class Gate:
    """A place inside ``claim_orders``, just before it writes, where claims wait for each other or for the test.

    Who arrives adds one to a sequence (which no transaction hides) and goes on once it has reached ``opens_at``. A
    pause of fixed length would let a slow machine miss the overlap that the scenario is about.
    """

    OPEN = 1_000_000

    def __init__(self, sql):
        self.sql = sql

    @classmethod
    async def build(cls, sql, *, opens_at):
        await sql.execute("CREATE SEQUENCE arrivals MINVALUE 0 START 0; SELECT setval('arrivals', 0)")
        await sql.execute(
            "CREATE FUNCTION wait_at_gate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM nextval('arrivals');"
            " FOR round IN 1..1000 LOOP"  # 4 s, below the connection's statement_timeout
            f" EXIT WHEN (SELECT last_value >= {opens_at} FROM arrivals); PERFORM pg_sleep(0.004);"
            " END LOOP; END $$"
        )
        write = r"SELECT array_agg\(uuidv7\(\)\)"
        await mutate(sql, "claim_orders", write, "PERFORM wait_at_gate(); SELECT array_agg(uuidv7())")
        return cls(sql)

    async def somebody_waits(self):
        async with asyncio.timeout(10):
            while await self.sql.fetchval("SELECT last_value FROM arrivals") == 0:
                await asyncio.sleep(0.001)

    async def open(self):
        await self.sql.execute(f"SELECT setval('arrivals', {self.OPEN})")


async def test_mutant_any_hold_may_be_taken_over(open_desk, open_hall, sql, sweep):
    await mutate(sql, "claim_orders", r"AND s\.held_until <= clock_timestamp\(\)\)", ")")
    desks = [await open_desk(), await open_desk()]
    assert await everybody_wants_each_seat(desks, await open_hall(1), sweep, buyers=10) != []


async def test_mutant_no_hold_may_be_taken_over(open_desk, open_hall, sql, sweep):
    await mutate(sql, "claim_orders", r" OR \(s\.state = 'HELD' AND s\.held_until <= clock_timestamp\(\)\)", "")
    desks = [await open_desk(), await open_desk()]
    assert await an_expired_seat_is_claimed_by_many(desks, await open_hall(1), sql, sweep) != []


async def test_mutant_release_without_fence_and_owner(open_desk, open_hall, sql, sweep):
    await mutate(sql, "release_order", r"AND s\.order_id = p_order_id AND s\.fence = v_order\.fence", "")
    desks = [await open_desk(), await open_desk()]
    assert await a_holder_sleeps_past_its_deadline_and_writes(desks, await open_hall(2), sql, sweep) != []


async def test_mutant_seats_validated_before_they_are_locked(open_desk, open_hall, sql, sweep):
    lock = r"PERFORM 1\s+FROM unnest\(p_seat_claims.*?FOR UPDATE OF s;"
    await mutate(sql, "claim_orders", lock, "")
    await Gate.build(sql, opens_at=2)
    desks = [await open_desk(), await open_desk()]
    assert await everybody_wants_each_seat(desks, await open_hall(1), sweep, buyers=10) != []


async def test_mutant_no_lock_on_the_user(open_desk, open_hall, sql):
    await mutate(sql, "claim_orders", r"PERFORM pg_advisory_xact_lock\(1.*?AS k;", "")
    await Gate.build(sql, opens_at=2)
    desks = [await open_desk(), await open_desk()]
    assert await one_user_opens_many_orders_at_once(desks, await open_hall(2), sql, limit=1) != []


async def test_mutant_no_lock_on_the_session(open_desk, open_hall, sql, database):
    await mutate(sql, "claim_orders", r"PERFORM pg_advisory_xact_lock_shared\(2.*?AS k;", "")
    gate = await Gate.build(sql, opens_at=Gate.OPEN)
    desks = [await open_desk(), await open_desk()]
    assert await claims_meet_the_sessions_end(desks, await open_hall(20), sql, database, gate=gate) != []
