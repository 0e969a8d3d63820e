"""Service level objectives and the rules that say how fast their error budgets burn. Pure.

A burn of 1 uses up the budget of 30 days in 30 days. What counts is what buyers see on the public listeners. Below
three requests a minute a single failure would look like a catastrophe, so the share is taken of at least that many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ticketly_operator.desired.selection import Selection, by

WINDOWS: Final = ("5m", "30m", "1h", "6h", "3d")
"""Each alert looks at a long window and, so that it ends soon after the trouble, at a short one."""

_LEAST_PER_SECOND: Final = 0.05


@dataclass(frozen=True, slots=True)
class Objective:
    """``share`` of all requests to ``routes`` (a regular expression) must be good.

    Good is an answer other than 5xx, or with ``seconds`` one that begins within them (a bound of the histogram).
    """

    name: str
    routes: str
    share: float
    seconds: str = ""


_ORDER: Final = "/api/order|/api/order/(user/)?[{].*"
_QUERY: Final = "/api/event-query/.*"

OBJECTIVES: Final = (
    Objective("order-availability", _ORDER, 0.999),
    Objective("order-latency", "/api/order", 0.99, seconds="0.5"),
    Objective("event-query-availability", _QUERY, 0.999),
    Objective("event-query-latency", _QUERY, 0.99, seconds="0.25"),
)


def burn(window: str) -> str:
    """Return the name of the recorded burn rate over a window."""
    return f"ticketly:slo_burn:rate{window}"


def recordings(of: Selection, windows: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the recording rules for these windows."""
    return [
        {"record": burn(window), "expr": _burn(of, objective, window), "labels": {"slo": objective.name}}
        for window in windows
        for objective in OBJECTIVES
    ]


def _burn(of: Selection, objective: Objective, window: str) -> str:
    routes = f'route=~"{objective.routes}"'
    if objective.seconds:
        total = _rate(of.series("ticketly_http_request_duration_seconds_count", routes), window)
        good = of.series("ticketly_http_request_duration_seconds_bucket", routes, f'le="{objective.seconds}"')
        bad = f"({total} - {_rate(good, window)})"
    else:
        total = _rate(of.series("ticketly_http_requests_total", routes), window)
        bad = _rate(of.series("ticketly_http_requests_total", routes, 'status=~"5.."'), window)
    budget = round(1 - objective.share, 6)
    return f"{bad} / clamp_min({total}, {_LEAST_PER_SECOND:g}) / {budget:g}"


def _rate(series: str, window: str) -> str:
    return f"sum {by()} (rate({series}[{window}]))"
