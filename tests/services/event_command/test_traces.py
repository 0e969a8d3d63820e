"""Captured rows carry no traceparent; the transaction's number leads from a request to its rows."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ticketly_common import tracing

ATTRIBUTE = "db.postgresql.transaction_id"


@pytest.fixture
def spans():
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with tracing.using(provider, 1.0):
        yield kept


async def test_a_request_s_span_names_the_transaction_that_wrote_its_rows(world, spans):
    made = await world.person().organization()
    (span,) = spans.get_finished_spans()
    assert span.name == "POST /api/event-seating/v1/organizations"
    (row,) = await world.sql(
        "SELECT xmin::text::bigint AS number FROM organizations WHERE id = $1::text::uuid", made["id"]
    )
    assert span.attributes[ATTRIBUTE] == row["number"]


async def test_a_request_that_writes_nothing_names_no_transaction(world, spans):
    await world.person().ok("GET", "/v1/categories")
    (span,) = spans.get_finished_spans()
    assert ATTRIBUTE not in span.attributes
