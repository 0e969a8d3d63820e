"""What one claim may answer, on a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ticketly_order.catalogue.postgres import PostgresCatalogue
from ticketly_order.claims.domain import Lost, Refused, Replayed, Won


async def test_a_claim_wins_all_its_seats_and_says_so_in_the_outbox(desk, open_hall, sql, sweep):
    hall = await open_hall(4, price_minor=125_050)
    won = await desk.committer.submit(hall.claim("ann", [2, 0], traceparent="00-1-2-01"))
    assert isinstance(won, Won)
    assert won.seat_ids == (hall.seats[2], hall.seats[0])
    body = json.loads(won.body)
    assert body["seat_ids"] == [hall.seats[2], hall.seats[0]]
    assert body == {
        "order_id": won.order_id,
        "session_id": hall.session_id,
        "organization_id": hall.organization_id,
        "seat_ids": body["seat_ids"],
        "user_id": "ann",
        "event_id": hall.event_id,
        "status": "pending",
        "holdExpiresAt": body["holdExpiresAt"],
        "serverTime": body["serverTime"],
        "currency": "LKR",
        "subTotalMinor": 250_100,
        "discountAmountMinor": 0,
        "priceMinor": 250_100,
        "requiresPayment": True,
    }
    held_for = datetime.fromisoformat(body["holdExpiresAt"]) - datetime.fromisoformat(body["serverTime"])
    assert held_for == timedelta(seconds=300)
    rows = await sql.fetch("SELECT * FROM outbox ORDER BY id")
    assert [(row["aggregatetype"], row["aggregateid"], row["traceparent"]) for row in rows] == [
        ("order.created", won.order_id, "00-1-2-01"),
        ("seats.status", hall.session_id, "00-1-2-01"),
    ]
    order = json.loads(rows[0]["payload"])
    assert order["Status"] == "pending"
    assert order["SubTotal"] == order["Price"] == 2501
    assert order["DiscountID"] == order["DiscountCode"] == order["PaymentIntentID"] == ""
    assert [ticket["price_at_purchase"] for ticket in order["tickets"]] == [1250.5, 1250.5]
    assert [ticket["seat_label"] for ticket in order["tickets"]] == ["2A", "0A"]
    assert {ticket["ticketStatus"] for ticket in order["tickets"]} == {"reserved"}
    assert {ticket["checked_in_time"] for ticket in order["tickets"]} == {"0001-01-01T00:00:00Z"}
    assert order["version"] == 1
    assert '"price_at_purchase" : 1250.5' in rows[0]["payload"], "money is a number, never a string"
    message = json.loads(rows[1]["payload"])
    assert message == {
        "session_id": hall.session_id,
        "seat_ids": [hall.seats[2], hall.seats[0]],
        "status": "LOCKED",
        "version": won.fence,
        "orderId": won.order_id,
        "heldUntil": body["holdExpiresAt"],
        "occurredAt": body["serverTime"],
    }
    assert await sweep() == []


async def test_a_lost_claim_names_exactly_the_contested_seats_and_holds_nothing(desk, open_hall, sql):
    hall = await open_hall(4)
    await desk.committer.submit(hall.claim("ann", [1, 2]))
    lost = await desk.committer.submit(hall.claim("bob", [0, 1, 2, 3]))
    assert isinstance(lost, Lost)
    assert [fact.seat_id for fact in lost.contested] == [hall.seats[1], hall.seats[2]]
    assert await sql.fetchval("SELECT count(*) FROM seats WHERE state = 'AVAILABLE'") == 2
    assert await sql.fetchval("SELECT count(*) FROM orders") == 1


async def test_an_order_of_nothing_is_complete_at_once_with_tickets(desk, open_hall, sql, sweep):
    hall = await open_hall(2, price_minor=0)
    won = await desk.committer.submit(hall.claim("ann", [0, 1]))
    body = json.loads(won.body)
    assert (body["status"], body["requiresPayment"], body["holdExpiresAt"]) == ("completed", False, None)
    assert won.held_until is None
    assert await sql.fetchval("SELECT count(*) FROM tickets WHERE revoked_at IS NULL") == 2
    assert await sql.fetchval("SELECT count(*) FROM seats WHERE state = 'SOLD'") == 2
    order = json.loads(await sql.fetchval("SELECT payload FROM outbox WHERE type = 'order.created'"))
    assert order["Status"] == "completed"
    assert {ticket["ticketStatus"] for ticket in order["tickets"]} == {"valid"}
    status = json.loads(await sql.fetchval("SELECT payload FROM outbox WHERE type = 'seats.status'"))
    assert (status["status"], status["heldUntil"]) == ("BOOKED", None)
    lost = await desk.committer.submit(hall.claim("bob", [0]))
    assert lost.contested[0].held_until is None
    assert await sweep() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"session_id": str(uuid4())}, "session-not-found"),
        ({"event_id": str(uuid4())}, "event-mismatch"),
        ({"organization_id": str(uuid4())}, "organization-mismatch"),
        ({"seat_ids": (str(uuid4()),)}, "seats-unknown"),
    ],
)
async def test_what_does_not_belong_together_is_refused(desk, open_hall, sql, change, code):
    hall = await open_hall(1)
    outcome = await desk.committer.submit(hall.claim("ann", [0], **change))
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert await sql.fetchval("SELECT count(*) FROM orders") == 0


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE catalogue.sessions SET status = 'SCHEDULED'", "session-not-on-sale"),
        ("UPDATE catalogue.sessions SET status = 'CANCELLED'", "session-not-on-sale"),
        ("UPDATE catalogue.sessions SET sales_end_time = now()", "session-not-on-sale"),
        ("UPDATE catalogue.sessions SET end_time = now()", "session-not-on-sale"),
        ("UPDATE catalogue.sessions SET deleted = true", "session-not-found"),
        ("UPDATE catalogue.events SET status = 'PENDING'", "event-not-approved"),
        ("UPDATE catalogue.events SET deleted = true", "session-not-found"),
        ("DELETE FROM catalogue.events", "catalogue-incomplete"),
        ("UPDATE catalogue.sessions SET ready = false", "catalogue-incomplete"),
        ("DELETE FROM catalogue.tiers", "catalogue-incomplete"),
        ("UPDATE catalogue.seats SET blocked = true", "seats-unknown"),
        ("UPDATE catalogue.seats SET deleted = true", "seats-unknown"),
        ("UPDATE catalogue.seats SET layout_version = 0", "seats-unknown"),
    ],
)
async def test_the_catalogue_decides_what_is_on_sale(desk, open_hall, sql, statement, code):
    hall = await open_hall(1)
    await sql.execute(statement)
    outcome = await desk.committer.submit(hall.claim("ann", [0]))
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert await sql.fetchval("SELECT count(*) FROM seats WHERE state <> 'AVAILABLE'") == 0


async def test_sold_out_is_left_to_the_seats(desk, open_hall, sql):
    hall = await open_hall(1)
    await sql.execute("UPDATE catalogue.sessions SET status = 'SOLD_OUT'")
    assert isinstance(await desk.committer.submit(hall.claim("ann", [0])), Won)


async def test_a_seat_of_another_session_is_unknown_here(desk, open_hall):
    here, there = await open_hall(1), await open_hall(1)
    outcome = await desk.committer.submit(here.claim("ann", [here.seats[0], there.seats[0]]))
    assert outcome == Refused("seats-unknown", {"seat_ids": [there.seats[0]]})


async def test_a_sessions_seats_must_all_be_known_before_the_first_is_sold(desk, open_hall, database):
    hall = await open_hall(2)
    await PostgresCatalogue(database).apply_session(hall.session_row(seat_count=3))
    assert (await desk.committer.submit(hall.claim("ann", [0]))).code == "catalogue-incomplete"


async def test_an_expired_hold_can_be_taken_over_without_a_sweeper(desk, open_hall, sql, sweep):
    hall = await open_hall(2)
    first = await desk.committer.submit(hall.claim("ann", [0, 1]))
    await sql.execute("UPDATE seats SET held_until = now(); UPDATE orders SET held_until = now()")
    before = await sql.fetchrow("SELECT * FROM orders WHERE order_id = $1", first.order_id)
    second = await desk.committer.submit(hall.claim("bob", [0]))
    assert isinstance(second, Won)
    assert second.fence > first.fence
    assert await sql.fetchrow("SELECT * FROM orders WHERE order_id = $1", first.order_id) == before
    assert await sweep() == []


async def test_a_live_hold_cannot_be_taken_over(desk, open_hall, sql):
    hall = await open_hall(1)
    await desk.committer.submit(hall.claim("ann", [0]))
    await sql.execute("UPDATE seats SET held_until = now() + interval '1 hour'")
    assert isinstance(await desk.committer.submit(hall.claim("bob", [0])), Lost)


async def test_open_orders_are_limited_and_named_but_expired_ones_do_not_count(desk, open_hall, sql):
    hall = await open_hall(4)
    first = await desk.committer.submit(hall.claim("ann", [0], limit=2))
    second = await desk.committer.submit(hall.claim("ann", [1], limit=2))
    refused = await desk.committer.submit(hall.claim("ann", [2], limit=2))
    assert refused == Refused("too-many-open-orders", {"order_ids": [first.order_id, second.order_id]})
    assert isinstance(await desk.committer.submit(hall.claim("bob", [2], limit=2)), Won)
    assert isinstance(await desk.committer.submit(hall.claim("ann", [3], limit=0)), Won)
    await sql.execute("UPDATE orders SET held_until = now() WHERE user_id = 'ann'")
    await sql.execute("UPDATE seats SET held_until = now() WHERE order_id = $1", first.order_id)
    assert isinstance(await desk.committer.submit(hall.claim("ann", [0], limit=2)), Won)


async def test_a_repeated_key_gets_the_first_answer_and_another_body_is_refused(desk, open_hall, sql):
    hall = await open_hall(2)
    claim = hall.claim("ann", [0], idempotency_key="k", body_digest=b"1")
    won = await desk.committer.submit(claim)
    assert await desk.committer.submit(claim) == Replayed(won.body)
    other = hall.claim("ann", [1], idempotency_key="k", body_digest=b"2")
    assert await desk.committer.submit(other) == Refused("key-reused")
    assert isinstance(await desk.committer.submit(hall.claim("bob", [1], idempotency_key="k", body_digest=b"1")), Won)
    await sql.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    await sql.execute("UPDATE seats SET held_until = now()")
    again = await desk.committer.submit(claim)
    assert isinstance(again, Won)
    assert await sql.fetchval("SELECT body FROM idempotency_keys WHERE subject = 'ann'") == again.body


async def test_a_key_remembers_successes_only(desk, open_hall, sql):
    hall = await open_hall(1)
    await desk.committer.submit(hall.claim("bob", [0]))
    claim = hall.claim("ann", [0], idempotency_key="k", body_digest=b"1")
    assert isinstance(await desk.committer.submit(claim), Lost)
    await sql.execute("UPDATE seats SET held_until = now()")
    assert isinstance(await desk.committer.submit(claim), Won)


async def test_prices_are_frozen_at_the_claim(desk, open_hall, sql):
    hall = await open_hall(1, price_minor=150_000)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    await sql.execute("UPDATE catalogue.tiers SET price_minor = 999_999, name = 'Dearer'")
    order = json.loads(await desk.orders.document(won.order_id, "ann"))
    assert (order["Price"], order["tickets"][0]["tier_name"]) == (1500, "Standard")


async def test_hold_deadlines_come_from_the_database(desk, open_hall):
    hall = await open_hall(1)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    assert won.held_until.tzinfo is not None
    assert abs((won.held_until - datetime.now(UTC)).total_seconds() - 300) < 30
