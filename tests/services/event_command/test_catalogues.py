"""Categories, templates, counts, and what other services may ask."""

from __future__ import annotations

from uuid import uuid4

from .conftest import code, session_request

ROOTS = [
    "Music",
    "Arts & Theatre",
    "Workshops & Education",
    "Food & Drink",
    "Sports & Fitness",
    "Community & Social",
    "Other",
]
INTERNAL = "/api/event-seating/internal/v1"


async def test_categories_come_in_their_order_with_sub_categories_in_the_first(world) -> None:
    roots = (await world.person().ok("GET", "/v1/categories"))[:7]
    assert [root["name"] for root in roots] == ROOTS
    assert [sub["name"] for sub in roots[0]["subCategories"]] == [
        "Concerts",
        "DJ Nights",
        "Traditional Music",
        "Music Competitions",
        "Music Festivals",
    ]
    assert sum(1 + len(root["subCategories"]) for root in roots) == 43
    one = await world.person().ok("GET", f"/v1/categories/{roots[0]['subCategories'][0]['id']}")
    assert (one["parentId"], one["subCategories"]) == (roots[0]["id"], [])


async def test_the_tree_of_categories_stays_a_tree(world) -> None:
    admin = world.admin()
    root = await admin.ok("POST", "/v1/categories", {"name": f"Root {uuid4()}"})
    child = await admin.ok("POST", "/v1/categories", {"name": "Child", "parentId": root["id"]})
    leaf = await admin.ok("POST", "/v1/categories", {"name": "Leaf", "parentId": child["id"]})
    twin = await admin.call("POST", "/v1/categories", {"name": "cHILD", "parentId": root["id"]})
    assert code(twin) == (409, "name-taken")
    for parent in (root["id"], child["id"], leaf["id"]):
        cycle = await admin.call("PUT", f"/v1/categories/{root['id']}", {"name": "R", "parentId": parent})
        assert list(cycle.json()["errors"]) == ["parentId"]
    assert code(await admin.call("DELETE", f"/v1/categories/{root['id']}")) == (409, "category-in-use")
    moved = await admin.ok("PUT", f"/v1/categories/{leaf['id']}", {"name": "Leaf", "parentId": root["id"]})
    assert moved["parentId"] == root["id"]
    for one in (leaf, child, root):
        assert (await admin.call("DELETE", f"/v1/categories/{one['id']}")).status_code == 204
    assert (await admin.call("DELETE", f"/v1/categories/{root['id']}")).status_code == 404


async def test_a_template_is_moved_to_the_corner_and_leaves_out_what_it_lacks(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    block = {
        "id": "b1",
        "name": "Stalls",
        "type": "seated_grid",
        "position": {"x": 125, "y": -75},
        "rows": 10,
        "columns": 12,
        "startRowLabel": "A",
        "startColumnLabel": 1,
        "width": None,
    }
    floor = {"id": "b2", "name": "Floor", "type": "standing_capacity", "position": {"x": 225.5, "y": 0}, "capacity": 50}
    body = {
        "name": "Hall A",
        "organizationId": organization["id"],
        "layoutData": {"name": "Hall A", "layout": {"blocks": [block, floor]}},
    }
    made = await owner.ok("POST", "/v1/seating-templates", body)
    first, second = made["layoutData"]["layout"]["blocks"]
    assert first == {**{key: value for key, value in block.items() if key != "width"}, "position": {"x": 25, "y": 25}}
    assert (second["position"], set(second)) == (
        {"x": 125.5, "y": 100},
        {"id", "name", "type", "position", "capacity"},
    )
    path = f"/v1/seating-templates/{made['id']}"
    assert (await owner.ok("PUT", path, {**body, "name": "Hall B"}))["name"] == "Hall B"
    page = await owner.ok("GET", f"/v1/seating-templates/organization/{organization['id']}")
    assert (page["size"], [one["name"] for one in page["content"]]) == (6, ["Hall B"])
    assert (await owner.call("DELETE", path)).status_code == 204
    assert (await owner.call("GET", path)).status_code == 404


async def test_sessions_are_counted_by_status(world) -> None:
    owner = world.person()
    event = await world.approved(owner, sessions=[session_request(id=str(number)) for number in range(3)], discounts=[])
    await owner.ok("PUT", f"/v1/sessions/{event['sessions'][0]['id']}/status", {"status": "ON_SALE"})
    organization = event["organizationId"]
    expected = [{"status": "ON_SALE", "count": 1}, {"status": "SCHEDULED", "count": 2}]
    of_event = await owner.ok("GET", f"/v1/session-analytics/events/{event['id']}")
    assert (of_event["eventTitle"], of_event["totalSessions"]) == ("Winter Jazz", 3)
    assert of_event["sessionsByStatus"] == expected
    whole = await owner.ok("GET", f"/v1/session-analytics/organizations/{organization}")
    assert (whole["eventId"], whole["sessionsByStatus"]) == (None, expected)
    page = await owner.ok("GET", f"/v1/session-analytics/organizations/{organization}/sessions?status=ON_SALE")
    assert [one["sessionId"] for one in page["content"]] == [event["sessions"][0]["id"]]
    assert page["content"][0]["categoryName"] == "Concerts"


async def test_services_ask_who_owns_what_and_read_the_answer_from_the_body(world) -> None:
    owner, stranger = world.person(), world.person()
    event = await owner.event()
    headers = {"Authorization": f"Bearer {world.issuer.service_token('ticket-service-client')}"}
    for path, name, one in (
        ("events", "eventId", event["id"]),
        ("organizations", "organizationId", event["organizationId"]),
        ("sessions", "sessionId", event["idMap"]["session-1"]),
    ):
        for person, identifier, answer in (
            (owner, one, True),
            (stranger, one, False),
            (owner, str(uuid4()), False),
        ):
            response = await world.internal.get(
                f"{INTERNAL}/{path}/verify-ownership",
                params={name: identifier, "userId": person.subject},
                headers=headers,
            )
            assert (response.status_code, response.json()) == (200, answer)
    role = await world.internal.get(
        f"{INTERNAL}/sessions/verify-role",
        params={"sessionId": event["idMap"]["session-1"], "userId": stranger.subject, "role": "SCANNER"},
        headers=headers,
    )
    assert role.json() is False
    batch = await world.internal.post(
        f"{INTERNAL}/events/batch-ownership",
        json={"eventIds": [event["id"], str(uuid4())], "userId": owner.subject},
        headers=headers,
    )
    assert batch.json() == {"ownedEvents": [event["id"]]}


async def test_probes_answer_on_the_internal_listener_only(world) -> None:
    assert (await world.internal.get("/readyz")).json()["checks"] == {"postgres": "ok"}
    assert (await world.client.get("/readyz")).status_code == 404
