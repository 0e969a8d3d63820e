"""At rest nothing is written but the Lease, and what an autoscaler decided stays decided."""

from __future__ import annotations

import pytest

from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes

RECONCILES = 50


def test_fifty_reconciles_write_nothing_but_the_lease_and_leave_the_autoscaler_s_seven_pods(new_site, control_plane):
    site = new_site()
    operator = site.start_operator(reconcile_interval_seconds=0.3, reconcile_debounce_seconds=0.1)
    platform = site.ready(services={"eventQuery": {"autoscaling": {"min": 2, "max": 10}}})
    # two pods at 3.5 times their target of 70 % of 250m: the real autoscaler makes seven of them, and they stay
    # while its window for scaling down (300 s) lasts
    selector = f"app.kubernetes.io/instance={platform.name},app.kubernetes.io/component=event-query"
    control_plane.set_usage(site.namespace, selector, cpu="610m")
    eventually(lambda: platform.service("event-query").get("replicas") == 7, "seven pods")
    platform.until_ready()
    settled = settle(platform)

    position = control_plane.audit_position()
    before = reconciles(operator)
    eventually(lambda: reconciles(operator) >= before + RECONCILES, f"{RECONCILES} reconciles", 200)
    found = control_plane.requests(position)

    mine = [request for request in found if request.user == site.user and request.writes]
    assert {(request.verb, request.resource, request.code) for request in mine} == {("update", "leases", 200)}
    assert len([request for request in found if request.user == site.user]) > RECONCILES
    assert platform.get()["metadata"]["resourceVersion"] == settled
    deployment = platform.child("deployment", "event-query")
    assert deployment["spec"]["replicas"] == 7
    assert platform.child("hpa", "event-query")["status"]["desiredReplicas"] == 7
    (ours,) = [entry for entry in deployment["metadata"]["managedFields"] if entry["manager"] == "ticketly-operator"]
    assert "f:replicas" not in ours["fieldsV1"]["f:spec"]


def reconciles(operator):
    return operator.metrics().get('ticketly_operator_reconciles_total{outcome="ok"}', 0)


def settle(platform):
    """The version of the object once it stays the same: the last pods to become ready are still told."""

    def look():
        versions.append(platform.get()["metadata"]["resourceVersion"])
        return versions[-1] if len(versions) > 8 and len(set(versions[-8:])) == 1 else ""

    versions = []
    return eventually(look, "the status settles")
