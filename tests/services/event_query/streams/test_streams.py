"""The seat stream over real sockets: nothing is lost, nobody is served by hand, slow clients are cut."""

from __future__ import annotations

import asyncio
import json
import socket
from random import Random

import pytest
import redis.asyncio

from ticketly_event_query.app import PREFIX
from ticketly_event_query.seats.redis import CHANNEL


@pytest.fixture
async def event(pod, log, make_event, until):
    """An event with 99 sellable seats whose map is loaded."""
    event = make_event(rows=10, columns=10)
    await log.rows(event.all())

    async def mapped():
        await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    await until(mapped)
    return event


async def truth(pod, session):
    """Taken seats as the map shows them."""
    shown = await pod.ok(f"/v1/sessions/{session}/seating-map")
    seats = (seat for block in shown["layout"]["blocks"] for row in block["rows"] for seat in row["seats"])
    return {seat["id"]: seat["status"] for seat in seats if seat["status"] != "AVAILABLE"}


async def agrees(client, pod, session):
    async def same():
        assert client.taken() == await truth(pod, session)

    return same


async def test_a_stream_begins_with_a_snapshot_and_the_events_older_clients_know(pod, log, event, sse, until):
    seats = event.seat_ids()
    await log.seats(event.session_id, seats[:2], "LOCKED")
    await log.seats(event.session_id, seats[2:3], "BOOKED")

    async def counted():
        assert len(await truth(pod, event.session_id)) == 4

    await until(counted)
    client = await sse(pod.public_port, event.session_id)
    assert client.status == 200
    assert client.headers["content-type"].startswith("text/event-stream")
    assert client.headers["cache-control"] == "no-store"
    assert client.headers["x-accel-buffering"] == "no"
    assert client.headers["access-control-allow-origin"] == "http://localhost:8090"
    assert "content-encoding" not in client.headers
    assert client.headers["x-request-id"]

    async def opened():
        assert len(client.events) == 3

    await until(opened)
    snapshot, locked, booked = client.events
    blocked = [seat["id"] for seat in event.seats if seat["blocked"]]
    position = snapshot.data["version"]
    assert snapshot.name == "snapshot"
    assert snapshot.data == {
        "sessionId": event.session_id,
        "version": position,
        "seats": {"LOCKED": seats[:2], "BOOKED": seats[2:3], "RESERVED": blocked},
    }
    assert (locked.name, locked.data) == ("LOCKED", {"seatIds": seats[:2], "status": "LOCKED", "version": position})
    assert (booked.name, booked.data["seatIds"]) == ("BOOKED", seats[2:3])
    # Only the last event of a frame carries the id: a break in between must not lose the rest.
    assert [one.id for one in client.events] == [None, None, str(position)]

    short = await sse(pod.public_port, event.session_id, query="?mode=snapshot")

    async def only_the_snapshot():
        assert [one.name for one in short.events] == ["snapshot"]

    await until(only_the_snapshot)
    await log.seats(event.session_id, seats[3:5], "LOCKED")

    async def live():
        for one in (client, short):
            assert one.events[-1].name == "LOCKED"
            assert one.events[-1].data["seatIds"] == seats[3:5]
            assert one.events[-1].id is not None

    await until(live)


async def test_snapshot_live_and_resume_lose_nothing_under_a_concurrent_writer(pod, log, event, sse, until):
    random, seats = Random(7), event.seat_ids()
    writing = True

    async def write():
        for _ in range(300):
            chosen = random.sample(seats, random.randint(1, 3))
            await log.seats(event.session_id, chosen, random.choice(["LOCKED", "BOOKED", "AVAILABLE"]))

    async def come_and_go(number):
        client = await sse(pod.public_port, event.session_id, query="?mode=snapshot" if number % 2 else "")
        known = client
        while writing:
            await asyncio.sleep(random.random() / 10)
            await known.close()
            known = await sse(pod.public_port, event.session_id, last_id=known.last_id, seats=known.seats)
        return known

    streams = [asyncio.create_task(come_and_go(number)) for number in range(8)]
    await write()
    writing = False
    for client in await asyncio.gather(*streams):
        await until(await agrees(client, pod, event.session_id))


async def test_two_processes_show_the_same_and_take_over_each_others_clients(
    log, make_event, settings, start_pod, sse, until
):
    chosen = settings()
    one, other = await start_pod(chosen), await start_pod(chosen)
    await one.ready()
    await other.ready()
    event = make_event(rows=10, columns=10)
    await log.rows(event.all())
    for pod in (one, other):

        async def mapped(pod=pod):
            await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

        await until(mapped)
    clients = [await sse(pod.public_port, event.session_id) for pod in (one, other)]
    random, seats = Random(3), event.seat_ids()
    for _ in range(100):
        await log.seats(event.session_id, random.sample(seats, 2), random.choice(["LOCKED", "BOOKED", "AVAILABLE"]))
    for client, pod in zip(clients, (one, other), strict=True):
        await until(await agrees(client, pod, event.session_id))
    assert clients[0].taken() == clients[1].taken()

    async def same_tag():
        maps = [await pod.get(f"/v1/sessions/{event.session_id}/seating-map") for pod in (one, other)]
        assert len({shown.headers["etag"] for shown in maps}) == 1

    await until(same_tag)
    # A client of the first goes on at the second by its id, without a snapshot.
    await log.seats(event.session_id, seats[:1], "LOCKED")
    moved = await sse(other.public_port, event.session_id, last_id=clients[0].last_id, seats=clients[0].seats)
    await until(await agrees(moved, other, event.session_id))
    assert all(one.name != "snapshot" for one in moved.events)


async def test_an_id_nobody_remembers_is_answered_with_a_repairing_snapshot(pod, log, event, sse, until):
    seats = event.seat_ids()
    await log.seats(event.session_id, seats[:1], "LOCKED")
    await until(await agrees(await sse(pod.public_port, event.session_id), pod, event.session_id))
    client = await sse(pod.public_port, event.session_id, last_id="999999999")

    async def repaired():
        assert [one.name for one in client.events] == ["snapshot", "LOCKED", "AVAILABLE"]
        assert client.events[-1].data["seatIds"] == seats[1:]

    await until(repaired)


async def test_a_hint_is_shown_before_the_log_and_counted_once(pod, log, event, sse, until, valkey_server, message):
    client = await sse(pod.public_port, event.session_id)
    seat = event.seat_ids()[0]
    hint = message(event.session_id, [seat], "LOCKED", 1)
    async with redis.asyncio.Redis.from_url(valkey_server.url()) as publisher:

        async def heard():
            assert await publisher.publish(CHANNEL, json.dumps(hint)) > 0

        await until(heard)

    async def locked():
        assert client.taken().get(seat) == "LOCKED"

    await until(locked)
    await until(await agrees(client, pod, event.session_id))
    # A newcomer that resumes by a log position from before the hint is told, too.
    late = await sse(pod.public_port, event.session_id, last_id=client.last_id or "0")

    async def told():
        assert late.taken().get(seat) == "LOCKED"

    await until(told)
    await log.seats(event.session_id, [seat], "LOCKED", version=1)
    await log.seats(event.session_id, event.seat_ids()[1:2], "LOCKED", version=2)

    async def confirmed():
        assert client.taken().get(event.seat_ids()[1]) == "LOCKED"
        assert not pod.parts.live.loaded(event.session_id).board.ahead

    await until(confirmed)
    assert [one.data["seatIds"] for one in client.events if one.name == "LOCKED"] == [[seat], event.seat_ids()[1:2]]


async def test_without_redis_changes_still_arrive(log, make_event, settings, start_pod, sse, until):
    pod = await start_pod(settings(redis=False))
    await pod.ready()
    event = make_event()
    await log.rows(event.all())

    async def mapped():
        await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    await until(mapped)
    client = await sse(pod.public_port, event.session_id)
    await log.seats(event.session_id, event.seat_ids()[:1], "LOCKED")
    await until(await agrees(client, pod, event.session_id))


async def test_a_slow_client_is_cut_and_the_others_go_on(log, make_event, settings, start_pod, sse, until):
    pod = await start_pod(settings(streams={"buffer_bytes": 4096, "socket_send_bytes": 4096, "window_ms": 0}))
    await pod.ready()
    event = make_event(rows=40, columns=50)
    await log.rows(event.all())

    async def mapped():
        await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    await until(mapped)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", pod.public_port))
    slow.sendall(f"GET {PREFIX}/v1/sse/sessions/{event.session_id}/seat-status HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    fast = await sse(pod.public_port, event.session_id)

    async def both():
        assert len(pod.parts.hub._channels[event.session_id].connections) == 2

    await until(both)

    async def cut():
        # A thousand seats at a time, back and forth, until the one that does not read has too much unsent.
        for status in ("LOCKED", "AVAILABLE"):
            await log.seats(event.session_id, event.seat_ids()[:1000], status)
        await asyncio.sleep(0.02)
        assert len(pod.parts.hub._channels[event.session_id].connections) == 1

    await until(cut)
    await log.seats(event.session_id, event.seat_ids()[:3], "BOOKED")
    await until(await agrees(fast, pod, event.session_id))
    assert not fast.closed.is_set()
    slow.close()


async def test_a_quiet_stream_beats(log, make_event, settings, start_pod, sse, until):
    pod = await start_pod(settings(streams={"heartbeat_seconds": 0.3}))
    await pod.ready()
    event = make_event()
    await log.rows(event.all())

    async def mapped():
        await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    await until(mapped)
    client = await sse(pod.public_port, event.session_id)

    async def beaten():
        assert [one.comment for one in client.events].count("hb") >= 3

    await until(beaten)


async def test_above_the_cap_a_stream_is_refused_and_a_place_is_free_again_later(
    log, make_event, settings, start_pod, sse, until
):
    pod = await start_pod(settings(streams={"max_connections": 2}))
    await pod.ready()
    event = make_event()
    await log.rows(event.all())

    async def mapped():
        await pod.ok(f"/v1/sessions/{event.session_id}/seating-map")

    await until(mapped)
    first = await sse(pod.public_port, event.session_id)
    await sse(pod.public_port, event.session_id)
    path = f"/v1/sse/sessions/{event.session_id}/seat-status"
    refused = await pod.get(path)
    assert refused.status_code == 503
    assert refused.json()["code"] == "overloaded"
    assert refused.headers["retry-after"]
    await first.close()

    async def admitted():
        client = await sse(pod.public_port, event.session_id)
        assert client.status == 200

    await until(admitted)


async def test_at_shutdown_clients_are_told_when_to_come_back(pod, event, sse, until):
    clients = [await sse(pod.public_port, event.session_id) for _ in range(20)]

    async def all_joined():
        assert len(pod.parts.hub._channels[event.session_id].connections) == len(clients)

    await until(all_joined)
    await pod.stop_streams()
    async with asyncio.timeout(10):
        for client in clients:
            await client.closed.wait()
            assert client.events[-1].retry == "2000"
    assert (await pod.get(f"/v1/sse/sessions/{event.session_id}/seat-status")).status_code == 503


@pytest.mark.parametrize("session", ["4b4a1c8e-7f0a-4d7a-9d43-111111111111", "nonsense", "a/b"])
async def test_an_unknown_session_is_404(pod, session):
    for path in (f"/v1/sse/sessions/{session}/seat-status", f"/v1/sessions/{session}/seating-map"):
        response = await pod.get(path)
        assert response.status_code == 404
        assert response.json()["code"] == "session-not-found"


async def test_a_thousand_streams_get_every_change(pod, log, event, sse, until):
    clients = await asyncio.gather(
        *(sse(pod.public_port, event.session_id, query="?mode=snapshot") for _ in range(1000))
    )
    random, seats = Random(5), event.seat_ids()
    for _ in range(60):
        await log.seats(event.session_id, random.sample(seats, 2), random.choice(["LOCKED", "BOOKED", "AVAILABLE"]))
    expected = await truth(pod, event.session_id)

    async def all_agree():
        nonlocal expected
        expected = await truth(pod, event.session_id)
        # A number, not a list: explaining how a thousand values differ would block the loop for minutes.
        behind = sum(client.taken() != expected for client in clients)
        assert behind == 0

    await until(all_agree)
    assert not any(client.closed.is_set() for client in clients)


async def test_a_layout_edit_is_a_new_snapshot_and_a_deletion_ends_the_stream(pod, log, event, sse, until):
    client = await sse(pod.public_port, event.session_id, query="?mode=snapshot")
    session = event.sessions[0]
    freed = {**event.seats[0], "blocked": False, "tier_id": event.tiers[0]["id"]}
    seats = [{**seat, "layout_version": 2} for seat in [freed, *event.seats[1:]]]
    await log.rows([("session_seats", seat) for seat in seats], op="u")
    await log.rows([("session_seating_maps", {**event.maps[0], "layout_version": 2})], op="u")
    await log.rows([("event_sessions", {**session, "layout_version": 2})], op="u")

    async def told():
        assert [one.name for one in client.events if one.comment is None] == ["snapshot", "snapshot", "AVAILABLE"]
        assert client.events[-1].data["seatIds"] == [freed["id"]]

    await until(told)
    await log.seats(event.session_id, [freed["id"]], "LOCKED")
    await until(await agrees(client, pod, event.session_id))
    await log.rows([("events", event.event)], op="d")
    async with asyncio.timeout(30):
        await client.closed.wait()
    assert (await pod.get(f"/v1/sse/sessions/{event.session_id}/seat-status")).status_code == 404


async def test_a_stream_behind_another_server_works_without_its_transport(pod, log, event, until):
    """The fallback: the same application called directly, the way any ASGI server may."""
    sent, gone = [], asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    path = f"{PREFIX}/v1/sse/sessions/{event.session_id}/seat-status"
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "query_string": b"", "headers": []}
    task = asyncio.create_task(pod.public(scope, receive, send))
    seat = event.seat_ids()[0]

    async def joined():
        assert pod.parts.hub._channels[event.session_id].connections

    await until(_missing_is_not_yet(joined))
    await log.seats(event.session_id, [seat], "LOCKED")

    async def told():
        body = b"".join(message.get("body", b"") for message in sent)
        assert b"event: snapshot" in body
        assert b'{"seatIds":["%b"],"status":"LOCKED"' % seat.encode() in body

    await until(told)
    gone.set()
    await task
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def _missing_is_not_yet(probe):
    async def attempt():
        try:
            await probe()
        except KeyError as error:
            raise AssertionError(error) from None

    return attempt
