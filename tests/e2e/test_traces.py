"""A trace from a buyer's request through PostgreSQL, Debezium and Kafka into a consumer, on a running platform."""

import asyncio
import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ticketly_common import tracing
from ticketly_common.kafka import Position, Projection, Record
from ticketly_common.settings import Kafka

pytestmark = pytest.mark.stack
USER = "user@ticketly.test"
TOPICS = ("ticketly.order.created", "ticketly.seats.status")


class Noted:
    """A sink that keeps the records of one session."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.records: list[Record] = []

    async def positions(self, partitions: Collection[Position]) -> Mapping[Position, int]:
        return {}

    async def apply(self, records: Sequence[Record], positions: Mapping[Position, int]) -> None:
        self.records += [record for record in records if self.session.encode() in (record.value or b"")]

    def transient(self, error: Exception) -> bool:
        return False


async def test_a_buyer_s_trace_goes_through_the_outbox_and_the_log_into_consumers(api: Any, sale: Any) -> None:
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    sent = f"00-{trace}-{parent}-01"
    placed = await asyncio.to_thread(
        api.call, "POST", "/api/order", USER, json=sale.order(sale.seats[0]), headers={"traceparent": sent}
    )
    assert placed.status_code == 201
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    sink = Noted(sale.session)
    kafka = Kafka(bootstrap_servers=api.platform.kafka_bootstrap_servers)
    projection = Projection(f"trace-{uuid.uuid4().hex[:6]}", kafka, TOPICS, sink, group=None)

    def continued() -> list[Any]:
        return [span for span in kept.get_finished_spans() if f"{span.context.trace_id:032x}" == trace]

    with tracing.using(provider, 0.0):
        async with projection.running(), asyncio.timeout(60):
            while len(continued()) < len(TOPICS):
                await asyncio.sleep(0.05)
    assert {record.topic: record.headers["traceparent"].decode() for record in sink.records} == dict.fromkeys(
        TOPICS, sent
    )
    spans = continued()
    assert {span.name for span in spans} == {f"process {topic}" for topic in TOPICS}
    assert {f"{span.parent.span_id:016x}" for span in spans} == {parent}
    assert {span.kind.name for span in spans} == {"CONSUMER"}
