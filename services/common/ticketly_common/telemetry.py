"""Structured logs and the metrics every service has.

Names: ``ticketly_http_*``, ``ticketly_consumer_*``, ``ticketly_database_pool_*`` are the same in every service; what
only one service has is called ``ticketly_<service>_*``. Labels have few values: never an id, a user or a raw path.
What a gauge shows is read when somebody scrapes, wherever that is possible, so that it costs requests nothing.
docs/observability.md has the whole list, held to the code by a test.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import structlog
from prometheus_client import Counter, Gauge, Histogram

from ticketly_common import tracing
from ticketly_common.settings import Log

BUILD = Gauge("ticketly_build_info", "1; what runs here", ["service", "version", "python"])
REQUESTS = Counter("ticketly_http_requests_total", "Requests answered", ["method", "route", "status"])
DURATION = Histogram(
    "ticketly_http_request_duration_seconds",
    "Time from request to the start of the answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_PROGRESS = Gauge(
    "ticketly_http_requests_in_progress", "Requests whose answer has not ended, open streams included", ["listener"]
)
RECORDS = Counter("ticketly_consumer_records_total", "Records consumed", ["consumer", "topic"])
LAG = Gauge("ticketly_consumer_lag_records", "Records not consumed yet", ["consumer", "topic", "partition"])
DEAD_LETTERS = Counter("ticketly_consumer_dead_letters_total", "Records sent to a dead letter topic", ["topic"])
CONSUMER_FAILURES = Counter(
    "ticketly_consumer_failures_total",
    "Interruptions by cause: broker (reading), store (waiting for it), record (a batch that could not be applied)",
    ["consumer", "cause"],
)
CONSUMER_APPLY = Histogram(
    "ticketly_consumer_apply_seconds",
    "Time to apply one batch, retries included",
    ["consumer"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
CONSUMER_POLLED = Gauge(
    "ticketly_consumer_polled_timestamp_seconds",
    "When the consumer last had applied everything it had read, in seconds since 1970",
    ["consumer"],
)
POOL_CONNECTIONS = Gauge(
    "ticketly_database_pool_connections", "Open connections of a pool by state: idle, used", ["pool", "state"]
)
POOL_LIMIT = Gauge("ticketly_database_pool_limit_connections", "Connections a pool may open", ["pool"])
POOL_WAITING = Gauge("ticketly_database_pool_waiting", "Callers that wait for a connection of a pool", ["pool"])
POOL_WAIT = Histogram(
    "ticketly_database_pool_wait_seconds",
    "Time until a caller had a connection of a pool",
    ["pool"],
    buckets=(0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10),
)
LOOP_DELAY = Histogram(
    "ticketly_event_loop_delay_seconds",
    "How much later than asked for a timer of the event loop ran, sampled twice a second",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
SPANS_EXPORTED = Counter(
    "ticketly_tracing_spans_exported_total", "Spans handed to the collector, by result", ["result"]
)

_LOOP_SAMPLE_SECONDS = 0.5


def describe_build(service: str) -> None:
    """Show which service of which version runs here."""
    try:
        release = version(f"ticketly-{service}")
    except PackageNotFoundError:
        release = "unknown"
    BUILD.labels(service, release, platform.python_version()).set(1)


async def watch_loop() -> None:
    """Measure for ever how late the event loop runs its timers: whatever blocks it delays every request as well."""
    while True:
        due = time.perf_counter() + _LOOP_SAMPLE_SECONDS
        await asyncio.sleep(_LOOP_SAMPLE_SECONDS)
        LOOP_DELAY.observe(max(time.perf_counter() - due, 0.0))


def configure_logging(settings: Log, *, service: str) -> None:
    """Send structlog and the standard library's logs to standard output, one line each."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        tracing.add_trace_id,
        tracing.add_trace_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Libraries that log every poll or every request at info would drown the rest.
    for noisy in ("aiokafka", "httpx2", "httpcore2", "uvicorn", "uvicorn.error", "pymongo"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service)
