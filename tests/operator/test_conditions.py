"""Findings become conditions: the worst is told, Ready is derived, a time moves only with its status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ticketly_crds.status import REASONS, ConditionStatus, ConditionType, Reason
from ticketly_operator.conditions import conditions
from ticketly_operator.findings import Finding

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

WELL = (
    Finding(ConditionType.READY, TRUE, Reason.ALL_READY),
    Finding(ConditionType.CONNECTORS_READY, TRUE, Reason.ALL_RUNNING),
    Finding(ConditionType.TOPICS_READY, TRUE, Reason.ALL_PRESENT),
    Finding(ConditionType.LAG_WITHIN_SLO, TRUE, Reason.WITHIN_SLO),
)


def told(*findings, previous=(), generation=1, now=NOW):
    return {each.type: each for each in conditions(findings, previous, generation, now)}


def test_every_condition_is_told_each_time_and_with_the_generation_it_was_seen_at():
    found = told(*WELL, generation=7)
    assert set(found) == set(ConditionType)
    assert {each.observed_generation for each in found.values()} == {7}
    assert found[ConditionType.READY].status is TRUE


def test_the_worst_finding_of_a_condition_is_told_with_the_messages_of_its_equals():
    found = told(
        *WELL,
        Finding(ConditionType.CONNECTORS_READY, UNKNOWN, Reason.CONNECT_UNREACHABLE, "no answer"),
        Finding(ConditionType.CONNECTORS_READY, FALSE, Reason.SLOT_LOST, "slot a is lost"),
        Finding(ConditionType.CONNECTORS_READY, FALSE, Reason.RESTARTS_EXHAUSTED, "b failed 7 times"),
    )[ConditionType.CONNECTORS_READY]
    assert (found.status, found.reason) == (FALSE, Reason.SLOT_LOST)
    assert found.message == "slot a is lost; b failed 7 times"


def test_degraded_is_bad_news_when_true():
    found = told(
        Finding(ConditionType.DEGRADED, FALSE, Reason.NOTHING_DEGRADED),
        Finding(ConditionType.DEGRADED, TRUE, Reason.APPLY_REFUSED, "may not patch deployments.apps"),
    )
    assert found[ConditionType.DEGRADED].reason is Reason.APPLY_REFUSED


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        (ConditionType.TOPICS_READY, Reason.KAFKA_UNREACHABLE, Reason.TOPICS_NOT_READY),
        (ConditionType.CONNECTORS_READY, Reason.SLOT_LOST, Reason.CONNECTORS_NOT_READY),
    ],
)
def test_a_platform_is_not_ready_while_topics_or_connectors_are_not(kind, reason, expected):
    found = told(*WELL, Finding(kind, FALSE, reason, "because"))
    ready = found[ConditionType.READY]
    assert (ready.status, ready.reason, ready.message) == (FALSE, expected, f"{reason}: because")


def test_a_connector_held_on_purpose_does_not_make_the_platform_unready():
    found = told(*WELL, Finding(ConditionType.CONNECTORS_READY, FALSE, Reason.CONNECTOR_HELD, "paused by the spec"))
    assert found[ConditionType.READY].status is TRUE


def test_lag_beyond_its_objective_does_not_make_the_platform_unready():
    found = told(*WELL, Finding(ConditionType.LAG_WITHIN_SLO, FALSE, Reason.BEYOND_SLO, "9 s"))
    assert found[ConditionType.READY].status is TRUE


def test_a_transition_time_moves_only_with_the_status():
    first = conditions(WELL, (), 1, NOW)
    later = NOW + timedelta(minutes=5)
    other_reason = Finding(ConditionType.READY, FALSE, Reason.SERVICES_NOT_READY, "order 1/2")
    second = {each.type: each for each in conditions((*WELL, other_reason), first, 2, later)}
    assert second[ConditionType.READY].last_transition_time == later.replace(microsecond=0)
    assert second[ConditionType.TOPICS_READY].last_transition_time == NOW.replace(microsecond=0)


def test_what_nobody_looked_at_keeps_what_was_known():
    first = conditions((*WELL, Finding(ConditionType.LAG_WITHIN_SLO, FALSE, Reason.BEYOND_SLO, "9 s")), (), 1, NOW)
    found = told(WELL[0], previous=first, generation=2)
    assert found[ConditionType.LAG_WITHIN_SLO].reason is Reason.BEYOND_SLO
    assert found[ConditionType.LAG_WITHIN_SLO].observed_generation == 2


def test_that_drift_was_put_back_stays_to_be_read_until_something_else_happens():
    degraded = ConditionType.DEGRADED
    first = told(Finding(degraded, FALSE, Reason.NOTHING_DEGRADED, "put back: a field"))
    quiet = told(previous=first.values())
    assert quiet[degraded].message == "put back: a field"
    worse = told(Finding(degraded, TRUE, Reason.APPLY_REFUSED, "no"), previous=quiet.values())
    assert told(previous=worse.values())[degraded].message == ""


def test_before_the_first_look_nothing_is_claimed():
    found = told()
    assert {kind for kind, each in found.items() if each.status is TRUE} == set()


def test_messages_fit_the_status():
    many = [Finding(ConditionType.DEGRADED, TRUE, Reason.APPLY_REFUSED, f"object {n} " + "x" * 90) for n in range(50)]
    assert len(told(*many)[ConditionType.DEGRADED].message) == 1024


def test_a_reason_of_another_condition_is_refused_where_it_is_made():
    for kind in ConditionType:
        for reason in Reason:
            if reason in REASONS[kind]:
                Finding(kind, TRUE, reason)
            else:
                with pytest.raises(ValueError, match="is no reason of"):
                    Finding(kind, TRUE, reason)
