"""The pod of a service: the same template runs it and migrates its database. Fits Pod Security ``restricted``."""

from __future__ import annotations

from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.blueprint import Amounts, Probe, SecretRef, Service
from ticketly_crds.spec import TicketlyPlatform

USER_ID: Final = 65532
"""The images' user."""

_UPLOADS_VOLUME: Final = "uploads"


def settings(service: Service) -> dict[str, str]:
    """Return the plain environment, which stands in the service's ConfigMap."""
    return {var.name: var.value for var in service.env if isinstance(var.value, str)}


def secret_names(service: Service) -> list[str]:
    """Return the Secrets the service reads, sorted, each once."""
    return sorted({var.value.name for var in service.env if isinstance(var.value, SecretRef)})


def container(platform: TicketlyPlatform, service: Service, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the one container; ``arguments`` follow ``python -m <module>``."""
    made: dict[str, Any] = {
        "name": service.name,
        "image": service.image,
        "imagePullPolicy": platform.spec.images.pull_policy,
        "args": ["-m", service.module, *arguments],
        "command": ["python"],
        "envFrom": [{"configMapRef": {"name": names.settings_map(platform.name, service.name)}}],
        "resources": _resources(service),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  the pod's own, in memory of its node
    }
    secrets = [
        {"name": var.name, "valueFrom": {"secretKeyRef": {"name": var.value.name, "key": var.value.key}}}
        for var in service.env
        if isinstance(var.value, SecretRef)
    ]
    if secrets:
        made["env"] = secrets
    directory = _uploads_directory(platform, service)
    if directory:
        made["volumeMounts"].append({"name": _UPLOADS_VOLUME, "mountPath": directory})
    return made


def pod(platform: TicketlyPlatform, service: Service, main: dict[str, Any]) -> dict[str, Any]:
    """Return a pod's specification around its container."""
    made: dict[str, Any] = {
        "serviceAccountName": names.workload(platform.name, service.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [main],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
    }
    pull_secrets = [{"name": secret.name} for secret in platform.spec.images.pull_secrets]
    if pull_secrets:
        made["imagePullSecrets"] = pull_secrets
    if _uploads_directory(platform, service):
        claim = platform.spec.object_storage.claim_name
        volume = {"persistentVolumeClaim": {"claimName": claim}} if claim else {"emptyDir": {}}
        made["volumes"].append({"name": _UPLOADS_VOLUME, **volume})
    return made


def probe(check: Probe) -> dict[str, Any]:
    """Return an HTTP probe on the internal listener."""
    return {
        "httpGet": {"path": check.path, "port": "internal"},
        "periodSeconds": check.period_seconds,
        "timeoutSeconds": check.timeout_seconds,
        "failureThreshold": check.failure_threshold,
    }


def _uploads_directory(platform: TicketlyPlatform, service: Service) -> str:
    if platform.spec.object_storage.mode != "filesystem":
        return ""
    return settings(service).get("TICKETLY_UPLOADS_DIRECTORY", "")


def _resources(service: Service) -> dict[str, Any]:
    found = {"requests": _amounts(service.resources.requests), "limits": _amounts(service.resources.limits)}
    return {kind: amounts for kind, amounts in found.items() if amounts}


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {unit: value for unit, value in (("cpu", amounts.cpu), ("memory", amounts.memory)) if value is not None}
