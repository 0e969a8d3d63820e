"""What the operator shows of a platform follows its status and goes away with it."""

from __future__ import annotations

from datetime import UTC, datetime

from ticketly_crds.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    FailureClass,
    PlatformStatus,
    Reason,
)
from ticketly_operator.metrics import Metrics

NOW = datetime(2026, 11, 26, tzinfo=UTC)
WHERE = {"platform": "ticketly", "namespace": "shop"}


def status(ready, reason, *connectors):
    condition = Condition(type=ConditionType.READY, status=ready, reason=reason, last_transition_time=NOW)
    return PlatformStatus(conditions=(condition,), connectors=connectors)


def connector(phase, failure=None):
    return ConnectorStatus(name="ticketly-order-outbox", phase=phase, failure=failure)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"ticketly_operator_{name}", {**WHERE, **labels})


def reasons(metrics):
    return [
        (sample.labels["reason"], sample.value)
        for family in metrics.registry.collect()
        if family.name == "ticketly_operator_condition_reason"
        for sample in family.samples
    ]


def test_a_condition_shows_the_one_reason_it_has_now():
    metrics = Metrics()
    metrics.show("shop", "ticketly", status(ConditionStatus.FALSE, Reason.SECRET_MISSING))
    assert reasons(metrics) == [("SecretMissing", 1.0)]
    assert value(metrics, "condition", type="Ready", status="False") == 1
    metrics.show("shop", "ticketly", status(ConditionStatus.TRUE, Reason.ALL_READY))
    assert reasons(metrics) == [("AllReady", 1.0)]
    assert value(metrics, "condition", type="Ready", status="False") == 0


def test_a_failure_is_shown_by_its_class_for_as_long_as_it_lasts():
    metrics, labels = Metrics(), {"connector": "ticketly-order-outbox"}
    lost = status(
        ConditionStatus.FALSE,
        Reason.CONNECTORS_NOT_READY,
        connector(ConnectorPhase.FAILED, FailureClass.SLOT_LOST),
    )
    metrics.show("shop", "ticketly", lost)
    assert value(metrics, "connector_failure", **labels, **{"class": "slot-lost"}) == 1
    well = status(ConditionStatus.TRUE, Reason.ALL_READY, connector(ConnectorPhase.RUNNING))
    metrics.show("shop", "ticketly", well)
    assert value(metrics, "connector_failure", **labels, **{"class": "slot-lost"}) is None
    assert value(metrics, "connector_state", **labels, state="Running") == 1


def test_a_platform_that_is_gone_leaves_no_series():
    metrics = Metrics()
    for name in ("ticketly", "other"):
        lost = connector(ConnectorPhase.FAILED, FailureClass.SLOT_LOST)
        metrics.show("shop", name, status(ConditionStatus.FALSE, Reason.CONNECTORS_NOT_READY, lost))
    metrics.forget("shop", "ticketly")
    assert b'platform="ticketly"' not in metrics.text()
    assert b'platform="other"' in metrics.text()


def test_the_operator_says_which_version_it_is_and_what_its_process_uses():
    text = Metrics().text().decode()
    assert 'ticketly_operator_build_info{version="0.1.0"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text
