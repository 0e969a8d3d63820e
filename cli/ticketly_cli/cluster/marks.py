"""suspend, resume, reconcile, restart: annotations that the operator acts on, and waiting for its answer."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

from ticketly_cli.cluster import operators, platforms
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.kinds import DEPLOYMENT, PLATFORM
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Terminal
from ticketly_cli.results import JsonObject, Message
from ticketly_crds import names
from ticketly_crds.blueprint import CONTRACT_PORTS

RECONCILE_ANNOTATION: Final = "ticketly.io/reconcile-requested"
"""Nobody reads its value: any change of the platform wakes the operator."""

POD_ANNOTATION: Final = "kubectl.kubernetes.io/restartedAt"
"""What `kubectl rollout restart` sets, too; the operator leaves fields of others alone."""

EVERYTHING: Final = "all"


def suspend(api: Api, platform: JsonObject, shown: Terminal, timeout_seconds: float) -> Message:
    """Pause the operator for one platform. Raises CliError (1) when it does not say so in time."""
    return _paused(api, platform, shown, timeout_seconds, wanted=True)


def resume(api: Api, platform: JsonObject, shown: Terminal, timeout_seconds: float) -> Message:
    """Take the pause away. Raises CliError (1) when the operator does not say so in time."""
    return _paused(api, platform, shown, timeout_seconds, wanted=False)


def _paused(api: Api, platform: JsonObject, shown: Terminal, timeout_seconds: float, *, wanted: bool) -> Message:
    name = _annotate(api, platform, names.PAUSE_ANNOTATION, "true" if wanted else None)
    word = "suspended" if wanted else "resumed"
    with shown.step(f"Waiting for the operator to see that {name} is {word}"):
        _, done = platforms.wait_until(
            api, platform, lambda now: bool((now.get("status") or {}).get("paused", False)) is wanted, timeout_seconds
        )
        if not done:
            raise _silent(api, platform, timeout_seconds, f"{name} is marked as {word}")
    meaning = "it changes nothing until `ticketly resume`" if wanted else "it acts again"
    return Message(f"{name} is {word}: the operator says so, {meaning}.", {"platform": name, "paused": wanted})


def reconcile(api: Api, platform: JsonObject) -> Message:
    """Wake the operator now instead of at its next interval."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    name = _annotate(api, platform, RECONCILE_ANNOTATION, now)
    operator = operators.find(api, platforms_in=platform["metadata"]["namespace"])
    seen = (
        "The operator looks at it within a second and writes only if something has to change: see `ticketly events`, "
        "or its metric ticketly_operator_reconciles_total."
    )
    if operator is None:
        seen = "No operator is visible, so nobody may act on it: `ticketly install`."
    data = {"platform": name, "requested_at": now, "operator": operator.to_data() if operator else None}
    return Message(f"{name} is marked for a reconcile. {seen}", data)


def restart(api: Api, platform: JsonObject, service: str, shown: Terminal, timeout_seconds: float) -> Message:
    """Roll the pods of one service, or of all (`all`) through the operator. Raises CliError."""
    if service != EVERYTHING:
        return _restart_one(api, platform, service, shown)
    token = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    name = _annotate(api, platform, names.RESTART_ANNOTATION, token)
    with shown.step(f"Waiting for the operator to restart the services of {name}"):
        current, done = platforms.wait_until(
            api, platform, lambda now: (now.get("status") or {}).get("restartToken") == token, timeout_seconds
        )
        if not done and (current.get("status") or {}).get("paused"):
            raise CliError(f"{name} is suspended, so nothing was restarted yet.", "It happens after `ticketly resume`.")
        if not done:
            raise _silent(api, platform, timeout_seconds, f"{name} is marked for a restart")
    text = f"The operator rolls all services of {name}, one pod after the other: ticketly status --watch"
    return Message(text, {"platform": name, "restart_token": token})


def _restart_one(api: Api, platform: JsonObject, service: str, shown: Terminal) -> Message:
    metadata = platform["metadata"]
    known = sorted(CONTRACT_PORTS)
    if service not in known:
        message = f"A platform has no service {service}."
        raise CliError(message, f"It has: {', '.join(known)}; or `{EVERYTHING}`.", ExitCode.BAD_ARGUMENTS)
    name = names.workload(metadata["name"], service)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    change = {"spec": {"template": {"metadata": {"annotations": {POD_ANNOTATION: now}}}}}
    with shown.step(f"Restarting {service}"):
        done = api.merge(DEPLOYMENT, metadata["namespace"], name, change)
    if done is None:
        message = f"There is no Deployment {name} in namespace {metadata['namespace']}."
        raise CliError(message, "See `ticketly status`.", ExitCode.UNREACHABLE)
    text = f"{service} rolls, one pod after the other: ticketly status --watch"
    return Message(text, {"platform": metadata["name"], "service": service, "restarted_at": now})


def _annotate(api: Api, platform: JsonObject, annotation: str, value: str | None) -> str:
    metadata = platform["metadata"]
    change = {"metadata": {"annotations": {annotation: value}}}
    if api.merge(PLATFORM, metadata["namespace"], metadata["name"], change) is None:
        raise CliError(f"Platform {metadata['name']} was deleted meanwhile.")
    return str(metadata["name"])


def _silent(api: Api, platform: JsonObject, timeout_seconds: float, done: str) -> CliError:
    namespace = platform["metadata"]["namespace"]
    operator = operators.find(api, platforms_in=namespace)
    message = f"{done}, but the operator did not answer within {timeout_seconds:g} s."
    if operator is None:
        return CliError(message, "No operator is visible in this cluster: `ticketly install` puts one there.")
    if not operator.sees(namespace):
        return CliError(message, f"It watches namespace {operator.watches} only, not {namespace}.")
    if not operator.ready_replicas:
        return CliError(message, f"None of its pods in {operator.namespace} is ready: ticketly logs operator")
    return CliError(message, "See what it does: ticketly logs operator, ticketly events")
