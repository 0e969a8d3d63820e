"""For each alert: series over which it fires, and series over which it must not. Values are one a minute.

Over 300 lines because it is one table, in the order of the alerts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PLATFORM = {"namespace": "shop", "platform": "ticketly"}
SERIES_OF_NOBODY = "ticketly_something_else"


@dataclass(frozen=True)
class Case:
    """``at`` is minutes after the first value; ``why`` says what is special about it."""

    series: tuple[dict[str, str], ...]
    at: int
    why: str = ""


def series(metric: str, values: str, labels: dict[str, str] | None = None, **more: str) -> dict[str, str]:
    """One input series of a platform, in promtool's notation."""
    found = {**(PLATFORM if labels is None else labels), **more}
    inside = ",".join(f'{name}="{value}"' for name, value in found.items())
    return {"series": f"{metric}{{{inside}}}", "values": values}


def condition(kind: str, status: str, values: str) -> dict[str, str]:
    return series("ticketly_operator_condition", values, type=kind, status=status)


def reason(kind: str, name: str, values: str = "1x400") -> dict[str, str]:
    return series("ticketly_operator_condition_reason", values, type=kind, reason=name)


def connector(state: str, values: str) -> dict[str, str]:
    return series("ticketly_operator_connector_state", values, connector="ticketly-order-outbox", state=state)


def claims(**rates: int) -> tuple[dict[str, str], ...]:
    """Claims a minute by outcome, in one pod."""
    return tuple(
        series("ticketly_order_claims_total", f"0+{rate}x60", outcome=outcome, pod="p")
        for outcome, rate in rates.items()
    )


def histogram(metric: str, buckets: dict[str, int], **labels: str) -> tuple[dict[str, str], ...]:
    """Observations a minute by upper bound."""
    return tuple(series(f"{metric}_bucket", f"0+{rate}x60", le=le, **labels) for le, rate in buckets.items())


def burns(**windows: float) -> tuple[dict[str, str], ...]:
    return tuple(
        series(f"ticketly:slo_burn:rate{window.removeprefix('w')}", f"{value}x200", slo="order-availability")
        for window, value in windows.items()
    )


def scaler(now: int, least: int, most: int) -> tuple[dict[str, str], ...]:
    where: Any = {"namespace": "shop", "horizontalpodautoscaler": "ticketly-order"}
    return (
        series("kube_horizontalpodautoscaler_status_current_replicas", f"{now}x60", where),
        series("kube_horizontalpodautoscaler_spec_min_replicas", f"{least}x60", where),
        series("kube_horizontalpodautoscaler_spec_max_replicas", f"{most}x60", where),
    )


def restarts(pod: str, values: str) -> dict[str, str]:
    return series("kube_pod_container_status_restarts_total", values, {"namespace": "shop", "pod": pod})


def reconciles(**rates: int) -> tuple[dict[str, str], ...]:
    return tuple(
        series("ticketly_operator_reconciles_total", f"0+{rate}x60", {}, outcome=outcome)
        for outcome, rate in rates.items()
    )


CONSUMER = {"consumer": "tables", "topic": "dbz.ticketly.public.events"}
DELAY, WAIT = "ticketly_event_loop_delay_seconds", "ticketly_database_pool_wait_seconds"
OPERATOR = {"pod": "ticketly-operator-1", "instance": "10.0.0.1:8080"}

FIRING: dict[str, Case] = {
    "TicketlyPlatformNotReady": Case((condition("Ready", "True", "0x60"),), 15),
    "TicketlyPlatformDegraded": Case((condition("Degraded", "True", "1x60"),), 15),
    "TicketlyRolloutStuck": Case((reason("Progressing", "DeadlineExceeded"),), 3),
    "TicketlyTopicsNotReady": Case((condition("TopicsReady", "False", "1x60"),), 15),
    "TicketlyPlatformPaused": Case((condition("Paused", "True", "1x400"),), 300),
    "TicketlyConnectorFailed": Case((connector("Retrying", "1x3 0x60"), connector("Failed", "0x3 1x60")), 8),
    "TicketlyConnectorRestartsExhausted": Case((reason("ConnectorsReady", "RestartsExhausted"),), 1),
    "TicketlySlotLost": Case(
        (series("ticketly_operator_connector_failure", "1x60", connector="a", **{"class": "slot-lost"}),), 1
    ),
    "TicketlyCaptureUnable": Case((reason("ConnectorsReady", "ConnectUnreachable"),), 15),
    "TicketlySlotRetaining": Case((reason("ConnectorsReady", "SlotRetaining"),), 8),
    "TicketlySlotFillsSoon": Case((series("ticketly_operator_slot_seconds_to_full", "3000x60", slot="s"),), 5),
    "TicketlyLagBeyondSlo": Case((condition("LagWithinSLO", "False", "1x60"),), 8),
    "TicketlyLagUnmeasured": Case((reason("LagWithinSLO", "NoMeasurement"),), 20),
    "TicketlyErrorBudgetBurnsFast": Case(burns(w1h=15, w5m=20, w6h=3, w30m=15), 5),
    "TicketlyErrorBudgetBurnsSlowly": Case(burns(w3d=1.5, w6h=1.2), 90),
    "TicketlyClaimsUndecided": Case(claims(unavailable=60, won=600), 15),
    "TicketlyDatabasePoolExhausted": Case(histogram(WAIT, {"0.1": 50, "0.5": 100, "+Inf": 100}, pool="order"), 15),
    "TicketlyHoldsOverdue": Case((series("ticketly_order_overdue_seconds", "90x60", pod="p"),), 8),
    "TicketlyShieldOpen": Case((series("ticketly_order_shield_breaker_open", "1x60", pod="p"),), 15),
    "TicketlyDeadLetters": Case((series("ticketly_consumer_dead_letters_total", "0 0 1x60", topic="t"),), 4),
    "TicketlyConsumerLagGrows": Case((series("ticketly_consumer_lag_records", "2000+100x60", **CONSUMER),), 25),
    "TicketlyConsumerStalled": Case((series("ticketly_consumer_polled_timestamp_seconds", "60x60", **CONSUMER),), 8),
    "TicketlyProjectionStale": Case((series("ticketly_event_query_rebuild_oldest_seconds", "0+60x60", pod="p"),), 10),
    "TicketlyStreamsRefused": Case((series("ticketly_event_query_streams_refused_total", "0+5x60", pod="p"),), 15),
    "TicketlyServiceDown": Case((series("up", "0x60", component="order", pod="p"),), 5),
    "TicketlyEventLoopBlocked": Case(
        histogram(DELAY, {"0.1": 50, "0.5": 120, "+Inf": 120}, component="order", pod="p"), 15
    ),
    "TicketlyAutoscalerAtMax": Case(scaler(15, 2, 15), 20),
    "TicketlyPodsRestarting": Case((restarts("ticketly-order-7f9c-x", "0+1x60"),), 35),
    "TicketlyTracesLost": Case(
        (series("ticketly_tracing_spans_exported_total", "0+10x60", component="order", result="failure"),), 50
    ),
    "TicketlyOperatorWithoutLeader": Case((series("ticketly_operator_leader", "0x60", OPERATOR),), 5),
    "TicketlyOperatorWatchStale": Case((series("ticketly_operator_watch_age_seconds", "0+60x60", OPERATOR),), 5),
    "TicketlyOperatorReconcilesFail": Case(reconciles(failed=2, timeout=1, ok=1), 35),
    "TicketlyDriftRepeated": Case(
        (series("ticketly_operator_drift_total", "0+1x90", {"kind": "Deployment", "manager": "helm"}),), 30
    ),
}

QUIET: dict[str, tuple[Case, ...]] = {
    "TicketlyPlatformNotReady": (
        Case((condition("Ready", "True", "0x5 1x60"),), 15, "ready again before ten minutes were over"),
        Case((condition("Ready", "True", "1x60"),), 15),
    ),
    "TicketlyPlatformDegraded": (Case((condition("Degraded", "True", "0x60"),), 15),),
    "TicketlyRolloutStuck": (Case((reason("Progressing", "RollingOut"),), 30, "a roll-out within its deadline"),),
    "TicketlyTopicsNotReady": (
        Case((condition("TopicsReady", "False", "0x60"), condition("TopicsReady", "Unknown", "1x60")), 15),
    ),
    "TicketlyPlatformPaused": (Case((condition("Paused", "True", "1x200 0x200"),), 260, "resumed in time"),),
    "TicketlyConnectorFailed": (
        Case((connector("Failed", "1x3 0x60"),), 8, "the first restart helped"),
        Case((connector("Paused", "1x60"),), 30, "paused on purpose"),
    ),
    "TicketlyConnectorRestartsExhausted": (Case((reason("ConnectorsReady", "ConnectorRetrying"),), 10),),
    "TicketlySlotLost": (
        Case((series("ticketly_operator_connector_failure", "1x60", connector="a", **{"class": "retriable"}),), 10),
    ),
    "TicketlyCaptureUnable": (Case((reason("ConnectorsReady", "ConnectorHeld"),), 60, "held by the description"),),
    "TicketlySlotRetaining": (Case((reason("ConnectorsReady", "AllRunning"),), 60),),
    "TicketlySlotFillsSoon": (
        Case((series("ticketly_operator_slot_seconds_to_full", "7200x60", slot="s"),), 10),
        Case((), 10, "the slot does not grow, so there is no series"),
    ),
    "TicketlyLagBeyondSlo": (
        Case((condition("LagWithinSLO", "False", "0x60"), condition("LagWithinSLO", "True", "1x60")), 8),
    ),
    "TicketlyLagUnmeasured": (Case((reason("LagWithinSLO", "ProbeDisabled"),), 60, "switched off on purpose"),),
    "TicketlyErrorBudgetBurnsFast": (
        Case(burns(w1h=15, w5m=0.1, w6h=3, w30m=15), 30, "it is over: the short window says so"),
        Case(burns(w1h=10, w5m=20, w6h=3, w30m=15), 30, "a short burst"),
    ),
    "TicketlyErrorBudgetBurnsSlowly": (Case(burns(w3d=1.5, w6h=0.5), 90, "it has stopped"),),
    "TicketlyClaimsUndecided": (
        Case(claims(unavailable=1, won=6000), 15),
        Case(claims(lost=6000, won=10, **{"session-not-on-sale": 900}), 15, "refusals are decisions"),
    ),
    "TicketlyDatabasePoolExhausted": (Case(histogram(WAIT, {"0.1": 99, "0.5": 100, "+Inf": 100}, pool="order"), 15),),
    "TicketlyHoldsOverdue": (Case((series("ticketly_order_overdue_seconds", "2x60", pod="p"),), 15),),
    "TicketlyShieldOpen": (Case((series("ticketly_order_shield_breaker_open", "1x5 0x60", pod="p"),), 15),),
    "TicketlyDeadLetters": (
        Case((series("ticketly_consumer_dead_letters_total", "3x60", topic="t"),), 30, "they are from yesterday"),
    ),
    "TicketlyConsumerLagGrows": (
        Case((series("ticketly_consumer_lag_records", "9000-100x60", **CONSUMER),), 25, "it catches up"),
        Case((series("ticketly_consumer_lag_records", "0+10x60", **CONSUMER),), 25, "few"),
    ),
    "TicketlyConsumerStalled": (
        Case((series("ticketly_consumer_polled_timestamp_seconds", "0+60x60", **CONSUMER),), 20),
        Case(
            (
                series("ticketly_consumer_polled_timestamp_seconds", "0x60", **CONSUMER, pod="gone"),
                series("ticketly_consumer_polled_timestamp_seconds", "0+60x60", **CONSUMER, pod="here"),
            ),
            20,
            "one of two pods does the work",
        ),
    ),
    "TicketlyProjectionStale": (
        Case((series("ticketly_event_query_rebuild_oldest_seconds", "0 20 40 0 20 40 0x60", pod="p"),), 6),
    ),
    "TicketlyStreamsRefused": (Case((series("ticketly_event_query_streams_refused_total", "7x60", pod="p"),), 15),),
    "TicketlyServiceDown": (
        Case(
            (series("up", "0x60", component="order", pod="a"), series("up", "1x60", component="order", pod="b")),
            15,
            "one of two pods answers",
        ),
        Case((series("up", "0x60", component="some-other-thing"),), 15, "not ours"),
    ),
    "TicketlyEventLoopBlocked": (
        Case(histogram(DELAY, {"0.1": 119, "0.5": 120, "+Inf": 120}, component="order", pod="p"), 15),
    ),
    "TicketlyAutoscalerAtMax": (
        Case(scaler(14, 2, 15), 20),
        Case(scaler(1, 1, 1), 20, "a fixed number of pods"),
    ),
    "TicketlyPodsRestarting": (
        Case((restarts("ticketly-order-7f9c-x", "1x10 2x60"),), 35, "once"),
        Case((restarts("somebody-else-7f9c-x", "0+1x60"),), 35, "not ours"),
    ),
    "TicketlyTracesLost": (
        Case((series("ticketly_tracing_spans_exported_total", "0+10x60", component="order", result="success"),), 50),
    ),
    "TicketlyOperatorWithoutLeader": (
        Case(
            (
                series("ticketly_operator_leader", "0x60", {"pod": "a"}),
                series("ticketly_operator_leader", "1x60", {"pod": "b"}),
            ),
            15,
        ),
    ),
    "TicketlyOperatorWatchStale": (Case((series("ticketly_operator_watch_age_seconds", "60x60", OPERATOR),), 15),),
    "TicketlyOperatorReconcilesFail": (Case(reconciles(failed=1, ok=9), 35),),
    "TicketlyDriftRepeated": (
        Case((series("ticketly_operator_drift_total", "2x90", {"kind": "Deployment", "manager": "kubectl"}),), 30),
    ),
}
