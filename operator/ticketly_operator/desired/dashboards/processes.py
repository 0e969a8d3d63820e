"""The rows of the dashboard of a platform's processes. A table; pure."""

from __future__ import annotations

from ticketly_operator.desired.dashboards.panels import Panel, Query, Row
from ticketly_operator.desired.dashboards.queries import OF, is_, like, quantile, rate


def requests() -> Row:
    """Return what the listeners answer."""
    return Row(
        "Requests",
        (
            Panel(
                "Answers by service",
                "A second, on both listeners.",
                "reqps",
                (Query(f"sum by (component) ({rate('ticketly_http_requests_total')})", "{{component}}"),),
            ),
            Panel(
                "Answers that are our fault",
                "5xx a second by route.",
                "reqps",
                (
                    Query(
                        f"sum by (route, status) ({rate('ticketly_http_requests_total', like('status', '5..'))})",
                        "{{status}} {{route}}",
                    ),
                ),
            ),
            Panel(
                "Slowest routes",
                "p99 of the ten slowest.",
                "s",
                (
                    Query(
                        f"topk(10, {quantile(0.99, 'ticketly_http_request_duration_seconds', by='route')})",
                        "{{route}}",
                    ),
                ),
            ),
            Panel(
                "Requests in progress",
                "Open seat streams count as requests.",
                "short",
                (
                    Query(
                        f"sum by (component, listener) ({OF.series('ticketly_http_requests_in_progress')})",
                        "{{component}} {{listener}}",
                    ),
                ),
            ),
            Panel(
                "Delay of the event loop",
                "p95 by pod: what every request waits before anything happens.",
                "s",
                (Query(quantile(0.95, "ticketly_event_loop_delay_seconds", by="pod"), "{{pod}}"),),
                limit=0.25,
            ),
            Panel(
                "Spans sent",
                "To the trace collector, by result.",
                "ops",
                (Query(f"sum by (result) ({rate('ticketly_tracing_spans_exported_total')})", "{{result}}"),),
            ),
        ),
    )


def stores() -> Row:
    """Return how databases and Redis serve."""
    return Row(
        "Databases and Redis",
        (
            Panel(
                "Connections in use",
                "Of each pool, with what the pools may open together.",
                "short",
                (
                    Query(
                        f"sum by (pool, state) ({OF.series('ticketly_database_pool_connections')})",
                        "{{pool}} {{state}}",
                    ),
                    Query(f"sum by (pool) ({OF.series('ticketly_database_pool_limit_connections')})", "{{pool}} limit"),
                ),
            ),
            Panel(
                "Wait for a connection",
                "p95 by pool.",
                "s",
                (Query(quantile(0.95, "ticketly_database_pool_wait_seconds", by="pool"), "{{pool}}"),),
                limit=0.25,
            ),
            Panel(
                "Callers that wait for a connection",
                "By pool.",
                "short",
                (Query(f"sum by (pool) ({OF.series('ticketly_database_pool_waiting')})", "{{pool}}"),),
            ),
            Panel(
                "Shield leaves Redis alone",
                "1 while it does, by pod.",
                "short",
                (Query(OF.series("ticketly_order_shield_breaker_open"), "{{pod}}"),),
            ),
            Panel(
                "Redis calls that failed",
                "A second, by call.",
                "ops",
                (Query(f"sum by (call) ({rate('ticketly_order_shield_failures_total')})", "{{call}}"),),
            ),
            Panel(
                "Claims decided one by one",
                "A second, by reason: they cost a round trip each.",
                "ops",
                (Query(f"sum by (reason) ({rate('ticketly_order_claim_singles_total')})", "{{reason}}"),),
            ),
        ),
    )


def consumers() -> Row:
    """Return how the log is read."""
    return Row(
        "Consumers",
        (
            Panel(
                "Records",
                "A second, by consumer.",
                "ops",
                (Query(f"sum by (consumer) ({rate('ticketly_consumer_records_total')})", "{{consumer}}"),),
            ),
            Panel(
                "Lag by topic",
                "Records not consumed yet.",
                "short",
                (
                    Query(
                        f"sum by (consumer, topic) ({OF.series('ticketly_consumer_lag_records')}) > 0",
                        "{{consumer}} {{topic}}",
                    ),
                ),
            ),
            Panel(
                "Time since a consumer was done",
                "It is done several times a second when all is well.",
                "s",
                (
                    Query(
                        f"time() - max by (consumer) ({OF.series('ticketly_consumer_polled_timestamp_seconds')})",
                        "{{consumer}}",
                    ),
                ),
                limit=120,
            ),
            Panel(
                "Time to apply a batch",
                "p99 by consumer, retries included.",
                "s",
                (Query(quantile(0.99, "ticketly_consumer_apply_seconds", by="consumer"), "{{consumer}}"),),
            ),
            Panel(
                "Interruptions",
                "A second, by consumer and cause.",
                "ops",
                (
                    Query(
                        f"sum by (consumer, cause) ({rate('ticketly_consumer_failures_total')})",
                        "{{consumer}} {{cause}}",
                    ),
                ),
            ),
            Panel(
                "Dead letters",
                "In an hour, by topic.",
                "short",
                (
                    Query(
                        f"sum by (topic) (increase({OF.series('ticketly_consumer_dead_letters_total')}[1h]))",
                        "{{topic}}",
                    ),
                ),
                limit=1,
            ),
        ),
    )


def resources() -> Row:
    """Return what the processes use."""
    return Row(
        "Processes",
        (
            Panel(
                "CPU",
                "Cores in use, by pod.",
                "short",
                (Query(rate("process_cpu_seconds_total"), "{{pod}}"),),
            ),
            Panel(
                "Memory",
                "Resident, by pod.",
                "bytes",
                (Query(OF.series("process_resident_memory_bytes"), "{{pod}}"),),
            ),
            Panel(
                "Open files and sockets",
                "By pod.",
                "short",
                (Query(OF.series("process_open_fds"), "{{pod}}"),),
            ),
            Panel(
                "Full garbage collections",
                "A second, by pod; each one stops the pod for a moment.",
                "ops",
                (Query(rate("python_gc_collections_total", is_("generation", "2")), "{{pod}}"),),
            ),
            Panel(
                "Seats in memory",
                "Of the query pods, by pod.",
                "short",
                (Query(OF.series("ticketly_event_query_seats_loaded"), "{{pod}}"),),
            ),
            Panel(
                "What runs",
                "Versions by service.",
                "short",
                (
                    Query(
                        f"count by (component, version) ({OF.series('ticketly_build_info')})",
                        "{{component}} {{version}}",
                    ),
                ),
            ),
        ),
    )
