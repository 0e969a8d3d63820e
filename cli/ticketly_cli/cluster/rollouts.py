"""Waiting until a Deployment has rolled out, with its child's own words when it does not."""

from __future__ import annotations

import time
from typing import Any, Final

from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.kinds import DEPLOYMENT, POD
from ticketly_cli.errors import CliError
from ticketly_cli.printing import Step
from ticketly_cli.results import JsonObject

_POLL_SECONDS: Final = 0.5
_NORMAL_WAITING: Final = frozenset({"ContainerCreating", "PodInitializing"})


def wait(api: Api, namespace: str, name: str, timeout_seconds: float, step: Step) -> JsonObject:
    """The Deployment once all its pods are new and ready. Raises CliError (1) with what a pod says."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = api.get(DEPLOYMENT, namespace, name)
        if found is None:
            raise CliError(f"Deployment {name} in namespace {namespace} was deleted meanwhile.")
        if rolled_out(found):
            return found
        said = "; ".join(_said(api, found))
        step.say(said or progress(found))
        stuck = time.monotonic() >= deadline
        if stuck or _gave_up(found):
            why = said or progress(found)
            raise CliError(
                f"{name} in namespace {namespace} does not come up: {why}.",
                "What was applied stays; correct it and run the command again. Logs: ticketly logs operator",
            )
        time.sleep(_POLL_SECONDS)


def rolled_out(deployment: JsonObject) -> bool:
    """Every pod is of the newest template and available. Pure."""
    status: dict[str, Any] = deployment.get("status") or {}
    wanted = int(deployment["spec"].get("replicas", 1))
    current = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
    counts = [int(status.get(key, 0)) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return current and all(count == wanted for count in counts)


def progress(deployment: JsonObject) -> str:
    """`1 of 2 pods are ready`. Pure."""
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    return f"{status.get('readyReplicas', 0)} of {wanted} pods are ready, {status.get('updatedReplicas', 0)} are new"


def complaints(pods: list[JsonObject]) -> list[str]:
    """What pods say about themselves: cannot be placed, cannot start, ended. Pure."""
    found = []
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        found += [
            f"{name}: {condition.get('reason', '')}: {condition.get('message', '')}"
            for condition in status.get("conditions") or ()
            if condition["type"] == "PodScheduled" and condition.get("status") == "False"
        ]
        for container in status.get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            ended = (container.get("lastState") or {}).get("terminated") or {}
            if waiting.get("reason") and waiting["reason"] not in _NORMAL_WAITING:
                found.append(f"{name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": "))
            elif ended.get("reason") and not container.get("ready"):
                found.append(f"{name}: ended with {ended['reason']} (exit code {ended.get('exitCode')})")
    return found


def _said(api: Api, deployment: JsonObject) -> list[str]:
    conditions = {each["type"]: each for each in (deployment.get("status") or {}).get("conditions") or ()}
    refused = conditions.get("ReplicaFailure", {})
    if refused.get("status") == "True":
        return [str(refused.get("message", ""))]
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return complaints(api.list(POD, deployment["metadata"]["namespace"], selector))[:2]


def _gave_up(deployment: JsonObject) -> bool:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Progressing" and each["status"] == "False" for each in conditions)
