"""What buyers and organizers see through the front door of a running platform."""

import asyncio
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pymongo
import pytest
import redis

pytestmark = pytest.mark.stack

ADMIN, USER, ORGANIZER = "admin@ticketly.test", "user@ticketly.test", "test@ticketly.test"


def place(api: Any, order: dict[str, Any], user: str = USER, **headers: str) -> httpx2.Response:
    return api.call("POST", "/api/order", user, json=order, headers=headers)


def poll(look: Any, seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return found


def test_the_life_of_an_event_as_the_integration_client_walks_it(api: Any) -> None:
    platform = api.platform
    mongo = pymongo.MongoClient(platform.mongo_uri)
    documents = mongo[platform.mongo_database]["events"]
    organization, event, created = api.create_event()
    assert created["status"] == "PENDING"
    assert documents.find_one({"_id": event}) is None

    assert api.call("POST", f"/api/event-seating/v1/events/{event}/approve", ORGANIZER).status_code == 403
    assert api.call("POST", f"/api/event-seating/v1/events/{event}/approve", ADMIN).status_code == 200
    document = poll(lambda: documents.find_one({"_id": event}))
    assert document["status"] == "APPROVED"

    info = poll(lambda: api.call("GET", f"/api/event-query/v1/events/{event}/basic-info").json())
    assert info["organization"]["id"] == organization
    session = poll(lambda: api.sessions(event))[0]["id"]
    api.ok("PUT", f"/api/event-seating/v1/sessions/{session}/status", ORGANIZER, json={"status": "ON_SALE"})
    seat = next(seat for seat, status in poll(lambda: api.states(session)).items() if status == "AVAILABLE")
    order = {"event_id": event, "session_id": session, "seat_ids": [seat], "organization_id": organization}
    placed = poll(lambda: answer if (answer := place(api, order)).status_code == 201 else None).json()

    assert api.ok("GET", f"/api/order/{placed['order_id']}", USER)["Status"] == "pending"
    assert redis.Redis.from_url(platform.redis_url).exists(f"seat_lock:{seat}")
    poll(lambda: api.states(session)[seat] == "LOCKED")

    api.ok("PUT", f"/api/event-seating/v1/sessions/{session}/status", ORGANIZER, json={"status": "CLOSED"})
    poll(lambda: documents.find_one({"_id": event})["sessions"][0]["status"] == "CLOSED")
    api.ok("DELETE", f"/api/event-seating/v1/events/{event}", ORGANIZER)
    poll(lambda: documents.find_one({"_id": event}) is None)
    assert api.call("GET", f"/api/event-query/v1/events/{event}/basic-info").status_code == 404
    api.ok("DELETE", f"/api/event-seating/v1/organizations/{organization}", ORGANIZER)
    assert api.call("GET", f"/api/event-seating/v1/organizations/{organization}", ORGANIZER).status_code == 404
    mongo.close()


def test_a_seat_has_one_buyer_and_everybody_sees_it_change(api: Any, sale: Any) -> None:
    seat, other = sale.seats[:2]
    placed = place(api, sale.order(seat, other))
    assert placed.status_code == 201
    body = placed.json()
    assert body["seat_ids"] == [seat, other]
    assert placed.headers["location"] == f"/api/order/{body['order_id']}"
    assert (body["subTotalMinor"], body["currency"], body["requiresPayment"]) == (200000, "LKR", True)

    lost = place(api, sale.order(other), ORGANIZER)
    problem = lost.json()
    assert (lost.status_code, problem["code"], problem["seatIds"]) == (409, "seats-unavailable", [other])
    assert lost.headers["content-type"] == "application/problem+json"
    assert api.call("GET", f"/api/order/{body['order_id']}", ORGANIZER).status_code == 200, "the event's owner may look"
    assert api.call("GET", f"/api/order/{body['order_id']}", ADMIN).status_code == 404, "others are not told it exists"
    assert api.call("DELETE", f"/api/order/{body['order_id']}", ADMIN).status_code == 404

    poll(lambda: api.states(sale.session)[seat] == "LOCKED")
    assert api.call("DELETE", f"/api/order/{body['order_id']}", USER).status_code == 204
    assert api.call("DELETE", f"/api/order/{body['order_id']}", USER).status_code == 204
    poll(lambda: api.states(sale.session)[seat] == "AVAILABLE")
    poll(lambda: place(api, sale.order(other), ORGANIZER).status_code == 201, seconds=2)
    mine = api.call("GET", "/api/order/user/me", USER)
    assert body["order_id"] in {order["OrderID"] for order in mine.json()}
    assert int(mine.headers["x-total-count"]) >= 1


def test_orders_that_cannot_be_are_refused_with_the_reason(api: Any, sale: Any) -> None:
    foreign = api.put_on_sale()
    seat = sale.seats[0]

    def refusal(order: dict[str, Any]) -> tuple[int, str]:
        answer = place(api, order)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    assert refusal(sale.order()) == (422, "validation-failed")
    assert refusal(sale.order(seat, seat)) == (422, "duplicate-seat")
    assert refusal(sale.order(*[str(uuid.uuid4()) for _ in range(11)])) == (422, "too-many-seats")
    assert refusal(sale.order(str(uuid.uuid4()))) == (422, "seats-unknown")
    assert refusal(sale.order(foreign.seats[0])) == (422, "seats-unknown")
    assert refusal(sale.order(sale.blocked[0])) == (422, "seats-unknown")
    assert refusal(sale.order("not-a-uuid")) == (422, "validation-failed")
    assert refusal({**sale.order(seat), "session_id": str(uuid.uuid4())}) == (404, "session-not-found")
    assert refusal({**sale.order(seat), "event_id": foreign.event}) == (422, "validation-failed")
    assert refusal({**sale.order(seat), "organization_id": foreign.organization}) == (422, "validation-failed")
    broken = api.call("POST", "/api/order", USER, content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed-request")
    large = api.call("POST", "/api/order", USER, content=b" " * 2_000_000)
    assert (large.status_code, large.json()["code"]) == (413, "payload-too-large")
    assert set(api.states(sale.session).values()) == {"AVAILABLE", "RESERVED"}


def test_tokens_that_do_not_fit_open_nothing(api: Any, sale: Any) -> None:
    url = f"{api.platform.front_door_url}/api/order"
    good = api.token(USER)
    internal = api.http.post(
        api.platform.token_url,
        data={
            "grant_type": "password",
            "client_id": "login-testing",
            "username": USER,
            "password": api.platform.users[USER].password,
            "scope": "internal-api",
        },
    )
    assert internal.status_code == 200, "load scripts ask for this scope and must get it"
    service = api.http.post(
        api.platform.token_url,
        data={"grant_type": "client_credentials"},
        auth=("events-service", api.platform.client_secrets["events-service"]),
    ).json()["access_token"]

    def status(token: str | None) -> tuple[int, str]:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        answer = api.http.post(url, json=sale.order(sale.seats[0]), headers=headers)
        return answer.status_code, answer.json()["code"]

    head, payload, signature = good.split(".")
    assert status(None) == (401, "unauthenticated")
    assert status(f"{head}.{payload}.") == (401, "token-invalid")
    assert status(f"{head}.{payload}.{signature[:-8]}AAAAAAAA") == (401, "token-invalid")
    assert status(service) == (403, "audience-mismatch")

    inside = f"{api.platform.service('order').internal_url}/api/order/internal/v1/sessions/{sale.session}/seat-states"
    outside = f"{api.platform.front_door_url}/api/order/internal/v1/sessions/{sale.session}/seat-states"
    with_scope = {"authorization": f"Bearer {internal.json()['access_token']}"}
    assert api.http.get(inside, headers=with_scope).status_code == 403
    assert api.http.get(outside, headers=with_scope).status_code == 404
    assert api.http.get(inside, headers={"authorization": f"Bearer {service}"}).status_code == 200
    for path in (
        "/metrics",
        "/healthz",
        "/actuator/health",
        "/api/event-seating/actuator/health",
    ):
        assert api.http.get(api.platform.front_door_url + path).status_code == 404


def test_an_order_repeated_with_its_key_is_the_same_order_also_while_the_first_still_runs(api: Any, sale: Any) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: place(api, sale.order(sale.seats[0]), **{"idempotency-key": key}), range(8))
        )
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert sum(answer.headers.get("idempotent-replay") == "true" for answer in answers) == 7
    reused = place(api, sale.order(sale.seats[1]), **{"idempotency-key": key})
    assert (reused.status_code, reused.json()["code"]) == (409, "idempotency-key-reused")


def test_a_buyer_holds_at_most_three_open_orders(api: Any) -> None:
    sale = api.put_on_sale(rows=2, seats=3)
    mine = [order["OrderID"] for order in api.ok("GET", "/api/order/user/me", ADMIN) if order["Status"] == "pending"]
    assert mine == []
    placed = [place(api, sale.order(seat), ADMIN) for seat in sale.seats[:4]]
    assert [answer.status_code for answer in placed] == [201, 201, 201, 429]
    problem = placed[-1].json()
    assert problem["code"] == "too-many-open-orders"
    assert sorted(problem["openOrderIds"]) == sorted(answer.json()["order_id"] for answer in placed[:3])
    for answer in placed[:3]:
        assert api.call("DELETE", f"/api/order/{answer.json()['order_id']}", ADMIN).status_code == 204


def test_a_cancelled_session_takes_its_open_orders_along_and_sells_no_more(api: Any, sale: Any) -> None:
    first, second = sale.seats[:2]
    order = place(api, sale.order(first)).json()["order_id"]
    with ThreadPoolExecutor(2) as threads:
        cancelling = threads.submit(
            api.ok,
            "PUT",
            f"/api/event-seating/v1/sessions/{sale.session}/status",
            ORGANIZER,
            json={"status": "CANCELED"},
        )
        racing = threads.submit(place, api, sale.order(second), ORGANIZER)
    assert cancelling.result()["status"] == "CANCELLED"
    late = racing.result()
    assert late.status_code in {201, 409}
    poll(lambda: api.ok("GET", f"/api/order/{order}", USER)["Status"] == "cancelled")
    if late.status_code == 201:
        poll(lambda: api.ok("GET", f"/api/order/{late.json()['order_id']}", ORGANIZER)["Status"] == "cancelled")
    refused = place(api, sale.order(second))
    assert (refused.status_code, refused.json()["code"]) == (409, "session-not-on-sale")


def test_the_load_scripts_query_walk_finds_what_it_checks(api: Any, sale: Any) -> None:
    trending = api.ok("GET", "/api/event-query/v1/events/trending?limit=10")
    event = trending[0]["id"]
    assert trending[0]["earliestSession"]["startTime"]
    assert api.ok("GET", f"/api/event-query/v1/events/{event}/basic-info")["id"] == event
    session = api.sessions(event)[0]["id"]
    assert api.ok("GET", f"/api/event-query/v1/sessions/{session}/basic-info")["id"] == session
    seating = api.call("GET", f"/api/event-query/v1/sessions/{session}/seating-map")
    assert seating.json()["layout"]["blocks"]
    again = api.call(
        "GET",
        f"/api/event-query/v1/sessions/{session}/seating-map",
        headers={"if-none-match": seating.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    found = api.ok("GET", "/api/event-query/v1/events/search?searchTerm=harbour%20eve&pageable.page=0&pageable.size=10")
    assert found["content"]


async def test_the_stream_tells_holds_and_releases_and_resumes_where_it_stopped(api: Any, sale: Any) -> None:
    url = f"{api.platform.front_door_url}/api/event-query/v1/sse/sessions/{sale.session}/seat-status"
    seat = sale.seats[0]

    async def read_until(wanted: str, headers: dict[str, str]) -> list[dict[str, str]]:
        events: list[dict[str, str]] = []
        async with (
            httpx2.AsyncClient(timeout=15, trust_env=False) as http,
            http.stream("GET", url, headers=headers) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            buffer = ""
            async for text in answer.aiter_text():
                assert "\r" not in text
                buffer += text
                *complete, buffer = buffer.split("\n\n")
                for block in complete:
                    members = dict(re.findall(r"^(event|id|data): (.*)$", block, re.MULTILINE))
                    events.append(members)
                    if members.get("event") == wanted and seat in members.get("data", ""):
                        return events
        pytest.fail("the stream ended")

    reading = asyncio.create_task(read_until("LOCKED", {}))
    await asyncio.sleep(0.3)
    order = (await asyncio.to_thread(place, api, sale.order(seat))).json()["order_id"]
    events = await asyncio.wait_for(reading, 15)
    assert events[0]["event"] == "snapshot"
    last = next(event["id"] for event in reversed(events) if "id" in event)
    await asyncio.to_thread(api.call, "DELETE", f"/api/order/{order}", USER)
    resumed = await asyncio.wait_for(read_until("AVAILABLE", {"last-event-id": last}), 15)
    assert "snapshot" not in {event.get("event") for event in resumed}


def test_every_public_prefix_answers_on_one_origin_with_cors(api: Any) -> None:
    for path in ("/api/event-seating/health", "/api/event-query/health", "/api/order/health", "/api/scheduler/health"):
        answer = api.http.get(api.platform.front_door_url + path, headers={"origin": "http://localhost:8090"})
        assert (answer.status_code, answer.json()["status"]) == (200, "UP"), path
        assert answer.headers["access-control-allow-origin"] in {"http://localhost:8090", "*"}
        assert "ETag" in answer.headers["access-control-expose-headers"]
