"""Recording rules and alerts in groups, as a PrometheusRule or a rules file takes them. Pure."""

from __future__ import annotations

from typing import Any, Final

from ticketly_operator.desired import alerts, objectives
from ticketly_operator.desired.selection import Selection, by

Group = dict[str, Any]

CLAIMS: Final = "ticketly:claims:rate1m"
"""Claims a second by outcome."""
ANSWERS: Final = "ticketly:http_requests:rate1m"
"""Answers a second by route and class of status."""


def platform_groups(of: Selection) -> list[Group]:
    """Return the groups about platforms. They name nothing of another platform when ``of`` names one."""
    return [
        {"name": "ticketly-rates", "interval": "15s", "rules": _rates(of)},
        {"name": "ticketly-objectives", "interval": "30s", "rules": objectives.recordings(of, objectives.WINDOWS[:-1])},
        {
            "name": "ticketly-objectives-slow",
            "interval": "2m",
            "rules": objectives.recordings(of, objectives.WINDOWS[-1:]),
        },
        *(
            {"name": name, "interval": "30s", "rules": [alert.rule() for alert in found]}
            for name, found in (
                ("ticketly-platform", alerts.platform(of)),
                ("ticketly-capture", alerts.capture(of)),
                ("ticketly-services", alerts.services(of)),
            )
        ),
    ]


def operator_groups() -> list[Group]:
    """Return the groups about the operator: once for a cluster."""
    rules = [alert.rule() for alert in alerts.operator()]
    return [{"name": "ticketly-operator", "interval": "30s", "rules": rules}]


def _rates(of: Selection) -> list[dict[str, Any]]:
    claims = of.series("ticketly_order_claims_total")
    answers = of.series("ticketly_http_requests_total")
    classed = f'label_replace(rate({answers}[1m]), "class", "$1xx", "status", "([1-5])..")'
    return [
        {"record": CLAIMS, "expr": f"sum {by('outcome')} (rate({claims}[1m]))"},
        {"record": ANSWERS, "expr": f"sum {by('component', 'route', 'class')} ({classed})"},
    ]
