"""What the order service tells about holds, from the rows."""

from __future__ import annotations

import asyncio

from prometheus_client import REGISTRY

from ticketly_common.postgres import Queries
from ticketly_order.orders import handlers
from ticketly_order.orders.ports import OpenHolds
from ticketly_order.orders.sweeper import Sweeper


async def test_holds_that_run_and_holds_that_are_over_are_counted_apart(open_desk, open_hall, sql):
    desk = await open_desk()
    assert await desk.orders.open_holds() == OpenHolds(0, 0, 0.0)
    hall = await open_hall(4)
    for number, buyer in enumerate(("ann", "bob", "cid")):
        await desk.committer.submit(hall.claim(buyer, [number]))
    await sql.execute("UPDATE orders SET held_until = now() - interval '90 s' WHERE user_id = 'ann'")
    await sql.execute("UPDATE orders SET held_until = now() - interval '30 s' WHERE user_id = 'bob'")
    holds = await desk.orders.open_holds()
    assert (holds.running, holds.overdue) == (1, 2)
    assert 90 <= holds.oldest_overdue_seconds < 150
    await handlers.measure(orders=desk.orders)
    assert REGISTRY.get_sample_value("ticketly_order_open_holds", {"state": "overdue"}) == 2
    assert (REGISTRY.get_sample_value("ticketly_order_overdue_seconds") or 0) >= 90
    await Sweeper(desk.orders, released=lambda _: None).sweep()
    assert await desk.orders.open_holds() == OpenHolds(1, 0, 0.0)


async def test_counting_holds_reads_an_index_and_no_table(open_desk, open_hall, sql):
    desk = await open_desk()
    hall = await open_hall(2)
    await asyncio.gather(*(desk.committer.submit(hall.claim(f"buyer {n}", [n])) for n in range(2)))
    async with desk.database.pool.acquire() as connection:
        plan = await connection.fetch("EXPLAIN " + Queries.load("ticketly_order.orders")["open_holds"])
    text = "\n".join(row[0] for row in plan)
    assert "Index Only Scan using orders_pending_" in text, text


async def test_a_sweeper_measures_as_it_goes(open_desk, open_hall):
    desk = await open_desk()
    hall = await open_hall(1)
    await desk.committer.submit(hall.claim("ann", [0]))
    handlers.HOLDS.labels("running").set(0)
    async with Sweeper(desk.orders, released=lambda _: None, interval_seconds=0.001).running(), asyncio.timeout(30):
        while REGISTRY.get_sample_value("ticketly_order_open_holds", {"state": "running"}) != 1:
            await asyncio.sleep(0.01)
