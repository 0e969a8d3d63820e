"""What the service accepts, and how it says what it does not accept."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from .conftest import MOST_BODY_BYTES, code, event_request, later, layout, session_request

JPEG = b"\xff\xd8\xff" + b"0" * 64


async def test_the_request_field_may_be_text_a_json_part_or_a_file_part(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    text = json.dumps(event_request(organization["id"]))
    for part in ((None, text), (None, text, "application/json"), ("request.json", text, "application/json")):
        response = await owner.call("POST", "/v1/events", files=[("request", part)])
        assert response.status_code == 201, response.text


async def test_an_oversized_request_field_is_refused_as_too_large(world) -> None:
    owner = world.person()
    request = event_request(str(uuid4()), overview="x" * (33 * 1024 * 1024))
    assert code(await owner.post_event(request)) == (413, "payload-too-large")


async def test_an_oversized_body_is_refused_as_too_large(world) -> None:
    response = await world.person().call("POST", "/v1/organizations", "x" * (MOST_BODY_BYTES + 1))
    assert code(response) == (413, "payload-too-large")


async def test_images_are_judged_by_their_bytes(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    request = ("request", (None, json.dumps(event_request(organization["id"]))))
    lie = await owner.call("POST", "/v1/events", files=[request, ("coverImages", ("a.jpg", b"GIF", "image/jpeg"))])
    assert code(lie) == (415, "unsupported-media-type")
    too_many = [("coverImages", (f"{n}.jpg", JPEG, "image/jpeg")) for n in range(6)]
    refused = await owner.call("POST", "/v1/events", files=[request, *too_many])
    assert list(refused.json()["errors"]) == ["coverImages"]
    large = ("coverImages", ("big.jpg", JPEG + b"0" * (10 * 1024 * 1024), "image/jpeg"))
    assert code(await owner.call("POST", "/v1/events", files=[request, large])) == (413, "payload-too-large")
    assert (await owner.call("POST", "/v1/events", files=[request, *too_many[:5]])).status_code == 201


@pytest.mark.parametrize(
    "files",
    [
        [("request", (None, "{not json"))],
        [("request", (None, '{"title": "\\ud800"}'))],
        [("request", (None, "[" * 100_000))],
        [("something", (None, "{}"))],
    ],
    ids=["broken", "lone surrogate", "too deep", "no request"],
)
async def test_what_cannot_be_parsed_is_malformed(world, files) -> None:
    assert code(await world.person().call("POST", "/v1/events", files=files)) == (400, "malformed-request")


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_body_that_is_no_form_is_malformed(world, content_type: str) -> None:
    response = await world.person().call(
        "POST", "/v1/events", headers={"Content-Type": content_type}, content=b"nonsense"
    )
    assert code(response) == (400, "malformed-request")


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"NaN"])
async def test_malformed_json_is_400_and_wrong_shape_422(world, body: bytes) -> None:
    owner = world.person()
    assert code(await owner.call("POST", "/v1/organizations", content=body)) == (400, "malformed-request")
    assert code(await owner.call("POST", "/v1/organizations", [1])) == (422, "validation-failed")


async def test_a_wrong_id_in_the_path_is_malformed(world) -> None:
    assert code(await world.person().call("GET", "/v1/events/none")) == (400, "malformed-request")


async def test_all_faults_are_reported_at_once_with_their_paths(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    plan = layout()
    plan["layout"]["blocks"][0]["rows"][0]["seats"][1] |= {"label": "1A", "tierId": "unknown"}
    plan["layout"]["blocks"][1]["position"]["x"] = -1
    request = event_request(
        organization["id"],
        title="ab",
        categoryId=str(uuid4()),
        tiers=[
            {"id": "tier-1", "name": "Same", "price": 10.555},
            {"id": "t2", "name": "same", "price": -1, "color": "red"},
            {"id": "t3", "name": "Free", "price": "10"},
        ],
        sessions=[
            session_request(
                startTime="tomorrow",
                endTime="2027-01-01T10:00:00",
                venueDetails={"latitude": 91},
                sessionType="HYBRID",
            ),
            session_request(
                id="s2", startTime=later(days=3), endTime=later(days=4), salesStartTime=later(days=5), layoutData=plan
            ),
        ],
        discounts=[
            {
                "code": "",
                "parameters": {"type": "PERCENTAGE", "percentage": 101},
                "maxUsage": 0,
                "applicableTierIds": ["nobody"],
                "active": "yes",
            }
        ],
    )
    response = await owner.post_event(request)
    assert code(response) == (422, "validation-failed")
    assert set(response.json()["errors"]) >= {
        "title",
        "categoryId",
        "tiers[0].price",
        "tiers[1].name",
        "tiers[1].price",
        "tiers[1].color",
        "tiers[2].price",
        "sessions[0].startTime",
        "sessions[0].endTime",
        "sessions[0].sessionType",
        "sessions[0].venueDetails.name",
        "sessions[0].venueDetails.latitude",
        "sessions[1].endTime",
        "sessions[1].salesStartTime",
        "sessions[1].layoutData.layout.blocks[0].rows[0].seats[1].label",
        "sessions[1].layoutData.layout.blocks[0].rows[0].seats[1].tierId",
        "sessions[1].layoutData.layout.blocks[1].position.x",
        "discounts[0].code",
        "discounts[0].parameters.percentage",
        "discounts[0].maxUsage",
        "discounts[0].applicableTierIds[0]",
        "discounts[0].active",
    }
    assert await owner.ok("GET", f"/v1/events/organization/{organization['id']}?size=1") | {
        "sort": 0,
        "pageable": 0,
    } == {
        "content": [],
        "totalElements": 0,
        "totalPages": 0,
        "number": 0,
        "size": 1,
        "numberOfElements": 0,
        "first": True,
        "last": True,
        "empty": True,
        "sort": 0,
        "pageable": 0,
    }


@pytest.mark.parametrize("value", [None, 5, [], "x\u0000y", {}, True])
async def test_text_of_another_type_is_a_fault_and_never_a_crash(world, value) -> None:
    response = await world.person().call("POST", "/v1/organizations", {"name": value})
    assert code(response) == (422, "validation-failed")
    assert list(response.json()["errors"]) == ["name"]


async def test_instants_come_with_any_offset_and_leave_in_utc(world) -> None:
    owner = world.person()
    event = await owner.event(
        sessions=[
            session_request(
                startTime="2031-03-01T19:00:00.123456+05:30",
                endTime="2031-03-01T21:00:00+05:30",
                salesStartTime="2020-01-01T00:00:00-08:00",
            )
        ],
        discounts=[],
    )
    session = (await owner.detail(event["id"]))["sessions"][0]
    assert session["startTime"] == "2031-03-01T13:30:00.123Z"
    assert session["endTime"] == session["salesEndTime"] == "2031-03-01T15:30:00Z"
    assert session["salesStartTime"] == "2020-01-01T08:00:00Z"


async def test_collections_answer_with_and_without_trailing_slash(world) -> None:
    owner = world.person()
    for path in ("/v1/organizations", "/v1/organizations/"):
        assert (await owner.call("POST", path, {"name": "Slash"})).status_code == 201
    for path in ("/v1/categories", "/v1/categories/"):
        assert (await owner.call("GET", path, headers={"Content-Type": "application/json"})).status_code == 200


async def test_pages_are_total_sorted_and_take_both_spellings(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    for title in ("Alpha", "beta", "Gamma", "100% Delta"):
        await owner.event(organization["id"], title=title)
    path = f"/v1/events/organization/{organization['id']}"
    page = await owner.ok("GET", f"{path}?pageable.page=1&pageable.size=2&pageable.sort=title,asc")
    assert [event["title"] for event in page["content"]] == ["beta", "Gamma"]
    assert (page["totalElements"], page["totalPages"], page["number"], page["last"]) == (4, 2, 1, True)
    newest = await owner.ok("GET", path)
    assert [event["title"] for event in newest["content"]] == ["100% Delta", "Gamma", "beta", "Alpha"]
    assert newest["content"][0]["sessionCount"] == 1
    assert newest["content"][0]["earliestSessionDate"] is not None
    found = await owner.ok("GET", path, params={"search": "0% d", "status": "PENDING", "unknown": "ignored"})
    assert [event["title"] for event in found["content"]] == ["100% Delta"]
    assert (await owner.ok("GET", path, params={"size": 1000}))["size"] == 100
    assert (await owner.ok("GET", path, params={"page": 10**12}))["content"] == []
    assert (await owner.call("GET", path, params={"sort": "password,asc"})).status_code == 422
    assert (await owner.call("GET", path, params={"status": "OPEN"})).status_code == 422
    assert (await owner.call("GET", path, params={"page": "x"})).status_code == 400


async def test_an_administrator_finds_organizations_by_part_of_their_name(world) -> None:
    owner, admin = world.person(), world.admin()
    mark = uuid4().hex
    for name in ("zeta", "Alpha"):
        await owner.organization(f"{name} {mark}")
    page = await admin.ok("GET", "/v1/organizations/admin/all", params={"search": mark.upper(), "size": 1})
    assert [one["name"] for one in page["content"]] == [f"Alpha {mark}"]
    assert (page["totalElements"], page["pageNumber"], page["pageSize"]) == (2, 0, 1)
    turned = await admin.ok(
        "GET", "/v1/organizations/admin/all", params={"search": mark, "sortBy": "name", "sortDirection": "DESC"}
    )
    assert [one["name"] for one in turned["content"]] == [f"zeta {mark}", f"Alpha {mark}"]


async def test_preconditions_name_the_version_that_was_read(world) -> None:
    owner = world.person()
    event = await owner.event()
    session_id = event["idMap"]["session-1"]
    for path, change in (
        (f"/v1/events/{event['id']}", ("PUT", f"/v1/events/{event['id']}/update", {"title": "Newer"})),
        (f"/v1/sessions/{session_id}", ("PUT", f"/v1/sessions/{session_id}/status", {"status": "CANCELLED"})),
    ):
        etag = (await owner.call("GET", path)).headers["etag"]
        changed = await owner.call(*change, headers={"If-Match": etag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != etag
        stale = await owner.call(*change, headers={"If-Match": etag})
        assert code(stale) == (412, "version-mismatch")
    assert code(await owner.call("DELETE", f"/v1/events/{event['id']}", headers={"If-Match": '"1"'}))[0] == 412


async def test_limits_are_told(world) -> None:
    pro = world.person("PRO")
    mine = await pro.ok("GET", "/v1/config/my-limits")
    assert mine["currentTier"] == "PRO"
    assert mine["tierLimits"] == {
        "maxOrganizationsPerUser": 10,
        "maxSeatingLayoutsPerOrg": 25,
        "maxActiveEvents": 10,
        "maxSessionsPerEvent": 52,
    }
    everybody = await pro.ok("GET", "/v1/config")
    assert everybody["tierLimits"]["PRO"] == mine["tierLimits"]
    assert everybody["eventLimits"] == {"maxCoverPhotos": 5, "maxCoverPhotoSize": 10_485_760}


async def test_health_is_public_and_the_text_service_is_not_there(world) -> None:
    assert (await world.client.get("/api/event-seating/health")).json() == {"status": "UP"}
    refused = await world.person().call("POST", "/v1/ai/generate-overview", {})
    assert code(refused) == (503, "feature-disabled")
    assert "retry-after" in refused.headers
