"""One platform, from its description to its status: parse, blueprint, workloads, capture, lag, tell.

Every step looks at what is there and does what is missing; nothing is remembered that the cluster could not tell, apart
from figures that only serve to see a trend. So the order of events, a restart in between and a second run change
nothing. Each step answers with findings; one that cannot look says so and does not stop the others.

Hazard: a status is written only when something essential changed, or when the lag's refresh is due. Writing what merely
moves would wake this very reconcile again, for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from pydantic import ValidationError

from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint, IncompletePlatform, blueprint, cluster
from ticketly_crds.spec import SpecError, TicketlyPlatform, parse
from ticketly_crds.status import (
    MAX_MESSAGE_CHARS,
    ConditionStatus,
    ConditionType,
    ConnectorStatus,
    FlashSaleStatus,
    LagStatus,
    PlatformStatus,
    Reason,
    ServiceStatus,
)
from ticketly_operator.conditions import as_json, conditions
from ticketly_operator.desired.model import Manifest
from ticketly_operator.errors import OperatorError
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.plan.volatile import essential
from ticketly_operator.reconcile.ports import Cluster

_log = logging.getLogger(__name__)

_METADATA: Final = ("name", "namespace", "uid", "generation", "labels", "annotations")
_PAUSE_VALUES: Final = frozenset({"true", "yes", "1"})
_LEAST_REMOVAL_SECONDS: Final = 10.0
"""Time for a first attempt at removal even if the operator comes to it late."""


@dataclass(frozen=True, slots=True)
class View:
    """What every step of one reconcile starts from."""

    manifest: Manifest
    platform: TicketlyPlatform
    blueprint: Blueprint
    previous: PlatformStatus
    now: datetime
    paused: bool
    restart_token: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a step contributes. None: the step says nothing about that part, and what was known stays."""

    findings: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()
    services: tuple[ServiceStatus, ...] | None = None
    connectors: tuple[ConnectorStatus, ...] | None = None
    lag: LagStatus | None = None
    flash_sales: tuple[FlashSaleStatus, ...] | None = None
    failed: bool = False


class Step(Protocol):
    """One part of the sentence."""

    async def __call__(self, view: View) -> Report:
        """Look, do what is missing (unless paused), report. Raises OperatorError when it could not even look."""


class Removal(Protocol):
    """What happens outside the cluster when a platform is deleted."""

    async def __call__(self, view: View) -> Sequence[str]:
        """Remove what the deletion policy says; return what could not be removed, in words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reconcile ended. ``status`` None: the platform is gone or going."""

    failed: bool = False
    paused: bool = False
    status: PlatformStatus | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Times of the status and of deletion; see ``settings``."""

    lag_refresh: timedelta
    deletion_timeout: timedelta


async def reconcile_platform(
    manifest: Manifest, steps: Sequence[Step], remove: Removal, api: Cluster, terms: Terms, now: datetime
) -> Outcome:
    """Bring one platform to its description. Raises OperatorError when not even its status could be written."""
    metadata = manifest["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    deleting = bool(metadata.get("deletionTimestamp"))
    previous, readable = _previous(manifest)
    try:
        platform = parse(_bare(manifest))
        found = blueprint(platform, cluster(platform))
    except (SpecError, IncompletePlatform) as error:
        if deleting:
            # without a description nothing outside can be found; a finalizer must never wedge a namespace
            await api.set_finalizer(namespace, name, present=False)
            return Outcome()
        status = _advanced(previous, manifest, _unusable(error), now)
        await _publish(manifest, status, previous if readable else None, api, terms, now)
        return Outcome(status=status)
    annotations = platform.metadata.annotations
    view = View(
        manifest=manifest,
        platform=platform,
        blueprint=found,
        previous=previous,
        now=now,
        paused=annotations.get(names.PAUSE_ANNOTATION, "").lower() in _PAUSE_VALUES,
        restart_token=annotations.get(names.RESTART_ANNOTATION, ""),
    )
    if deleting:
        return await _delete(view, remove, api, terms)
    if not view.paused and _removes(platform) != (names.FINALIZER in metadata.get("finalizers", ())):
        # under Retain nothing outside needs an end, so nothing may hold back a deletion
        await api.set_finalizer(namespace, name, present=_removes(platform))
    report = await _all(view, steps)
    for notice in report.notices:
        await api.tell(manifest, notice)
    status = _told(view, report)
    await _publish(manifest, status, previous if readable else None, api, terms, now)
    return Outcome(failed=report.failed, paused=view.paused, status=status)


async def _all(view: View, steps: Sequence[Step]) -> Report:
    """Take the steps one after the other: each may rely on what the ones before it left behind."""
    whole = Report(findings=(_paused(view),))
    for step in steps:
        try:
            part = await step(view)
        except OperatorError as error:
            _log.warning("%s/%s: %s", view.platform.metadata.namespace, view.platform.name, error)
            part = Report(findings=(error.finding(),), failed=error.retry_helps)
        whole = Report(
            findings=whole.findings + part.findings,
            notices=whole.notices + part.notices,
            services=whole.services if part.services is None else part.services,
            connectors=whole.connectors if part.connectors is None else part.connectors,
            lag=whole.lag if part.lag is None else part.lag,
            flash_sales=whole.flash_sales if part.flash_sales is None else part.flash_sales,
            failed=whole.failed or part.failed,
        )
    return whole


async def _delete(view: View, remove: Removal, api: Cluster, terms: Terms) -> Outcome:
    """Remove what the policy says, within the time limit; then let the object go, whatever is left."""
    metadata = view.manifest["metadata"]
    if names.FINALIZER not in metadata.get("finalizers", ()):
        return Outcome()
    waited = view.now - datetime.fromisoformat(metadata["deletionTimestamp"])
    left = await _removed(view, remove, terms.deletion_timeout - waited) if _removes(view.platform) else ()
    if left and waited < terms.deletion_timeout:
        await api.tell(view.manifest, Notice("RemovalPending", f"not removed yet: {', '.join(left)}", "Warning"))
        return Outcome(failed=True)
    if left:
        limit = terms.deletion_timeout.total_seconds()
        message = f"gave up after {limit:g} s; left behind: {', '.join(left)}"
        await api.tell(view.manifest, Notice("RemovalGivenUp", message, "Warning"))
    await api.set_finalizer(metadata["namespace"], metadata["name"], present=False)
    return Outcome()


async def _removed(view: View, remove: Removal, remaining: timedelta) -> Sequence[str]:
    """Return what is left, in words: what is out of reach or hangs must not hold back the object for ever."""
    seconds = max(remaining.total_seconds(), _LEAST_REMOVAL_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            return await remove(view)
    except TimeoutError:
        return (f"what the platform has outside the cluster (no answer within {seconds:.0f} s)",)
    except OperatorError as error:
        return (f"what the platform has outside the cluster ({error})",)


async def _publish(
    manifest: Manifest, status: PlatformStatus, there: PlatformStatus | None, api: Cluster, terms: Terms, now: datetime
) -> None:
    """Write the status if it differs in essence from what is there (None: nothing right), or if the lag is due."""
    known = there.lag if there is not None else None
    news = status.lag is not None and status.lag != known
    refresh = news and (known is None or now - known.measured_at >= terms.lag_refresh)
    if there is None or refresh or essential(status) != essential(there):
        metadata = manifest["metadata"]
        await api.write_status(metadata["namespace"], metadata["name"], as_json(status))


def _told(view: View, report: Report) -> PlatformStatus:
    previous = view.previous
    return _advanced(previous, view.manifest, report.findings, view.now).model_copy(
        update={
            "version": view.platform.spec.version,
            "services": previous.services if report.services is None else report.services,
            "connectors": previous.connectors if report.connectors is None else report.connectors,
            "lag": previous.lag if report.lag is None else report.lag,
            "flash_sales": previous.flash_sales if report.flash_sales is None else report.flash_sales,
            "paused": view.paused,
            "restart_token": previous.restart_token if view.paused else view.restart_token,
        }
    )


def _advanced(
    previous: PlatformStatus, manifest: Manifest, findings: Sequence[Finding], now: datetime
) -> PlatformStatus:
    generation = int(manifest["metadata"].get("generation", 0))
    return previous.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions(findings, previous.conditions, generation, now),
        }
    )


def _unusable(error: SpecError | IncompletePlatform) -> tuple[Finding, ...]:
    """Say what is wrong with the description; what runs goes on running as it is."""
    if isinstance(error, SpecError):
        reason, message = Reason.INVALID_SPEC, "; ".join(str(fault) for fault in error.faults)
    else:
        reason, message = Reason.INCOMPLETE_SPEC, f"a cluster needs: {', '.join(error.missing)}"
    return (Finding(ConditionType.READY, ConditionStatus.FALSE, reason, message[:MAX_MESSAGE_CHARS]),)


def _paused(view: View) -> Finding:
    if view.paused:
        message = f"nothing is changed while the annotation {names.PAUSE_ANNOTATION} stands"
        return Finding(ConditionType.PAUSED, ConditionStatus.TRUE, Reason.PAUSED_BY_ANNOTATION, message)
    return Finding(ConditionType.PAUSED, ConditionStatus.FALSE, Reason.NOT_PAUSED)


def _removes(platform: TicketlyPlatform) -> bool:
    return platform.spec.deletion_policy == "Delete"


def _bare(manifest: Manifest) -> Manifest:
    """Return the document without what the API server adds to it."""
    metadata = manifest["metadata"]
    kept = {
        key: metadata[key]
        for key in ("name", "namespace", "uid", "generation", "labels", "annotations")
        if key in metadata
    }
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": kept,
        "spec": manifest.get("spec", {}),
    }


def _previous(manifest: Manifest) -> tuple[PlatformStatus, bool]:
    """Return what can be read of the status that is there, and whether that is all of it.

    Another version of the operator or somebody's hand may have written it.
    """
    status = manifest.get("status")
    if not isinstance(status, Mapping):
        return PlatformStatus(), False
    readable = {key: kept for key, value in status.items() if (kept := _readable(key, value)) is not None}
    return PlatformStatus.model_validate(readable), readable == status


def _readable(key: str, value: Any) -> Any:
    """Return the member, a list without the items that are not understood, None for nothing."""
    if isinstance(value, list):
        value = [item for item in value if _is_readable({key: [item]})]
    return value if _is_readable({key: value}) else None


def _is_readable(status: Manifest) -> bool:
    try:
        PlatformStatus.model_validate(status)
    except ValidationError:
        return False
    return True
