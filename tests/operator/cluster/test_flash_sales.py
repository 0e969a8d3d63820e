"""A sale raises the minimum of pods for its time and restores it, whether or not the operator was there to see."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes

SECONDS = timedelta(seconds=1)


def sale(name, raised_at, **replicas):
    """Raised one minute before its start, for two minutes in all."""
    start = raised_at + timedelta(minutes=1)
    times = {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "leadMinutes": 1, "durationMinutes": 1}
    return {"name": name, **times, "minReplicas": replicas}


def minimum(platform, service):
    return platform.child("hpa", service)["spec"]["minReplicas"]


def running(platform):
    return [each["name"] for each in platform.status().get("flashSales", ())]


def test_a_sale_s_minimum_holds_before_during_and_after_it_also_across_a_restart(new_site):
    site = new_site()
    operator = site.start_operator()
    now = datetime.now(UTC)
    ends, begins = now + 30 * SECONDS, now + 35 * SECONDS
    seen = site.ready(
        flashSales=[sale("first", ends - timedelta(minutes=2), order=4), sale("second", begins, eventQuery=3)]
    )
    assert (minimum(seen, "order"), minimum(seen, "event-query")) == (4, 1)
    assert running(seen) == ["first"]
    until = datetime.fromisoformat(seen.status()["flashSales"][0]["until"])
    assert abs(until - ends) < 2 * SECONDS
    eventually(lambda: seen.service("order")["readyReplicas"] == 4, "the autoscaler follows")
    eventually(lambda: minimum(seen, "order") == 1, "the minimum is restored")
    assert datetime.now(UTC) >= until
    eventually(lambda: minimum(seen, "event-query") == 3, "the second sale's minimum")
    assert datetime.now(UTC) >= begins - SECONDS
    eventually(lambda: running(seen) == ["second"], "the status follows")
    eventually(lambda: seen.service("event-query")["readyReplicas"] == 3, "the autoscaler follows")

    # nobody is there when one sale ends and another begins
    now = datetime.now(UTC)
    ends = now + 14 * SECONDS
    unseen = site.platform()
    unseen.apply(
        **site.spec(flashSales=[sale("gone", ends - timedelta(minutes=2), order=5), sale("begun", ends, scheduler=2)])
    )
    eventually(lambda: unseen.child("hpa", "order") and minimum(unseen, "order") == 5, "the minimum is raised", 13)
    operator.kill()
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1)
    assert (minimum(unseen, "order"), minimum(unseen, "scheduler")) == (5, 1)
    site.start_operator()
    eventually(lambda: (minimum(unseen, "order"), minimum(unseen, "scheduler")) == (1, 2), "the restart catches up")
    eventually(lambda: running(unseen) == ["begun"], "the status follows")
