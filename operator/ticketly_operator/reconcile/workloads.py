"""The Kubernetes half: secrets, migrations before their deployments, everything else, and what became of it.

One object that the server refuses does not stop the others; it is told and tried again at the next interval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ticketly_crds import names
from ticketly_crds.blueprint import Service
from ticketly_crds.status import ConditionStatus, ConditionType, FlashSaleStatus, Reason, ServiceStatus
from ticketly_operator.desired import desired
from ticketly_operator.desired.model import Desired, Manifest, Surroundings
from ticketly_operator.desired.scaling import running_sales
from ticketly_operator.errors import ApplyRefusedError
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import Secret
from ticketly_operator.plan.objects import (
    Action,
    Create,
    Delete,
    Drift,
    Noop,
    Patch,
    may_take,
    name_of,
    plan_objects,
    plan_one,
)
from ticketly_operator.plan.rollouts import Seen, findings, job_state, pods_of, service_status
from ticketly_operator.reconcile.platform import Report, View
from ticketly_operator.reconcile.ports import Cluster

_MAX_DRIFT_NOTICES: Final = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds and places that every object is built with; see ``settings``."""

    operator_namespace: str
    termination_grace_seconds: int
    migration_deadline_seconds: int
    rollout_deadline_seconds: int


class Workloads:
    """The step. ``drifted`` is told kind and manager of every field that was put back, for metrics."""

    def __init__(self, cluster: Cluster, limits: Limits, drifted: Callable[[str, str], None]) -> None:
        """Keep the collaborators."""
        self._cluster = cluster
        self._limits = limits
        self._drifted = drifted

    async def __call__(self, view: View) -> Report:
        """Look, do what is missing unless paused, report."""
        platform, found = view.platform, view.blueprint
        namespace = platform.metadata.namespace
        secrets, missing = await self._secrets(view)
        children = await self._cluster.children(namespace, platform.name)
        live: Sequence[Manifest] = [each for each in children if may_take(each, platform.name, platform.metadata.uid)]
        around = Surroundings(
            now=view.now,
            operator_namespace=self._limits.operator_namespace,
            termination_grace_seconds=self._limits.termination_grace_seconds,
            migration_deadline_seconds=self._limits.migration_deadline_seconds,
            rollout_deadline_seconds=self._limits.rollout_deadline_seconds,
            optional_kinds=await self._cluster.optional_kinds(),
            secret_versions={name: secret.version for name, secret in secrets.items()},
            restart_token=view.restart_token,
        )
        wanted = desired(platform, found, around)
        pods = await self._cluster.pods(namespace, platform.name)
        refused: list[Finding] = []
        drift: list[Drift] = []
        if not view.paused and not missing:
            # without its secrets nothing new would start; what runs is left as it is
            live = await self._bring_about(view, wanted, live, refused, drift)
        statuses = self._statuses(view, wanted, live, pods)
        sales = tuple(FlashSaleStatus(name=sale.name, until=sale.restore_at) for sale in running_sales(found, view.now))
        return Report(
            findings=(*missing, *refused, *_put_back(drift), *findings(statuses)),
            notices=tuple(Notice("DriftReverted", str(each), "Warning") for each in drift[:_MAX_DRIFT_NOTICES]),
            services=statuses,
            flash_sales=sales,
        )

    async def _secrets(self, view: View) -> tuple[dict[str, Secret], tuple[Finding, ...]]:
        """Return the Secrets that exist, and a finding for each that does not or lacks a key."""
        found: dict[str, Secret] = {}
        missing: list[str] = []
        for name in sorted({ref.name for ref in view.blueprint.secrets()}):
            secret = await self._cluster.secret(view.platform.metadata.namespace, name)
            if secret is None:
                missing.append(f"Secret {name} does not exist")
                continue
            found[name] = secret
            lacking = [ref.key for ref in view.blueprint.secrets() if ref.name == name and ref.key not in secret.data]
            missing += [f"Secret {name} lacks the key {key}" for key in lacking]
        if not missing:
            return found, ()
        message = "; ".join(missing)
        return found, (Finding(ConditionType.READY, ConditionStatus.FALSE, Reason.SECRET_MISSING, message[:1024]),)

    async def _bring_about(
        self,
        view: View,
        wanted: Desired,
        live: Sequence[Manifest],
        refused: list[Finding],
        drift: list[Drift],
    ) -> Sequence[Manifest]:
        """Carry out the plan; return the objects as they are afterwards."""
        by_name = {name_of(each): each for each in live}
        actions: list[Action] = list(plan_objects(wanted.objects, live, view.platform.metadata.uid))
        # what the deployments are is decided below: none of them is ever "no longer wanted" here
        actions = [each for each in actions if not (isinstance(each, Delete) and self._is_wanted(each, wanted))]
        for service in view.blueprint.services:
            actions += self._rollout(service, wanted, by_name)
        for action in actions:
            changed = await self._carry_out(action, view, refused)
            if isinstance(action, Delete):
                by_name.pop(name_of(action.manifest), None)
            elif changed is not None:
                by_name[name_of(changed)] = changed
                if isinstance(action, Patch):
                    drift += action.drift
        for each in drift:
            self._drifted(each.kind, each.manager)
            _log.warning("%s/%s: put back: %s", view.platform.metadata.namespace, view.platform.name, each)
        return tuple(by_name.values())

    def _is_wanted(self, action: Delete, wanted: Desired) -> bool:
        return name_of(action.manifest) in {name_of(each) for each in wanted.deployments.values()}

    def _rollout(self, service: Service, wanted: Desired, live: dict[tuple[str, str, str], Manifest]) -> list[Action]:
        """Return what a service needs now: its migration first, its deployment once that has ended well."""
        deployment = wanted.deployments[service.name]
        current = live.get(name_of(deployment))
        job = wanted.migrations.get(service.name)
        if job is None or _migrated(current, deployment):
            return [plan_one(deployment, current), *self._old_jobs(service, job, live)]
        running = live.get(name_of(job))
        if running is None:
            return [Create(job, "a new version needs it")]
        if job_state(running)[0] != "succeeded":
            return []
        return [plan_one(deployment, current), *self._old_jobs(service, job, live)]

    def _old_jobs(
        self, service: Service, job: Manifest | None, live: dict[tuple[str, str, str], Manifest]
    ) -> list[Action]:
        """Return deletions of earlier migrations: the one that was needed is over, so they can only be in the way."""
        if job is None:
            return []
        label = names.label_value(service.name)
        return [
            Delete(each, "an earlier migration")
            for name, each in live.items()
            if each["kind"] == "Job"
            and name != name_of(job)
            and each["metadata"]["labels"].get(names.COMPONENT_LABEL) == label
            and not each["metadata"].get("deletionTimestamp")
        ]

    async def _carry_out(self, action: Action, view: View, refused: list[Finding]) -> Manifest | None:
        if isinstance(action, Noop):
            return None
        try:
            changed = await self._write(action, view)
        except ApplyRefusedError as error:
            refused.append(error.finding())
            return None
        _log.info("%s/%s: %s", view.platform.metadata.namespace, view.platform.name, _in_words(action))
        return changed

    async def _write(self, action: Create | Patch | Delete, view: View) -> Manifest | None:
        """Return the object as it is afterwards, None when it is gone."""
        match action:
            case Delete(manifest=manifest):
                await self._cluster.delete(manifest)
                return None
            case Create(manifest=manifest):
                await self._nobody_elses(manifest, view)
            case Patch(handover=handover) if handover is not None:
                await self._cluster.hand_over(handover)
        return await self._cluster.apply(action.manifest)

    async def _nobody_elses(self, manifest: Manifest, view: View) -> None:
        standing = await self._cluster.object(manifest)
        if standing is not None and not may_take(standing, view.platform.name, view.platform.metadata.uid):
            kind, name = manifest["kind"], manifest["metadata"]["name"]
            raise ApplyRefusedError(f"{kind} {name} exists and is not this platform's: rename or remove it")

    def _statuses(
        self, view: View, wanted: Desired, live: Sequence[Manifest], pods: Sequence[Manifest]
    ) -> tuple[ServiceStatus, ...]:
        by_name = {name_of(each): each for each in live}
        found = []
        for service in view.blueprint.services:
            deployment = by_name.get(name_of(wanted.deployments[service.name]))
            job = wanted.migrations.get(service.name)
            pending = job is not None and not _migrated(deployment, wanted.deployments[service.name])
            migration = by_name.get(name_of(job), job) if job is not None and pending else None
            own = pods_of(service, view.platform.name, pods)
            found.append(service_status(Seen(service, deployment, migration, own)))
        return tuple(found)


def _in_words(action: Create | Patch | Delete) -> str:
    """Return one line for the log."""
    kind, name = action.manifest["kind"], action.manifest["metadata"]["name"]
    return f"{type(action).__name__.lower()} {kind} {name}: {action.reason}"


def _put_back(drift: Sequence[Drift]) -> tuple[Finding, ...]:
    """Say what was changed behind the platform's back; it is mended already, so nothing is degraded."""
    if not drift:
        return ()
    text = f"put back: {'; '.join(str(each) for each in drift)}"
    return (Finding(ConditionType.DEGRADED, ConditionStatus.FALSE, Reason.NOTHING_DEGRADED, text[:1024]),)


def _migrated(current: Manifest | None, wanted: Manifest) -> bool:
    """Tell whether the deployment already stands on the migration it needs."""
    if current is None:
        return False
    needed = wanted["metadata"]["annotations"].get(names.MIGRATION_ANNOTATION)
    return bool(needed == current["metadata"].get("annotations", {}).get(names.MIGRATION_ANNOTATION))
