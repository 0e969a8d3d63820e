"""The support bundle of a platform in a cluster: what helps somebody else to see what is wrong, and no Secrets.

Secrets are never asked for. Environment variables keep their names and references, not their values; the rest is
redacted by the bundle itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from ticketly_cli.cluster import definition, eventlog, kinds, operators, platforms
from ticketly_cli.cluster.bundle import Bundle
from ticketly_cli.cluster.connection import Api, ApiError
from ticketly_cli.cluster.kinds import DEPLOYMENT, POD, REPLICA_SET, ApiKind
from ticketly_cli.cluster.redaction import MASK
from ticketly_cli.cluster.statuses import ClusterStatus
from ticketly_cli.printing import Step
from ticketly_cli.results import JsonObject
from ticketly_crds import names

_OWN_SETTING: Final = re.compile(r"^TICKETLY_(?!.*(PASSWORD|SECRET|TOKEN|KEY|DSN|URI|URL$))")
"""Settings of ours whose values may be shown."""

_NOISE: Final = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
_METRICS_PORT: Final = 8080


def gather(api: Api, name: str, now: datetime, log_lines: int, step: Step) -> tuple[Bundle, str]:
    """Everything that can be had, and what it is about."""
    bundle = Bundle()
    step.say("versions")
    bundle.add("cluster/version.txt", api.version)
    bundle.add("cluster/definition.yaml", lambda: _definition(api))
    platform: JsonObject | None = bundle.add("platform.yaml", lambda: tidy_platform(platforms.find(api, name)))
    operator = bundle.add("operator/operator.json", lambda: _operator(api, platform))
    if isinstance(operator, dict):
        step.say("operator")
        _about_operator(bundle, api, str(operator["namespace"]), log_lines)
    if platform is None:
        return bundle, f"the cluster of {api.context}"
    namespace, title = platform["metadata"]["namespace"], platform["metadata"]["name"]
    bundle.add("status.json", lambda: _status(api, platform, now))
    bundle.add("events.json", lambda: eventlog.read(api, platform, now, warnings=False).to_data())
    own = own_variables(platform)
    selector = f"{names.INSTANCE_LABEL}={names.label_value(title)},{names.PART_OF_LABEL}=ticketly"
    for kind in (*kinds.MANAGED, *kinds.OPTIONAL, REPLICA_SET):
        step.say(kind.plural)
        bundle.add(f"objects/{kind.plural}.yaml", _tidy_list(api, kind, namespace, selector, own))
    step.say("pods")
    pods = bundle.add("objects/pods.yaml", _tidy_list(api, POD, namespace, selector, own)) or []
    for pod in pods:
        step.say(f"log of {pod['metadata']['name']}")
        _logs(bundle, api, "logs", pod, log_lines)
    return bundle, f"platform {namespace}/{title} in {api.context}"


def tidy(manifest: JsonObject, own: frozenset[str] = frozenset()) -> JsonObject:
    """A manifest without bookkeeping and without the values of its environment. Pure."""
    cleaned: JsonObject = _cleaned(manifest, own)
    if manifest.get("kind") == "ConfigMap":
        data = manifest.get("data") or {}
        cleaned["data"] = {key: value if _shown(key, own) else MASK for key, value in data.items()}
    return cleaned


def _cleaned(value: Any, own: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: [_variable(each, own) for each in inner]
            if key == "env" and isinstance(inner, list)
            else _cleaned(inner, own)
            for key, inner in value.items()
            if key not in _NOISE
        }
    return [_cleaned(inner, own) for inner in value] if isinstance(value, list) else value


def _variable(variable: Any, own: frozenset[str]) -> Any:
    if not isinstance(variable, dict) or "value" not in variable or _shown(str(variable.get("name")), own):
        return variable
    return {**variable, "value": MASK}


def _shown(name: str, own: frozenset[str]) -> bool:
    return name not in own and bool(_OWN_SETTING.match(name))


def tidy_platform(platform: JsonObject) -> JsonObject:
    """The same for a platform: what somebody wrote there as a value of the environment is theirs. Pure."""
    return tidy(platform, own_variables(platform))


def own_variables(platform: JsonObject) -> frozenset[str]:
    """Names that somebody gave values in the platform itself: only they know what they wrote there."""
    services = (platform.get("spec") or {}).get("services") or {}
    return frozenset(
        str(each.get("name"))
        for service in services.values()
        for each in (service or {}).get("env") or ()
        if isinstance(each, dict)
    )


def _tidy_list(
    api: Api, kind: ApiKind, namespace: str, selector: str, own: frozenset[str]
) -> Callable[[], list[JsonObject]]:
    def read() -> list[JsonObject]:
        try:
            return [tidy(each, own) for each in api.list(kind, namespace, selector)]
        except ApiError as error:
            if error.kind_unknown:
                return []
            raise

    return read


def _definition(api: Api) -> JsonObject | None:
    found = definition.live(api)
    if found is None:
        return None
    report = definition.compared(api, found)
    stored = (found.get("status") or {}).get("storedVersions")
    return {"stored_versions": stored, "conditions": found["status"].get("conditions"), **report.to_data()}


def _operator(api: Api, platform: JsonObject | None) -> JsonObject | None:
    found = operators.find(api, platforms_in=platform["metadata"]["namespace"] if platform else "")
    return found.to_data() if found else None


def _about_operator(bundle: Bundle, api: Api, namespace: str, log_lines: int) -> None:
    bundle.add("operator/deployment.yaml", _tidy_list(api, DEPLOYMENT, namespace, operators.SELECTOR, frozenset()))
    pods = bundle.add("operator/pods.yaml", _tidy_list(api, POD, namespace, operators.SELECTOR, frozenset())) or []
    for pod in pods:
        name = pod["metadata"]["name"]
        _logs(bundle, api, "operator/logs", pod, log_lines)
        path = f"{POD.path(namespace)}/{name}:{_METRICS_PORT}/proxy/metrics"
        bundle.add(f"operator/metrics/{name}.txt", functools.partial(api.text, path, "get", "pods/proxy"))


def _logs(bundle: Bundle, api: Api, folder: str, pod: JsonObject, lines: int) -> None:
    metadata = pod["metadata"]
    path = f"{POD.path(metadata['namespace'], metadata['name'])}/log"
    restarted = any(
        int(each.get("restartCount", 0)) for each in (pod.get("status") or {}).get("containerStatuses") or ()
    )
    for suffix, extra in (("", {}), (".previous", {"previous": "true"})):
        if not suffix or restarted:
            params = {"tailLines": str(lines), "timestamps": "true", **extra}
            name = f"{folder}/{metadata['name']}{suffix}.log"
            bundle.add(name, functools.partial(api.text, path, "get", "pods/log", params))


def _status(api: Api, platform: JsonObject, now: datetime) -> JsonObject:
    operator = operators.find(api, platforms_in=platform["metadata"]["namespace"])
    return ClusterStatus(platform, operator, api.context, now).to_data()
