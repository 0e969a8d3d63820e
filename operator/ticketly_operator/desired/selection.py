"""Which series a rule or a panel looks at: those of one platform, or of every platform that Prometheus scrapes.

The operator's series carry ``platform`` and ``namespace`` themselves; those of the services get both, and
``component``, from the ServiceMonitor (docs/observability.md has the same for a Prometheus that is configured by
file). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ticketly_crds import names
from ticketly_crds.blueprint.services import KINDS

WHOLE = ("namespace", "platform")
"""What tells one platform from another; every rule groups by it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Series of one platform; empty names select those of all platforms. ``matchers`` come first in every selector."""

    platform: str = ""
    namespace: str = ""
    matchers: tuple[str, ...] = ()

    def series(self, metric: str, *conditions: str) -> str:
        """Return a selector: ``of.series("up", 'component="order"')``."""
        own = (f'namespace="{self.namespace}"', f'platform="{self.platform}"') if self.platform else ()
        inside = ",".join((*self.matchers, *own, *conditions))
        return f"{metric}{{{inside}}}" if inside else metric

    def objects(self, metric: str, label: str, suffix: str = "", *conditions: str) -> str:
        """Return a selector for kube-state-metrics' series about the platform's deployments, autoscalers or pods."""
        workloads = [names.workload(self.platform, kind.name) if self.platform else f".+-{kind.name}" for kind in KINDS]
        own = (f'namespace="{self.namespace}"',) if self.platform else ()
        inside = ",".join((*self.matchers, *own, f'{label}=~"({"|".join(workloads)}){suffix}"', *conditions))
        return f"{metric}{{{inside}}}"


def by(*labels: str) -> str:
    """Return the grouping of an aggregation, by platform and the given labels."""
    return f"by ({', '.join((*WHOLE, *labels))})"


def either(words: Iterable[str]) -> str:
    """Return a regular expression that matches exactly one of the words."""
    return "|".join(words)
