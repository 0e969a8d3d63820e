"""PromQL that panels share. Pure."""

from __future__ import annotations

from typing import Final

from ticketly_operator.desired.dashboards.panels import Query
from ticketly_operator.desired.selection import Selection

OF: Final = Selection(matchers=('namespace="$namespace"', 'platform="$platform"'))
"""What the variables of a dashboard choose."""

RATE: Final = "$__rate_interval"
"""Grafana's window for rates: never shorter than four scrapes."""


def is_(label: str, value: str) -> str:
    """Return the condition that a label has a value."""
    return f'{label}="{value}"'


def like(label: str, pattern: str) -> str:
    """Return the condition that a label matches."""
    return f'{label}=~"{pattern}"'


def unlike(label: str, pattern: str) -> str:
    """Return the condition that a label does not match."""
    return f'{label}!~"{pattern}"'


def rate(metric: str, *conditions: str) -> str:
    """Return a counter's growth a second."""
    return f"rate({OF.series(metric, *conditions)}[{RATE}])"


def quantile(share: float, histogram: str, *conditions: str, by: str = "") -> str:
    """Return a quantile of a histogram, for each value of the label ``by``."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate(histogram + '_bucket', *conditions)}))"


def quantiles(histogram: str, *conditions: str) -> tuple[Query, ...]:
    """Return the median and the 99th percentile."""
    return tuple(Query(quantile(share, histogram, *conditions), name) for share, name in ((0.5, "p50"), (0.99, "p99")))
