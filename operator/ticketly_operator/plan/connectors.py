"""A connector as it is -> the one next thing to do about it. Pure; the clock is an argument.

Fetch, compare, act: a configuration that is equal is not written. A failed task is restarted after n^2 + n minutes (n
restarts since it was last healthy), at most the cap, until the budget is used up. Why it failed decides whether that
may help: a lost slot is never restarted silently, because Debezium would go on behind a gap; a refused login or a
missing table waits for somebody to mend it, and is tried again at the slowest pace.

Everything needed for the next decision stands in the connector's status, so that a restarted operator goes on counting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from ticketly_crds.blueprint import Connector
from ticketly_crds.status import (
    MAX_MESSAGE_CHARS,
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    FailureClass,
    Reason,
    SlotStatus,
)
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import SeenConnector

Act = Literal["none", "put", "state", "restart"]

_CLASSES: Final = (
    (
        FailureClass.SLOT_LOST,
        re.compile(
            r"no longer available on the server|can no longer (?:get changes from|access) replication slot"
            r"|replication slot .* does not exist|requested WAL segment .* has already been removed"
            r"|Cannot seek to the last known offset",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        FailureClass.AUTHENTICATION,
        re.compile(
            r"password authentication failed|no pg_hba\.conf entry|role .* does not exist|permission denied"
            r"|must be superuser or replication role|SASL authentication failed|no password was provided"
            r"|is not permitted to log in",
            re.IGNORECASE,
        ),
    ),
    (
        FailureClass.SCHEMA,
        re.compile(
            r"publication .* does not exist|Publication autocreation is disabled|relation .* does not exist"
            r"|database .* does not exist|No table filters found|ConfigException|schema .* not found",
            re.IGNORECASE,
        ),
    ),
)
"""Words of PostgreSQL and Debezium, from their own traces (tests/operator/capture). The first class that fits holds."""

_POSITION: Final = re.compile(r"PostgresOffsetContext \[.*\](?=,? |$)")

_PHASES: Final = {
    "RUNNING": ConnectorPhase.RUNNING,
    "PAUSED": ConnectorPhase.PAUSED,
    "STOPPED": ConnectorPhase.STOPPED,
    "FAILED": ConnectorPhase.FAILED,
    "UNASSIGNED": ConnectorPhase.STARTING,
    "RESTARTING": ConnectorPhase.STARTING,
}

_REASONS: Final = {
    FailureClass.SLOT_LOST: Reason.SLOT_LOST,
    FailureClass.AUTHENTICATION: Reason.AUTHENTICATION_FAILED,
    FailureClass.SCHEMA: Reason.SCHEMA_REFUSED,
    FailureClass.RETRIABLE: Reason.CONNECTOR_RETRYING,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How failed tasks are restarted; see ``settings.Connectors``."""

    backoff_cap: timedelta
    healthy_reset: timedelta
    unread_limit: timedelta = timedelta(minutes=5)
    """So long nobody may read the slot of a task that says it runs. Debezium repeats itself without telling."""


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """``act``: ``put`` the configuration, set the ``state``, ``restart`` what failed, or nothing."""

    act: Act
    status: ConnectorStatus
    finding: Finding
    notices: tuple[Notice, ...] = ()


def classify(trace: str) -> FailureClass:
    """Return why a task failed; what is not recognised is worth another try."""
    for kind, pattern in _CLASSES:
        if pattern.search(trace):
            return kind
    return FailureClass.RETRIABLE


def cause(trace: str) -> str:
    """Return the innermost cause of a Java stack trace, one line."""
    lines = [line.strip() for line in trace.strip().splitlines() if line.strip()]
    found = next((line for line in reversed(lines) if line.startswith("Caused by:")), lines[0] if lines else "")
    # Debezium prints the whole state of its reader into the sentence that matters
    return _POSITION.sub("its stored position", found.removeprefix("Caused by:").strip())[:400]


def wait_before(restart: int, cap: timedelta) -> timedelta:
    """Return the wait before the restart with that number (the first is 0): n^2 + n minutes, at most the cap."""
    return min(timedelta(minutes=restart * restart + restart), cap)


def plan_connector(
    wanted: Connector,
    config: Mapping[str, str],
    seen: SeenConnector | None,
    previous: ConnectorStatus | None,
    pace: Pace,
    now: datetime,
    slot: SlotStatus | None = None,
    lost: str = "",
    *,
    mended: bool = False,
    unread_since: datetime | None = None,
) -> ConnectorPlan:
    """Return the next step. ``lost`` is what the slot guardian found, empty when the slot is well or unknown.

    ``mended``: somebody has just changed the credentials, so a refused login is tried again soon. ``unread_since``:
    nobody reads the slot since then, whatever the task says.
    """
    last = previous or ConnectorStatus(name=wanted.name, phase=ConnectorPhase.UNKNOWN)
    base = last.model_copy(update={"slot": slot, "message": ""})
    if seen is None or dict(seen.config) != dict(config):
        what = "is missing" if seen is None else f"configuration differs: {_changed(config, seen.config)}"
        status = base.model_copy(update={"phase": ConnectorPhase.STARTING, "running_since": None})
        notice = Notice("ConnectorApplied", f"connector {wanted.name} {what}")
        return ConnectorPlan("put", status, _finding(wanted, Reason.CONNECTOR_STARTING, what), (notice,))
    if _PHASES.get(seen.state) is not _WANTED[wanted.state] and seen.state in ("RUNNING", "PAUSED", "STOPPED"):
        what = f"is {seen.state.lower()}, wanted {wanted.state}"
        status = base.model_copy(update={"phase": _PHASES[seen.state], "running_since": None})
        notice = Notice("ConnectorState", f"connector {wanted.name} {what}")
        return ConnectorPlan("state", status, _finding(wanted, Reason.CONNECTOR_STARTING, what), (notice,))
    if wanted.state != "running":
        status = base.model_copy(
            update={
                "phase": _WANTED[wanted.state],
                "restarts": 0,
                "next_restart_time": None,
                "failure": None,
                "running_since": None,
            }
        )
        return ConnectorPlan("none", status, _finding(wanted, Reason.CONNECTOR_HELD, f"is {wanted.state} by the spec"))
    traces = [seen.trace] if seen.state == "FAILED" else []
    traces += [task.trace for task in seen.tasks if task.state == "FAILED"]
    if traces or lost:
        kind = FailureClass.SLOT_LOST if lost else classify(traces[0])
        return _failed(wanted, base, lost or traces[0], kind, pace, now, mended=mended)
    if not seen.tasks or any(task.state != "RUNNING" for task in seen.tasks):
        what = "has no running task yet"
        status = base.model_copy(update={"phase": ConnectorPhase.STARTING, "running_since": None, "message": what})
        return ConnectorPlan("none", status, _finding(wanted, Reason.CONNECTOR_STARTING, what))
    if unread_since is not None:
        what = "says that it runs, and nobody reads its slot"
        if now - unread_since >= pace.unread_limit:
            return _failed(wanted, base, what, FailureClass.RETRIABLE, pace, now, mended=mended)
        status = base.model_copy(update={"phase": ConnectorPhase.STARTING, "running_since": None, "message": what})
        return ConnectorPlan("none", status, _finding(wanted, Reason.CONNECTOR_STARTING, what))
    return _running(wanted, base, pace, now)


_WANTED: Final = {
    "running": ConnectorPhase.RUNNING,
    "paused": ConnectorPhase.PAUSED,
    "stopped": ConnectorPhase.STOPPED,
}


def _running(wanted: Connector, base: ConnectorStatus, pace: Pace, now: datetime) -> ConnectorPlan:
    since = base.running_since or now.replace(microsecond=0)
    recovered = now - since >= pace.healthy_reset
    status = base.model_copy(
        update={
            "phase": ConnectorPhase.RUNNING,
            "running_since": since,
            "failure": None,
            "next_restart_time": None,
            "restarts": 0 if recovered else base.restarts,
        }
    )
    finding = Finding(ConditionType.CONNECTORS_READY, ConditionStatus.TRUE, Reason.ALL_RUNNING, "connectors run")
    return ConnectorPlan("none", status, finding)


def _failed(
    wanted: Connector,
    base: ConnectorStatus,
    trace: str,
    kind: FailureClass,
    pace: Pace,
    now: datetime,
    *,
    mended: bool,
) -> ConnectorPlan:
    message = cause(trace)
    status = base.model_copy(update={"failure": kind, "message": message[:MAX_MESSAGE_CHARS], "running_since": None})
    if kind is FailureClass.SLOT_LOST:
        status = status.model_copy(update={"phase": ConnectorPhase.FAILED, "next_restart_time": None})
        text = f"{message}; changes are missing, only a new slot with a full snapshot (policy rebuild) brings them back"
        notice = Notice("SlotLost", f"connector {wanted.name}: {text}", "Warning")
        return ConnectorPlan("none", status, _finding(wanted, Reason.SLOT_LOST, text), (notice,))
    if base.restarts >= wanted.max_restarts:
        status = status.model_copy(update={"phase": ConnectorPhase.FAILED, "next_restart_time": None})
        text = f"{message}; {base.restarts} restarts did not help"
        notice = Notice("RestartsExhausted", f"connector {wanted.name}: {text}", "Warning")
        return ConnectorPlan("none", status, _finding(wanted, Reason.RESTARTS_EXHAUSTED, text), (notice,))
    wait = wait_before(base.restarts, pace.backoff_cap)
    if kind is not FailureClass.RETRIABLE and base.restarts and not mended:
        # one attempt at once, for a task that still holds a password from before a change; the rest is patience, since
        # a refused login does not mend itself within minutes
        wait = pace.backoff_cap
    due = (
        base.next_restart_time if base.failure is kind and base.next_restart_time else now.replace(microsecond=0) + wait
    )
    if now < due:
        status = status.model_copy(update={"phase": ConnectorPhase.RETRYING, "next_restart_time": due})
        return ConnectorPlan(
            "none", status, _finding(wanted, _REASONS[kind], f"{message}; next restart at {due:%H:%M:%S} UTC")
        )
    status = status.model_copy(
        update={"phase": ConnectorPhase.RETRYING, "next_restart_time": None, "restarts": base.restarts + 1}
    )
    text = f"{message}; restart {base.restarts + 1} of {wanted.max_restarts}"
    notice = Notice("ConnectorRestarted", f"connector {wanted.name}: {text}", "Warning")
    return ConnectorPlan("restart", status, _finding(wanted, _REASONS[kind], text), (notice,))


def refused(wanted: Connector, last: ConnectorStatus, seen: SeenConnector | None, said: str) -> ConnectorPlan:
    """Return what a refusal by Connect means; what runs goes on running with its old configuration."""
    kind = classify(said)
    reason = Reason.CONNECT_REFUSED if kind is FailureClass.RETRIABLE else _REASONS[kind]
    runs = seen is not None and seen.state == "RUNNING" and all(task.state == "RUNNING" for task in seen.tasks)
    status = last.model_copy(
        update={
            "phase": ConnectorPhase.RUNNING if runs else ConnectorPhase.FAILED,
            "failure": kind,
            "message": said[:MAX_MESSAGE_CHARS],
        }
    )
    return ConnectorPlan("none", status, _finding(wanted, reason, said))


def _finding(wanted: Connector, reason: Reason, message: str) -> Finding:
    text = f"{wanted.name} {message}"[:MAX_MESSAGE_CHARS]
    return Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, reason, text)


def _changed(wanted: Mapping[str, str], seen: Mapping[str, str]) -> str:
    """Return the names of settings that differ; values may be secrets."""
    return ", ".join(sorted(key for key in {*wanted, *seen} if wanted.get(key) != seen.get(key)))
