"""The organizer's way from nothing to an open event and back, as the integration client walks it."""

from __future__ import annotations

from .conftest import later


async def test_an_event_is_created_approved_closed_and_deleted(world) -> None:
    owner, admin = world.person(), world.admin()
    organization = await owner.organization()
    categories = await owner.ok("GET", "/v1/categories")
    event = await owner.event(organization["id"], categoryId=categories[0]["subCategories"][0]["id"])
    assert event["status"] == "PENDING"
    assert set(event["idMap"]) == {"tier-1", "session-1", "discount-1"}
    approval = await admin.call("POST", f"/v1/events/{event['id']}/approve")
    assert (approval.status_code, approval.content) == (200, b"")
    session_id = event["idMap"]["session-1"]
    opened = await owner.ok("PUT", f"/v1/sessions/{session_id}/status", {"status": "ON_SALE"})
    assert opened["status"] == "ON_SALE"
    again = await owner.ok("PUT", f"/v1/sessions/{session_id}/status", {"status": "ON_SALE"})
    assert again["version"] == opened["version"]
    closed = await owner.ok("PUT", f"/v1/sessions/{session_id}/status", {"status": "CLOSED"})
    assert closed["status"] == "CLOSED"
    assert (await owner.detail(event["id"]))["status"] == "COMPLETED"
    assert (await owner.call("DELETE", f"/v1/events/{event['id']}")).status_code == 204
    assert (await owner.call("DELETE", f"/v1/organizations/{organization['id']}")).status_code == 204
    assert await world.sql("SELECT FROM organizations WHERE id = $1", organization["id"]) == []


async def test_a_detail_shows_everything_the_request_held(world) -> None:
    owner = world.person()
    event = await owner.event()
    detail = await owner.detail(event["id"])
    assert detail["tiers"][0] | {"id": "", "eventId": ""} == {
        "id": "",
        "eventId": "",
        "name": "Standard",
        "price": 1000,
        "priceMinor": 100_000,
        "currency": "LKR",
        "color": "#3B82F6",
    }
    blocks = detail["sessions"][0]["layoutData"]["layout"]["blocks"]
    assert [block["type"] for block in blocks] == ["seated_grid", "non_sellable"]
    assert [[seat["status"] for seat in row["seats"]] for row in blocks[0]["rows"]] == [
        ["AVAILABLE", "AVAILABLE"],
        ["AVAILABLE", "RESERVED"],
    ]
    assert (blocks[1]["rows"], blocks[1]["seats"]) == ([], [])
    discount = detail["discounts"][0]
    assert discount["code"] == "EARLY15"
    assert discount["applicableTierIds"] == [event["idMap"]["tier-1"]]
    assert discount["applicableSessionIds"] == [event["idMap"]["session-1"]]


async def test_approval_opens_schedules_or_cancels_each_session_by_its_times(world) -> None:
    from .conftest import session_request

    owner = world.person()
    past_sales = session_request(id="open", salesStartTime=later(days=-1))
    too_late = session_request(
        id="late", startTime=later(hours=1), endTime=later(hours=2), salesStartTime=later(days=-1)
    )
    closed = session_request(id="cancelled", salesStartTime=later(days=-1))
    event = await owner.event(sessions=[session_request(id="scheduled"), past_sales, too_late, closed], discounts=[])
    ids = event["idMap"]
    await owner.ok("PUT", f"/v1/sessions/{ids['cancelled']}/status", {"status": "CANCELED"})
    world.clock.ahead = world.clock.ahead.__class__(minutes=90)
    await world.admin().ok("POST", f"/v1/events/{event['id']}/approve")
    statuses = {session["id"]: session["status"] for session in (await owner.detail(event["id"]))["sessions"]}
    assert statuses == {
        ids["scheduled"]: "SCHEDULED",
        ids["open"]: "ON_SALE",
        ids["late"]: "CANCELLED",
        ids["cancelled"]: "CANCELLED",
    }
