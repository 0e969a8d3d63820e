"""The canary as readers see it: how late beats are is told by the database's clock, and nobody else sees them."""

from __future__ import annotations

import asyncio
import json
import math
import time
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import ValidationError

from ticketly_common.kafka import Record
from ticketly_event_query.canary.ports import WriterUnknownError, Written
from ticketly_event_query.canary.probe import Probe
from ticketly_event_query.canary.server_clock import Echo, ServerClock
from ticketly_event_query.canary.tracker import Beat, Tracker
from ticketly_event_query.canary.writer import HttpWriter
from ticketly_event_query.projection import tables
from ticketly_event_query.projection.consumers import translate
from ticketly_event_query.settings import Canary, Streams
from ticketly_event_query.streams import frames
from ticketly_event_query.streams.connections import Frame
from ticketly_event_query.streams.hub import Hub
from ticketly_event_query.streams.subscriber import Subscriber

# -- which beats are on their way --------------------------------------------------------------------------------------


def started() -> Tracker:
    tracker = Tracker()
    tracker.arrived(10, 0.0)
    return tracker


def test_a_beat_is_as_old_as_the_time_from_its_writing_to_its_arrival():
    tracker = started()
    tracker.written(Beat(11, 100.0), 100.1)
    assert tracker.pending_seconds(100.3) == pytest.approx(0.3)
    assert tracker.arrived(11, 100.4) == [pytest.approx(0.4)]
    assert (tracker.waits, tracker.pending_seconds(200.0)) == (False, 0.0)


def test_beats_that_were_overtaken_arrive_with_the_one_that_did_so_that_a_pause_counts_in_full():
    tracker = started()
    for number in range(11, 21):
        tracker.written(Beat(number, float(number)), float(number))
    assert tracker.pending_seconds(20.0) == 9.0
    assert tracker.arrived(20, 21.0) == [float(age) for age in range(10, 0, -1)]


def test_the_first_arrival_says_where_to_count_from_and_nothing_about_lag():
    tracker = Tracker()
    tracker.written(Beat(5, 0.0), 3600.0)
    assert tracker.pending_seconds(3600.5) == 0.5, "the last beat of a writer that stopped an hour ago is no lag"
    assert tracker.arrived(5, 3601.0) == []
    tracker.written(Beat(5, 0.0), 3602.0)
    assert not tracker.waits


def test_word_of_a_beat_that_has_arrived_already_is_old_news():
    tracker = started()
    tracker.written(Beat(9, 1.0), 2.0)
    tracker.written(Beat(10, 1.0), 2.0)
    assert not tracker.waits
    assert tracker.arrived(9, 3.0) == []


@given(st.lists(st.tuples(st.sampled_from(["written", "arrived"]), st.integers(1, 3000)), max_size=60))
def test_whatever_comes_in_whatever_order_each_beat_is_counted_once_and_memory_is_bounded(steps):
    tracker, counted = started(), 0
    known, highest = set(), 10
    for number, (what, beat) in enumerate(steps):
        if what == "written":
            tracker.written(Beat(beat, 0.0), float(number))
            if beat > highest:
                known.add(beat)
        else:
            ages = tracker.arrived(beat, float(number))
            assert all(age >= 0 for age in ages)
            counted += len(ages)
            highest = max(highest, beat)
    assert counted == sum(beat <= highest for beat in known)
    assert tracker.waits == any(beat > highest for beat in known)


def test_years_of_silence_fill_no_memory():
    tracker = started()
    for number in range(11, 100_000):
        tracker.written(Beat(number, float(number)), float(number))
    assert tracker.pending_seconds(100_000.0) == 100_000.0 - 11
    assert len(tracker.arrived(200_000, 200_000.0)) <= 1024


# -- the database's clock ----------------------------------------------------------------------------------------------


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_the_clock_is_right_to_the_bound_it_states_whatever_the_way_there_and_back_takes(offset, trips):
    clock, now = ServerClock(), 1000.0
    for round_trip, share in trips:
        sent, now = now, now + round_trip
        clock.learn(Echo(sent, now, sent + share * round_trip + offset))
        now += 1.0
        told, error = clock.at(now), clock.error_seconds(now)
        assert told is not None
        assert error is not None
        assert abs(told - (now + offset)) <= error + 1e-6


def test_the_quickest_answer_is_believed_and_ages():
    clock = ServerClock()
    clock.learn(Echo(0.0, 0.002, 500.001))
    clock.learn(Echo(1.0, 1.8, 501.7))
    assert clock.at(2.0) == pytest.approx(502.0)
    first, later = clock.error_seconds(2.0), clock.error_seconds(60.0)
    assert first is not None
    assert later is not None
    assert 0.001 < first < later < 0.02


def test_a_clock_that_was_set_is_followed_at_once():
    clock = ServerClock()
    for second in range(20):
        clock.learn(Echo(float(second), second + 0.002, 500.001 + second))
    clock.learn(Echo(20.0, 20.004, 9000.0))
    assert clock.at(20.0) == pytest.approx(9000.0 - 0.002)


def test_before_the_first_answer_nothing_is_known():
    clock = ServerClock()
    assert (clock.at(1.0), clock.error_seconds(1.0), clock.age_seconds(1.0)) == (None, None, None)


# -- the probe on a real hub -------------------------------------------------------------------------------------------


class Documents:
    """The canary's document."""

    def __init__(self) -> None:
        self.beat: Beat | None = None

    async def staged(self) -> Beat | None:
        return self.beat

    async def put(self, beat: Beat, build: int) -> None:
        self.beat = beat

    async def read(self) -> Beat | None:
        return self.beat


class Scene:
    """A hub, a probe, a database clock an hour and a half ahead of ours, and our clock by hand."""

    AHEAD = 5400.0

    def __init__(self) -> None:
        self.here = 100.0
        self.number = 10
        self.reachable = True
        self.documents = Documents()
        self.hub = Hub(Streams(window_ms=0))
        self.probe = Probe(self.documents, self, self.hub, monotonic=lambda: self.here)
        self.at = self.database

    @property
    def database(self) -> float:
        return self.here + self.AHEAD

    async def last(self) -> Written:
        if not self.reachable:
            raise WriterUnknownError("no answer")
        return Written(Beat(self.number, self.at), self.database)

    def write(self) -> None:
        self.number, self.at = self.number + 1, self.database

    async def store(self, until: Any) -> None:
        """The row arrives in the store, is looked at, and the hub has written it."""
        self.documents.beat = Beat(self.number, self.at)
        before = broadcasts()
        await self.probe.look()

        async def written() -> None:
            assert broadcasts() > before

        await until(written)


def broadcasts() -> float:
    value = REGISTRY.get_sample_value("ticketly_event_query_broadcasts_total")
    assert value is not None
    return value


def count() -> float:
    return REGISTRY.get_sample_value("ticketly_lag_canary_seconds_count") or 0.0


def total() -> float:
    return REGISTRY.get_sample_value("ticketly_lag_canary_seconds_sum") or 0.0


def gauge(name: str) -> float:
    found = REGISTRY.get_sample_value(f"ticketly_lag_canary_{name}")
    assert found is not None
    return found


@pytest.fixture
async def scene(until):
    found = Scene()
    async with found.hub.running(), found.probe.running():
        await found.probe.ask()
        await found.store(until)
        assert found.probe.pending_seconds() == 0.0
        yield found


async def test_a_beat_s_age_is_that_of_the_encoded_event_by_the_database_s_clock(scene, until):
    scene.write()
    scene.here += 0.7
    before, seconds = count(), total()
    await scene.store(until)
    assert count() == before + 1
    assert total() - seconds == pytest.approx(0.7, abs=0.01)


async def test_a_capture_that_stands_still_shows_as_growing_age_and_counts_in_full_when_it_ends(scene, until):
    for _ in range(5):
        scene.write()
        await scene.probe.ask()
        scene.here += 1.0
    assert gauge("pending_seconds") == pytest.approx(5.0, abs=0.01)
    scene.here += 5.0
    assert gauge("pending_seconds") == pytest.approx(10.0, abs=0.01)
    seconds = total()
    await scene.store(until)
    assert total() - seconds == pytest.approx(10 + 9 + 8 + 7 + 6, abs=0.05)
    assert gauge("pending_seconds") == 0.0


async def test_a_writer_that_cannot_be_asked_makes_nothing_pending_but_hides_nothing_that_is(scene):
    scene.reachable = False
    scene.here += 5.0
    assert gauge("pending_seconds") == 0.0
    scene.here += 60.0
    assert math.isnan(gauge("pending_seconds"))
    assert gauge("clock_error_seconds") > 0
    scene.reachable = True
    scene.write()
    await scene.probe.ask()
    scene.reachable = False
    scene.here += 60.0
    assert gauge("pending_seconds") == pytest.approx(60.0, abs=0.1)


async def test_numbers_that_begin_anew_are_followed(scene, until):
    scene.number, scene.at = 3, scene.database
    await scene.store(until)
    scene.write()
    scene.here += 0.2
    seconds = total()
    await scene.store(until)
    assert total() - seconds == pytest.approx(0.2, abs=0.01)


async def test_an_unchanged_document_sends_nothing(scene):
    sent = broadcasts()
    await scene.probe.look()
    await asyncio.sleep(0.05)
    assert broadcasts() == sent


async def test_without_a_running_probe_nothing_is_claimed():
    scene = Scene()
    async with scene.hub.running(), scene.probe.running():
        await scene.probe.ask()
        assert gauge("pending_seconds") >= 0
    assert math.isnan(gauge("pending_seconds"))
    assert math.isnan(gauge("clock_error_seconds"))


def test_a_subscriber_reads_ids_and_passes_over_what_has_none():
    seen: list[int] = []
    subscriber = Subscriber(seen.append)
    subscriber.write(Frame(frames.HEARTBEAT))
    subscriber.write(Frame(frames.goodbye(2000)))
    subscriber.write(Frame(b'event: AVAILABLE\nid: 41\ndata: {"seatIds":["id: 7"]}\n\nevent: x\nid: 42\ndata: 1\n\n'))
    assert seen == [41, 42]
    assert subscriber.unsent_bytes() == 0


# -- the writer's echo -------------------------------------------------------------------------------------------------


def answering(handler: Any) -> HttpWriter:
    return HttpWriter(httpx2.AsyncClient(transport=httpx2.MockTransport(handler)), "http://command.test:9081/")


async def test_the_echo_is_read_to_the_microsecond():
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert str(request.url) == "http://command.test:9081/api/event-seating/internal/v1/lag-canary"
        return httpx2.Response(200, json={"beat": 7, "writtenAtMicros": 1_500_000, "nowMicros": 2_000_001})

    assert await answering(handler).last() == Written(Beat(7, 1.5), 2.000001)


@pytest.mark.parametrize(
    "answer", [httpx2.Response(503), httpx2.Response(200, text="{}"), httpx2.Response(200, text="<html>")]
)
async def test_an_echo_that_makes_no_sense_is_none(answer):
    with pytest.raises(WriterUnknownError):
        await answering(lambda _: answer).last()


async def test_a_command_service_that_is_away_is_told_by_its_own_error():
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(WriterUnknownError, match="refused"):
        await answering(handler).last()


def test_a_canary_needs_somebody_to_ask():
    assert not Canary().enabled
    with pytest.raises(ValidationError, match="writer_url: required"):
        Canary(enabled=True)


# -- through the log, the store and the stream -------------------------------------------------------------------------


def captured(number: int, at: datetime, *, lsn: int) -> bytes:
    row = {"id": 1, "ts": at.isoformat().replace("+00:00", "Z"), "beat": number}
    value = {"before": None, "after": row, "source": {"lsn": lsn, "table": "lag_canary"}, "op": "u", "ts_ms": 0}
    return json.dumps(value).encode()


def record(offset: int, value: bytes | None) -> Record:
    return Record(tables.CANARY_TOPIC, 0, offset, b'{"id":1}', value)


def test_of_many_canaries_only_the_newest_is_taken_in():
    at = datetime(2026, 11, 26, tzinfo=UTC)
    rows, segments = translate([record(number, captured(number, at, lsn=number)) for number in range(1, 50)])
    assert ([(row.table, row.key, row.row["beat"]) for row in rows], segments) == ([("lag_canary", "1", 49)], [])


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"not json",
        b'{"source":{"lsn":1,"table":"lag_canary"},"op":"u","after":{"id":1,"ts":"2026-11-26T00:00:00Z"}}',
        b'{"source":{"lsn":1,"table":"lag_canary"},"op":"u","after":{"id":1,"ts":"soon","beat":1}}',
        b'{"source":{"lsn":1,"table":"lag_canary"},"op":"u","after":{"id":2,"ts":"2026-11-26T00:00:00Z","beat":1}}',
        b'{"source":{"lsn":1,"table":"lag_canary"},"op":"d","before":{"id":1,"ts":"2026-11-26T00:00:00Z","beat":1}}',
    ],
    ids=["tombstone", "no record", "before the number", "no time", "another row", "deleted"],
)
def test_a_canary_that_measures_nothing_is_passed_over_and_is_no_dead_letter(value):
    assert translate([record(1, value)]) == ([], [])


async def echo_server(state: dict[str, Any]) -> tuple[asyncio.Server, int]:
    """The command service's part, on our own clock: the newest beat of ``state``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            told = {
                "beat": state["beat"],
                "writtenAtMicros": int(state["at"] * 1e6),
                "nowMicros": int(time.time() * 1e6),
            }
            body = json.dumps(told).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_from_the_log_through_the_store_to_the_stream_and_to_no_reader(
    log, settings, start_pod, make_event, until
):
    state: dict[str, Any] = {"beat": 1, "at": time.time()}
    server, port = await echo_server(state)

    async def beat() -> None:
        state.update(beat=state["beat"] + 1, at=time.time())
        written = datetime.fromtimestamp(state["at"], UTC)
        await log.raw(tables.CANARY_TOPIC, b'{"id":1}', captured(state["beat"], written, lsn=state["beat"]))
        await log.producer.flush()

    event = make_event()
    await log.rows(event.all())
    enabled = Canary(enabled=True, writer_url=f"http://127.0.0.1:{port}")
    running = await start_pod(settings().model_copy(update={"canary": enabled}))
    await running.settled()
    before = count()

    async def measured() -> None:
        await beat()
        await asyncio.sleep(0.1)
        assert count() >= before + 3

    await until(measured)
    shown = (await running.internal.get("/metrics")).text
    for name in ("seconds_bucket{", "pending_seconds ", "clock_error_seconds "):
        assert f"ticketly_lag_canary_{name}" in shown
    found = await running.ok("/v1/events/search", params={"pageable.size": 50})
    assert [each["id"] for each in found["content"]] == [event.id]
    for path in ("/v1/sessions/lag-canary/seating-map", "/v1/sse/sessions/lag-canary/seat-status"):
        assert (await running.get(path)).status_code == 404
    # capture stands still: the writer goes on, nothing arrives
    state.update(beat=state["beat"] + 1, at=time.time() - 30)

    async def overdue() -> None:
        assert gauge("pending_seconds") >= 30

    await until(overdue)
    await running.ready()
    server.close()


async def test_a_probe_that_is_off_measures_nothing_and_reads_on(log, settings, start_pod, make_event):
    event = make_event()
    await log.rows(event.all())
    await log.raw(tables.CANARY_TOPIC, b'{"id":1}', captured(1, datetime.now(UTC), lsn=1))
    before = count()
    running = await start_pod(settings())
    await running.settled()
    await running.ok(f"/v1/sessions/{event.session_id}/seating-map")
    assert math.isnan(gauge("pending_seconds"))
    assert count() == before
