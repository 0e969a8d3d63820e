"""Where each service stands, told from its Deployment, its migration and its pods, in their own words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.blueprint import Service
from ticketly_crds.status import (
    MAX_MESSAGE_CHARS,
    ConditionStatus,
    ConditionType,
    Reason,
    ServicePhase,
    ServiceStatus,
)
from ticketly_operator.desired.model import Manifest
from ticketly_operator.findings import Finding

_NORMAL_WAITING: Final = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is of a service. ``migration`` None: none is needed (any more)."""

    service: Service
    deployment: Manifest | None
    migration: Manifest | None
    pods: Sequence[Manifest]


def job_state(job: Manifest) -> tuple[str, str]:
    """Return ``succeeded``, ``failed`` or ``running``, and the Job's own message."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition.get("status") == "True" and condition["type"] in ("Complete", "SuccessCriteriaMet"):
            return "succeeded", ""
        if condition.get("status") == "True" and condition["type"] == "Failed":
            return "failed", f"{condition.get('reason', 'Failed')}: {condition.get('message', '')}"
    return "running", ""


def service_status(seen: Seen) -> ServiceStatus:
    """Return a service's phase with the message of whatever holds it up."""
    name, image = seen.service.name, seen.service.image
    status: Mapping[str, Any] = (seen.deployment or {}).get("status", {})
    asked = int((seen.deployment or {}).get("spec", {}).get("replicas", seen.service.scaling.min))
    # a new deployment starts with one pod, and its autoscaler raises it to the minimum a moment later
    wanted = max(asked, seen.service.scaling.min)
    ready = int(status.get("readyReplicas", 0))
    phase, message = ServicePhase.PENDING, ""
    if seen.migration is not None:
        state, said = job_state(seen.migration)
        phase = ServicePhase.STUCK if state == "failed" else ServicePhase.MIGRATING
        message = f"migration {seen.migration['metadata']['name']}: {said}" if said else ""
        message = message or _trouble(seen.pods)
    elif seen.deployment is not None and asked == 0:
        message = "somebody scaled it to 0, which switches its autoscaler off: scale it to 1"
    elif seen.deployment is not None:
        phase, message = _rollout(seen, status, wanted, ready)
    return ServiceStatus(
        name=name,
        phase=phase,
        ready_replicas=ready,
        replicas=wanted,
        image=image,
        message=message[:MAX_MESSAGE_CHARS],
    )


def _rollout(seen: Seen, status: Mapping[str, Any], wanted: int, ready: int) -> tuple[ServicePhase, str]:
    deployment = seen.deployment or {}
    current = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
    updated, total = int(status.get("updatedReplicas", 0)), int(status.get("replicas", 0))
    if current and updated == wanted == ready == total and int(status.get("unavailableReplicas", 0)) == 0:
        return ServicePhase.READY, ""
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    progressing, refused = conditions.get("Progressing", {}), conditions.get("ReplicaFailure", {})
    message = _trouble(seen.pods)
    if refused.get("status") == "True":
        message = str(refused.get("message", "")) or message
    if current and progressing.get("status") == "False":
        return ServicePhase.STUCK, "; ".join(part for part in (str(progressing.get("message", "")), message) if part)
    if (
        current
        and updated == wanted == total
        and ready < wanted
        and progressing.get("reason") == "NewReplicaSetAvailable"
    ):
        # rolled out before, and a pod is unready now
        return ServicePhase.PENDING, message or f"{ready} of {wanted} pods are ready"
    return ServicePhase.ROLLING_OUT, message


def _trouble(pods: Sequence[Manifest]) -> str:
    """Return the first complaint of a pod: it cannot be placed, cannot start, or keeps ending."""
    for pod in pods:
        status = pod.get("status", {})
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("status") == "False":
                return f"{pod['metadata']['name']}: {condition.get('reason', '')}: {condition.get('message', '')}"
        for container in status.get("containerStatuses", ()):
            waiting = container.get("state", {}).get("waiting", {})
            if waiting.get("reason") and waiting["reason"] not in _NORMAL_WAITING:
                said = waiting.get("message", "")
                return f"{pod['metadata']['name']}: {waiting['reason']}" + (f": {said}" if said else "")
            ended = container.get("lastState", {}).get("terminated", {})
            if ended.get("reason") and int(container.get("restartCount", 0)) and not container.get("ready"):
                return (
                    f"{pod['metadata']['name']}: ended with {ended['reason']} (exit code {ended.get('exitCode')}),"
                    f" restarted {container['restartCount']} times"
                )
    return ""


def pods_of(service: Service, platform: str, pods: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Return a service's pods, those of its migrations included, newest first."""
    components = {names.label_value(service.name), names.label_value(f"{service.name}-migration")}
    found = [
        pod
        for pod in pods
        if pod["metadata"].get("labels", {}).get(names.COMPONENT_LABEL) in components
        and pod["metadata"]["labels"].get(names.INSTANCE_LABEL) == names.label_value(platform)
        and not pod["metadata"].get("deletionTimestamp")
    ]
    return tuple(sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True))


def findings(statuses: Sequence[ServiceStatus]) -> tuple[Finding, ...]:
    """Return what the services' phases mean for the platform."""
    by_phase: dict[ServicePhase, list[ServiceStatus]] = {}
    for status in statuses:
        by_phase.setdefault(status.phase, []).append(status)
    found: list[Finding] = []
    stuck = by_phase.get(ServicePhase.STUCK, [])
    migrating, rolling = by_phase.get(ServicePhase.MIGRATING, []), by_phase.get(ServicePhase.ROLLING_OUT, [])
    for status in stuck:
        failed_migration = status.message.startswith("migration ")
        text = f"{status.name}: {status.message}"
        if failed_migration:
            found.append(Finding(ConditionType.DEGRADED, ConditionStatus.TRUE, Reason.MIGRATION_FAILED, text))
        else:
            found.append(Finding(ConditionType.DEGRADED, ConditionStatus.TRUE, Reason.SERVICES_DEGRADED, text))
            found.append(Finding(ConditionType.PROGRESSING, ConditionStatus.TRUE, Reason.DEADLINE_EXCEEDED, text))
    for group, reason in ((migrating, Reason.MIGRATING), (rolling, Reason.ROLLING_OUT)):
        if group:
            text = ", ".join(_named(status) for status in group)
            found.append(Finding(ConditionType.PROGRESSING, ConditionStatus.TRUE, reason, text))
    unready = [status for status in statuses if status.phase is not ServicePhase.READY]
    if not unready:
        found.append(Finding(ConditionType.READY, ConditionStatus.TRUE, Reason.ALL_READY, "every service is ready"))
    else:
        only_migrating = all(status.phase is ServicePhase.MIGRATING for status in unready)
        reason = Reason.MIGRATION_PENDING if only_migrating else Reason.SERVICES_NOT_READY
        text = ", ".join(_named(status) for status in unready)
        found.append(Finding(ConditionType.READY, ConditionStatus.FALSE, reason, text))
    return tuple(found)


def _named(status: ServiceStatus) -> str:
    counts = f"{status.name} {status.ready_replicas}/{status.replicas}"
    return f"{counts} ({status.message})" if status.message else counts
