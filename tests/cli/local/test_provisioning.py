"""Roles, databases and topics on real servers."""

from __future__ import annotations

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from ticketly_cli.local.component import UnhealthyError
from ticketly_cli.local.provisioning import databases, topics
from ticketly_crds.blueprint import Database, SecretRef, Topic

ROLES = {"ticketly_first": "password 'one'", "ticketly_second": "two", "ticketly_cdc": "three"}
DATABASES = [
    Database("first_service", "first", "ticketly_first", SecretRef("s", "first")),
    Database("second_service", "second", "ticketly_second", SecretRef("s", "second")),
]


async def login(postgres_server, role: str, database: str):
    return await asyncpg.connect(
        host="127.0.0.1", port=postgres_server.server.port, user=role, password=ROLES[role], database=database
    )


async def test_a_service_owns_its_database_and_cannot_enter_another(postgres_server):
    await databases.provision(postgres_server.server, DATABASES, ROLES)
    await databases.provision(postgres_server.server, DATABASES, ROLES)
    connection = await login(postgres_server, "ticketly_first", "first_service")
    try:
        await connection.execute("create table if not exists things (id int)")
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login(postgres_server, "ticketly_first", "second_service")


async def test_capture_may_read_and_replicate_but_not_write(postgres_server):
    await databases.provision(postgres_server.server, DATABASES, ROLES)
    owner = await login(postgres_server, "ticketly_first", "first_service")
    await owner.execute("create table if not exists captured (id int)")
    await owner.close()
    connection = await login(postgres_server, "ticketly_cdc", "first_service")
    try:
        assert await connection.fetchval("select rolreplication from pg_roles where rolname = 'ticketly_cdc'")
        assert await connection.fetch("select * from captured") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("insert into captured values (1)")
    finally:
        await connection.close()


async def test_a_changed_password_is_set_again(postgres_server):
    await databases.provision(postgres_server.server, DATABASES, {**ROLES, "ticketly_second": "old"})
    await databases.provision(postgres_server.server, DATABASES, ROLES)
    connection = await login(postgres_server, "ticketly_second", "second_service")
    await connection.close()


async def test_a_slot_nobody_reads_is_told(postgres_server):
    with pytest.raises(UnhealthyError, match="slot absent_slot is missing"):
        await databases.slot_is_streaming(postgres_server.server, "absent_slot")()


def topic(name: str, partitions: int = 1, **config: str) -> Topic:
    settings = {key.replace("_", "."): value for key, value in config.items()}
    return Topic(name, partitions, 1, settings, keyed=True)


def test_what_exists_as_wanted_is_left_alone():
    wanted = [topic("a", 2, cleanup_policy="compact")]
    done = topics.changes(wanted, {"a": 2}, {"a": {"cleanup.policy": "compact"}})
    assert (done.create, dict(done.grow), done.configure) == ((), {}, ())


def test_partitions_grow_and_never_shrink():
    done = topics.changes([topic("a", 3), topic("b", 1)], {"a": 2, "b": 2}, {})
    assert dict(done.grow) == {"a": 3}


async def described(servers: str, name: str) -> tuple[int, dict[str, str]]:
    client = AIOKafkaAdminClient(bootstrap_servers=servers)
    await client.start()
    try:
        (found,) = await client.describe_topics([name])
        return len(found["partitions"]), (await topics.own_settings(client, [name]))[name]
    finally:
        await client.close()


async def test_topics_are_made_grown_and_reconfigured_on_a_real_broker(kafka_server):
    servers = kafka_server.bootstrap_servers
    await topics.provision(servers, [topic("provisioned", 1, retention_ms="1000", cleanup_policy="delete")])
    assert await described(servers, "provisioned") == (1, {"retention.ms": "1000", "cleanup.policy": "delete"})
    wanted = [topic("provisioned", 3, cleanup_policy="compact"), topic("another", 1)]
    for _ in range(2):
        await topics.provision(servers, wanted)
        assert await described(servers, "provisioned") == (3, {"cleanup.policy": "compact"})
    assert await described(servers, "another") == (1, {})


async def test_an_impossible_topic_is_refused_with_kafkas_reason(kafka_server):
    with pytest.raises(UnhealthyError, match="topic impossible"):
        await topics.provision(kafka_server.bootstrap_servers, [Topic("impossible", 1, 5, {}, keyed=True)])
