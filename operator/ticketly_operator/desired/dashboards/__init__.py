"""The two dashboards: how a platform does, and how its processes do. Tables; ``panels`` makes Grafana's JSON. Pure."""

from __future__ import annotations

from ticketly_operator.desired.dashboards import platform, processes
from ticketly_operator.desired.dashboards.panels import Dashboard

__all__ = ["Dashboard", "dashboards"]


def dashboards() -> tuple[Dashboard, ...]:
    """Return all of them."""
    return (
        Dashboard(
            "ticketly-platform",
            "Ticketly / Platform",
            "What buyers and readers of one platform get, from the claim to the seat map, and what carries it.",
            (platform.now(), platform.sale(), platform.reading(), platform.capture(), platform.operator()),
        ),
        Dashboard(
            "ticketly-processes",
            "Ticketly / Processes",
            "What the pods of one platform are busy with: requests, pools, consumers, event loops, memory.",
            (processes.requests(), processes.stores(), processes.consumers(), processes.resources()),
        ),
    )
