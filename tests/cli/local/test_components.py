"""The single components as the tests of other parts use them."""

from __future__ import annotations

import asyncpg
import redis.asyncio
from aiokafka import AIOKafkaProducer
from pymongo import MongoClient


async def test_a_fresh_database_accepts_its_user_with_the_password_and_decodes_logically(postgres_server):
    database = postgres_server.create_database()
    connection = await asyncpg.connect(database.dsn)
    try:
        assert await connection.fetchval("show wal_level") == "logical"
        assert (await connection.fetchval("show server_version")).startswith("18.")
        assert await connection.fetchval("select upper('ä')") == "Ä"
    finally:
        await connection.close()


async def test_a_wrong_password_is_refused(postgres_server):
    database = postgres_server.create_database()
    refused = None
    try:
        await asyncpg.connect(host=database.host, port=database.port, user=database.user, password="no", database="x")
    except asyncpg.InvalidPasswordError as error:
        refused = error
    assert refused is not None


async def test_valkey_answers(valkey_server):
    client = redis.asyncio.from_url(valkey_server.url())
    await client.set("a", "1")
    assert await client.get("a") == b"1"
    await client.aclose()


async def test_kafka_creates_no_topic_by_itself(kafka_server):
    producer = AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap_servers, request_timeout_ms=5000)
    await producer.start()
    try:
        assert await producer.client.fetch_all_metadata()
        assert "surprise" not in producer.client.cluster.topics()
    finally:
        await producer.stop()


def test_mongo_stores_and_announces_a_version_the_drivers_accept(mongo_server):
    client = MongoClient(mongo_server.uri)
    try:
        collection = client[mongo_server.database_name()]["things"]
        collection.insert_one({"_id": "a", "n": 1})
        assert collection.find_one({"_id": "a"}) == {"_id": "a", "n": 1}
        assert client.server_info()["version"].startswith("4.4")
    finally:
        client.close()
