"""The operator of a cluster: where it runs, how it is, and the settings that shape what it builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ticketly_cli.cluster.connection import Api, ApiError
from ticketly_cli.cluster.kinds import DEPLOYMENT
from ticketly_cli.results import JsonObject
from ticketly_crds import names

DEFAULT_NAMESPACE: Final = "ticketly-system"
DEPLOYMENT_NAME: Final = "ticketly-operator"
SELECTOR: Final = f"{names.NAME_LABEL}={DEPLOYMENT_NAME},{names.INSTANCE_LABEL}={DEPLOYMENT_NAME}"

_PREFIX: Final = "TICKETLY_OPERATOR_"


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds that the operator builds into objects; the defaults are those of its settings."""

    termination_grace_seconds: int = 45
    migration_deadline_seconds: int = 600
    rollout_deadline_seconds: int = 600


@dataclass(frozen=True, slots=True)
class Operator:
    """An installed operator. `watches` is the namespace it is limited to, empty for all."""

    namespace: str
    image: str
    replicas: int
    ready_replicas: int
    watches: str
    limits: Limits

    def sees(self, namespace: str) -> bool:
        """It looks after platforms of that namespace."""
        return not self.watches or self.watches == namespace

    def to_data(self) -> JsonObject:
        """JSON types only."""
        return {
            "namespace": self.namespace,
            "image": self.image,
            "replicas": self.replicas,
            "ready_replicas": self.ready_replicas,
            "watch_namespace": self.watches,
        }


def find(api: Api, namespace: str = "", platforms_in: str = "") -> Operator | None:
    """The operator that runs in `namespace`, else the one that looks after `platforms_in`, else any; None without."""
    if namespace:
        found = api.get(DEPLOYMENT, namespace, DEPLOYMENT_NAME)
        return described(found) if found is not None else None
    there = visible(api)
    return next((each for each in there if platforms_in and each.sees(platforms_in)), there[0] if there else None)


def visible(api: Api) -> list[Operator]:
    """All operators this user may see; in the usual namespace only, if no more is allowed."""
    try:
        everywhere = api.list(DEPLOYMENT, "", SELECTOR)
    except ApiError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        try:
            usual = api.get(DEPLOYMENT, DEFAULT_NAMESPACE, DEPLOYMENT_NAME)
        except ApiError as again:
            if again.status != HTTPStatus.FORBIDDEN:
                raise
            usual = None
        everywhere = [usual] if usual is not None else []
    return [described(each) for each in everywhere if "deletionTimestamp" not in each["metadata"]]


def described(deployment: JsonObject) -> Operator:
    """What a Deployment of the operator says about it. Pure."""
    spec = deployment["spec"]
    (container, *_) = spec["template"]["spec"]["containers"]
    environment = {each["name"]: str(each.get("value", "")) for each in container.get("env", ())}
    return Operator(
        namespace=deployment["metadata"]["namespace"],
        image=container["image"],
        replicas=int(spec.get("replicas", 1)),
        ready_replicas=int(deployment.get("status", {}).get("readyReplicas", 0)),
        watches=environment.get(f"{_PREFIX}SCOPE_NAMESPACE", ""),
        limits=_limits(environment),
    )


def _limits(environment: Mapping[str, str]) -> Limits:
    usual = Limits()

    def seconds(name: str, otherwise: int) -> int:
        try:
            return int(float(environment[f"{_PREFIX}ROLLOUT_{name}"]))
        except (KeyError, ValueError):
            return otherwise

    return Limits(
        seconds("TERMINATION_GRACE_SECONDS", usual.termination_grace_seconds),
        seconds("MIGRATION_DEADLINE_SECONDS", usual.migration_deadline_seconds),
        seconds("DEADLINE_SECONDS", usual.rollout_deadline_seconds),
    )
