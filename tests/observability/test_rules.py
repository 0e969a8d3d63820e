"""Rules and alerts, judged by the real promtool."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticketly_crds.spec import parse
from ticketly_operator.desired import alerts, rules
from ticketly_operator.desired.objectives import OBJECTIVES, WINDOWS, burn
from ticketly_operator.desired.selection import Selection

Judge = Callable[[list[dict[str, Any]], list[dict[str, Any]]], None]


def _cases() -> Any:
    place = Path(__file__).with_name("cases.py")
    described = importlib.util.spec_from_file_location("observability_cases", place)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    import sys

    sys.modules[described.name] = module
    described.loader.exec_module(module)
    return module


cases = _cases()
ALL = [*rules.platform_groups(Selection()), *rules.operator_groups()]
ALERTS = [alert for part in (alerts.platform, alerts.capture, alerts.services) for alert in part(Selection())] + list(
    alerts.operator()
)
"""Every alert there is."""
ALERTING = [group for group in ALL if any("alert" in rule for rule in group["rules"])]
"""Without recordings: cases give recorded series themselves, and each rule costs promtool time at every step."""


def verdict(case: Any, alert: str, fires: bool, *labels: str) -> dict[str, Any]:
    """One of promtool's tests: how many alerts of that name fire at the case's end."""
    conditions = ",".join([f'alertname="{alert}"', 'alertstate="firing"', *(f'{label}!=""' for label in labels)])
    return {
        "interval": "1m",
        "name": f"{alert}: {case.why or ('fires' if fires else 'does not fire')}",
        "input_series": list(case.series),
        "promql_expr_test": [
            {
                "expr": f"count(ALERTS{{{conditions}}})",
                "eval_time": f"{case.at}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


def labels_said(alert: alerts.Alert) -> set[str]:
    return set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.detail))


def test_every_alert_has_cases_in_which_it_fires_and_in_which_it_does_not() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert set(cases.FIRING) == set(cases.QUIET) == set(names)
    assert all(cases.QUIET.values())


def test_promtool_accepts_all_rules(check: Callable[[list[dict[str, Any]]], None]) -> None:
    check(ALL)
    check(rules.platform_groups(Selection("ticketly", "shop")))


def test_every_alert_fires_when_it_should_and_has_the_labels_its_text_names(judge: Judge) -> None:
    judge(
        ALERTING, [verdict(cases.FIRING[alert.name], alert.name, True, *sorted(labels_said(alert))) for alert in ALERTS]
    )


def test_no_alert_fires_when_it_should_not(judge: Judge) -> None:
    judge(ALERTING, [verdict(case, name, False) for name, found in cases.QUIET.items() for case in found])


def test_an_operator_that_is_gone_altogether_is_no_leader(judge: Judge) -> None:
    judge(ALERTING, [verdict(cases.Case((), 10), "TicketlyOperatorWithoutLeader", True)])


def test_a_slow_steady_burn_wakes_somebody_too(judge: Judge) -> None:
    case = cases.Case(cases.burns(w1h=7, w5m=7, w6h=7, w30m=8), 10)
    judge(ALERTING, [verdict(case, "TicketlyErrorBudgetBurnsFast", True)])


@pytest.mark.parametrize("name", ["TicketlyPlatformNotReady", "TicketlyClaimsUndecided", "TicketlyAutoscalerAtMax"])
def test_a_platform_s_rules_look_at_that_platform_only(judge: Judge, name: str) -> None:
    case = cases.FIRING[name]
    judge(rules.platform_groups(Selection("ticketly", "shop")), [verdict(case, name, True)])
    for other in (Selection("ticketly", "another"), Selection("another", "shop")):
        judge(rules.platform_groups(other), [verdict(case, name, False)])


def test_what_people_read_has_the_values_in_it(judge: Judge) -> None:
    case = cases.FIRING["TicketlyClaimsUndecided"]
    (alert,) = (alert for alert in ALERTS if alert.name == "TicketlyClaimsUndecided")
    judge(
        ALL,
        [
            {
                "interval": "1m",
                "input_series": list(case.series),
                "alert_rule_test": [
                    {
                        "eval_time": "15m",
                        "alertname": alert.name,
                        "exp_alerts": [
                            {
                                "exp_labels": {"severity": "critical", "namespace": "shop", "platform": "ticketly"},
                                "exp_annotations": {
                                    "summary": "Buyers of shop/ticketly get no decision",
                                    "description": "9.091% of the claims end in 503 or 500 instead of a seat or a"
                                    " refusal.",
                                    "runbook_url": f"{alerts.RUNBOOKS}/{alert.name}.md",
                                },
                            }
                        ],
                    }
                ],
            }
        ],
    )


def requests(route: str, status: str, per_minute: int) -> dict[str, str]:
    values = f"0+{per_minute}x60"
    found: dict[str, str] = cases.series(
        "ticketly_http_requests_total", values, route=route, status=status, method="POST", pod="p"
    )
    return found


def burned(objective: str, value: float, *given: dict[str, str]) -> dict[str, Any]:
    labels = f'{{namespace="shop",platform="ticketly",slo="{objective}"}}'
    return {
        "interval": "1m",
        "input_series": list(given),
        "promql_expr_test": [
            {
                "expr": f'round({burn("5m")}{{slo="{objective}"}} * 10)',
                "eval_time": "10m",
                "exp_samples": [{"labels": labels, "value": round(value * 10)}],
            }
        ],
    }


def test_the_burn_is_the_share_of_bad_answers_over_the_budget(judge: Judge) -> None:
    fine, broken = requests("/api/order", "201", 900), requests("/api/order/{order_id}", "503", 100)
    lost = requests("/api/order", "409", 1000)
    elsewhere = requests("/api/scheduler/jobs", "500", 9000)
    judge(ALL, [burned("order-availability", 50.0, fine, lost, broken, elsewhere)])


def test_a_single_failure_at_night_burns_little(judge: Judge) -> None:
    night = cases.series(
        "ticketly_http_requests_total", "0x5 1x60", route="/api/order", status="503", method="POST", pod="p"
    )
    # one of one, counted as one of at least fifteen in five minutes
    judge(ALL, [burned("order-availability", 66.7, night)])


def test_a_slow_answer_is_a_bad_one(judge: Judge) -> None:
    name = "ticketly_http_request_duration_seconds"
    labels = {"route": "/api/order", "method": "POST", "pod": "p"}
    given = (
        cases.series(f"{name}_bucket", "0+980x60", **labels, le="0.5"),
        cases.series(f"{name}_bucket", "0+1000x60", **labels, le="+Inf"),
        cases.series(f"{name}_count", "0+1000x60", **labels),
    )
    judge(ALL, [burned("order-latency", 2.0, *given)])


def test_latency_objectives_are_bounds_of_the_histogram() -> None:
    from ticketly_common.telemetry import DURATION

    bounds = {f"{bound:g}" for bound in DURATION._upper_bounds}
    assert {objective.seconds for objective in OBJECTIVES if objective.seconds} <= bounds


def test_objectives_cover_the_routes_buyers_use() -> None:
    order = re.compile(OBJECTIVES[0].routes)
    for route in ("/api/order", "/api/order/{order_id}", "/api/order/user/{user_id}"):
        assert order.fullmatch(route)
    for route in ("/api/order/health", "/api/order/internal/v1/sessions/{session_id}/seat-states", "unmatched"):
        assert not order.fullmatch(route)
    assert re.fullmatch(OBJECTIVES[2].routes, "/api/event-query/v1/sessions/{session_id}/seating-map")


def test_every_window_an_alert_looks_at_is_recorded() -> None:
    recorded = {rule["record"] for group in ALL for rule in group["rules"] if "record" in rule}
    used = {name for alert in ALERTS for name in re.findall(r"ticketly:slo_burn:rate\w+", alert.expression)}
    assert used <= recorded
    assert {burn(window) for window in WINDOWS} <= recorded


def test_the_operator_s_own_monitor_keeps_the_labels_that_name_platforms() -> None:
    from ticketly_operator.desired.installation import Installation, manifests
    from ticketly_operator.desired.operator_monitors import operator_monitors

    monitor, rule = operator_monitors("ticketly-system")
    assert rule["spec"]["groups"] == rules.operator_groups()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True
    (service,) = (each for each in manifests(Installation()) if each["kind"] == "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_operator_applies_a_platform_s_rules_where_the_kind_is_known() -> None:
    from datetime import UTC, datetime

    import yaml

    from ticketly_operator.desired import Surroundings
    from ticketly_operator.desired.monitors import PROMETHEUS_RULE, SERVICE_MONITOR, monitors

    root = Path(__file__).resolve().parents[2]
    platform = parse(yaml.safe_load((root / "crds/ticketly_crds/samples/cluster.yaml").read_text()))
    around = Surroundings(datetime(2026, 1, 1, tzinfo=UTC), "ticketly-system", 45, 600, 600)

    def made(*known: str) -> dict[str, Any]:
        import dataclasses

        surroundings = dataclasses.replace(around, optional_kinds=frozenset(known))
        return {each["kind"]: each for each in monitors(platform, surroundings)}

    assert made() == {}
    assert set(made(SERVICE_MONITOR)) == {"ServiceMonitor"}
    rule = made(PROMETHEUS_RULE)["PrometheusRule"]
    assert rule["spec"]["groups"] == rules.platform_groups(Selection(platform.name, platform.metadata.namespace))
    (endpoint,) = made(SERVICE_MONITOR)["ServiceMonitor"]["spec"]["endpoints"]
    assert {rule["targetLabel"] for rule in endpoint["relabelings"]} == {"platform", "component"}
    assert endpoint["relabelings"][0]["sourceLabels"] == ["__meta_kubernetes_service_label_app_kubernetes_io_instance"]
