"""The table of alerts: what is looked at, for how long, how urgent it is, and what to say. Pure.

Each alert has a page in docs/runbooks named like it, and unit tests that it fires and that it does not. ``critical``
wakes somebody: buyers are hurt or will be within the hour. ``warning`` is for working hours.

Over 300 lines because it is one table that is read from top to bottom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from ticketly_crds.blueprint.services import KINDS
from ticketly_crds.status import ConditionType, ConnectorPhase, FailureClass, Reason
from ticketly_operator.desired.objectives import burn
from ticketly_operator.desired.selection import Selection, by, either

RUNBOOKS: Final = "https://ticketly.io/docs/runbooks"
"""Where docs/runbooks is published."""

Severity = Literal["critical", "warning"]

_FAST_BURN: Final = 14.4
"""Two per cent of a month's budget in an hour."""
_STEADY_BURN: Final = 6
"""Five per cent of a month's budget in six hours."""


@dataclass(frozen=True, slots=True)
class Alert:
    """``summary`` and ``detail`` are templates of Prometheus; ``lasting`` is how long it must hold before it fires."""

    name: str
    expression: str
    lasting: str
    severity: Severity
    summary: str
    detail: str

    def rule(self) -> dict[str, Any]:
        """Return it as Prometheus takes it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.detail,
                "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            },
        }


_PLATFORM: Final = "{{ $labels.namespace }}/{{ $labels.platform }}"


def _condition(of: Selection, kind: ConditionType, status: str) -> str:
    series = of.series("ticketly_operator_condition", f'type="{kind.value}"', f'status="{status}"')
    return f"max {by()} ({series})"


def _reason(of: Selection, kind: ConditionType, *reasons: Reason) -> str:
    series = of.series(
        "ticketly_operator_condition_reason",
        f'type="{kind.value}"',
        f'reason=~"{either(reason.value for reason in reasons)}"',
    )
    return f"max {by('reason')} ({series}) == 1"


def platform(of: Selection) -> tuple[Alert, ...]:
    """Return what the operator says about a platform."""
    return (
        Alert(
            "TicketlyPlatformNotReady",
            f"{_condition(of, ConditionType.READY, 'True')} == 0",
            "10m",
            "critical",
            f"Platform {_PLATFORM} is not ready",
            "The condition Ready has not been True for ten minutes. Its reason names the part that is missing.",
        ),
        Alert(
            "TicketlyPlatformDegraded",
            f"{_condition(of, ConditionType.DEGRADED, 'True')} == 1",
            "10m",
            "warning",
            f"Platform {_PLATFORM} is degraded",
            "The operator cannot bring the platform to what is asked for. What runs goes on running.",
        ),
        Alert(
            "TicketlyRolloutStuck",
            _reason(of, ConditionType.PROGRESSING, Reason.DEADLINE_EXCEEDED),
            "1m",
            "critical",
            f"A roll-out of platform {_PLATFORM} is past its deadline",
            "New pods of a service do not become ready. The old ones go on serving while they last.",
        ),
        Alert(
            "TicketlyTopicsNotReady",
            f"{_condition(of, ConditionType.TOPICS_READY, 'False')} == 1",
            "10m",
            "warning",
            f"Topics of platform {_PLATFORM} are not as wanted",
            "A topic is missing or differs from what is described, or the broker refuses to say.",
        ),
        Alert(
            "TicketlyPlatformPaused",
            f"{_condition(of, ConditionType.PAUSED, 'True')} == 1",
            "4h",
            "warning",
            f"Platform {_PLATFORM} has been paused for hours",
            "Nobody repairs it while it is paused: failed connectors stay failed and slots grow.",
        ),
    )


def capture(of: Selection) -> tuple[Alert, ...]:
    """Return what goes wrong between the databases and the log."""
    failed = either(phase.value for phase in (ConnectorPhase.FAILED, ConnectorPhase.RETRYING))
    unable = (
        Reason.CONNECT_UNREACHABLE,
        Reason.CONNECT_REFUSED,
        Reason.SLOT_UNREADABLE,
        Reason.AUTHENTICATION_FAILED,
        Reason.SCHEMA_REFUSED,
    )
    states = of.series("ticketly_operator_connector_state", f'state=~"{failed}"')
    lost = of.series("ticketly_operator_connector_failure", f'class="{FailureClass.SLOT_LOST.value}"')
    left = of.series("ticketly_operator_slot_seconds_to_full")
    lag = ConditionType.LAG_WITHIN_SLO
    return (
        Alert(
            "TicketlyConnectorFailed",
            f"max {by('connector')} ({states}) == 1",
            "5m",
            "warning",
            f"Connector {{{{ $labels.connector }}}} of {_PLATFORM} has failed",
            "The operator restarts it with growing pauses. Readers see no changes until it runs; sales go on.",
        ),
        Alert(
            "TicketlyConnectorRestartsExhausted",
            _reason(of, ConditionType.CONNECTORS_READY, Reason.RESTARTS_EXHAUSTED),
            "0m",
            "critical",
            f"A connector of {_PLATFORM} is not restarted any more",
            "It failed after every restart it had. Somebody must find the cause and resume it.",
        ),
        Alert(
            "TicketlySlotLost",
            f"max {by('connector')} ({lost}) == 1",
            "0m",
            "critical",
            f"The replication slot of connector {{{{ $labels.connector }}}} of {_PLATFORM} is lost",
            "Changes between the lost position and now are missing from the log. Only a rebuild closes the gap.",
        ),
        Alert(
            "TicketlyCaptureUnable",
            _reason(of, ConditionType.CONNECTORS_READY, *unable),
            "10m",
            "warning",
            f"Capture of {_PLATFORM} cannot be looked after: {{{{ $labels.reason }}}}",
            "Kafka Connect or the database does not answer the operator or refuses it.",
        ),
        Alert(
            "TicketlySlotRetaining",
            _reason(of, ConditionType.CONNECTORS_READY, Reason.SLOT_RETAINING),
            "5m",
            "warning",
            f"The database of {_PLATFORM} keeps log for a slot that nobody reads fast enough",
            "The log kept has passed the platform's bound. It takes the database's disk.",
        ),
        Alert(
            "TicketlySlotFillsSoon",
            f"min {by('slot')} ({left}) < 3600",
            "2m",
            "critical",
            f"Slot {{{{ $labels.slot }}}} of {_PLATFORM} reaches its bound within the hour",
            "At this rate the log kept for it is full in {{ $value | humanizeDuration }}; then the slot is lost.",
        ),
        Alert(
            "TicketlyLagBeyondSlo",
            f"{_condition(of, lag, 'False')} == 1",
            "5m",
            "critical",
            f"Readers of {_PLATFORM} see changes too late",
            "The canary takes longer from the command database to a reader than spec.lag.sloSeconds.",
        ),
        Alert(
            "TicketlyLagUnmeasured",
            _reason(of, lag, Reason.NO_MEASUREMENT),
            "15m",
            "warning",
            f"Nobody knows how late readers of {_PLATFORM} are",
            "The canary does not arrive or is not written, so a lag would go unnoticed.",
        ),
    )


def services(of: Selection) -> tuple[Alert, ...]:
    """Return what the services say about themselves."""
    return (*_objectives(of), *_sale(of), *_readers(of), *_processes(of))


def _objectives(of: Selection) -> tuple[Alert, ...]:
    burns = {window: of.series(burn(window)) for window in ("5m", "30m", "1h", "6h", "3d")}
    fast = f"{burns['1h']} > {_FAST_BURN} and {burns['5m']} > {_FAST_BURN}"
    steady = f"{burns['6h']} > {_STEADY_BURN} and {burns['30m']} > {_STEADY_BURN}"
    return (
        Alert(
            "TicketlyErrorBudgetBurnsFast",
            f"({fast}) or ({steady})",
            "2m",
            "critical",
            f"{_PLATFORM} misses its objective {{{{ $labels.slo }}}} badly",
            "At {{ $value | humanize }} times the rate its error budget allows, a month's budget is gone within days.",
        ),
        Alert(
            "TicketlyErrorBudgetBurnsSlowly",
            f"{burns['3d']} > 1 and {burns['6h']} > 1",
            "1h",
            "warning",
            f"{_PLATFORM} will miss its objective {{{{ $labels.slo }}}} this month",
            "Over three days its error budget went {{ $value | humanize }} times as fast as it comes.",
        ),
    )


def _sale(of: Selection) -> tuple[Alert, ...]:
    claims = "ticketly_order_claims_total"
    undecided = of.series(claims, 'outcome=~"unavailable|overloaded|failed"')
    wait = of.series("ticketly_database_pool_wait_seconds_bucket")
    return (
        Alert(
            "TicketlyClaimsUndecided",
            f"sum {by()} (rate({undecided}[5m])) / clamp_min(sum {by()} (rate({of.series(claims)}[5m])), 0.05) > 0.01",
            "2m",
            "critical",
            f"Buyers of {_PLATFORM} get no decision",
            "{{ $value | humanizePercentage }} of the claims end in 503 or 500 instead of a seat or a refusal.",
        ),
        Alert(
            "TicketlyDatabasePoolExhausted",
            f"histogram_quantile(0.95, sum {by('pool', 'le')} (rate({wait}[5m]))) > 0.25",
            "5m",
            "warning",
            f"Callers of {_PLATFORM} wait for connections of pool {{{{ $labels.pool }}}}",
            "One in twenty waits {{ $value | humanizeDuration }} or longer before its first statement.",
        ),
        Alert(
            "TicketlyHoldsOverdue",
            f"max {by()} ({of.series('ticketly_order_overdue_seconds')}) > 60",
            "5m",
            "warning",
            f"Holds of {_PLATFORM} that are over are not released",
            "The oldest is over since {{ $value | humanizeDuration }}. Its seats can be claimed; readers do not know.",
        ),
        Alert(
            "TicketlyShieldOpen",
            f"max {by()} ({of.series('ticketly_order_shield_breaker_open')}) == 1",
            "10m",
            "warning",
            f"The order service of {_PLATFORM} leaves Redis alone",
            "Redis fails or is too slow. Nothing is wrong, but every refusal now costs the database.",
        ),
    )


def _readers(of: Selection) -> tuple[Alert, ...]:
    lag = of.series("ticketly_consumer_lag_records")
    dead = of.series("ticketly_consumer_dead_letters_total")
    return (
        Alert(
            "TicketlyDeadLetters",
            f"sum {by('topic')} (increase({dead}[15m])) > 0",
            "0m",
            "warning",
            f"Records of {{{{ $labels.topic }}}} were put aside on {_PLATFORM}",
            "A consumer could not apply them, they wait in {{ $labels.topic }}.DLT. Their neighbours went on.",
        ),
        Alert(
            "TicketlyConsumerLagGrows",
            f"sum {by('consumer')} ({lag}) > 1000 and sum {by('consumer')} (deriv({lag}[10m])) > 0",
            "10m",
            "warning",
            f"Consumer {{{{ $labels.consumer }}}} of {_PLATFORM} falls behind",
            "{{ $value | humanize }} records wait, and their number grows.",
        ),
        Alert(
            "TicketlyConsumerStalled",
            f"time() - max {by('consumer')} ({of.series('ticketly_consumer_polled_timestamp_seconds')}) > 120",
            "1m",
            "critical",
            f"Consumer {{{{ $labels.consumer }}}} of {_PLATFORM} stands still",
            "It has applied nothing for {{ $value | humanizeDuration }}; its lag does not show while it stands.",
        ),
        Alert(
            "TicketlyProjectionStale",
            f"max {by()} ({of.series('ticketly_event_query_rebuild_oldest_seconds')}) > 30",
            "5m",
            "warning",
            f"Documents of {_PLATFORM} are out of date",
            "The stalest has waited {{ $value | humanizeDuration }} to be rebuilt.",
        ),
        Alert(
            "TicketlyStreamsRefused",
            f"sum {by()} (rate({of.series('ticketly_event_query_streams_refused_total')}[5m])) > 0",
            "5m",
            "warning",
            f"Readers of {_PLATFORM} cannot open seat streams",
            "Every place is taken in at least one pod; browsers fall back to asking again.",
        ),
    )


def _processes(of: Selection) -> tuple[Alert, ...]:
    delay = of.series("ticketly_event_loop_delay_seconds_bucket")
    autoscaler = "horizontalpodautoscaler"
    now = of.objects("kube_horizontalpodautoscaler_status_current_replicas", autoscaler)
    most = of.objects("kube_horizontalpodautoscaler_spec_max_replicas", autoscaler)
    least = of.objects("kube_horizontalpodautoscaler_spec_min_replicas", autoscaler)
    restarts = of.objects("kube_pod_container_status_restarts_total", "pod", "-.+")
    up = of.series("up", f'component=~"{either(kind.name for kind in KINDS)}"')
    unsent = of.series("ticketly_tracing_spans_exported_total", 'result="failure"')
    return (
        Alert(
            "TicketlyServiceDown",
            f"max {by('component')} ({up}) == 0",
            "3m",
            "critical",
            f"No pod of {{{{ $labels.component }}}} of {_PLATFORM} answers",
            "Prometheus reaches none of them on the internal port.",
        ),
        Alert(
            "TicketlyEventLoopBlocked",
            f"histogram_quantile(0.95, sum {by('component', 'pod', 'le')} (rate({delay}[5m]))) > 0.25",
            "5m",
            "warning",
            f"Pod {{{{ $labels.pod }}}} of {_PLATFORM} is too busy to answer in time",
            "Every request of it waits up to {{ $value | humanizeDuration }} before anything happens.",
        ),
        Alert(
            "TicketlyAutoscalerAtMax",
            f"{now} >= {most} and {most} > {least}",
            "15m",
            "warning",
            "{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} cannot grow any more",
            "It has run at its upper bound for a quarter of an hour; more load will make it slow.",
        ),
        Alert(
            "TicketlyPodsRestarting",
            f"sum by (namespace, pod) (increase({restarts}[30m])) > 2",
            "0m",
            "warning",
            "Pod {{ $labels.namespace }}/{{ $labels.pod }} restarts again and again",
            "{{ $value | humanize }} restarts in half an hour.",
        ),
        Alert(
            "TicketlyTracesLost",
            f"sum {by('component')} (rate({unsent}[15m])) > 0",
            "30m",
            "warning",
            f"Traces of {{{{ $labels.component }}}} of {_PLATFORM} do not arrive",
            "The collector refuses them or does not answer. Requests are not affected.",
        ),
    )


def operator() -> tuple[Alert, ...]:
    """Return what goes wrong with the operator itself; these are loaded once for a cluster, not for each platform."""
    reconciles = "ticketly_operator_reconciles_total"
    return (
        Alert(
            "TicketlyOperatorWithoutLeader",
            "max(ticketly_operator_leader) < 1 or absent(ticketly_operator_leader)",
            "2m",
            "critical",
            "No operator leads",
            "Nobody repairs connectors, guards slots or raises flash sales. What runs goes on running.",
        ),
        Alert(
            "TicketlyOperatorWatchStale",
            "max by (pod, instance) (ticketly_operator_watch_age_seconds) > 90",
            "1m",
            "warning",
            "Operator {{ $labels.pod }} hears nothing from the API server",
            "Its watches last delivered {{ $value | humanizeDuration }} ago; at 150 s it restarts itself.",
        ),
        Alert(
            "TicketlyOperatorReconcilesFail",
            f'sum(rate({reconciles}{{outcome=~"failed|timeout"}}[15m])) / sum(rate({reconciles}[15m])) > 0.5',
            "15m",
            "warning",
            "Most reconciles fail",
            "{{ $value | humanizePercentage }} of a quarter of an hour's reconciles failed or ran too long.",
        ),
        Alert(
            "TicketlyDriftRepeated",
            "sum by (kind, manager) (increase(ticketly_operator_drift_total[1h])) > 5",
            "0m",
            "warning",
            "{{ $labels.manager }} and the operator fight over a {{ $labels.kind }}",
            "Its fields were put back {{ $value | humanize }} times within the hour.",
        ),
    )
