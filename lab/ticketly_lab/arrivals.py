"""Whether capture works from end to end: a row is written to a database of the stores and awaited on its topic."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Final

from aiokafka import AIOKafkaConsumer

from ticketly_crds import names
from ticketly_lab.stores import Stores

PATIENCE_SECONDS: Final = 60.0

_ROW: Final = "insert into organizations (id, name, user_id) values ($1::uuid, 'Arrival', gen_random_uuid())"
_MESSAGE: Final = """
insert into outbox (aggregatetype, aggregateid, type, payload, occurred_at)
values ('seats.status', $1::text, 'Arrival', '{}', now())
"""


async def row(stores: Stores, patience_seconds: float = PATIENCE_SECONDS) -> float:
    """Seconds from the commit of a row of the event database to a consumer. Raises TimeoutError."""
    topic = names.table_topic("organizations")
    return await asyncio.wait_for(_arrival(stores, names.EVENT_DATABASE, _ROW, topic), patience_seconds)


async def message(stores: Stores, patience_seconds: float = PATIENCE_SECONDS) -> float:
    """Seconds from the commit of a message in the order database's outbox to a consumer. Raises TimeoutError."""
    arrival = _arrival(stores, names.ORDER_DATABASE, _MESSAGE, names.SEATS_STATUS_TOPIC)
    return await asyncio.wait_for(arrival, patience_seconds)


async def _arrival(stores: Stores, database: str, statement: str, topic: str) -> float:
    key = str(uuid.uuid4())
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=stores.addresses.bootstrap_servers, group_id=None)
    await consumer.start()
    try:
        await consumer.seek_to_end()
        connection = await stores.sql(database)
        try:
            await connection.execute(statement, key)
        finally:
            await connection.close()
        began = time.monotonic()
        async for record in consumer:
            if key.encode() in (record.key or b""):
                return time.monotonic() - began
    finally:
        await consumer.stop()
    raise AssertionError("a consumer ends only when it is told to")
