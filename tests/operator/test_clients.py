"""The adapters against a real broker, a real database, and a Connect that answers badly."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import pytest
from aiohttp import web

from ticketly_crds.blueprint import Topic
from ticketly_operator.clients.connect import ConnectRest
from ticketly_operator.clients.kafka import Access, KafkaBrokers
from ticketly_operator.clients.postgres import PostgresSlots, Server
from ticketly_operator.errors import (
    ConnectRefusedError,
    ConnectUnreachableError,
    KafkaUnreachableError,
    SlotUnreadableError,
    TopicRefusedError,
)

# --- Kafka ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def brokers(kafka_server):
    async with KafkaBrokers(Access(kafka_server.bootstrap_servers), timeout_seconds=20) as found:
        yield found


async def eventually(look, wanted):
    """Brokers tell about a change a moment after they have made it."""
    async with asyncio.timeout(20):
        while (found := await look()) != wanted:
            await asyncio.sleep(0.05)
    return found


async def test_topics_are_made_seen_corrected_grown_and_removed(brokers):
    topic = Topic("operator.topics", 2, 1, {"cleanup.policy": "compact", "min.insync.replicas": "1"}, keyed=True)

    async def look():
        found = (await brokers.topics([topic.name, "operator.absent"])).get(topic.name)
        return found and (found.partitions, found.replication_factor, dict(found.config))

    assert await look() is None
    await brokers.create([topic])
    await eventually(look, (2, 1, dict(topic.config)))
    await brokers.create([topic])
    await brokers.configure({topic.name: {"retention.ms": "1000"}})
    await eventually(look, (2, 1, {"retention.ms": "1000"}))
    await brokers.grow({topic.name: 3})
    await eventually(look, (3, 1, {"retention.ms": "1000"}))
    await brokers.delete([topic.name, "operator.absent"])
    await eventually(look, None)
    await brokers.delete([topic.name])


async def test_what_the_broker_refuses_is_told_with_the_topics_name(brokers):
    with pytest.raises(TopicRefusedError, match=r"operator\.bad"):
        await brokers.create([Topic("operator.bad", 1, 3, {}, keyed=True)])
    with pytest.raises(TopicRefusedError, match=r"operator\.worse"):
        await brokers.create([Topic("operator.worse", 1, 1, {"cleanup.policy": "nonsense"}, keyed=True)])


async def test_a_broker_that_is_not_there_is_unreachable_within_the_limit(free_ports):
    (port,) = free_ports(1)
    with pytest.raises(KafkaUnreachableError, match="does not answer"):
        async with KafkaBrokers(Access(f"127.0.0.1:{port}"), timeout_seconds=1) as brokers:
            await brokers.topics(["a"])


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def slots(postgres_server):
    database = postgres_server.create_database()
    server = Server(database.host, database.port, database.user, "disable", database.password)
    connection = await asyncpg.connect(database.dsn)
    yield PostgresSlots(server), database, connection
    await connection.close()


async def test_a_slot_is_seen_with_what_it_holds_back_and_dropped(slots):
    reader, database, sql = slots
    name = f"slot_{database.name}"

    async def slot(where=database.name):
        return (await reader.look(where, name, "p")).slot

    assert await slot() is None
    await sql.execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
    before = await slot()
    assert (before.name, before.active, before.wal_status) == (name, False, "reserved")
    await sql.execute("CREATE TABLE t AS SELECT generate_series(1, 10000)")
    async with asyncio.timeout(20):  # this server writes its log a moment after the commit
        while (after := await slot()).retained_bytes <= before.retained_bytes:
            await asyncio.sleep(0.02)
    assert after.confirmed_flush_lsn == before.confirmed_flush_lsn
    assert await slot("postgres") is None, "a slot belongs to its database"
    await reader.drop_slot(database.name, name)
    assert await slot() is None
    await reader.drop_slot(database.name, name)


async def test_a_server_is_known_by_its_identity_and_a_publication_by_its_name(slots):
    reader, database, sql = slots
    before = await reader.look(database.name, "s", "p")
    assert (before.published, before.slot) == (False, None)
    await sql.execute("CREATE PUBLICATION p")
    after = await reader.look(database.name, "s", "p")
    assert after.published
    elsewhere = await reader.look("postgres", "s", "p")
    assert (elsewhere.published, elsewhere.system) == (False, before.system)
    assert before.system == await sql.fetchval("SELECT system_identifier FROM pg_control_system()")


async def test_a_database_that_does_not_let_in_is_unreadable_and_no_password_is_told(slots, free_ports):
    _, database, _ = slots
    (port,) = free_ports(1)
    elsewhere = Server(database.host, port, database.user, "disable", "hunter2", 1, 1)
    with pytest.raises(SlotUnreadableError) as told:
        await PostgresSlots(elsewhere).look(database.name, "s", "p")
    assert "hunter2" not in str(told.value)
    with pytest.raises(SlotUnreadableError, match="does not exist"):
        await slots[0].look("no_such_database", "s", "p")


# --- Kafka Connect ----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def connect_that(answer, timeout_seconds=5.0):
    """A server that answers every request with ``answer(request)``."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    serving = web.AppRunner(application, shutdown_timeout=0.1)
    await serving.setup()
    site = web.TCPSite(serving, "127.0.0.1", 0)
    await site.start()
    port = serving.addresses[0][1]
    try:
        async with ConnectRest(f"http://127.0.0.1:{port}", timeout_seconds) as client:
            yield client
    finally:
        await serving.cleanup()


@pytest.mark.parametrize("status", [409, 500, 503])
async def test_a_connect_that_cannot_now_is_unreachable(status):
    async def answer(_request):
        return web.json_response({"error_code": status, "message": "rebalancing"}, status=status)

    async with connect_that(answer) as client:
        with pytest.raises(ConnectUnreachableError, match="rebalancing"):
            await client.put("c", {"a": "b"})


async def test_a_refused_configuration_is_told_in_connects_words():
    async def answer(_request):
        return web.json_response({"error_code": 400, "message": "slot.name is invalid"}, status=400)

    async with connect_that(answer) as client:
        with pytest.raises(ConnectRefusedError, match=r"slot\.name is invalid"):
            await client.put("c", {"a": "b"})


async def test_a_connect_that_hangs_is_given_up():
    async def answer(_request):
        await asyncio.Event().wait()

    async with connect_that(answer, timeout_seconds=0.3) as client:
        with pytest.raises(ConnectUnreachableError, match="does not answer"):
            await client.connector("c")


async def test_a_connector_is_put_together_from_its_configuration_and_its_status():
    async def answer(request):
        if request.raw_path == "/connectors/c%2Fd/config":
            return web.json_response({"name": "c/d", "a": "b"})
        if request.raw_path == "/connectors/c%2Fd/status":
            tasks = [{"id": 0, "state": "FAILED", "trace": "boom"}, {"id": 1, "state": "RUNNING"}]
            return web.json_response({"connector": {"state": "RUNNING"}, "tasks": tasks})
        if request.raw_path == "/connectors/c%2Fd/offsets":
            return web.json_response({"offsets": [{"partition": {}, "offset": {"lsn": 7}}]})
        return web.json_response({"message": "not found"}, status=404)

    async with connect_that(answer) as client:
        seen = await client.connector("c/d")
        assert (dict(seen.config), seen.state) == ({"a": "b"}, "RUNNING")
        assert [(task.id, task.state, task.trace) for task in seen.tasks] == [(0, "FAILED", "boom"), (1, "RUNNING", "")]
        assert await client.offsets("c/d") == {"lsn": 7}
        assert await client.connector("absent") is None
        assert await client.offsets("absent") is None
        await client.delete("absent")
