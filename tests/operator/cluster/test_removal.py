"""Deleting a platform while everything outside is down: nothing is held back for ever."""

from __future__ import annotations

import time

import pytest

from ticketly_lab.operator_process import OperatorProcess
from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes

FINALIZER = "ticketly.io/finalizer"
NOWHERE = "127.0.0.1:1"
SHORT = {"connectors_poll_seconds": 2, "reconcile_error_backoff_max_seconds": 4, "kafka_request_timeout_seconds": 5}
DOWN = {
    "kafka": {"bootstrapServers": NOWHERE},
    "connect": {"url": f"http://{NOWHERE}"},
    "postgres": {"host": "127.0.0.1", "port": 1},
    "connectors": {"eventTables": {"enabled": True}, "orderOutbox": {"enabled": True}},
}


def children(site, platform):
    kinds = "deployments,services,configmaps,serviceaccounts,networkpolicies,hpa,ingresses,jobs"
    return site.cluster.list(kinds, site.namespace, f"app.kubernetes.io/instance={platform.name}")


def test_under_retain_a_namespace_goes_with_everything_down_and_no_operator(new_site):
    site = new_site()
    operator = site.start_operator()
    platform = site.applied(**DOWN)
    platform.until("TopicsReady", "KafkaUnreachable")
    eventually(lambda: platform.service("email").get("phase") == "Ready", "the Kubernetes half is made all the same")
    assert FINALIZER not in platform.get()["metadata"].get("finalizers", [])
    operator.kill()
    site.cluster.kubectl("delete", "namespace", site.namespace, "--timeout=90s")


def test_under_delete_the_operator_gives_up_in_time_and_says_what_is_left(new_site):
    site = new_site()
    site.start_operator(deletion_timeout_seconds=12, reconcile_timeout_seconds=60)
    platform = site.applied(deletionPolicy="Delete", **DOWN)
    eventually(lambda: FINALIZER in platform.get()["metadata"].get("finalizers", []), "the finalizer")
    eventually(lambda: platform.child("deployment", "email"), "its objects")
    platform.delete("--wait=false")
    pending = eventually(lambda: platform.events("RemovalPending"), "what is not removed yet is told")
    assert "ticketly-event-tables" in pending[0]
    eventually(lambda: platform.get() == {}, "the platform goes")
    (gave_up,) = platform.events("RemovalGivenUp")
    assert gave_up.startswith("gave up after 12 s; left behind: ")
    for outside in ("ticketly-event-tables", "ticketly_order_outbox", "topics"):
        assert outside in gave_up
    eventually(lambda: children(site, platform) == [], "its objects go with it")


def test_under_delete_a_namespace_goes_too_although_its_secrets_go_first(new_site, namespace):
    site = new_site()
    settings = {**SHORT, "scope_namespace": site.namespace, "deletion_timeout_seconds": 5}
    # it lives elsewhere, as usual: its own Lease and account must not go with the platform's namespace
    with OperatorProcess(site.cluster, namespace, settings=settings):
        platform = site.applied(deletionPolicy="Delete", **DOWN)
        eventually(lambda: FINALIZER in platform.get()["metadata"].get("finalizers", []), "the finalizer")
        site.cluster.kubectl("delete", "namespace", site.namespace, "--timeout=120s")


def test_a_platform_that_no_longer_makes_sense_can_be_deleted(new_site):
    site = new_site()
    site.start_operator()
    platform = site.ready(deletionPolicy="Delete", connectors={})
    assert FINALIZER in platform.get()["metadata"]["finalizers"]
    platform.change(mongo=None)
    platform.until("Ready", "IncompleteSpec")
    platform.delete("--timeout=60s")
    assert platform.get() == {}


def test_a_change_to_retain_lets_the_finalizer_go_also_when_paused_at_the_end(new_site):
    site = new_site()
    site.start_operator()
    platform = site.ready(deletionPolicy="Delete", connectors={})
    platform.change(deletionPolicy="Retain")
    eventually(lambda: FINALIZER not in platform.get()["metadata"].get("finalizers", []), "the finalizer goes")
    platform.change(deletionPolicy="Delete")
    eventually(lambda: FINALIZER in platform.get()["metadata"].get("finalizers", []), "the finalizer comes")
    platform.annotate(pause="true")
    eventually(lambda: platform.status().get("paused"), "paused")
    platform.change(deletionPolicy="Retain")
    time.sleep(1)
    platform.delete("--timeout=60s")
    assert platform.get() == {}
