"""An API server keeps every status the operator of any release writes, and Kubernetes' tools can read it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ticketly_crds import spec
from ticketly_crds.status import (
    REASONS,
    Condition,
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    FailureClass,
    FlashSaleStatus,
    LagStatus,
    PlatformStatus,
    ServicePhase,
    ServiceStatus,
    SlotStatus,
)
from ticketly_lab.cluster import Cluster, KubectlError

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("known_to_kubectl")]

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def platform(namespace: str) -> dict[str, Any]:
    head = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform"}
    return {**head, "metadata": {"name": "ticketly", "namespace": namespace}, "spec": {}}


def statuses() -> list[PlatformStatus]:
    """Statuses that have every value of the vocabulary between them."""
    rounds = max(len(reasons) for reasons in REASONS.values())
    phases, service_phases, failures = list(ConnectorPhase), list(ServicePhase), [None, *FailureClass]
    return [
        PlatformStatus(
            observed_generation=turn,
            version="0.1.0",
            conditions=tuple(
                Condition(
                    type=kind,
                    status=list(ConditionStatus)[turn % 3],
                    reason=sorted(REASONS[kind])[turn % len(REASONS[kind])],
                    message="m" * 1024,
                    observed_generation=turn,
                    last_transition_time=NOON,
                )
                for kind in ConditionType
            ),
            services=(ServiceStatus(name="order", phase=service_phases[turn % len(service_phases)], replicas=2),),
            connectors=(
                ConnectorStatus(
                    name="c",
                    phase=phases[turn % len(phases)],
                    failure=failures[turn % len(failures)],
                    running_since=NOON if turn % 2 else None,
                    slot=SlotStatus(name="s", active=True, retained_bytes=2**40, seconds_to_full=9),
                ),
            ),
            lag=LagStatus(p50_ms=12.5, p99_ms=80.0, measured_at=NOON),
            flash_sales=(FlashSaleStatus(name="spring", until=NOON),),
            paused=bool(turn % 2),
            restart_token="token",
        )
        for turn in range(rounds)
    ]


def set_status(cluster: Cluster, document: dict[str, Any], *found: Mapping[str, Any]) -> None:
    """Write the statuses one after the other, whole."""
    items = [{**document, "status": dict(one)} for one in found]
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    cluster.kubectl("replace", "--subresource=status", "-f", "-", input=objects)


@pytest.fixture
def made(cluster: Cluster, namespace: str) -> dict[str, Any]:
    document = platform(namespace)
    cluster.apply(document)
    return document


def test_every_word_of_the_status_is_accepted_and_read_back_as_written(
    cluster: Cluster, namespace: str, made: dict[str, Any]
) -> None:
    written = statuses()
    set_status(cluster, made, *(one.model_dump(mode="json", by_alias=True) for one in written))
    stored = cluster.get("tkp", "ticketly", namespace)
    assert stored is not None
    assert PlatformStatus.model_validate(stored["status"]) == written[-1]
    # nothing is filled in or dropped, so an operator that compares does not write again
    bare = written[0].model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    for one in (written[0].model_dump(mode="json", by_alias=True), bare):
        set_status(cluster, made, one)
        stored = cluster.get("tkp", "ticketly", namespace)
        assert stored is not None
        assert stored["status"] == one


def test_a_status_of_a_newer_operator_is_kept(cluster: Cluster, namespace: str, made: dict[str, Any]) -> None:
    newer = {
        "conditions": [
            {
                "type": "Sharded",
                "status": "True",
                "reason": "NewReason",
                "message": "",
                "lastTransitionTime": "2027-03-01T12:00:00Z",
            }
        ],
        "services": [{"name": "order", "phase": "Hibernating", "shards": [1, 2]}],
        "connectors": [{"name": "c", "phase": "Dreaming", "failure": "cosmic", "slot": {"name": "s", "depth": 1.5}}],
        "topics": {"count": 7},
    }
    set_status(cluster, made, newer)
    stored = cluster.get("tkp", "ticketly", namespace)
    assert stored is not None
    assert stored["status"] == newer


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ({"conditions": [{"type": "Ready", "status": "Maybe"}]}, "status.conditions[0].status"),
        ({"conditions": [{"type": "Ready"}]}, "status.conditions[0].status"),
        (
            {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "noon"}]},
            "status.conditions[0].lastTransitionTime",
        ),
        ({"conditions": [{"type": "Ready", "status": "True"}] * 2}, "status.conditions[1]"),
        ({"observedGeneration": "4"}, "status.observedGeneration"),
    ],
)
def test_a_status_that_kubernetes_tools_cannot_read_is_refused(
    cluster: Cluster, made: dict[str, Any], status: dict[str, Any], path: str
) -> None:
    with pytest.raises(KubectlError, match=re.escape(path)):
        set_status(cluster, made, status)


def test_a_status_is_written_beside_the_spec_only(cluster: Cluster, namespace: str) -> None:
    document = {**platform(namespace), "status": {"version": "9"}}
    cluster.kubectl("create", "-f", "-", input=json.dumps(document))
    set_status(cluster, {**document, "spec": {"version": "8.8.8"}}, {"version": "7"})
    stored = cluster.get("tkp", "ticketly", namespace)
    assert stored is not None
    assert (stored["spec"]["version"], stored["status"], stored["metadata"]["generation"]) == (
        spec.DEFAULT_RELEASE,
        {"version": "7"},
        1,
    )


def test_columns_show_what_a_person_asks_first(cluster: Cluster, namespace: str, made: dict[str, Any]) -> None:
    ready = {"type": "Ready", "status": "True", "reason": "AllReady", "message": "every service is ready"}
    others = [
        {"type": "ConnectorsReady", "status": "False", "reason": "SlotLost"},
        {"type": "LagWithinSLO", "status": "Unknown", "reason": "NoMeasurement"},
        {"type": "Progressing", "status": "False", "reason": "Settled"},
    ]
    lag = {"p50Ms": 12.5, "p99Ms": 80.5, "measuredAt": "2027-03-01T12:00:00Z"}
    set_status(cluster, made, {"version": "0.1.0", "conditions": [ready, *others], "lag": lag})
    head, row = cluster.kubectl("get", "tkp", f"--namespace={namespace}").splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "VERSION", "CONNECTORS", "LAG", "AGE"]
    assert row.split()[:6] == ["ticketly", "True", "AllReady", "0.1.0", "False", "Unknown"]
    wide = cluster.kubectl("get", "ticketly", f"--namespace={namespace}", "--output=wide")
    assert re.search(r"PROGRESSING\s+DEGRADED\s+TOPICS\s+PAUSED\s+LAG P99 MS\s+MESSAGE", wide)
    assert re.search(r"False\s+80.5\s+every service is ready", wide)
    cluster.kubectl("wait", "--for=condition=Ready", "tkp/ticketly", f"--namespace={namespace}", "--timeout=10s")
