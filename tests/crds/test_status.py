"""The status vocabulary is closed: each reason belongs to exactly one condition."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from ticketly_crds.status import (
    REASONS,
    Condition,
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    PlatformStatus,
    Reason,
    SlotStatus,
)

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def test_every_condition_has_reasons_and_every_reason_one_condition() -> None:
    assert set(REASONS) == set(ConditionType)
    owners = [reason for reasons in REASONS.values() for reason in reasons]
    assert sorted(owners) == sorted(Reason)


def test_condition_types_are_the_documented_ones() -> None:
    assert {kind.value for kind in ConditionType} == {
        "Ready",
        "Progressing",
        "Degraded",
        "ConnectorsReady",
        "TopicsReady",
        "LagWithinSLO",
        "Paused",
    }


def test_a_condition_refuses_another_condition_s_reason() -> None:
    with pytest.raises(ValidationError, match="SlotLost is no reason of Ready"):
        Condition(
            type=ConditionType.READY,
            status=ConditionStatus.FALSE,
            reason=Reason.SLOT_LOST,
            last_transition_time=NOON,
        )


def test_a_status_survives_the_way_through_the_api_server() -> None:
    status = PlatformStatus(
        observed_generation=4,
        conditions=(
            Condition(
                type=ConditionType.CONNECTORS_READY,
                status=ConditionStatus.FALSE,
                reason=Reason.SLOT_LOST,
                message="slot ticketly_event_tables is lost",
                observed_generation=4,
                last_transition_time=NOON,
            ),
        ),
        connectors=(
            ConnectorStatus(
                name="ticketly-event-tables",
                phase=ConnectorPhase.FAILED,
                slot=SlotStatus(name="ticketly_event_tables", active=False, wal_status="lost"),
            ),
        ),
    )
    wire = status.model_dump(by_alias=True, mode="json")
    assert wire["conditions"][0]["lastTransitionTime"] == "2027-03-01T12:00:00Z"
    assert wire["connectors"][0]["slot"]["walStatus"] == "lost"
    assert PlatformStatus.model_validate({**wire, "fromANewerOperator": 1}) == status
    assert status.condition(ConditionType.CONNECTORS_READY) == status.conditions[0]
    assert status.condition(ConditionType.READY) is None
