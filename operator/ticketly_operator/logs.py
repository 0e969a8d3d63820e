"""What the operator logs and how: for a person or for a machine."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from ticketly_operator.settings import Log


def configure(settings: Log) -> None:
    """Send everything to standard output, one line or one JSON object each."""
    handler = logging.StreamHandler(sys.stdout)
    layout = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(JsonFormatter(layout) if settings.format == "json" else logging.Formatter(layout))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # every request of a resync would be a line, and every broker that does not answer is told as a condition
    for noisy, least in (
        ("httpx2", "WARNING"),
        ("httpcore2", "WARNING"),
        ("kopf", "WARNING"),
        ("aiokafka", "CRITICAL"),
    ):
        logging.getLogger(noisy).setLevel(least)
