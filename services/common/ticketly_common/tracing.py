"""Traces across HTTP, the outbox and Kafka, off unless somebody says where they go.

A request's trace context travels as a W3C ``traceparent`` text: into the outbox row its transaction writes, from there
as a Kafka header (the connector copies the column), and consumers continue it. Spans on the way are recorded when they
are over, with their parent given by that text, because a claim is decided in a batch with claims of other traces.

Who decides what is sampled: on a public listener only this process, by the ratio, because a client that could ask for
it could make every request dear. A client's trace id is kept; its "sampled" flag is not. Callers on the internal
listener and records of our own topics are believed.

While off, a request pays one look at a global. While on, a request that is not sampled pays for a look at its headers
and a random number. Spans leave through a bounded queue and a thread of its own: a receiver that is slow, wrong or gone
costs spans, never a request. The SDK is imported only when traces are on.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal

from starlette.types import Scope

from ticketly_common.settings import Tracing

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

STATE_KEY: Final = "traceparent"
"""Where in ``scope["state"]`` the traceparent of a request stands while traces are on."""

_HEADER: Final = b"traceparent"
_LENGTH: Final = 55
_WELL_FORMED: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
).fullmatch
_SAMPLED_FLAGS: Final = frozenset("13579bdf")
_MAX_QUEUED_SPANS: Final = 2048
_EXPORT_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 3.0

Attributes = Mapping[str, str | int | float | bool]


class _Tracing:
    """What is there while traces are on."""

    def __init__(self, tracer: Tracer, ratio: float) -> None:
        self.tracer = tracer
        self.ratio = ratio


_active: _Tracing | None = None


def enabled() -> bool:
    """Tell whether traces are on in this process."""
    return _active is not None


def well_formed(value: bytes | None) -> str | None:
    """Return a traceparent as version 00 writes it, or None for anything that is none.

    Only what this returns is ever stored or sent on, so a client cannot put anything else into a row or a header.
    """
    if value is None or len(value) != _LENGTH or not _WELL_FORMED(value):
        return None
    return "00" + value.decode("ascii")[2:]


def traceparent_of(scope: Scope) -> str | None:
    """Return what to store with whatever this request causes: its own span, else what the client sent, else None."""
    own: str | None = scope["state"].get(STATE_KEY)
    return own if own is not None else well_formed(_sent(scope))


def _sent(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _HEADER:
            found: bytes = value
            return found
    return None


def _is_sampled(traceparent: str) -> bool:
    return traceparent[-1] in _SAMPLED_FLAGS


class RequestSpan:
    """The span of a request that is sampled. It is the current one until ``close``, which must be called."""

    def __init__(self, span: Span, method: str, token: Token[Context]) -> None:
        self._span = span
        self._method = method
        self._token = token

    def answered(self, route: str, status: int, request_id: str) -> None:
        """End the span with the answer; ``route`` is the template, never the path."""
        from opentelemetry.trace import StatusCode

        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes(
            {"http.route": route, "http.response.status_code": status, "ticketly.request_id": request_id}
        )
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    def close(self) -> None:
        """Leave the span's context; end the span if nobody was answered."""
        from opentelemetry.context import detach

        if self._span.is_recording():
            self._span.end()
        detach(self._token)


def begin(scope: Scope, *, trusted: bool) -> RequestSpan | None:
    """Begin the span of a request, None when it is not sampled; leaves the traceparent for the request's handlers."""
    active = _active
    if active is None:
        return None
    parent = well_formed(_sent(scope))
    asked = parent is not None and _is_sampled(parent)
    if not (asked if trusted else random.random() < active.ratio):  # noqa: S311 - a sample
        if parent is not None:
            scope["state"][STATE_KEY] = f"{parent[:-2]}00"
        return None
    from opentelemetry import trace
    from opentelemetry.context import attach

    method = scope["method"]
    span = active.tracer.start_span(
        method, context=_context(parent), kind=trace.SpanKind.SERVER, attributes={"http.request.method": method}
    )
    scope["state"][STATE_KEY] = _text(span)
    return RequestSpan(span, method, attach(trace.set_span_in_context(span)))


def record(
    name: str,
    traceparent: str | None,
    *,
    start_ns: int,
    kind: Literal["client", "consumer"],
    attributes: Attributes,
) -> None:
    """Record a span that ends now, as a child of ``traceparent``; does nothing when that one is not sampled."""
    active = _active
    if active is None or traceparent is None or not _is_sampled(traceparent):
        return
    from opentelemetry.trace import SpanKind

    kinds = {"client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER}
    span = active.tracer.start_span(
        name, context=_context(traceparent), kind=kinds[kind], start_time=start_ns, attributes=attributes
    )
    span.end(time.time_ns())


def annotate(**attributes: str | int) -> None:
    """Add attributes to the current span; a name's double underscore stands for a dot."""
    if _active is None:
        return
    from opentelemetry import trace

    trace.get_current_span().set_attributes({key.replace("__", "."): value for key, value in attributes.items()})


def sampled_now() -> bool:
    """Tell whether what runs now belongs to a sampled request."""
    if _active is None:
        return False
    from opentelemetry import trace

    return trace.get_current_span().get_span_context().trace_flags.sampled


def inject(headers: MutableMapping[str, str]) -> None:
    """Add the current span's traceparent to the headers of a request to another service."""
    if not sampled_now():
        return
    from opentelemetry import trace

    headers["traceparent"] = _text(trace.get_current_span())


def add_trace_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the current trace to a log line (a structlog processor)."""
    if sampled_now():
        from opentelemetry import trace

        event["trace_id"] = f"{trace.get_current_span().get_span_context().trace_id:032x}"
    return event


def _context(traceparent: str | None) -> Context:
    from opentelemetry import trace
    from opentelemetry.context import Context

    if traceparent is None:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    remote = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16)))
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())


def _text(span: Span) -> str:
    where = span.get_span_context()
    return f"00-{where.trace_id:032x}-{where.span_id:016x}-01"


@contextlib.contextmanager
def using(provider: TracerProvider, ratio: float) -> Iterator[None]:
    """Have traces on for the length of the block, through a provider of the caller's (tests bring their own)."""
    global _active
    before, _active = _active, _Tracing(provider.get_tracer("ticketly"), ratio)
    try:
        yield
    finally:
        _active = before


@contextlib.contextmanager
def exporting(settings: Tracing, *, service: str) -> Iterator[None]:
    """Send traces to the receiver of the settings for the length of the block; without one this does nothing.

    At the end what is queued gets three seconds to leave.
    """
    if not settings.otlp_endpoint:
        yield
        return
    provider, stop = _provider(settings.otlp_endpoint, service)
    try:
        with using(provider, settings.sampling_ratio):
            yield
    finally:
        stop()


def _provider(endpoint: str, service: str) -> tuple[TracerProvider, Callable[[], None]]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    from ticketly_common.tracing_export import Counted

    exporter = Counted(OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS))
    processor = BatchSpanProcessor(exporter, max_queue_size=_MAX_QUEUED_SPANS, schedule_delay_millis=2000)
    provider = TracerProvider(
        sampler=ALWAYS_ON, resource=Resource.create({"service.name": service}), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)

    def stop() -> None:
        # In a thread that nobody has to wait for: with a receiver that hangs it would take half a minute.
        stopping = threading.Thread(target=processor.shutdown, name="tracing-stop", daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)

    return provider, stop
