"""Findings -> conditions, and the difference between a status worth writing and one that only moved.

Every step of a reconcile contributes findings; a condition tells the worst of its own. Ready is derived: it holds when
nothing speaks against it and connectors and topics are as wanted. A connector that somebody paused on purpose
(``ConnectorHeld``) does not make the platform unready: the sale goes on, readers wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from ticketly_crds.status import (
    MAX_MESSAGE_CHARS,
    Condition,
    ConditionStatus,
    ConditionType,
    PlatformStatus,
    Reason,
)
from ticketly_operator.findings import Finding

_BAD_WHEN_TRUE: Final = frozenset({ConditionType.DEGRADED, ConditionType.PROGRESSING, ConditionType.PAUSED})
"""Conditions that report trouble or change by being true; the others report it by being false."""

_QUIET: Final[dict[ConditionType, tuple[ConditionStatus, Reason]]] = {
    ConditionType.PROGRESSING: (ConditionStatus.FALSE, Reason.SETTLED),
    ConditionType.DEGRADED: (ConditionStatus.FALSE, Reason.NOTHING_DEGRADED),
    ConditionType.PAUSED: (ConditionStatus.FALSE, Reason.NOT_PAUSED),
}
"""What a condition says when nobody found anything about it; the others keep what was last known.

What was told with the same reason stays: that drift was put back is still worth reading when all is well again.
"""

_DERIVED: Final = (
    (ConditionType.TOPICS_READY, Reason.TOPICS_NOT_READY, frozenset[Reason]()),
    (ConditionType.CONNECTORS_READY, Reason.CONNECTORS_NOT_READY, frozenset({Reason.CONNECTOR_HELD})),
)


def conditions(
    findings: Iterable[Finding], previous: Sequence[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return all conditions in the vocabulary's order; a transition time moves only when the status does."""
    by_type: dict[ConditionType, list[Finding]] = {}
    for finding in findings:
        by_type.setdefault(finding.condition, []).append(finding)
    last = {condition.type: condition for condition in previous}
    told: dict[ConditionType, Finding] = {}
    for kind in ConditionType:
        if kind is not ConditionType.READY:
            known = last.get(kind)
            told[kind] = _worst(kind, by_type.get(kind, [])) or _remembered(kind, known) or _unknown(kind)
    told[ConditionType.READY] = _ready(by_type.get(ConditionType.READY, []), told)
    return tuple(_condition(told[kind], last.get(kind), generation, now) for kind in ConditionType)


def _severity(finding: Finding) -> int:
    bad = ConditionStatus.TRUE if finding.condition in _BAD_WHEN_TRUE else ConditionStatus.FALSE
    if finding.status is bad:
        return 2
    return 1 if finding.status is ConditionStatus.UNKNOWN else 0


def _worst(kind: ConditionType, found: Sequence[Finding]) -> Finding | None:
    """Return the first of the worst findings with the messages of all that agree with it."""
    if not found:
        return None
    worst = max(_severity(finding) for finding in found)
    agreeing = [finding for finding in found if _severity(finding) == worst]
    message = "; ".join(dict.fromkeys(finding.message for finding in agreeing if finding.message))
    if len(message) > MAX_MESSAGE_CHARS:
        message = message[: MAX_MESSAGE_CHARS - 1] + "…"
    return Finding(kind, agreeing[0].status, agreeing[0].reason, message)


def _remembered(kind: ConditionType, known: Condition | None) -> Finding | None:
    if kind in _QUIET:
        status, reason = _QUIET[kind]
        return Finding(kind, status, reason, known.message if known is not None and known.reason is reason else "")
    return None if known is None else Finding(kind, known.status, known.reason, known.message)


def _unknown(kind: ConditionType) -> Finding:
    reasons = {
        ConditionType.CONNECTORS_READY: Reason.CONNECTOR_STARTING,
        ConditionType.TOPICS_READY: Reason.KAFKA_UNREACHABLE,
        ConditionType.LAG_WITHIN_SLO: Reason.NO_MEASUREMENT,
    }
    return Finding(kind, ConditionStatus.UNKNOWN, reasons[kind], "not looked at yet")


def _ready(found: Sequence[Finding], told: dict[ConditionType, Finding]) -> Finding:
    own = _worst(ConditionType.READY, found)
    if own is not None and own.status is not ConditionStatus.TRUE:
        return own
    for kind, reason, harmless in _DERIVED:
        other = told[kind]
        if other.status is not ConditionStatus.TRUE and other.reason not in harmless:
            return Finding(
                ConditionType.READY, ConditionStatus.FALSE, reason, f"{other.reason}: {other.message}"[:1024]
            )
    if own is None:
        return Finding(ConditionType.READY, ConditionStatus.UNKNOWN, Reason.SERVICES_NOT_READY, "not looked at yet")
    return own


def _condition(finding: Finding, last: Condition | None, generation: int, now: datetime) -> Condition:
    unchanged = last is not None and last.status is finding.status
    return Condition(
        type=finding.condition,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        observed_generation=generation,
        last_transition_time=last.last_transition_time
        if unchanged and last is not None
        else now.replace(microsecond=0),
    )


def as_json(status: PlatformStatus) -> dict[str, object]:
    """Return the status as the API server stores it: camelCase, absent instead of null."""
    encoded: dict[str, object] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return encoded
