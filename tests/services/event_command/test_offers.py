"""Tiers and discounts: exact money, unique names, nothing removed under somebody's feet."""

from __future__ import annotations

import pytest

from .conftest import code, event_request, later, session_request


@pytest.mark.parametrize(
    ("price", "minor"), [(0, 0), (1500, 150_000), (1250.5, 125_050), (0.29, 29), (19.99, 1999), (1e3, 100_000)]
)
async def test_prices_are_exact(world, price, minor: int) -> None:
    owner = world.person()
    event = await owner.event()
    tier = await owner.ok("POST", f"/v1/events/{event['id']}/tiers", {"name": "New", "price": price})
    assert (tier["price"], tier["priceMinor"], tier["color"]) == (price, minor, "#6B7280")


@pytest.mark.parametrize("price", [0.001, -1, "5", True, None, 1e300, [1]])
async def test_unacceptable_prices_are_faults(world, price) -> None:
    owner = world.person()
    event = await owner.event()
    response = await owner.call("POST", f"/v1/events/{event['id']}/tiers", {"name": "New", "price": price})
    assert list(response.json()["errors"]) == ["price"]


async def test_a_tier_is_changed_member_by_member(world) -> None:
    owner = world.person()
    event = await owner.event()
    path = f"/v1/events/{event['id']}/tiers/{event['idMap']['tier-1']}"
    changed = await owner.ok("PUT", path, {"price": 5})
    assert (changed["name"], changed["price"], changed["color"]) == ("Standard", 5, "#3B82F6")
    await owner.ok("POST", f"/v1/events/{event['id']}/tiers", {"name": "VIP", "price": 1})
    assert code(await owner.call("PUT", path, {"name": "vip"})) == (409, "name-taken")


async def test_a_tier_goes_only_when_no_seat_needs_it(world) -> None:
    owner = world.person()
    event = await owner.event()
    path = f"/v1/events/{event['id']}/tiers"
    assert code(await owner.call("DELETE", f"{path}/{event['idMap']['tier-1']}")) == (409, "tier-in-use")
    spare = await owner.ok("POST", path, {"name": "Spare", "price": 1})
    discounts = f"/v1/events/{event['id']}/discounts"
    body = {
        "code": "spare",
        "parameters": {"type": "BUY_N_GET_N_FREE", "buyQuantity": 2, "getQuantity": 1},
        "applicableTierIds": [spare["id"]],
    }
    discount = await owner.ok("POST", discounts, body)
    assert (await owner.call("DELETE", f"{path}/{spare['id']}")).status_code == 204
    left = await owner.ok("GET", f"{discounts}/{discount['id']}")
    assert (left["active"], left["applicableTierIds"]) == (False, [])


async def test_a_discount_for_one_session_is_switched_off_with_it(world) -> None:
    owner = world.person()
    event = await owner.event(sessions=[session_request(), session_request(id="other")])
    ids = event["idMap"]
    assert (await owner.call("DELETE", f"/v1/sessions/{ids['session-1']}")).status_code == 204
    left = await owner.ok("GET", f"/v1/events/{event['id']}/discounts/{ids['discount-1']}")
    assert (left["active"], left["applicableSessionIds"]) == (False, [])


async def test_put_replaces_a_discount_and_both_spellings_of_its_flags_count(world) -> None:
    owner = world.person()
    event = await owner.event()
    path = f"/v1/events/{event['id']}/discounts"
    stored = (await owner.ok("GET", path))[0]
    toggled = await owner.ok("PUT", f"{path}/{stored['id']}", {**stored, "active": False})
    assert toggled == {**stored, "active": False}
    private = {
        "code": " hidden ",
        "parameters": {"type": "FLAT_OFF", "amount": 10.5, "currency": "LKR", "minSpend": 100},
        "isPublic": False,
        "isActive": True,
        "activeFrom": later(days=-1),
        "expiresAt": "",
    }
    hidden = await owner.ok("POST", path, private)
    assert (hidden["code"], hidden["public"], hidden["active"]) == ("HIDDEN", False, True)
    assert hidden["parameters"]["amountMinor"] == 1050
    assert len(await owner.ok("GET", path)) == 1
    assert len(await owner.ok("GET", f"{path}?includePrivate=true")) == 2
    assert code(await owner.call("PUT", f"{path}/{hidden['id']}", {**private, "code": "early15"})) == (
        409,
        "discount-code-taken",
    )
    assert (await owner.call("DELETE", f"{path}/{hidden['id']}")).status_code == 204
    assert (await owner.call("GET", f"{path}/{hidden['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"type": "PERCENTAGE", "percentage": 0}, "percentage"),
        ({"type": "PERCENTAGE", "percentage": 12.345}, "percentage"),
        ({"type": "PERCENTAGE"}, "percentage"),
        ({"type": "FLAT_OFF", "amount": 0}, "amount"),
        ({"type": "FLAT_OFF", "amount": 5, "currency": "USD"}, "currency"),
        ({"type": "FLAT_OFF", "amount": 5, "minSpend": -5}, "minSpend"),
        ({"type": "BUY_N_GET_N_FREE", "buyQuantity": 1}, "getQuantity"),
        ({"type": "BUY_N_GET_N_FREE", "buyQuantity": 1.5, "getQuantity": 1}, "buyQuantity"),
        ({"type": "GIFT"}, "type"),
    ],
)
async def test_unacceptable_discounts_are_faults(world, parameters, fault: str) -> None:
    owner = world.person()
    event = await owner.event()
    response = await owner.call("POST", f"/v1/events/{event['id']}/discounts", {"code": "x", "parameters": parameters})
    assert list(response.json()["errors"]) == [f"parameters.{fault}"]


async def test_a_discount_that_is_over_already_is_not_created(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    request = event_request(organization["id"])
    request["discounts"][0]["expiresAt"] = later(days=-1)
    response = await owner.post_event(request)
    assert list(response.json()["errors"]) == ["discounts[0].expiresAt"]


async def test_repeated_sessions_keep_their_local_time_of_day(world) -> None:
    owner = world.person()
    weekly = {"frequency": "WEEKLY", "interval": 1, "count": 4, "timeZone": "Europe/Berlin"}
    event = await owner.event(
        sessions=[
            session_request(
                startTime="2031-03-20T20:00:00+01:00", endTime="2031-03-20T22:00:00+01:00", recurrence=weekly
            )
        ]
    )
    sessions = (await owner.detail(event["id"]))["sessions"]
    assert [session["startTime"] for session in sessions] == [
        "2031-03-20T19:00:00Z",
        "2031-03-27T19:00:00Z",
        "2031-04-03T18:00:00Z",
        "2031-04-10T18:00:00Z",
    ]
    ids = [
        seat["id"]
        for session in sessions
        for row in session["layoutData"]["layout"]["blocks"][0]["rows"]
        for seat in row["seats"]
    ]
    assert len(set(ids)) == len(ids) == 16
