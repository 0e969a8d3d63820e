"""A trace from a request into the rows of its transaction, on a real database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ticketly_common import tracing
from ticketly_common.settings import Cors, Kafka, Listen, Redis
from ticketly_common.testing import TokenIssuer
from ticketly_order.app import create_app
from ticketly_order.settings import Compat, Holds, Settings

ISSUER = TokenIssuer()
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = f"00-{TRACE}-{PARENT}-01"


@contextlib.contextmanager
def collected(ratio: float) -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with tracing.using(provider, ratio):
        yield kept


@pytest.fixture
async def api(order_settings):
    settings = Settings.model_construct(
        listen=Listen(public_port=0, internal_port=0),
        identity=ISSUER.identity(),
        postgres=order_settings,
        kafka=Kafka(bootstrap_servers="127.0.0.1:1"),
        redis=Redis(),
        holds=Holds(),
        compat=Compat(),
        cors=Cors(),
    )
    service = create_app(settings, verifier=ISSUER.verifier())
    transport = httpx2.ASGITransport(app=service.public)
    async with service.lifespan(), httpx2.AsyncClient(transport=transport, base_url="http://order.test") as client:
        yield client


async def place(api, hall, seat, **headers):
    body = {
        "event_id": hall.event_id,
        "session_id": hall.session_id,
        "organization_id": hall.organization_id,
        "seat_ids": [hall.seats[seat]],
    }
    token = ISSUER.token("8f6f2f0e-4f0c-4a43-9d0c-6a4c9f3f7b11")
    return await api.post("/api/order", json=body, headers={"Authorization": f"Bearer {token}", **headers})


async def stored(sql) -> dict[str, str | None]:
    return {row["type"]: row["traceparent"] for row in await sql.fetch("SELECT type, traceparent FROM outbox")}


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


async def test_a_won_claim_s_messages_carry_the_span_of_its_request(api, open_hall, sql):
    hall = await open_hall(1)
    with collected(1.0) as spans:
        assert (await place(api, hall, 0, traceparent=SENT)).status_code == 201
    found = by_name(spans)
    request, call = found["POST /api/order"], found["claim_orders"]
    assert f"{request.context.trace_id:032x}" == f"{call.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT
    assert call.parent.span_id == request.context.span_id
    assert call.attributes["db.operation.batch.size"] == 1
    assert request.start_time <= call.start_time <= call.end_time <= request.end_time
    own = f"00-{TRACE}-{request.context.span_id:016x}-01"
    assert await stored(sql) == {"order.created": own, "seats.status": own}


async def test_a_cancelled_order_s_messages_carry_the_span_of_that_request(api, open_hall, sql):
    hall = await open_hall(1)
    order_id = (await place(api, hall, 0)).json()["order_id"]
    await sql.execute("DELETE FROM outbox")
    token = ISSUER.token("8f6f2f0e-4f0c-4a43-9d0c-6a4c9f3f7b11")
    with collected(1.0) as spans:
        answer = await api.delete(f"/api/order/{order_id}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 204
    request = by_name(spans)["DELETE /api/order/{order_id}"]
    own = f"00-{request.context.trace_id:032x}-{request.context.span_id:016x}-01"
    assert await stored(sql) == {"order.canceled": own, "seats.status": own}


async def test_without_sampling_the_trace_id_is_kept_and_nobody_is_told_to_sample(api, open_hall, sql):
    hall = await open_hall(1)
    with collected(0.0) as spans:
        assert (await place(api, hall, 0, traceparent=SENT)).status_code == 201
    assert spans.get_finished_spans() == ()
    assert set((await stored(sql)).values()) == {f"00-{TRACE}-{PARENT}-00"}


@pytest.mark.parametrize("sent", ["x" * 55, f"ff-{TRACE}-{PARENT}-01", SENT * 400, f"00-{'0' * 32}-{PARENT}-01"])
async def test_what_is_no_traceparent_is_never_stored(api, open_hall, sql, sent):
    hall = await open_hall(1)
    placed = await place(api, hall, 0, traceparent=sent)
    assert placed.status_code == 201
    token = ISSUER.token("8f6f2f0e-4f0c-4a43-9d0c-6a4c9f3f7b11")
    headers = {"Authorization": f"Bearer {token}", "traceparent": sent}
    assert (await api.delete(f"/api/order/{placed.json()['order_id']}", headers=headers)).status_code == 204
    rows = await sql.fetch("SELECT DISTINCT traceparent FROM outbox")
    assert [row["traceparent"] for row in rows] == [None]


async def test_while_traces_are_off_the_client_s_trace_reaches_the_log(api, open_hall, sql):
    hall = await open_hall(1)
    assert (await place(api, hall, 0, traceparent=SENT)).status_code == 201
    assert set((await stored(sql)).values()) == {SENT}
