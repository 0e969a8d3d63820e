"""How many pods: autoscalers, disruption budgets, and the minimum that a flash sale raises for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint, FlashSale, ScaleRule, Service
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata
from ticketly_operator.desired.model import Manifest


def running_sales(blueprint: Blueprint, now: datetime) -> tuple[FlashSale, ...]:
    """Return the sales whose minimum replicas hold at this moment."""
    return tuple(sale for sale in blueprint.schedules if sale.raise_at <= now < sale.restore_at)


def minimum(blueprint: Blueprint, service: Service, now: datetime) -> int:
    """Return the fewest pods at this moment: the largest of the service's own and those of running sales."""
    raised = [sale.min_replicas.get(service.name, 0) for sale in running_sales(blueprint, now)]
    return min(max(service.scaling.min, *raised, 0), service.scaling.max)


def autoscaler(platform: TicketlyPlatform, blueprint: Blueprint, service: Service, now: datetime) -> Manifest | None:
    """Return the HorizontalPodAutoscaler, None when the bounds leave nothing to decide."""
    scaling = service.scaling
    if scaling.min == scaling.max:
        return None
    metrics = [_metric("cpu", scaling.cpu_percent)]
    if scaling.memory_percent is not None:
        metrics.append(_metric("memory", scaling.memory_percent))
    name = names.workload(platform.name, service.name)
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": minimum(blueprint, service, now),
        "maxReplicas": scaling.max,
        "metrics": metrics,
        "behavior": {"scaleUp": _rule(scaling.up), "scaleDown": _rule(scaling.down)},
    }
    return metadata.manifest(
        platform, "autoscaling/v2", "HorizontalPodAutoscaler", name, {"spec": spec}, service=service
    )


def budget(platform: TicketlyPlatform, service: Service) -> Manifest | None:
    """Return the PodDisruptionBudget, None for a service that may run as one pod: it would block every drain."""
    if service.scaling.min <= 1:
        return None
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": names.selector(platform.name, service.name)}}
    name = names.workload(platform.name, service.name)
    return metadata.manifest(platform, "policy/v1", "PodDisruptionBudget", name, {"spec": spec}, service=service)


def _metric(resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def _rule(rule: ScaleRule) -> dict[str, Any]:
    return {
        "stabilizationWindowSeconds": rule.stabilization_seconds,
        "selectPolicy": "Max",
        "policies": [
            {"type": policy.type, "value": policy.value, "periodSeconds": policy.period_seconds}
            for policy in rule.policies
        ],
    }
