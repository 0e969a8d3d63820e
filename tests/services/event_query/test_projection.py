"""From the log to documents, with real consumers."""

from __future__ import annotations

import json

import pytest
from aiokafka import AIOKafkaConsumer

from ticketly_event_query.projection import tables
from ticketly_event_query.seats.consumers import TOPIC


async def test_an_approved_event_becomes_visible_with_all_its_parts(pod, log, make_event, until):
    event = make_event(loose=2)
    event.add_discount("EARLY15")
    await log.rows(event.all())

    async def mapped():
        return await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    seating_map = await until(mapped)
    assert seating_map["availability"] == {"total": 10, "available": 9, "held": 0, "sold": 0, "blocked": 1}
    document = await pod.parts.database["events"].find_one({"_id": event.id})
    assert document["status"] == "APPROVED"
    assert [(one["_id"], one["status"]) for one in document["sessions"]] == [(event.session_id, "ON_SALE")]


async def test_the_topics_may_come_in_the_opposite_order(pod, log, make_event, until):
    event = make_event()
    event.add_discount("LATE", tiers=[event.tiers[0]["id"]])
    for table, row in reversed(event.all()):
        await log.queue(table, row)
        await log.producer.flush()

    async def shown():
        info = await pod.ok(f"/v1/events/{event.id}/basic-info")
        seating_map = await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")
        return info, seating_map

    info, seating_map = await until(shown)
    assert len(info["tiers"]) == 2
    tiers = {
        seat["tier"]["name"]
        for block in seating_map["layout"]["blocks"]
        for row in block["rows"]
        for seat in row["seats"]
        if seat["tier"]
    }
    assert tiers == {"Tier A"}


async def test_a_pending_event_is_invisible_until_approved_and_gone_after_deletion(pod, log, make_event, until):
    event = make_event()
    await log.rows([(table, {**row, "status": "PENDING"} if table == "events" else row) for table, row in event.all()])
    await log.rows([("tiers", event.tiers[0])], op="u")
    await pod.settled()
    assert (await pod.get(f"/v1/events/{event.id}/basic-info")).status_code == 404
    assert (await pod.get(f"/v1/sessions/{event.session_id}/seating-map")).status_code == 404
    assert await pod.parts.database["events"].count_documents({}) == 0

    await log.rows([("events", event.event)], op="u")

    async def visible():
        await pod.ok(f"/v1/events/{event.id}/basic-info")
        await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    await until(visible)
    await log.rows([("event_sessions", {**event.sessions[0], "status": "CLOSED"})], op="u")

    async def closed():
        assert (await pod.ok(f"/v1/sessions/{event.session_id}/basic-info"))["status"] == "CLOSED"

    await until(closed)
    for table, row in reversed(event.all()):
        await log.queue(table, row, op="d")
    await log.producer.flush()

    async def gone():
        assert (await pod.get(f"/v1/events/{event.id}/basic-info")).status_code == 404
        assert (await pod.get(f"/v1/sessions/{event.session_id}/seating-map")).status_code == 404
        for collection in ("events", "layouts", "layout_chunks", "seat_segments"):
            assert await pod.parts.database[collection].count_documents({}) == 0, collection

    await until(gone)


async def test_a_layout_edit_reaches_a_map_that_is_in_memory(pod, log, make_event, until):
    event = make_event(status="SCHEDULED")
    await log.rows(event.all())
    path = f"/v1/sessions/{event.session_id}/seating-map"

    async def mapped():
        return await pod.get(path)

    async def first():
        response = await mapped()
        assert response.status_code == 200
        return response

    before = await until(first)
    session, kept = event.sessions[0], event.seats[1:]
    await log.rows(
        [("session_seats", {**seat, "layout_version": 2, "label": "X" + seat["label"]}) for seat in kept], op="u"
    )
    await log.rows([("session_seats", event.seats[0])], op="d")
    await log.rows([("session_seating_maps", {**event.maps[0], "layout_version": 2})], op="u")
    await log.rows([("event_sessions", {**session, "layout_version": 2, "seat_count": len(kept)})], op="u")

    async def edited():
        response = await mapped()
        assert response.json()["availability"]["total"] == len(kept)
        return response

    after = await until(edited)
    assert after.headers["etag"] != before.headers["etag"]
    assert '"X2A"' in after.text

    await log.rows([("tiers", {**event.tiers[0], "price_minor": 123_400})], op="u")

    async def repriced():
        assert '"price":1234,' in (await mapped()).text

    await until(repriced)


async def test_a_malformed_record_becomes_a_dead_letter_and_its_neighbours_arrive(
    pod, log, make_event, until, kafka_server
):
    event = make_event()
    await log.rows(event.all())
    await log.raw(tables.TOPIC_PREFIX + "tiers", b"{}", b"not json")
    await log.queue("event_sessions", {**event.sessions[0], "start_time": "whenever"}, op="u")
    await log.raw(
        TOPIC, event.session_id.encode(), json.dumps({"session_id": event.session_id, "status": "?"}).encode()
    )
    await log.raw(tables.TOPIC_PREFIX + "tiers", b"{}", None)
    await log.seats(event.session_id, event.seat_ids()[:1], "LOCKED")
    other = make_event("After the storm")
    await log.rows(other.all())

    async def arrived():
        await pod.ok(f"/v1/events/{other.id}/basic-info")
        assert (await pod.ok(f"/v1/sessions/{event.session_id}/seating-map"))["availability"]["held"] == 1

    await until(arrived)
    letters = [tables.TOPIC_PREFIX + "tiers.DLT", tables.TOPIC_PREFIX + "event_sessions.DLT", f"{TOPIC}.DLT"]
    consumer = AIOKafkaConsumer(
        *letters, bootstrap_servers=kafka_server.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        found = []

        async def all_there():
            fetched = await consumer.getmany(timeout_ms=100)
            found.extend(record for records in fetched.values() for record in records)
            assert {record.topic for record in found} == set(letters)

        await until(all_there)
        assert all(dict(record.headers)["ticketly-error"] for record in found)
    finally:
        await consumer.stop()


async def test_an_empty_store_is_rebuilt_from_the_log_alone(log, make_event, settings, start_pod, mongo_server, until):
    event = make_event()
    await log.rows(event.all())
    await log.seats(event.session_id, event.seat_ids()[:2], "LOCKED")
    await log.seats(event.session_id, event.seat_ids()[:1], "BOOKED")
    chosen = settings()

    async def state(pod):
        await pod.settled()
        return (
            await pod.ok(f"/v1/sessions/{event.session_id}/seating-map"),
            await pod.ok(f"/v1/events/{event.id}/basic-info"),
            await pod.ok(f"/v1/sessions/{event.session_id}/basic-info"),
        )

    first = await state(await start_pod(chosen))
    assert first[0]["availability"] == {"total": 8, "available": 5, "held": 1, "sold": 1, "blocked": 1}
    empty = chosen.model_copy(
        update={"mongo": chosen.mongo.model_copy(update={"database": mongo_server.database_name()})}
    )
    assert await state(await start_pod(empty)) == first


async def test_two_processes_share_the_partitions_and_agree(log, make_event, settings, start_pod, until):
    chosen = settings()
    pods = [await start_pod(chosen), await start_pod(chosen)]
    for pod in pods:
        await pod.ready()
    events = [make_event(f"Night {number}") for number in range(4)]
    await log.rows([row for event in events for row in event.all()])
    for event in events:
        await log.seats(event.session_id, event.seat_ids()[:3], "LOCKED")
        await log.seats(event.session_id, event.seat_ids()[:1], "BOOKED")

    async def same():
        for event in events:
            one, other = [await pod.ok(f"/v1/sessions/{event.session_id}/seating-map") for pod in pods]
            assert one == other
            assert one["availability"] == {"total": 8, "available": 4, "held": 2, "sold": 1, "blocked": 1}

    await until(same)


async def test_discount_usage_follows_orders_whatever_their_order(pod, log, make_event, until):
    event = make_event()
    discount = event.add_discount("TWICE", max_usage=2)
    await log.rows(event.all())

    def order(number: int, status: str, version: int):
        ids = {"OrderID": f"order-{number}", "EventID": event.id, "SessionID": event.session_id, "UserID": "u"}
        return {
            **ids,
            "Status": status,
            "version": version,
            "DiscountID": discount["id"],
            "CreatedAt": "2026-01-01T00:00:00Z",
        }

    await log.order(order(1, "completed", 2), topic="ticketly.order.updated")
    await log.order(order(1, "pending", 1))
    await log.order(order(2, "pending", 1))
    path = f"/v1/events/{event.id}/sessions/{event.session_id}/discounts/public"

    async def used_up():
        await pod.ok(f"/v1/events/{event.id}/basic-info")
        assert await pod.ok(path) == []

    await until(used_up)
    await log.order(order(2, "expired", 2), topic="ticketly.order.canceled")

    async def open_again():
        assert [shown["currentUsage"] for shown in await pod.ok(path)] == [1]

    await until(open_again)


@pytest.mark.parametrize("seats", [25_000])
async def test_a_large_layout_is_stored_in_chunks(pod, log, make_event, until, seats):
    event = make_event(rows=seats // 500, columns=500)
    await log.rows(event.all())

    async def mapped():
        return await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    shown = await until(mapped)
    assert shown["availability"]["total"] == seats

    async def only_the_last_build_is_kept():
        assert await pod.parts.database["layout_chunks"].count_documents({"session": event.session_id}) == 2

    await until(only_the_last_build_is_kept)
    given = [row["id"] for row in event.seats]
    assert [
        seat["id"] for block in shown["layout"]["blocks"] for row in block["rows"] for seat in row["seats"]
    ] == given
