"""One leader: the loser does nothing, a dead one is followed, a frozen one writes nothing when it wakes up."""

from __future__ import annotations

import time

import pytest

from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes

LEADER = "ticketly_operator_leader"
LEASE_LOST = 5


def asked(control_plane, site, operator, after):
    """(verb, resource) of everything an operator asked for."""
    user = site.user_of(operator)
    return [(request.verb, request.resource) for request in control_plane.requests(after) if request.user == user]


def writes(control_plane, site, operator, after):
    user = site.user_of(operator)
    return [request for request in control_plane.requests(after) if request.user == user and request.writes]


def image(platform):
    return platform.child("deployment", "email")["spec"]["template"]["spec"]["containers"][0]["image"]


def test_the_loser_does_nothing_until_the_leader_dies_in_the_middle_of_a_step(new_site, control_plane):
    site = new_site()
    start = control_plane.audit_position()
    first = site.start_operator()
    second = site.new_operator()
    second.start()
    site.ready()
    assert second.metrics()[LEADER] == 0
    assert second.probe("/readyz") == second.probe("/livez") == ""
    assert set(asked(control_plane, site, second, start)) == {("get", "leases")}

    position = control_plane.audit_position()
    half_done = site.applied()
    created = ("patch", "services")
    eventually(lambda: created in asked(control_plane, site, first, position), "the leader is in the middle of it")
    first.kill()
    done = set(asked(control_plane, site, first, position))
    assert ("patch", "deployments") not in done or not half_done.child("deployment", "order").get("status")
    second.wait_until_leading()
    half_done.until_ready()
    lease = site.cluster.get("lease", "ticketly-operator", site.namespace)
    assert lease["spec"]["leaseTransitions"] == 1


def test_a_leader_that_was_frozen_writes_nothing_when_it_wakes_up_and_ends(new_site, control_plane):
    site = new_site()
    frozen = site.start_operator()
    platform = site.ready()
    platform.change(version="0.3.0")
    frozen.pause()
    successor = site.start_operator()
    eventually(lambda: image(platform).endswith("0.3.0"), "the successor carries on")
    # it wakes up to a platform that it knows an older version of
    platform.change(version="0.3.1")
    platform.until_ready()
    position = control_plane.audit_position()
    frozen.resume()
    assert eventually(frozen.exit_code, "it ends") == LEASE_LOST
    assert writes(control_plane, site, frozen, position) == []
    assert successor.metrics()[LEADER] == 1
    assert platform.condition("Ready")["status"] == "True"


def test_a_leader_that_is_told_to_stop_hands_over_at_once(new_site):
    site = new_site()
    # without the hand-over the successor would wait for longer than this test
    first = site.start_operator(lease_duration_seconds=500, lease_renew_deadline_seconds=400)
    second = site.new_operator(lease_duration_seconds=500, lease_renew_deadline_seconds=400)
    second.start()
    assert first.stop() == 0
    # our work ends first, not kopf's
    assert "stopping: stop ended" in first.log()
    second.wait_until_leading(60)
    site.ready()
    assert second.stop() == 0
    assert site.cluster.get("lease", "ticketly-operator", site.namespace)["spec"]["holderIdentity"] == ""


def test_a_lease_that_somebody_takes_away_ends_the_leader(new_site):
    site = new_site()
    operator = site.start_operator()
    thief = '{"spec": {"holderIdentity": "thief"}}'
    options = [f"--namespace={site.namespace}", "--type=merge", f"--patch={thief}"]
    site.cluster.kubectl("patch", "lease", "ticketly-operator", *options)
    assert eventually(operator.exit_code, "it ends") == LEASE_LOST
    assert "the lease is lost" in operator.log()
    lease = site.cluster.get("lease", "ticketly-operator", site.namespace)
    assert lease["spec"]["holderIdentity"] == "thief"


def test_a_lease_that_somebody_deletes_is_made_again(new_site):
    site = new_site()
    operator = site.start_operator()
    site.cluster.kubectl("delete", "lease", "ticketly-operator", f"--namespace={site.namespace}")
    eventually(lambda: site.cluster.get("lease", "ticketly-operator", site.namespace), "the lease")
    time.sleep(2)
    assert operator.exit_code() is None
    assert operator.metrics()[LEADER] == 1
