"""Ending orders: cancel, expire, session cancelled; and a model of the order states against the database."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ticketly_order.catalogue.postgres import PostgresCatalogue
from ticketly_order.claims.domain import Won
from ticketly_order.orders.sweeper import Sweeper


async def test_cancelling_frees_the_seats_and_tells_both_topics(desk, open_hall, sql, sweep):
    hall = await open_hall(2)
    won = await desk.committer.submit(hall.claim("ann", [1, 0]))
    release = await desk.orders.release(won.order_id, "buyer", user_id="ann", traceparent="00-a-b-01")
    assert release.seat_ids == (hall.seats[1], hall.seats[0])
    assert release.fence > won.fence
    rows = await sql.fetch("SELECT type, aggregateid, payload::json, traceparent FROM outbox ORDER BY id OFFSET 2")
    assert [(row["type"], row["aggregateid"], row["traceparent"]) for row in rows] == [
        ("seats.status", hall.session_id, "00-a-b-01"),
        ("order.canceled", won.order_id, "00-a-b-01"),
    ]
    message, order = (json.loads(row["payload"]) for row in rows)
    assert (message["status"], message["version"]) == ("AVAILABLE", release.fence)
    assert message["seat_ids"] == order["seat_ids"] == [hall.seats[1], hall.seats[0]]
    assert (order["Status"], order["reason"], order["version"]) == ("cancelled", "buyer", 2)
    assert order["holdExpiresAt"] is None
    assert isinstance(await desk.committer.submit(hall.claim("bob", [0, 1])), Won)
    assert await sweep() == []


async def test_ending_twice_changes_nothing(desk, open_hall, sql):
    hall = await open_hall(1)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    outcomes = await asyncio.gather(*(desk.orders.release(won.order_id, "buyer") for _ in range(8)))
    assert sorted(release.outcome for release in outcomes) == ["released"] + ["unchanged"] * 7
    assert await sql.fetchval("SELECT count(*) FROM outbox WHERE type = 'order.canceled'") == 1


async def test_another_buyers_order_is_not_found(desk, open_hall):
    hall = await open_hall(1)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    assert (await desk.orders.release(won.order_id, "buyer", user_id="eve")).outcome == "not-found"


async def test_a_hold_that_still_runs_does_not_expire(desk, open_hall):
    hall = await open_hall(1)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    assert (await desk.orders.release(won.order_id, "expired")).outcome == "not-due"


async def test_a_hold_that_is_over_reads_as_expired_before_anybody_swept(desk, open_hall, sql):
    hall = await open_hall(1)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    await sql.execute("UPDATE orders SET held_until = now()")
    order = json.loads(await desk.orders.document(won.order_id, "ann"))
    assert (order["Status"], order["holdExpiresAt"], order["tickets"][0]["ticketStatus"]) == (
        "expired",
        None,
        "revoked",
    )
    assert await sql.fetchval("SELECT status FROM orders") == "pending"
    assert (await desk.orders.seat_states(hall.session_id))["seats"]["LOCKED"] == [hall.seats[0]]
    await sql.execute("UPDATE seats SET held_until = now()")
    assert (await desk.orders.seat_states(hall.session_id))["seats"]["LOCKED"] == []


async def test_sweepers_of_two_processes_expire_each_order_once(open_desk, open_hall, sql, sweep):
    desks = [await open_desk(hold_ttl_seconds=0.001), await open_desk()]
    hall = await open_hall(60)
    winners = await asyncio.gather(*(desks[0].committer.submit(hall.claim(f"b{n}", [n])) for n in range(60)))
    freed = []
    sweepers = [Sweeper(desk.orders, released=freed.append) for desk in desks]
    assert sum(await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))) == 60
    assert sorted(seat for one in freed for seat in one.seat_ids) == sorted(hall.seats)
    assert (
        await sql.fetchval("SELECT count(*) FROM orders WHERE status = 'expired' AND cancel_reason = 'expired'") == 60
    )
    messages = await sql.fetch("SELECT aggregateid FROM outbox WHERE type = 'order.canceled'")
    assert sorted(row[0] for row in messages) == sorted(won.order_id for won in winners)
    assert await sweep() == []


async def test_orders_of_a_cancelled_or_deleted_session_end_even_after_a_crash(desk, open_hall, database, sql, sweep):
    """The work is found in the state, not in the message that caused it."""
    halls = [await open_hall(2), await open_hall(2), await open_hall(2)]
    for hall in halls:
        await asyncio.gather(*(desk.committer.submit(hall.claim(f"b{n}", [n])) for n in range(2)))
        hall.version += 1
    catalogue = PostgresCatalogue(database)
    await catalogue.apply_session(halls[0].session_row(status="CANCELLED"))
    await catalogue.apply_session(halls[1].session_row(deleted=True))
    assert await Sweeper(desk.orders, released=lambda _transition: None).sweep() == 4
    found = dict(await sql.fetch("SELECT session_id::text, min(status || '/' || cancel_reason) FROM orders GROUP BY 1"))
    assert found == {
        halls[0].session_id: "cancelled/session-cancelled",
        halls[1].session_id: "cancelled/session-cancelled",
        halls[2].session_id: None,
    }
    assert await sweep() == []


async def test_old_messages_and_keys_are_pruned_and_young_ones_kept(desk, open_hall, sql):
    hall = await open_hall(2)
    for seat, user in enumerate(("ann", "bob")):
        await desk.committer.submit(hall.claim(user, [seat], idempotency_key="k", body_digest=b"1"))
    await sql.execute("UPDATE outbox SET occurred_at = now() - interval '15 days' WHERE payload LIKE '%ann%'")
    await sql.execute("UPDATE idempotency_keys SET created_at = now() - interval '26 hours' WHERE subject = 'ann'")
    before = await sql.fetchval("SELECT count(*) FROM outbox")
    await desk.orders.prune()
    assert await sql.fetchval("SELECT count(*) FROM outbox") == before - 1
    assert [row[0] for row in await sql.fetch("SELECT subject FROM idempotency_keys")] == ["bob"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET status = 'sold'",
        "UPDATE orders SET status = 'cancelled'",
        "UPDATE orders SET price_minor = price_minor - 1",
        "UPDATE orders SET discount_amount_minor = -1, price_minor = sub_total_minor + 1",
        "UPDATE orders SET refunded_minor = price_minor + 1",
        "UPDATE seats SET state = 'AVAILABLE'",
        "UPDATE seats SET state = 'SOLD'",
        "UPDATE seats SET order_id = NULL",
        "UPDATE seats SET held_until = NULL",
        """INSERT INTO tickets SELECT uuidv7(), o.order_id, o.session_id, l.seat_id, o.event_id, now(), NULL, NULL
             FROM orders o JOIN order_lines l USING (order_id), generate_series(1, 2)""",
    ],
)
async def test_the_schema_refuses_impossible_states(desk, open_hall, sql, statement):
    hall = await open_hall(1)
    await desk.committer.submit(hall.claim("ann", [0]))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await sql.execute(statement)


async def test_a_fence_of_one_seat_only_grows(desk, open_hall, sql):
    hall = await open_hall(1)
    for number in range(5):
        won = await desk.committer.submit(hall.claim(f"b{number}", [0]))
        await desk.orders.release(won.order_id, "buyer")
    rows = await sql.fetch(
        "SELECT (payload::json ->> 'version')::int FROM outbox WHERE type = 'seats.status' ORDER BY id"
    )
    fences = [row[0] for row in rows]
    assert len(fences) == 10
    assert fences == sorted(set(fences))


class OrderStates(RuleBasedStateMachine):
    """Buyers claim, cancel and fall asleep in any order; the model says who owns each of three seats."""

    loop = desk = hall = sql = None  # set by the test

    def do(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result(20)

    @initialize()
    def empty(self):
        self.owner = dict.fromkeys(range(3))  # seat -> order
        self.orders = {}  # order -> (status, seats)
        self.users = 0
        self.do(self.sql.execute("TRUNCATE orders, order_lines, tickets, outbox"))
        self.do(self.sql.execute("UPDATE seats SET state = 'AVAILABLE', order_id = NULL, held_until = NULL"))

    def over(self, order):
        return self.orders[order][0] == "asleep"

    @rule(seats=st.sets(st.integers(0, 2), min_size=1))
    def claim(self, seats):
        self.users += 1
        outcome = self.do(self.desk.committer.submit(self.hall.claim(f"user-{self.users}", sorted(seats))))
        taken = {seat for seat in seats if self.owner[seat] is not None and not self.over(self.owner[seat])}
        if taken:
            assert {fact.seat_id for fact in outcome.contested} == {self.hall.seats[seat] for seat in taken}
        else:
            assert isinstance(outcome, Won)
            self.orders[outcome.order_id] = ("pending", seats)
            self.owner.update(dict.fromkeys(seats, outcome.order_id))

    @rule(data=st.data())
    def fall_asleep(self, data):
        """The hold's deadline passes."""
        order = self.pick(data, "pending")
        if order is None:
            return
        self.orders[order] = ("asleep", self.orders[order][1])
        past = "now() - interval '1 s'"
        self.do(self.sql.execute(f"UPDATE orders SET held_until = {past} WHERE order_id = $1", order))
        self.do(self.sql.execute(f"UPDATE seats SET held_until = {past} WHERE order_id = $1", order))

    @rule(data=st.data(), reason=st.sampled_from(["buyer", "expired"]))
    def release(self, data, reason):
        order = self.pick(data)
        if order is None:
            return
        status, seats = self.orders[order]
        release = self.do(self.desk.orders.release(order, reason))
        if status == "pending" and reason == "expired":
            assert release.outcome == "not-due"
            return
        if status not in {"pending", "asleep"}:
            assert (release.outcome, release.status) == ("unchanged", status)
            return
        own = {seat for seat in seats if self.owner[seat] == order}
        assert set(release.seat_ids) == {self.hall.seats[seat] for seat in own}
        self.owner.update(dict.fromkeys(own))
        self.orders[order] = ("cancelled" if status == "pending" else "expired", seats)

    def pick(self, data, status=None):
        known = sorted(order for order, (now, _) in self.orders.items() if status in {None, now})
        return data.draw(st.sampled_from(known)) if known else None

    @invariant()
    def seats_belong_to_whom_the_model_says(self):
        if not hasattr(self, "owner"):
            return
        rows = self.do(self.sql.fetch("SELECT seat_id::text, order_id::text, state FROM seats"))
        found = {row[0]: row[1] for row in rows}
        assert found == {self.hall.seats[seat]: order for seat, order in self.owner.items()}
        statuses = self.do(self.sql.fetch("SELECT order_id::text, status FROM orders"))
        asleep = {"asleep": "pending"}
        assert dict(statuses) == {order: asleep.get(now, now) for order, (now, _) in self.orders.items()}


async def test_no_sequence_of_claims_and_releases_leaves_the_model(desk, open_hall, sql):
    OrderStates.loop = asyncio.get_running_loop()
    OrderStates.desk, OrderStates.hall, OrderStates.sql = desk, await open_hall(3), sql
    slow = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    await asyncio.to_thread(run_state_machine_as_test, OrderStates, settings=slow)
