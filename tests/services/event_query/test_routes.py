"""Read routes: shapes, pages, search, trending, discounts, caching, access."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from ticketly_common import clock
from ticketly_common.auth import undeclared_routes
from ticketly_event_query.app import PREFIX


@pytest.fixture
def publish(pod, log, until):
    """Write events and wait until all of them are visible."""

    async def write(*events):
        await log.rows([row for event in events for row in event.all()])

        async def visible():
            for event in events:
                await pod.ok(f"/v1/events/{event.id}/basic-info")
                for session in event.sessions:
                    await pod.ok(f"/v1/sessions/{session['id']}/seating-map")

        await until(visible)
        await pod.settled()
        return events

    return write


async def test_event_and_session_have_the_contracts_shape(pod, log, make_event, publish, later, until, wire_instant):
    event = make_event()
    event.links += [
        ("event_cover_photos", {"id": "p1", "event_id": event.id, "photo_url": "/uploads/p1.jpg", "position": 0})
    ]
    event.links += [
        (
            "event_cover_photos",
            {"id": "p2", "event_id": event.id, "photo_url": "https://cdn.test/p2.png", "position": 1},
        )
    ]
    event.add_discount("EARLY15", max_usage=100)
    event.add_discount("HIDDEN", is_public=False)
    await publish(event)
    photos = ["http://127.0.0.1:8088/uploads/p1.jpg", "https://cdn.test/p2.png"]
    short = {
        "parameters": {"type": "PERCENTAGE", "percentage": 15, "minSpend": None, "maxDiscount": None},
        "expiresAt": None,
        "maxUsage": 100,
        "currentUsage": 0,
    }

    async def with_photos():
        info = await pod.ok(f"/v1/events/{event.id}/basic-info")
        assert info["coverPhotos"] == photos
        return info

    tiers = [
        {
            "id": row["id"],
            "name": row["name"],
            "price": row["price_minor"] // 100,
            "color": "#3B82F6",
            "priceMinor": row["price_minor"],
        }
        for row in event.tiers
    ]
    assert await until(with_photos) == {
        "id": event.id,
        "title": "Winter Jazz",
        "description": "An evening by the lake",
        "overview": "# Overview",
        "coverPhotos": photos,
        "organization": {"id": event.organization["id"], "name": "Lake Events", "logoUrl": None},
        "category": {"id": event.category["id"], "name": "Concerts", "parentName": "Music"},
        "tiers": tiers,
        "availableDiscounts": [short],
        "status": "APPROVED",
        "currency": "LKR",
    }
    session = event.sessions[0]
    instants = {
        name: clock.to_wire(clock.from_wire(session[column]))
        for name, column in (
            ("startTime", "start_time"),
            ("endTime", "end_time"),
            ("salesStartTime", "sales_start_time"),
            ("salesEndTime", "sales_end_time"),
        )
    }
    assert await pod.ok(f"/v1/sessions/{session['id']}/basic-info") == {
        "id": session["id"],
        "eventId": event.id,
        "organizationId": event.organization["id"],
        **instants,
        "status": "ON_SALE",
        "sessionType": "PHYSICAL",
        "venueDetails": {
            "name": "Grand hall",
            "address": "12 Lake Road, Kandy",
            "onlineLink": None,
            "location": {"type": "Point", "coordinates": [80.63, 7.29], "x": 80.63, "y": 7.29},
        },
        "discounts": [short],
        "availability": {"total": 8, "available": 7, "held": 0, "sold": 0, "blocked": 1},
    }
    extended = await pod.ok(f"/v1/events/sessions/{session['id']}/extended-info")
    assert extended["eventTitle"] == "Winter Jazz"
    assert extended["sessionId"] == session["id"]
    (thumbnail,) = (await pod.ok("/v1/events/search?searchTerm=winter"))["content"]
    assert thumbnail == {
        "id": event.id,
        "title": "Winter Jazz",
        "coverPhotoUrl": photos[0],
        "organizationName": "Lake Events",
        "organizationId": event.organization["id"],
        "categoryName": "Concerts",
        "earliestSession": {
            "startTime": instants["startTime"],
            "venueName": "Grand hall",
            "city": "Kandy",
            "id": session["id"],
            "status": "ON_SALE",
        },
        "startingPrice": 1500,
        "currency": "LKR",
        "startingPriceMinor": 150_000,
        "discounts": [short],
        "availability": {"total": 8, "available": 7},
    }


async def test_sessions_are_paged_and_found_by_range(pod, make_event, publish, later):
    event = make_event(days=None)
    for day in (3, 1, 2):
        event.add_session(starts=later(day))
    await publish(event)
    by_start = [session["id"] for session in sorted(event.sessions, key=lambda one: one["start_time"])]
    path = f"/v1/events/{event.id}/sessions"
    first = await pod.ok(f"{path}?pageable.page=0&pageable.size=2")
    second = await pod.ok(f"{path}?page=1&size=2")
    assert [one["id"] for one in first["content"] + second["content"]] == by_start
    assert (first["totalElements"], first["totalPages"], first["last"], second["last"]) == (3, 2, False, True)
    backwards = await pod.ok(f"{path}?sort=startTime,desc")
    assert [one["id"] for one in backwards["content"]] == by_start[::-1]
    assert (await pod.get(f"{path}?sort=venue,asc")).status_code == 422
    assert (await pod.get(f"{path}?page=x")).status_code == 400
    starts = [session["start_time"] for session in sorted(event.sessions, key=lambda one: one["start_time"])]
    found = await pod.ok(f"{path}/sessions-in-range", params={"fromDate": starts[0], "toDate": starts[1]})
    assert [one["id"] for one in found] == by_start[:2]
    missing = await pod.get(f"{path}/sessions-in-range?fromDate=2027-01-01")
    assert missing.status_code == 422
    assert set(missing.json()["errors"]) == {"toDate"}
    assert (await pod.ok("/v1/events/sessions/count")) == {"totalSessions": 3}


async def test_search_finds_every_word_in_title_category_or_organization(pod, make_event, publish):
    jazz, market = make_event("Colombo Jazz"), make_event("Night Market", days=3)
    market.event["description"] = "Street food, jazz and Café tables"
    await publish(jazz, market)

    async def titles(query):
        return [one["title"] for one in (await pod.ok(f"/v1/events/search?{query}"))["content"]]

    assert await titles("searchTerm=colombo jazz") == ["Colombo Jazz"]
    assert await titles("searchTerm=jazz") == ["Colombo Jazz", "Night Market"]  # a title hit comes first
    assert await titles("searchTerm=jazz&sort=sessions.startTime,asc") == ["Night Market", "Colombo Jazz"]
    assert await titles("searchTerm=cafe ta") == ["Night Market"]
    assert await titles("searchTerm=ca market") == []
    assert await titles("searchTerm=lake concerts music col") == ["Colombo Jazz"]
    assert await titles("searchTerm=.*") == await titles("")
    assert await titles(f"categoryId={jazz.parent_category['id']}") == ["Colombo Jazz"]
    assert await titles(f"categoryId={jazz.organization['id']}") == []
    assert await titles("latitude=7.3&longitude=80.6&radiusKm=20&sort=distance,asc&searchTerm=jazz") != []
    assert await titles("latitude=6.9&longitude=79.8&radiusKm=20") == []
    assert await titles("priceMin=1500&priceMax=1500&searchTerm=market") == ["Night Market"]
    assert await titles("priceMin=3001") == []
    page = await pod.ok("/v1/events/search?pageable.page=1&pageable.size=1")
    assert [one["title"] for one in page["content"]] == ["Colombo Jazz"]
    assert (page["totalElements"], page["first"], page["last"]) == (2, False, True)
    assert (await pod.get("/v1/events/search?radiusKm=5")).status_code == 422


async def test_only_available_follows_the_seats(pod, log, make_event, publish, until):
    (event,) = await publish(make_event(rows=1, columns=3))
    assert (await pod.ok("/v1/events/search?onlyAvailable=true"))["totalElements"] == 1
    await log.seats(event.session_id, event.seat_ids(), "BOOKED")

    async def sold_out():
        assert (await pod.ok("/v1/events/search?onlyAvailable=true"))["totalElements"] == 0
        shown = await pod.ok(f"/v1/sessions/{event.session_id}/basic-info")
        assert shown["availability"] == {"total": 3, "available": 0, "held": 0, "sold": 2, "blocked": 1}

    await until(sold_out)


async def test_trending_is_never_empty_and_follows_views_and_purchases(
    pod, log, make_event, publish, until, issuer, later
):
    soon, viewed, bought, past = (
        make_event("Soon", days=1),
        make_event("Viewed", days=5),
        make_event("Bought", days=9),
        make_event("Past", days=None),
    )
    past.add_session(starts=later(-2), status="CLOSED")
    await publish(soon, viewed, bought, past)

    async def titles():
        return [one["title"] for one in await pod.ok("/v1/events/trending?limit=10")]

    assert await titles() == ["Soon", "Viewed", "Bought"]
    for _ in range(3):
        assert (await pod.http.post(f"{PREFIX}/v1/events/{viewed.id}/views")).status_code == 204
    order = {
        "OrderID": "o1",
        "EventID": bought.id,
        "Status": "completed",
        "version": 2,
        "CreatedAt": clock.to_wire(clock.now()),
    }
    await log.order(order, topic="ticketly.order.updated")
    bearer = {"Authorization": f"Bearer {issuer.service_token('scheduler-service-client')}"}
    inside = f"{PREFIX}/internal/v1/trending"

    async def calculated():
        accepted = await pod.internal.post(f"{inside}/calculate-all", headers=bearer)
        assert (accepted.status_code, accepted.json()) == (202, {"accepted": 4})
        assert await titles() == ["Bought", "Viewed", "Soon"]

    await until(calculated)
    score = (await pod.internal.get(f"{inside}/events/{viewed.id}", headers=bearer)).json()
    assert (score["eventId"], score["trendingScore"], score["viewCount"], score["purchaseCount"]) == (
        viewed.id,
        3.0,
        3,
        0,
    )
    top = (await pod.internal.get(f"{inside}/top?limit=1", headers=bearer)).json()
    assert [one["eventId"] for one in top] == [bought.id]
    user = {"Authorization": f"Bearer {issuer.token('u', scope='internal-api')}"}
    assert (await pod.internal.get(f"{inside}/top", headers=user)).status_code == 403
    assert (await pod.get("/internal/v1/trending/top", headers=bearer)).status_code == 404


async def test_discounts_are_spelled_out_and_codes_need_a_user_and_patience(
    pod, make_event, publish, issuer, later, wire_instant
):
    event = make_event(days=3)
    event.add_session(starts=later(4))
    here, there = (session["id"] for session in event.sessions)
    event.add_discount("ALL")
    event.add_discount("ELSEWHERE", sessions=[there])
    event.add_discount("SECRET", is_public=False, tiers=[event.tiers[1]["id"]], sessions=[here])
    event.add_discount("OVER", expires_at=wire_instant(clock.now() - timedelta(hours=1)))
    event.add_discount("EARLY", active_from=wire_instant(later(1)))
    event.add_discount("OFF", is_active=False)
    await publish(event)
    path = f"/v1/events/{event.id}/sessions/{here}/discounts"
    (shown,) = await pod.ok(f"{path}/public")
    assert shown["code"] == "ALL"
    assert [one["id"] for one in shown["applicableTiers"]] == [one["id"] for one in event.tiers]
    assert shown["applicableSessionIds"] == [here, there]
    assert (await pod.get(f"{path}/code/secret")).status_code == 401
    bearer = {"Authorization": f"Bearer {issuer.token('buyer')}"}
    secret = await pod.ok(f"{path}/code/secret", headers=bearer)
    assert [one["id"] for one in secret["applicableTiers"]] == [event.tiers[1]["id"]]
    for code in ("OVER", "ELSEWHERE", "nope"):
        assert (await pod.get(f"{path}/code/{code}", headers=bearer)).status_code == 404
    assert (await pod.get(f"{path}/code/all", headers=bearer)).status_code == 200
    limited = await pod.get(f"{path}/code/all", headers=bearer)
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0


async def test_categories_are_flat_with_their_parents(pod, make_event, publish):
    (event,) = await publish(make_event())
    parent, child = event.parent_category["id"], event.category["id"]
    assert await pod.ok("/v1/categories") == [
        {"id": parent, "name": "Music", "parentId": None, "parentName": None},
        {"id": child, "name": "Concerts", "parentId": parent, "parentName": "Music"},
    ]
    assert [one["id"] for one in await pod.ok("/v1/categories/parents")] == [parent]


async def test_public_reads_carry_tags_and_answer_304(pod, make_event, publish):
    (event,) = await publish(make_event())
    for path in (
        f"/v1/events/{event.id}/basic-info",
        "/v1/events/trending",
        "/v1/categories",
        f"/v1/sessions/{event.session_id}/seating-map",
    ):
        first = await pod.get(path)
        assert first.headers["content-type"] == "application/json"
        assert first.headers["cache-control"].startswith("public, max-age=")
        again = await pod.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]


async def test_a_map_is_compressed_on_request_and_told_as_a_delta(pod, log, make_event, publish, until):
    (event,) = await publish(make_event(rows=5, columns=10))
    path = f"/v1/sessions/{event.session_id}/seating-map"
    identity = await pod.get(path, headers={"Accept-Encoding": "identity"})
    packed = await pod.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == identity.content
    assert packed.headers["etag"] != identity.headers["etag"]
    assert packed.headers["vary"].lower().startswith("accept-encoding")
    since = identity.json()["version"]
    await log.seats(event.session_id, event.seat_ids()[:2], "LOCKED")

    async def told():
        delta = await pod.ok(f"{path}?since={since}")
        assert delta["seats"] == {"LOCKED": event.seat_ids()[:2], "BOOKED": [], "AVAILABLE": []}
        assert (delta["sessionId"], delta["since"]) == (event.session_id, since)
        return delta["version"]

    position = await until(told)
    assert position > since
    full = await pod.ok(f"{path}?since={position + 1000}")
    assert full["full"] is True
    assert "layout" in full
    assert (await pod.get(f"{path}?since=abc")).status_code == 400
    assert (await pod.http.post(PREFIX + path)).status_code == 405
    head = await pod.http.head(PREFIX + path, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")


async def test_the_map_is_the_layout_in_order_with_live_states(pod, log, make_event, publish, until):
    (event,) = await publish(make_event(rows=2, columns=3, loose=2))
    seats = event.seat_ids()
    await log.seats(event.session_id, [seats[0], seats[-1]], "LOCKED")
    path = f"/v1/sessions/{event.session_id}/seating-map"

    async def locked():
        shown = await pod.ok(path)
        assert shown["availability"] == {"total": 8, "available": 5, "held": 2, "sold": 0, "blocked": 1}
        return shown

    shown = await until(locked)
    assert [*shown] == ["name", "layout", "sessionId", "version", "currency", "availability"]
    grid, floor, stage = shown["layout"]["blocks"]
    given = json.loads(event.maps[0]["layout_data"])["layout"]["blocks"]
    assert [block["id"] for block in (grid, floor, stage)] == [block["id"] for block in given]
    assert [*grid] == ["id", "name", "type", "position", "capacity", "width", "height", "rows", "seats"]
    assert (stage["rows"], stage["seats"], floor["rows"]) == ([], [], [])
    first, second, _ = grid["rows"][0]["seats"]
    assert first == {"id": event.seats[0]["id"], "label": "1A", "status": "RESERVED", "tier": None}
    tier = event.tiers[0]
    wanted = {"id": tier["id"], "name": "Tier A", "price": 1500, "color": "#3B82F6"}
    assert second == {"id": seats[0], "label": "2A", "status": "LOCKED", "tier": wanted}
    assert [seat["status"] for seat in floor["seats"]] == ["AVAILABLE", "LOCKED"]


async def test_unknown_things_are_problems(pod, make_event, publish):
    (event,) = await publish(make_event())
    nobody = event.organization["id"]
    for path, code in (
        (f"/v1/events/{nobody}/basic-info", "event-not-found"),
        (f"/v1/events/{nobody}/sessions", "event-not-found"),
        ("/v1/events/nonsense/basic-info", "event-not-found"),
        (f"/v1/sessions/{nobody}/basic-info", "session-not-found"),
        (f"/v1/events/{event.id}/sessions/{nobody}/discounts/public", "session-not-found"),
        ("/v1/nowhere", "route-not-found"),
    ):
        response = await pod.get(path)
        assert response.status_code == 404, path
        assert response.json()["code"] == code
        assert response.headers["content-type"] == "application/problem+json"
    assert (await pod.ok("/health")) == {"status": "UP"}
    assert (await pod.get("/health/")).status_code == 200
    assert (await pod.http.get("/metrics")).status_code == 404
    metrics = (await pod.internal.get("/metrics")).text
    assert "ticketly_event_query_rebuilds_total" in metrics
    assert "ticketly_consumer_lag_records" in metrics


async def test_every_route_declares_who_may_call_it(settings, issuer):
    from ticketly_event_query.app import assemble

    service, _ = assemble(settings(), verifier=issuer.verifier())
    for listener in (service.public, service.internal):
        layer = listener
        while not hasattr(layer, "routes"):
            layer = getattr(layer, "app", None) or layer._app
        assert undeclared_routes(layer) == []


def test_gzip_is_only_sent_to_those_who_accept_it():
    from ticketly_event_query.seats.map_endpoint import accepts_gzip

    assert all(accepts_gzip(text) for text in (b"gzip", b"br;q=1.0, GZIP;q=0.5", b"*", b"deflate, gzip"))
    assert not any(accepts_gzip(text) for text in (b"", b"br", b"gzip;q=0", b"gzip;q=0.000, br"))
