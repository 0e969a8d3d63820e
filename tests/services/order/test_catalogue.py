"""From table changes to a catalogue a claim can trust: order of topics, versions, tombstones, bad records."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ticketly_common.cdc import Change
from ticketly_common.kafka import Projection
from ticketly_common.settings import Kafka
from ticketly_order.catalogue.consumers import CatalogueSink
from ticketly_order.catalogue.domain import TOPICS, Row, UnusableRow, latest, row_of
from ticketly_order.catalogue.handlers import apply
from ticketly_order.catalogue.postgres import PostgresCatalogue
from ticketly_order.claims.domain import Won
from ticketly_order.postgres import UNAVAILABLE


@pytest.fixture
def catalogue(database):
    return PostgresCatalogue(database)


def new_hall(open_hall_type, seats=3):
    return open_hall_type(seats=[str(uuid.uuid4()) for _ in range(seats)])


@pytest.fixture
async def hall_type(open_hall):
    return type(await open_hall(0))


async def feed(catalogue, rows):
    ended = []
    await apply(rows, {}, catalogue=catalogue, session_ended=lambda: ended.append(1))
    return len(ended)


def test_a_change_becomes_a_row_and_bad_columns_are_named():
    seat = {"id": str(uuid.uuid4()), "session_id": str(uuid.uuid4()), "block_id": None, "label": "1A", "tier_id": None,
            "blocked": True, "layout_version": 3, "position": 9}  # fmt: skip
    row = row_of(Change("session_seats", "upsert", seat, 77))
    assert (row.id, row.version, row.deleted, row.values["layout_version"]) == (seat["id"], 77, False, 3)
    for column, value in [("id", None), ("id", "x"), ("session_id", None), ("label", 5), ("label", "a\x00"),
                          ("blocked", "yes"), ("layout_version", "3"), ("layout_version", None)]:  # fmt: skip
        with pytest.raises(UnusableRow, match=column):
            row_of(Change("session_seats", "upsert", {**seat, column: value}, 77))
    with pytest.raises(UnusableRow, match="not part"):
        row_of(Change("discounts", "upsert", seat, 77))
    gone = row_of(Change("session_seats", "delete", {"id": seat["id"]}, 78))
    assert gone.deleted
    assert gone.values["session_id"] is None


def test_of_several_changes_of_one_row_the_newest_counts():
    rows = [Row("tiers", "a", 2, False, {"n": 1}), Row("tiers", "a", 1, False, {"n": 2}),
            Row("tiers", "a", 2, False, {"n": 3})]  # fmt: skip
    assert latest(rows)["tiers"] == [rows[2]]


async def test_tables_may_arrive_in_any_order_and_any_number_of_times(catalogue, hall_type, desk, sql):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for order in dice.sample(list(itertools.permutations(range(5))), 12):
        hall = new_hall(hall_type)
        tables = list(hall.rows().values())
        for number in order:
            assert not await sql.fetchval("SELECT ready FROM catalogue.sessions WHERE id = $1", hall.session_id) or (
                number in {0, 1, 3}
            )
            await feed(catalogue, tables[number])
            await feed(catalogue, tables[number])
        assert await sql.fetchval("SELECT ready FROM catalogue.sessions WHERE id = $1", hall.session_id)
        assert isinstance(await desk.committer.submit(hall.claim(f"b-{order}", [0, 1, 2])), Won)


async def test_writers_of_seats_and_of_the_session_side_by_side_end_up_ready(catalogue, hall_type, sql):
    for _ in range(15):
        hall = new_hall(hall_type, 6)
        rows = hall.rows()
        parts = [rows["event_sessions"], rows["session_seats"][:3], rows["session_seats"][3:]]
        await asyncio.gather(*(feed(catalogue, part) for part in parts))
        assert await sql.fetchval("SELECT ready FROM catalogue.sessions WHERE id = $1", hall.session_id)


async def test_older_changes_never_overwrite_and_a_tombstone_stays(catalogue, open_hall, sql):
    hall = await open_hall(2)
    older = hall.rows()
    hall.version = 5
    everything = [row for rows in hall.rows().values() for row in rows]
    newer = [Row(row.table, row.id, 5, True, dict.fromkeys(row.values)) for row in everything]
    await feed(catalogue, newer)
    await feed(catalogue, [row for rows in older.values() for row in rows])
    for table in ("organizations", "events", "sessions", "tiers", "seats"):
        rows = await sql.fetch(f"SELECT deleted, version FROM catalogue.{table}")
        assert {tuple(row) for row in rows} == {(True, 5)}, table
    assert not await sql.fetchval("SELECT ready FROM catalogue.sessions")


async def test_capture_never_touches_seat_state(catalogue, open_hall, desk, sql):
    hall = await open_hall(2)
    won = await desk.committer.submit(hall.claim("ann", [0]))
    before = await sql.fetch("SELECT * FROM seats ORDER BY seat_id")
    hall.version = 9
    await feed(catalogue, [row for rows in hall.rows().values() for row in rows])
    seat = hall.rows()["session_seats"][0]
    await feed(catalogue, [Row(seat.table, seat.id, 10, True, dict.fromkeys(seat.values))])
    assert await sql.fetch("SELECT * FROM seats ORDER BY seat_id") == before
    assert won.order_id in {str(row["order_id"]) for row in before}


async def test_a_layout_edit_closes_the_session_until_all_its_seats_have_arrived(catalogue, open_hall, sql):
    hall = await open_hall(3)
    ready = "SELECT ready FROM catalogue.sessions"
    hall.version = 2
    await feed(catalogue, [hall.session_row(layout_version=2, seat_count=2)])
    assert not await sql.fetchval(ready)
    seats = [
        Row(row.table, row.id, 2, False, {**row.values, "layout_version": 2}) for row in hall.rows()["session_seats"]
    ]
    await feed(catalogue, seats[:1])
    assert not await sql.fetchval(ready)
    await feed(catalogue, seats[1:2])
    assert await sql.fetchval(ready), "the third seat of the old layout does not count"


async def test_only_a_session_that_ends_wakes_the_sweeper(catalogue, open_hall):
    hall = await open_hall(1)
    assert await feed(catalogue, [hall.session_row()]) == 0
    hall.version = 2
    assert await feed(catalogue, [hall.session_row(status="CLOSED")]) == 0
    hall.version = 3
    assert await feed(catalogue, [hall.session_row(status="CANCELLED")]) == 1
    assert await feed(catalogue, [hall.session_row(status="CANCELLED")]) == 0


async def test_a_hundred_thousand_seats_are_loaded_in_batches(catalogue, hall_type, sql):
    hall = new_hall(hall_type, 100_000)
    rows = hall.rows()
    seats = rows.pop("session_seats")
    await catalogue.apply(rows, {})
    started = time.perf_counter()
    for start in range(0, len(seats), 5000):
        await catalogue.apply({"session_seats": seats[start : start + 5000]}, {})
    print(f"100,000 seats in {time.perf_counter() - started:.1f} s")
    assert await sql.fetchval("SELECT ready FROM catalogue.sessions WHERE id = $1", hall.session_id)
    assert await sql.fetchval("SELECT count(*) FROM seats") == 100_000


def record(row):
    value = {"before": None, "after": {"id": row.id}, "source": {"lsn": row.version, "table": row.table}, "op": "c"}
    names = {name: value if isinstance(value, int | str | bool | None) else value.isoformat()
             for name, value in row.values.items()}  # fmt: skip
    value["after"].update(names)
    return json.dumps({"id": row.id}).encode(), json.dumps(value).encode()


async def ends(kafka_server, topic):
    """Return the next offset of each partition."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_server.bootstrap_servers)
    await consumer.start()
    found = await consumer.end_offsets(consumer.assignment())
    await consumer.stop()
    return {partition.partition: offset for partition, offset in found.items()}


async def test_the_log_fills_an_empty_catalogue_and_bad_records_stand_alone(kafka_server, database, hall_type, sql):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1) for topic in TOPICS for name in (topic, f"{topic}.DLT")])
    await admin.close()
    hall = new_hall(hall_type, 50)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap_servers)
    await producer.start()
    seats = "dbz.ticketly.public.session_seats"
    # Other tests may have written to the same topics of this broker.
    earlier = await ends(kafka_server, seats)
    for table, rows in hall.rows().items():
        for row in rows:
            key, value = record(row)
            await producer.send(f"dbz.ticketly.public.{table}", value, key=key)
    await producer.send(seats, b"{", key=b"bad")
    nonsense = b'{"after": {"id": "nope"}, "source": {"table": "session_seats"}, "op": "c"}'
    await producer.send(seats, nonsense, key=b"bad")
    await producer.send(seats, None, key=b"tombstone")
    await producer.flush()

    kafka = Kafka(bootstrap_servers=kafka_server.bootstrap_servers)
    group = f"catalogue-{uuid.uuid4().hex}"
    for _ in range(2):  # the second one starts where the first left off
        sink = CatalogueSink(PostgresCatalogue(database), session_ended=lambda: None, transient=UNAVAILABLE)
        async with Projection("test", kafka, TOPICS, sink, group=group).running() as projection:
            async with asyncio.timeout(60):
                while not projection.caught_up:
                    await asyncio.sleep(0.05)
        assert await sql.fetchval("SELECT ready FROM catalogue.sessions WHERE id = $1", hall.session_id)
        await producer.send(seats, b"[]", key=b"bad")
    await producer.stop()
    end = await sql.fetchval("SELECT sum(next_offset) FROM catalogue.positions WHERE topic = $1", seats)
    assert end - sum(earlier.values()) == 54

    consumer = AIOKafkaConsumer(
        f"{seats}.DLT", bootstrap_servers=kafka_server.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    letters = []
    async with asyncio.timeout(30):
        while len(letters) < 3:
            letter = await consumer.getone()
            _, partition, offset = dict(letter.headers)["ticketly-source"].decode().rsplit(":", 2)
            if int(offset) >= earlier[int(partition)]:
                letters.append(letter)
    await consumer.stop()
    assert sorted(letter.value[:1] for letter in letters) == [b"[", b"{", b"{"]
