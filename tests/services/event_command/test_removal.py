"""Nothing is deleted while it sells, after it sold, or without the order service's word."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from .conftest import code, later, session_request


async def exists(world, table: str, one: str) -> bool:
    return bool(await world.sql(f"SELECT FROM {table} WHERE id = $1", one))


async def test_an_event_that_was_never_approved_goes_without_asking(world) -> None:
    owner = world.person()
    event = await owner.event()
    world.orders.reachable = False
    assert (await owner.call("DELETE", f"/v1/events/{event['id']}")).status_code == 204
    assert world.orders.asked == []
    for table in ("events", "event_sessions", "session_seats", "tiers", "discounts", "session_seating_maps"):
        column = "id" if table == "events" else "session_id" if table == "session_seats" else "event_id"
        if table == "session_seating_maps":
            found = await world.sql(
                "SELECT FROM session_seating_maps WHERE event_session_id = $1", event["idMap"]["session-1"]
            )
        else:
            key = event["idMap"]["session-1"] if table == "session_seats" else event["id"]
            found = await world.sql(f"SELECT FROM {table} WHERE {column} = $1", key)
        assert found == [], table


async def test_an_event_on_sale_is_not_deleted(world) -> None:
    owner = world.person()
    event = await world.approved(owner, sessions=[session_request(salesStartTime=later(days=-1))])
    organization = event["organizationId"]
    for path in (f"/v1/events/{event['id']}", f"/v1/organizations/{organization}"):
        assert code(await owner.call("DELETE", path)) == (409, "event-on-sale")
    await world.sql("UPDATE event_sessions SET status = 'SOLD_OUT' WHERE event_id = $1", event["id"])
    assert code(await owner.call("DELETE", f"/v1/events/{event['id']}")) == (409, "event-on-sale")
    assert await exists(world, "events", event["id"])


async def test_an_event_with_sold_tickets_is_left_as_it_is(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    world.orders.sold[UUID(event["id"])] = 2
    for path in (f"/v1/events/{event['id']}", f"/v1/organizations/{event['organizationId']}"):
        assert code(await owner.call("DELETE", path)) == (409, "event-has-sales")
    assert [session["status"] for session in (await owner.detail(event["id"]))["sessions"]] == ["SCHEDULED"]


async def test_without_the_order_service_nothing_is_changed_or_deleted(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    world.orders.reachable = False
    response = await owner.call("DELETE", f"/v1/events/{event['id']}")
    assert code(response) == (503, "dependency-unavailable")
    assert "retry-after" in response.headers
    assert [session["status"] for session in (await owner.detail(event["id"]))["sessions"]] == ["SCHEDULED"]


async def test_deletion_waits_until_closed_sales_are_applied(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    world.orders.following = False
    response = await owner.call("DELETE", f"/v1/events/{event['id']}")
    assert code(response) == (503, "dependency-unavailable")
    assert [session["status"] for session in (await owner.detail(event["id"]))["sessions"]] == ["CLOSED"]
    assert len(world.orders.asked) > 2
    world.orders.following = True
    assert (await owner.call("DELETE", f"/v1/events/{event['id']}")).status_code == 204


async def test_a_sale_that_slips_in_before_the_close_is_seen_after_it(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    ask = world.orders.sales_summary

    async def sells_after_the_first_question(event_id: UUID):
        summary = await ask(event_id)
        world.orders.sold[event_id] = 1
        return summary

    world.orders.sales_summary = sells_after_the_first_question
    assert code(await owner.call("DELETE", f"/v1/events/{event['id']}")) == (409, "event-has-sales")
    assert await exists(world, "events", event["id"])


async def test_a_session_added_while_waiting_stops_the_deletion(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    ask = world.orders.sales_summary
    copied = (
        "INSERT INTO event_sessions SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*"
    )

    async def somebody_adds_one(event_id: UUID):
        summary = await ask(event_id)
        if len(world.orders.asked) == 2:
            await world.sql(f"{copied} FROM event_sessions s WHERE s.event_id = $1", event_id)
        return summary

    world.orders.sales_summary = somebody_adds_one
    assert code(await owner.call("DELETE", f"/v1/events/{event['id']}")) == (409, "transition-not-allowed")
    assert await exists(world, "events", event["id"])


async def test_an_organization_goes_with_all_its_events_and_files(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    await owner.event(organization["id"])
    event = await world.approved(owner, organization_id=organization["id"])
    png = ("file", ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 10, "image/png"))
    await owner.ok("POST", f"/v1/events/{event['id']}/update/cover-photos", files=[png])
    logo = (await owner.ok("POST", f"/v1/organizations/{organization['id']}/logo", files=[png]))["logoUrl"]
    assert (await owner.ok("GET", f"/v1/organizations/{organization['id']}"))["eventCount"] == 2
    assert (await owner.call("DELETE", f"/v1/organizations/{organization['id']}")).status_code == 204
    assert await world.sql("SELECT FROM events WHERE organization_id = $1", organization["id"]) == []
    assert (await world.client.get(logo)).status_code == 404
    assert code(await owner.call("DELETE", f"/v1/organizations/{organization['id']}"))[0] == 404


async def test_closed_sessions_of_the_past_do_not_stand_in_the_way(world) -> None:
    owner = world.person()
    event = await world.approved(owner)
    world.clock.ahead = timedelta(days=30)
    assert (await owner.call("DELETE", f"/v1/events/{event['id']}")).status_code == 204
