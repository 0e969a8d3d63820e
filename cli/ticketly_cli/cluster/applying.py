"""`apply` and waiting until a platform is ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ticketly_cli.cluster import operators, planning, platforms, statuses
from ticketly_cli.cluster.changes import Plan
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.kinds import PLATFORM
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Step, Terminal
from ticketly_cli.results import JsonObject, Text, View


@dataclass(frozen=True, slots=True)
class Applied:
    """Data: `platform`, `namespace`, `context`, `generation`, `changed`, `ready` (None without --wait), `plan`."""

    plan: Plan
    platform: JsonObject
    changed: bool
    ready: bool | None

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        metadata = self.platform["metadata"]
        return {
            "platform": metadata["name"],
            "namespace": metadata["namespace"],
            "context": self.plan.context,
            "generation": int(metadata.get("generation", 0)),
            "changed": self.changed,
            "ready": self.ready,
            "plan": self.plan.to_data(),
        }

    def to_view(self) -> View:
        name = f"{self.plan.namespace}/{self.plan.platform}"
        done = f"{name} is applied." if self.changed else f"{name} was as the file says already."
        if self.ready:
            return (Text(done), Text("It is ready.", "good"))
        return (Text(done), Text("See how it comes up: ticketly status --watch", "dim"))


def apply(
    api: Api,
    document: JsonObject,
    shown: Terminal,
    *,
    operator_namespace: str,
    force_conflicts: bool,
    wait_seconds: float | None,
) -> Applied:
    """Plan, show it, apply the platform; with `wait_seconds` wait until it is ready.

    Raises CliError: 1 for conflicts that nobody took over, and when it does not become ready in time.
    """
    now = datetime.now(UTC)
    with shown.step("Asking the API server what would change") as step:
        plan, _ = planning.plan_file(api, document, operator_namespace=operator_namespace, now=now, step=step)
    if plan.changed:
        shown.show(replace(plan, verbose=shown.verbosity > 0).to_view())
    planning.require_no_conflicts(plan, force=force_conflicts)
    metadata = document["metadata"]
    before = api.get(PLATFORM, metadata["namespace"], metadata["name"])
    found = api.apply(PLATFORM, document, force=force_conflicts)
    changed = before is None or before["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]
    if wait_seconds is None:
        return Applied(plan, found, changed, None)
    with shown.step(f"Waiting for {metadata['name']} to be ready") as step:
        found = until_ready(api, found, wait_seconds, step)
    return Applied(plan, found, changed, ready=True)


def until_ready(api: Api, found: JsonObject, timeout_seconds: float, step: Step) -> JsonObject:
    """The platform once it is ready. Raises CliError (1) with the reason when it is not in time, or never will be."""
    current, done = platforms.wait_until(api, found, _watching(step), timeout_seconds)
    if done and statuses.is_ready(current):
        return current
    name = current["metadata"]["name"]
    why = statuses.why_not_ready(current)
    if done:
        raise CliError(f"Platform {name} cannot become ready: {why}.", "Correct the file and apply it again.")
    step_text = "Look closer: ticketly status, ticketly events --warnings"
    if not statuses.condition(current, "Ready") and operators.find(api) is None:
        step_text = "No operator is visible: `ticketly install` puts one into the cluster."
    raise CliError(f"Platform {name} is not ready after {timeout_seconds:g} s: {why}.", step_text)


def _watching(step: Step) -> Callable[[JsonObject], bool]:
    began = time.monotonic()

    def done(current: JsonObject) -> bool:
        if statuses.is_ready(current):
            return True
        step.say(statuses.why_not_ready(current)[:120])
        # what stands there in the first moments may be the verdict about an earlier description
        return statuses.hopeless(current) and time.monotonic() - began > 1

    return done
