"""Traces: what of a client's header is believed, what a request leaves behind, and what a dead receiver costs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from starlette.requests import Request

from ticketly_common import tracing
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.settings import Cors, ServiceSettings, SettingsError, Tracing, load

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Everything is sampled and kept."""
    with collected(1.0) as found:
        yield found


@contextlib.contextmanager
def collected(ratio: float) -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with tracing.using(provider, ratio):
        yield kept


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/things/{thing}")
    async def thing(request: Request, thing: str) -> dict[str, str | None]:
        if thing == "broken":
            raise RuntimeError("as asked")
        return {"stored": tracing.traceparent_of(request.scope), "current": _current()}

    return app


def _current() -> str | None:
    headers: dict[str, str] = {}
    tracing.inject(headers)
    return headers.get("traceparent")


async def ask(path: str, *, traceparent: bytes | None = None, internal: bool = False) -> tuple[int, Any]:
    app = application()
    listener = internal_listener(app) if internal else public_listener(app, cors=Cors(), max_body_bytes=100)
    answer: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
        else:
            answer["body"] += message.get("body", b"")

    headers = [(b"traceparent", traceparent)] if traceparent is not None else []
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "app": app}
    await listener(scope, receive, send)
    import json

    return answer["status"], json.loads(answer["body"])


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


@given(st.one_of(st.binary(max_size=600), st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")))
def test_what_is_accepted_as_a_traceparent_is_always_one(value: bytes) -> None:
    accepted = tracing.well_formed(value)
    if accepted is not None:
        version, trace, span, flags = accepted.split("-")
        assert (version, len(trace), len(span), len(flags), len(accepted)) == ("00", 32, 16, 2, 55)
        assert int(trace, 16) > 0
        assert int(span, 16) > 0
        assert accepted.encode()[2:] == value[2:]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00",
        SENT.upper().encode(),
        f"ff-{TRACE}-{PARENT}-01".encode(),
        f"00-{'0' * 32}-{PARENT}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"{SENT}-and-more".encode(),
        f"{SENT}\n".encode(),
        f"00-{TRACE}-{PARENT}-0".encode(),
        SENT.encode() * 1000,
        b"\xff" * 55,
        "00-\u0660af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".encode(),
    ],
)
async def test_a_header_that_is_no_traceparent_is_ignored_on_and_off(value: bytes) -> None:
    assert (await ask("/things/1", traceparent=value)) == (200, {"stored": None, "current": None})
    with collected(1.0) as spans:
        status, body = await ask("/things/1", traceparent=value)
    assert status == 200
    assert only(spans).parent is None
    assert tracing.well_formed(body["stored"].encode()) == body["stored"]


async def test_while_traces_are_off_the_client_s_trace_is_passed_on_as_it_is() -> None:
    assert not tracing.enabled()
    assert (await ask("/things/1", traceparent=SENT.encode()))[1] == {"stored": SENT, "current": None}


async def test_a_request_continues_its_client_s_trace_and_hands_its_own_span_on(spans: InMemorySpanExporter) -> None:
    status, body = await ask("/things/1", traceparent=SENT.encode())
    span = only(spans)
    assert status == 200
    assert span.name == "GET /things/{thing}"
    assert span.kind.name == "SERVER"
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert body["stored"] == body["current"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert span.attributes is not None
    assert span.attributes["http.route"] == "/things/{thing}"
    assert span.attributes["http.response.status_code"] == 200


async def test_a_crash_ends_the_span_as_an_error_and_leaves_no_context_behind(spans: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError):
        await ask("/things/broken")
    assert only(spans).status.status_code.name == "ERROR"
    assert _current() is None


async def test_a_client_cannot_make_its_request_sampled() -> None:
    with collected(0.0) as spans:
        _, body = await ask("/things/1", traceparent=SENT.encode())
    assert spans.get_finished_spans() == ()
    assert body == {"stored": f"00-{TRACE}-{PARENT}-00", "current": None}, "and consumers are not told to sample it"


async def test_services_are_believed_and_probes_are_not_traced() -> None:
    with collected(0.0) as spans:
        await ask("/things/1", traceparent=SENT.encode(), internal=True)
        assert f"{only(spans).context.trace_id:032x}" == TRACE
    with collected(1.0) as spans:
        await ask("/things/1", internal=True)
        assert spans.get_finished_spans() == ()


async def test_an_unsampled_parent_is_not_recorded_for(spans: InMemorySpanExporter) -> None:
    for parent in (None, f"00-{TRACE}-{PARENT}-00"):
        tracing.record("late", parent, start_ns=time.time_ns(), kind="consumer", attributes={})
    assert spans.get_finished_spans() == ()
    began = time.time_ns() - 5_000_000
    tracing.record("late", SENT, start_ns=began, kind="consumer", attributes={"n": 1})
    span = only(spans)
    assert span.start_time == began
    assert span.end_time is not None
    assert span.end_time - began >= 5_000_000


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *, hang: bool = False) -> None:
        self.bodies: list[bytes] = []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                if hang:
                    outer.release.wait(60)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Stay quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"


@contextlib.contextmanager
def receiver(*, hang: bool = False) -> Iterator[_Receiver]:
    server = _Receiver(hang=hang)
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        server.server_close()


def exported(result: str) -> float:
    return REGISTRY.get_sample_value("ticketly_tracing_spans_exported_total", {"result": result}) or 0.0


async def test_spans_reach_a_receiver_over_otlp_with_the_service_s_name() -> None:
    before = exported("success")
    with receiver() as server:
        with tracing.exporting(Tracing(otlp_endpoint=server.endpoint, sampling_ratio=1.0), service="demo"):
            await ask("/things/1", traceparent=SENT.encode())
        found = ExportTraceServiceRequest.FromString(b"".join(server.bodies))
    (resource,) = found.resource_spans
    names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert names["service.name"] == "demo"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["GET /things/{thing}"]
    assert exported("success") == before + 1


async def test_a_receiver_that_is_not_there_fails_no_request_and_is_seen_in_a_metric() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}/v1/traces"
    before = exported("failure")
    with tracing.exporting(Tracing(otlp_endpoint=endpoint, sampling_ratio=1.0), service="demo"):
        assert [(await ask("/things/1"))[0] for _ in range(20)] == [200] * 20
        async with asyncio.timeout(60):
            while exported("failure") == before:
                await asyncio.sleep(0.05)
    assert not tracing.enabled()


async def test_a_receiver_that_hangs_neither_holds_requests_nor_the_end_of_the_process() -> None:
    with receiver(hang=True) as server:
        with tracing.exporting(Tracing(otlp_endpoint=server.endpoint, sampling_ratio=1.0), service="demo"):
            for _ in range(600):  # more than one batch, so that an export is on its way
                assert (await ask("/things/1"))[0] == 200
            async with asyncio.timeout(60):
                while not server.bodies:
                    await asyncio.sleep(0.05)
            assert (await ask("/things/1"))[0] == 200
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 20, "the exporter itself would wait for half a minute"


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://x/v1/traces", "http://", "http://a b/"])
def test_an_endpoint_that_is_no_http_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="otlp_endpoint"):
        Tracing(otlp_endpoint=endpoint)


def settings_from(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Tracing:
    for name, value in {
        "LISTEN_PUBLIC_PORT": "1",
        "LISTEN_INTERNAL_PORT": "2",
        "IDENTITY_ISSUER": "http://issuer.test",
        **variables,
    }.items():
        monkeypatch.setenv(f"TICKETLY_{name}", value)
    return load(ServiceSettings).tracing


def test_the_environment_says_where_traces_go(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_from(monkeypatch) == Tracing()
    assert settings_from(monkeypatch, TRACING_OTLP_ENDPOINT="") == Tracing()
    told = settings_from(
        monkeypatch, TRACING_OTLP_ENDPOINT="http://c:4318/v1/traces", TRACING_SAMPLING_RATIO="0.250000"
    )
    assert told == Tracing(otlp_endpoint="http://c:4318/v1/traces", sampling_ratio=0.25)
    with pytest.raises(SettingsError, match="TICKETLY_TRACING_OTLP_ENDPOINT"):
        settings_from(monkeypatch, TRACING_OTLP_ENDPOINT="c:4318")


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_outside_zero_to_one_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="sampling_ratio"):
        Tracing(sampling_ratio=ratio)
