"""What Prometheus is told about the operator. One registry for one process; names are documented and tested.

Per-platform series go away with their platform, so that a deleted one raises no alert.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from ticketly_crds.status import ConditionStatus, ConnectorPhase, PlatformStatus

_PLATFORM: Final = ("platform", "namespace")


class Metrics:
    """All series of the operator."""

    def __init__(self) -> None:
        """Register everything in a registry of its own."""
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        build = Gauge("ticketly_operator_build_info", "1; which version runs", ["version"], registry=registry)
        build.labels(version("ticketly-operator")).set(1)
        self.reconciles = Counter(
            "ticketly_operator_reconciles_total", "Reconciles ended", ["outcome"], registry=registry
        )
        self.duration = Histogram(
            "ticketly_operator_reconcile_duration_seconds",
            "Time one reconcile took",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=registry,
        )
        self.drift = Counter(
            "ticketly_operator_drift_total",
            "Fields of managed objects that somebody else changed and that were put back",
            ["kind", "manager"],
            registry=registry,
        )
        self.writes = Counter(
            "ticketly_operator_writes_total",
            "Writes to the API server, without the Lease",
            ["kind", "verb"],
            registry=registry,
        )
        self.paused = Gauge("ticketly_operator_paused", "Platforms that are paused", registry=registry)
        self.platforms = Gauge("ticketly_operator_platforms", "Platforms known", registry=registry)
        self.queue = Gauge("ticketly_operator_queue_depth", "Platforms due and not yet worked on", registry=registry)
        self.leader = Gauge("ticketly_operator_leader", "1 while this process holds the Lease", registry=registry)
        self.watch_age = Gauge(
            "ticketly_operator_watch_age_seconds",
            "Time since the watches were last proven to deliver",
            registry=registry,
        )
        self.condition = Gauge(
            "ticketly_operator_condition",
            "Conditions of a platform: 1 for the status it has",
            [*_PLATFORM, "type", "status"],
            registry=registry,
        )
        self.condition_reason = Gauge(
            "ticketly_operator_condition_reason",
            "Why a condition has its status: 1 for the reason it has; reasons are a closed list",
            [*_PLATFORM, "type", "reason"],
            registry=registry,
        )
        self.slot_retained = Gauge(
            "ticketly_operator_slot_retained_bytes",
            "Log that the database keeps because of a slot",
            [*_PLATFORM, "slot"],
            registry=registry,
        )
        self.slot_seconds_to_full = Gauge(
            "ticketly_operator_slot_seconds_to_full",
            "Projected time until the log kept for a slot reaches its bound; absent while it does not grow",
            [*_PLATFORM, "slot"],
            registry=registry,
        )
        self.connector_state = Gauge(
            "ticketly_operator_connector_state",
            "Phase of a connector: 1 for the one it has",
            [*_PLATFORM, "connector", "state"],
            registry=registry,
        )
        self.connector_failure = Gauge(
            "ticketly_operator_connector_failure",
            "Why a connector does not run: 1 for the class of its failure; absent while it has none",
            [*_PLATFORM, "connector", "class"],
            registry=registry,
        )
        self.connector_restarts = Counter(
            "ticketly_operator_connector_restarts_total",
            "Restarts of failed connectors by the operator",
            [*_PLATFORM, "connector"],
            registry=registry,
        )

    def show(self, namespace: str, platform: str, status: PlatformStatus) -> None:
        """Show a platform's status as series."""
        where = {"platform": platform, "namespace": namespace}
        for condition in status.conditions:
            for each in ConditionStatus:
                series = self.condition.labels(**where, type=condition.type.value, status=each.value)
                series.set(1 if condition.status is each else 0)
            kind = {**where, "type": condition.type.value}
            self.condition_reason.remove_by_labels(kind)
            self.condition_reason.labels(**kind, reason=condition.reason.value).set(1)
        for connector in status.connectors:
            for phase in ConnectorPhase:
                series = self.connector_state.labels(**where, connector=connector.name, state=phase.value)
                series.set(1 if connector.phase is phase else 0)
            self.connector_failure.remove_by_labels({**where, "connector": connector.name})
            if connector.failure is not None:
                named = {"connector": connector.name, "class": connector.failure.value}
                self.connector_failure.labels(**where, **named).set(1)
            slot = connector.slot
            if slot is None:
                continue
            self.slot_retained.labels(**where, slot=slot.name).set(slot.retained_bytes)
            if slot.seconds_to_full is None:
                self.slot_seconds_to_full.remove_by_labels({**where, "slot": slot.name})
            else:
                self.slot_seconds_to_full.labels(**where, slot=slot.name).set(slot.seconds_to_full)

    def forget(self, namespace: str, platform: str) -> None:
        """Drop the series of a platform that is gone."""
        where = {"platform": platform, "namespace": namespace}
        for metric in (
            self.condition,
            self.condition_reason,
            self.slot_retained,
            self.slot_seconds_to_full,
            self.connector_state,
            self.connector_failure,
            self.connector_restarts,
        ):
            metric.remove_by_labels(where)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
