"""Metrics of the read side; consumer lag and dead letters come with the shared consumer loop."""

from __future__ import annotations

import math

from prometheus_client import Counter, Gauge, Histogram

REBUILDS = Counter("ticketly_event_query_rebuilds_total", "Documents rebuilt", ["kind"])
REBUILDS_PENDING = Gauge(
    "ticketly_event_query_rebuilds_pending", "Documents this process knows to be out of date (built < wanted)", ["kind"]
)
REBUILD_OLDEST = Gauge(
    "ticketly_event_query_rebuild_oldest_seconds", "How long the stalest of those documents has been out of date"
)
REBUILD_FAILURES = Counter(
    "ticketly_event_query_rebuild_failures_total", "Documents that could not be rebuilt", ["kind"]
)
STREAMS = Gauge("ticketly_event_query_streams", "Open seat streams")
STREAMS_REFUSED = Counter("ticketly_event_query_streams_refused_total", "Streams refused because the process is full")
STREAMS_CUT = Counter("ticketly_event_query_streams_cut_total", "Streams cut because the client did not read")
BROADCASTS = Counter("ticketly_event_query_broadcasts_total", "Frames written to all streams of a session")
BROADCAST_WRITES = Counter("ticketly_event_query_broadcast_writes_total", "Writes to single streams")
BROADCAST_SECONDS = Histogram(
    "ticketly_event_query_broadcast_seconds",
    "Time to write one frame to all streams of a session",
    buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
SESSIONS_LOADED = Gauge("ticketly_event_query_sessions_loaded", "Sessions whose seat states are in memory")
SEATS_LOADED = Gauge("ticketly_event_query_seats_loaded", "Seats in memory")
MAP_RENDERS = Counter("ticketly_event_query_map_renders_total", "Seat maps rendered")
CHANGE_AGE = Histogram(
    "ticketly_event_query_change_age_seconds",
    "Age of a seat change (its occurredAt) when it reaches this process's memory, by way of arrival",
    ["way"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CANARY_AGE = Histogram(
    "ticketly_lag_canary_seconds",
    "Age of a row of the command database when its server-sent event was written to a subscriber of this process",
    buckets=(
        *(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60),
        *(120, 300, 600),
    ),
)
CANARY_PENDING = Gauge(
    "ticketly_lag_canary_pending_seconds",
    "Age of the oldest canary row that was written and has not arrived; NaN: nobody can tell",
)
CANARY_PENDING.set(math.nan)
CANARY_CLOCK_ERROR = Gauge(
    "ticketly_lag_canary_clock_error_seconds", "Bound of the error of the canary's ages; NaN: no clock yet"
)
CANARY_CLOCK_ERROR.set(math.nan)
HINTS = Counter("ticketly_event_query_hints_total", "Seat hints received over Redis", ["outcome"])
