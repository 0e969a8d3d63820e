"""The last step of a span, counted. Imports the SDK, so only ``tracing`` imports it, and only while traces are on."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ticketly_common import telemetry


class Counted(SpanExporter):
    """Passes spans on and counts what became of them; the metric is how a wrong address is noticed."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        for result in SpanExportResult:
            telemetry.SPANS_EXPORTED.labels(result.name.lower())

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See ``SpanExporter``."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            telemetry.SPANS_EXPORTED.labels(result.name.lower()).inc(len(spans))
        return result

    def shutdown(self) -> None:
        """See ``SpanExporter``."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See ``SpanExporter``."""
        return self._exporter.force_flush(timeout_millis)
