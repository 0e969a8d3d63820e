"""Decisions that several requests try to make at once are made once."""

from __future__ import annotations

import asyncio
from collections import Counter

from .conftest import code, event_request, session_request


async def test_twenty_creators_at_once_stay_within_the_limit(world) -> None:
    owner = world.person("FREE")
    answers = await asyncio.gather(
        *(owner.call("POST", "/v1/organizations", {"name": f"Org {number}"}) for number in range(20))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 17}
    assert {code(answer)[1] for answer in answers if answer.status_code == 409} == {"limit-reached"}
    assert len(await owner.ok("GET", "/v1/organizations/my")) == 3


async def test_approve_and_reject_at_once_have_one_winner(world) -> None:
    owner = world.person()
    for _ in range(5):
        event = await owner.event()
        answers = await asyncio.gather(
            *(world.admin().call("POST", f"/v1/events/{event['id']}/approve") for _ in range(3)),
            *(world.admin().call("POST", f"/v1/events/{event['id']}/reject", {"reason": "no"}) for _ in range(3)),
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 5}


async def test_active_events_are_counted_at_creation_and_again_at_approval(world) -> None:
    owner = world.person("FREE")
    organization = await owner.organization()
    events = [await owner.event(organization["id"]) for _ in range(4)]
    answers = await asyncio.gather(
        *(world.admin().call("POST", f"/v1/events/{event['id']}/approve") for event in events)
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
    assert {code(answer)[1] for answer in answers if answer.status_code == 409} == {"limit-reached"}
    refused = await owner.post_event(event_request(organization["id"]))
    assert code(refused) == (409, "limit-reached")


async def test_sessions_added_at_once_stay_within_the_limit(world) -> None:
    owner = world.person("FREE")
    event = await owner.event()
    tier = event["idMap"]["tier-1"]
    body = {"eventId": event["id"], "sessions": [session_request(tier)]}
    answers = await asyncio.gather(*(owner.call("POST", "/v1/sessions", body) for _ in range(8)))
    assert Counter(answer.status_code for answer in answers) == {201: 4, 409: 4}
    assert len(await owner.ok("GET", f"/v1/sessions?eventId={event['id']}")) == 5


async def test_templates_created_at_once_stay_within_the_limit(world) -> None:
    owner = world.person("FREE")
    organization = await owner.organization()
    body = {"name": "Hall", "organizationId": organization["id"], "layoutData": {"layout": {"blocks": []}}}
    answers = await asyncio.gather(*(owner.call("POST", "/v1/seating-templates", body) for _ in range(9)))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 4}


async def test_one_code_given_twice_at_once_makes_one_discount(world) -> None:
    owner = world.person()
    event = await owner.event()
    body = {"code": "twice", "parameters": {"type": "FLAT_OFF", "amount": 5, "currency": "LKR"}}
    answers = await asyncio.gather(*(owner.call("POST", f"/v1/events/{event['id']}/discounts", body) for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 4}
    assert {code(answer)[1] for answer in answers if answer.status_code == 409} == {"discount-code-taken"}


async def test_of_two_edits_of_one_version_the_second_is_refused(world) -> None:
    owner = world.person()
    event = await owner.event()
    read = await owner.call("GET", f"/v1/events/{event['id']}")
    answers = await asyncio.gather(
        *(
            owner.call(
                "PUT",
                f"/v1/events/{event['id']}/update",
                {"title": f"Title {number}"},
                headers={"If-Match": read.headers["etag"]},
            )
            for number in range(4)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 3}


async def test_a_repeated_request_gets_the_first_answer_also_at_the_same_time(world) -> None:
    owner = world.person()
    organization = await owner.organization()
    request = event_request(organization["id"])
    key = {"Idempotency-Key": "wizard-1"}
    answers = await asyncio.gather(*(owner.post_event(request, headers=key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotent-replay") for answer in answers) == {None: 1, "true": 4}
    found = await owner.ok("GET", f"/v1/events/organization/{organization['id']}")
    assert found["totalElements"] == 1
    other = await owner.post_event({**request, "title": "Another"}, headers=key)
    assert code(other) == (409, "idempotency-key-reused")


async def test_a_failed_attempt_does_not_use_up_its_key(world) -> None:
    owner = world.person()
    key = {"Idempotency-Key": "again"}
    assert (await owner.call("POST", "/v1/organizations", {"name": ""}, headers=key)).status_code == 422
    assert (await owner.call("POST", "/v1/organizations", {"name": "Now"}, headers=key)).status_code == 201


async def test_a_key_belongs_to_one_user(world) -> None:
    key = {"Idempotency-Key": "shared"}
    made = [await world.person().ok("POST", "/v1/organizations", {"name": "Same"}, headers=key) for _ in range(2)]
    assert made[0]["id"] != made[1]["id"]
