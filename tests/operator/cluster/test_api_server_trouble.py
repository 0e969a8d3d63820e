"""The API server is gone, silent, or its watches stall: noticed, told by liveness, survived where that can be."""

from __future__ import annotations

import pytest

from ticketly_lab.platform_on_cluster import eventually
from ticketly_lab.watch_proxy import WatchProxy

pytestmark = pytest.mark.kubernetes

LEASE_LOST = 5
LENIENT = {"lease_duration_seconds": 60, "lease_renew_deadline_seconds": 50}
"""No process may lose the Lease because of the trouble."""


def image(platform):
    return platform.child("deployment", "email")["spec"]["template"]["spec"]["containers"][0]["image"]


def test_watches_that_stall_fail_liveness_while_the_timer_goes_on_and_are_opened_anew(new_site):
    site = new_site()
    with WatchProxy(site.cluster) as proxy:
        operator = site.start_operator(
            url=proxy.url, watch_inactivity_timeout_seconds=4, watch_liveness_timeout_seconds=8, **LENIENT
        )
        platform = site.ready()
        assert operator.probe() == ""
        proxy.freeze()
        opened = proxy.watches
        # nobody tells the operator about this: it finds out by itself, and that it was not told
        platform.change(version="0.4.0")
        eventually(lambda: image(platform).endswith("0.4.0"), "the timer goes on")
        eventually(lambda: "503" in operator.probe(), "liveness fails")
        assert operator.metrics()["ticketly_operator_watch_age_seconds"] > 8
        eventually(lambda: proxy.watches >= opened + 10, "every watch is opened anew")
        proxy.thaw()
        eventually(lambda: operator.probe() == "", "liveness passes again")
        assert operator.exit_code() is None
        platform.until_ready()
        operator.kill()


def test_silence_at_rest_is_no_trouble(new_site):
    site = new_site()
    with WatchProxy(site.cluster) as proxy:
        operator = site.start_operator(
            url=proxy.url, watch_inactivity_timeout_seconds=3, watch_liveness_timeout_seconds=5, **LENIENT
        )
        site.ready()
        opened = proxy.watches
        eventually(lambda: proxy.watches >= opened + 30, "silent watches are opened anew several times")
        assert operator.probe() == ""
        assert operator.metrics()["ticketly_operator_watch_age_seconds"] < 5
        operator.kill()


def test_an_api_server_that_answers_nothing_ends_the_leader_and_fails_the_waiting_one(new_site, control_plane):
    site = new_site()
    leader = site.start_operator()
    waiting = site.new_operator(watch_inactivity_timeout_seconds=4, watch_liveness_timeout_seconds=6)
    waiting.start()
    platform = site.ready()
    control_plane.pause_apiserver()
    try:
        eventually(lambda: "503" in waiting.probe(), "liveness of the waiting one fails")
        assert eventually(leader.exit_code, "the leader ends") == LEASE_LOST
        assert waiting.exit_code() is None
    finally:
        control_plane.resume_apiserver()
    waiting.wait_until_leading()
    platform.change(version="0.4.1")
    platform.until_ready()
    assert image(platform).endswith("0.4.1")
    eventually(lambda: waiting.probe() == "", "it is well again")


def test_an_api_server_that_is_restarted_is_waited_for(new_site, control_plane):
    site = new_site()
    operator = site.start_operator(**LENIENT)
    platform = site.ready()
    control_plane.restart_apiserver()
    platform.change(version="0.4.2")
    eventually(lambda: image(platform).endswith("0.4.2"), "it goes on")
    platform.until_ready()
    assert operator.exit_code() is None
    assert operator.probe() == ""
    # the watches are back too: a change is acted upon long before the timer would
    assert operator.metrics()["ticketly_operator_watch_age_seconds"] < 60
