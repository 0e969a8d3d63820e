"""The service's HTTP surface, in process, on a real database: placing, reading, cancelling, internal routes.

Over 300 lines because every route is tried through the same running service.
"""

from __future__ import annotations

import asyncio
import json
import uuid

import httpx2
import pytest

from ticketly_common.auth import undeclared_routes
from ticketly_common.settings import Kafka, Listen, Redis
from ticketly_common.testing import TokenIssuer
from ticketly_order.app import create_app
from ticketly_order.settings import Compat, Holds, Settings

ISSUER = TokenIssuer()


@pytest.fixture
async def make_service(order_settings, valkey_server):
    """``make_service(holds=Holds(...))`` -> (public client, internal client) of a running service."""
    import contextlib

    async with contextlib.AsyncExitStack() as stack:

        async def make(**groups):
            settings = Settings.model_construct(
                listen=Listen(public_port=0, internal_port=0),
                identity=ISSUER.identity(),
                postgres=order_settings,
                kafka=Kafka(bootstrap_servers="127.0.0.1:1"),
                redis=Redis(url=valkey_server.url(1)),
                **{"holds": Holds(), "compat": Compat(), "cors": Settings.model_fields["cors"].default, **groups},
            )
            service = create_app(settings, verifier=ISSUER.verifier())
            await stack.enter_async_context(service.lifespan())
            return [
                await stack.enter_async_context(
                    httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://order.test")
                )
                for app in (service.public, service.internal)
            ]

        yield make


@pytest.fixture
async def api(make_service):
    return (await make_service())[0]


@pytest.fixture
async def internal(make_service):
    return (await make_service())[1]


def auth(user, **claims):
    return {"Authorization": f"Bearer {ISSUER.token(user, **claims)}"}


def order_of(hall, seats, **members):
    return {
        "event_id": hall.event_id,
        "session_id": hall.session_id,
        "organization_id": hall.organization_id,
        "seat_ids": [hall.seats[seat] for seat in seats],
        **members,
    }


@pytest.fixture
def ann():
    return str(uuid.uuid4())


async def test_placing_reading_listing_cancelling(api, open_hall, ann):
    hall = await open_hall(3)
    placed = await api.post("/api/order", json=order_of(hall, [0, 1]), headers=auth(ann))
    assert placed.status_code == 201
    assert placed.headers["content-type"] == "application/json"
    assert placed.headers["cache-control"] == "no-store"
    order_id = placed.json()["order_id"]
    assert placed.headers["location"] == f"/api/order/{order_id}"
    for reader in (ann, hall.owner_id):
        read = await api.get(f"/api/order/{order_id}", headers=auth(reader))
        assert read.status_code == 200
        assert (read.json()["OrderID"], read.json()["Status"]) == (order_id, "pending")
    await api.post("/api/order/", json=order_of(hall, [2]), headers=auth(ann))
    for name in ("me", "orders", ann):
        listed = await api.get(f"/api/order/user/{name}", headers=auth(ann))
        assert [order["SeatIDs"] for order in listed.json()] == [hall.seats[2:], hall.seats[:2]]
        assert listed.headers["x-total-count"] == "2"
        assert {ticket["qr_code"] for order in listed.json() for ticket in order["tickets"]} == {""}
    second = await api.get("/api/order/user/me?limit=1&offset=1", headers=auth(ann))
    assert [order["OrderID"] for order in second.json()] == [order_id]
    for _ in range(2):
        assert (await api.delete(f"/api/order/{order_id}", headers=auth(ann))).status_code == 204
    assert (await api.get(f"/api/order/{order_id}", headers=auth(ann))).json()["Status"] == "cancelled"
    again = await api.post("/api/order", json=order_of(hall, [0]), headers=auth(str(uuid.uuid4())))
    assert again.status_code == 201, "a cancelled seat can be had at once"


async def test_other_buyers_learn_nothing(api, open_hall, ann):
    hall = await open_hall(1)
    order_id = (await api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann))).json()["order_id"]
    eve = auth(str(uuid.uuid4()))
    for method, path in (("GET", order_id), ("DELETE", order_id), ("GET", str(uuid.uuid4()))):
        answer = await api.request(method, f"/api/order/{path}", headers=eve)
        assert (answer.status_code, answer.json()["code"]) == (404, "order-not-found")
    assert (await api.get(f"/api/order/user/{ann}", headers=eve)).json()["code"] == "forbidden"
    assert (await api.delete(f"/api/order/{order_id}", headers=auth(hall.owner_id))).status_code == 404


async def test_a_lost_seat_is_a_problem_with_every_member(api, open_hall, ann):
    hall = await open_hall(2)
    await api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann))
    lost = await api.post("/api/order", json=order_of(hall, [0, 1]), headers=auth(str(uuid.uuid4())))
    body = lost.json()
    assert lost.status_code == 409
    assert lost.headers["content-type"] == "application/problem+json"
    assert body["seatIds"] == [hall.seats[0]]
    assert 0 < body["retryAfterMs"] <= 300_000
    assert body["instance"] == f"urn:uuid:{lost.headers['x-request-id']}"
    assert body["message"] == body["detail"] == "1 of 2 seats are held or sold."


async def test_the_client_with_the_compatibility_switch_gets_400_for_a_lost_seat_only(make_service, open_hall, ann):
    api, _ = await make_service(compat=Compat(lost_seat_status_by_client={"login-testing": 400}))
    hall = await open_hall(1)
    await api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann))
    old = await api.post("/api/order", json=order_of(hall, [0]), headers=auth("bob", client="login-testing"))
    assert (old.status_code, old.json()["status"], old.json()["code"]) == (400, 400, "seats-unavailable")
    assert old.headers["ticketly-compat"] == "lost-seat-status"
    web = await api.post("/api/order", json=order_of(hall, [0]), headers=auth("bob", client="web-frontend"))
    assert (web.status_code, "ticketly-compat" in web.headers) == (409, False)
    unknown = order_of(hall, [0], seat_ids=[str(uuid.uuid4())])
    assert (await api.post("/api/order", json=unknown, headers=auth("bob"))).status_code == 422


async def test_a_key_replays_the_first_answer(api, open_hall, ann):
    hall = await open_hall(2)
    headers = {**auth(ann), "Idempotency-Key": "k-1"}
    first = await api.post("/api/order", json=order_of(hall, [0]), headers=headers)
    again = await api.post("/api/order", json=order_of(hall, [0]), headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replay"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = await api.post("/api/order", json=order_of(hall, [1]), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


async def test_limits_bind_and_the_exempt_group_is_free(make_service, open_hall, ann):
    api, _ = await make_service(holds=Holds(max_open_orders_per_user=1, max_seats_per_order=2, exempt_group="/Load/X"))
    hall = await open_hall(6)
    await api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann))
    open_too_many = await api.post("/api/order", json=order_of(hall, [1]), headers=auth(ann))
    assert (open_too_many.status_code, open_too_many.json()["code"]) == (429, "too-many-open-orders")
    assert open_too_many.headers["retry-after"]
    assert len(open_too_many.json()["openOrderIds"]) == 1
    many = await api.post("/api/order", json=order_of(hall, [1, 2, 3]), headers=auth("bob"))
    assert (many.status_code, many.json()["code"], many.json()["maxSeats"]) == (422, "too-many-seats", 2)
    for seats in ([1, 2, 3], [4]):
        exempt = await api.post("/api/order", json=order_of(hall, seats), headers=auth(ann, groups=["/Load/X"]))
        assert exempt.status_code == 201


async def test_tokens_are_checked_before_anything_else(api, open_hall):
    hall = await open_hall(1)
    wanted = order_of(hall, [0])
    cases = [
        ({}, 401, "unauthenticated"),
        ({"Authorization": "Bearer nonsense"}, 401, "token-invalid"),
        (auth("bob", expires_in_seconds=-60), 401, "token-expired"),
        (auth("bob", audience="ticketly-internal"), 403, "audience-mismatch"),
    ]
    for headers, status, code in cases:
        for answer in (
            await api.post("/api/order", json=wanted, headers=headers),
            await api.get("/api/order/user/me", headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            if status == 401:
                assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"", "application/json", 400, "malformed-request"),
        (b"{", "application/json", 400, "malformed-request"),
        (b"{}", "application/json", 422, "validation-failed"),
        (b"{}", "text/plain", 415, "unsupported-media-type"),
        (b" " * 300_000, "application/json", 413, "payload-too-large"),
    ],
)
async def test_bad_bodies_get_a_precise_answer(api, content, media_type, status, code):
    headers = {**auth("bob"), "Content-Type": media_type}
    answer = await api.post("/api/order", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_errors_reach_a_browser_of_a_configured_origin(make_service):
    from ticketly_common.settings import Cors

    api, _ = await make_service(cors=Cors(origins="http://shop.test"))
    answer = await api.post("/api/order", content=b"{", headers={**auth("bob"), "Origin": "http://shop.test"})
    assert answer.headers["access-control-allow-origin"] == "http://shop.test"


async def test_removed_routes_answer_405_and_unknown_ones_404(api):
    for method, path in (
        ("POST", "/ticket"),
        ("PUT", f"/ticket/{uuid.uuid4()}"),
        ("DELETE", f"/ticket/{uuid.uuid4()}"),
    ):
        answer = await api.request(method, f"/api/order{path}", headers=auth("bob"))
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    for path in ("/api/secure", "/api/order/internal/v1/events/x/sales-summary", "/metrics", "/healthz"):
        assert (await api.get(path, headers=auth("bob"))).status_code == 404
    assert (await api.get("/api/order/not-a-uuid", headers=auth("bob"))).status_code == 400


async def test_counts_and_health_are_public(api, open_hall):
    hall = await open_hall(2, price_minor=0)
    await api.post("/api/order", json=order_of(hall, [0, 1]), headers=auth("bob"))
    assert (await api.get("/api/order/tickets/count")).json() == {"total_count": 2}
    health = (await api.get("/api/order/health")).json()
    assert (health["status"], health["service"], set(health)) == (
        "UP", "order", {"status", "timestamp", "service", "version"},
    )  # fmt: skip


async def test_a_completed_order_cannot_be_cancelled(api, open_hall):
    hall = await open_hall(1, price_minor=0)
    placed = (await api.post("/api/order", json=order_of(hall, [0]), headers=auth("bob"))).json()
    answer = await api.delete(f"/api/order/{placed['order_id']}", headers=auth("bob"))
    assert (answer.status_code, answer.json()["code"]) == (409, "order-not-cancellable")


async def test_internal_routes_are_for_services_only(internal, open_hall, desk):
    hall = await open_hall(3)
    await desk.committer.submit(hall.claim("ann", [0]))
    states = f"/api/order/internal/v1/sessions/{hall.session_id}/seat-states"
    service = {"Authorization": f"Bearer {ISSUER.service_token()}"}
    body = (await internal.get(states, headers=service)).json()
    assert body["seats"] == {"LOCKED": [hall.seats[0]], "BOOKED": []}
    assert body["version"] > 0
    summary = await internal.get(f"/api/order/internal/v1/events/{hall.event_id}/sales-summary", headers=service)
    assert summary.json() == {
        "soldTickets": 0,
        "openOrders": 1,
        "sessions": [{"sessionId": hall.session_id, "appliedStatus": "ON_SALE", "position": 1}],
    }
    unknown = await internal.get(f"/api/order/internal/v1/sessions/{uuid.uuid4()}/seat-states", headers=service)
    assert unknown.status_code == 404
    tester = auth("ann", scope="internal-api", audience="ticketly-internal", client="login-testing")
    assert (await internal.get(states, headers=tester)).status_code == 403
    assert (await internal.get(states)).status_code == 401


async def test_metrics_and_readiness(internal):
    ready = await internal.get("/readyz")
    assert ready.json()["checks"]["database"] == "ok"
    assert ready.json()["checks"]["catalogue"] != "ok", "without a broker the catalogue is not caught up"
    text = (await internal.get("/metrics")).text
    for name in (
        "ticketly_order_claims_total",
        "ticketly_order_claim_batch_size",
        "ticketly_order_shield_answers_total",
    ):
        assert name in text


async def test_a_broken_database_is_503_with_retry_after(make_service, open_hall, sql, ann):
    api, _ = await make_service()
    hall = await open_hall(1)
    await api.post("/api/order", json=order_of(hall, [0], seat_ids=[str(uuid.uuid4())]), headers=auth(ann))
    async with sql.transaction():
        await sql.execute("LOCK TABLE orders, seats IN ACCESS EXCLUSIVE MODE")
        answers = await asyncio.gather(
            api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann)),
            api.get("/api/order/user/me", headers=auth(ann)),
        )
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "dependency-unavailable")
        assert answer.headers["retry-after"]


async def test_the_lock_key_of_the_contract_appears_and_goes(make_service, open_hall, valkey_server, ann):
    from redis.asyncio import Redis as Client

    api, _ = await make_service()
    hall = await open_hall(1)
    async with Client.from_url(valkey_server.url(1)) as redis:

        async def until(exists):
            async with asyncio.timeout(10):
                while await redis.exists(f"seat_lock:{hall.seats[0]}") != exists:
                    await asyncio.sleep(0.01)

        order_id = (await api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann))).json()["order_id"]
        await until(1)
        assert (await redis.get(f"seat_lock:{hall.seats[0]}")).decode() == order_id
        await api.delete(f"/api/order/{order_id}", headers=auth(ann))
        await until(0)


async def test_every_route_declares_who_may_call_it(order_settings):
    from fastapi import FastAPI

    from ticketly_common.health import internal_app
    from ticketly_order.orders.routes import internal_router, public_router

    public, internal = FastAPI(), internal_app("order", {})
    public.include_router(public_router(None, released=lambda _one: None, check=None, version="0"))
    internal.include_router(internal_router(None))
    assert undeclared_routes(public) == undeclared_routes(internal) == []


async def test_answers_parse_as_the_order_document_everywhere(api, open_hall, ann):
    """One builder: what the log carries and what a reader gets have the same members."""
    hall = await open_hall(1)
    order_id = (await api.post("/api/order", json=order_of(hall, [0]), headers=auth(ann))).json()["order_id"]
    read = json.loads((await api.get(f"/api/order/{order_id}", headers=auth(ann))).content)
    assert {"OrderID", "UserID", "EventID", "OrganizationID", "SessionID", "Status", "SubTotal", "DiscountID",
            "DiscountCode", "DiscountAmount", "Price", "CreatedAt", "PaymentIntentID", "tickets", "SeatIDs", "currency",
            "subTotalMinor", "discountAmountMinor", "priceMinor", "holdExpiresAt", "serverTime",
            "refundedMinor"} <= set(read)  # fmt: skip
