"""Structured logs and the metrics every service has."""

from __future__ import annotations

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram

from ticketly_common.settings import Log

REQUESTS = Counter("ticketly_http_requests_total", "Requests answered", ["method", "route", "status"])
DURATION = Histogram(
    "ticketly_http_request_duration_seconds",
    "Time from request to the start of the answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RECORDS = Counter("ticketly_consumer_records_total", "Records consumed", ["consumer", "topic"])
LAG = Gauge("ticketly_consumer_lag_records", "Records not consumed yet", ["consumer", "topic", "partition"])
DEAD_LETTERS = Counter("ticketly_consumer_dead_letters_total", "Records sent to a dead letter topic", ["topic"])


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
