"""The door: what passes the load balancer and the firewall, and what does not."""

from __future__ import annotations

import re

import pytest

from ticketly_infra import firewall

RULES = {one["name"]: one for one in firewall.rules(limit=3000, sign_in_limit=300, auth_host="auth.example.com")}


def test_port_80_redirects_and_port_443_knows_two_hosts(programs):
    for run in programs.values():
        listeners = {one["inputs"]["port"]: one["inputs"] for one in run.resources.of("lb/listener:Listener")}
        assert listeners[80]["defaultActions"][0]["redirect"] == {
            "port": "443",
            "protocol": "HTTPS",
            "statusCode": "HTTP_301",
        }
        assert listeners[443]["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"
        hosts = [
            condition["hostHeader"]["values"][0].partition(".")[0]
            for rule in run.resources.of("lb/listenerRule:ListenerRule")
            for condition in rule["inputs"]["conditions"]
            if "hostHeader" in condition
        ]
        assert sorted(set(hosts)) == ["api", "auth"]


def test_of_keycloak_visitors_reach_one_realm_and_no_console(programs):
    rules = programs["prod"].resources.of("lb/listenerRule:ListenerRule")
    auth = [one["inputs"]["conditions"] for one in rules if "auth" in one["name"]]
    (paths,) = [part["pathPattern"]["values"] for conditions in auth for part in conditions if "pathPattern" in part]
    assert all(any(part.keys() & {"pathPattern", "sourceIp"} for part in conditions) for conditions in auth)
    matched = [re.compile("^" + path.replace("*", ".*") + "$") for path in paths]
    assert any(one.match("/realms/event-ticketing/protocol/openid-connect/token") for one in matched)
    for closed in ("/admin/master/console/", "/realms/master/protocol/openid-connect/token", "/metrics", "/"):
        assert not any(one.match(closed) for one in matched), closed


def test_the_limit_by_address_comes_first_and_holds_for_everything():
    first = min(RULES.values(), key=lambda one: one["priority"])
    assert first["name"] == "flood"
    assert first["statement"]["rate_based_statement"] == {
        "limit": 3000,
        "aggregate_key_type": "IP",
        "evaluation_window_sec": 300,
    }


def test_no_rule_says_yes():
    assert all("allow" not in one.get("action", {}) for one in RULES.values())
    assert all(one.get("override_action", {"none": {}}) == {"none": {}} for one in RULES.values())


def test_what_only_counts_in_a_managed_group_is_decided_by_an_own_rule_after_it():
    common = RULES["common"]["statement"]["managed_rule_group_statement"]
    counted = {one["name"] for one in common["rule_action_overrides"]}
    assert counted == {"SizeRestrictions_BODY", "CrossSiteScripting_BODY"}
    for name in ("long-body", "script-in-body"):
        assert RULES[name]["action"] == {"block": {}}
        assert RULES[name]["priority"] > RULES["common"]["priority"]


@pytest.mark.parametrize(
    ("path", "long_bodies"),
    [
        ("/api/event-seating/v1/events", True),
        ("/api/order/webhook/stripe", True),
        ("/api/order/v1/orders", False),
        ("/api/event-query/v1/events", False),
    ],
)
def test_long_bodies_are_for_plans_images_and_the_provider(path, long_bodies):
    (_, elsewhere) = RULES["long-body"]["statement"]["and_statement"]["statements"]
    options = elsewhere["not_statement"]["statement"]["or_statement"]["statements"]
    starts = [one["byte_match_statement"]["search_string"] for one in options]
    assert any(path.startswith(start) for start in starts) == long_bodies
    changes = [[change["type"] for change in one["byte_match_statement"]["text_transformations"]] for one in options]
    assert changes == [["URL_DECODE", "NORMALIZE_PATH"]] * len(options)


@pytest.mark.parametrize(("announced", "refused"), [("52428800", False), ("99999999", False), ("100000000", True)])
def test_a_body_announced_with_100_mb_is_refused(announced, refused):
    pattern = RULES["huge-body"]["statement"]["regex_match_statement"]["regex_string"]
    assert bool(re.search(pattern, announced)) == refused


def test_the_firewall_s_log_holds_no_token(programs):
    logging = programs["dev"].resources.one("wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")["inputs"]
    hidden = {one["singleHeader"]["name"] for one in logging["redactedFields"]}
    assert hidden == {"authorization", "cookie"}
