"""What the operator would do, told exactly: every object is sent to the API server as a dry run.

The platform goes with this command's field manager, as `apply` would send it; its children go with the operator's own,
which takes fields over from others, as the operator does. The server answers with the object as it would be, and the
difference to the object that is there is the plan. Nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final

from ticketly_cli.cluster import comparing, kinds, operators, platform_files, rendering
from ticketly_cli.cluster.changes import FieldChange, ObjectChange, Plan
from ticketly_cli.cluster.connection import Api, ApiError
from ticketly_cli.cluster.kinds import PLATFORM, SECRET
from ticketly_cli.errors import CliError
from ticketly_cli.printing import Step
from ticketly_cli.results import JsonObject
from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired.model import Manifest
from ticketly_operator.plan.difference import Difference, manager_of
from ticketly_operator.plan.objects import Delete, belongs_to, may_take, name_of, plan_objects
from ticketly_operator.plan.rollouts import job_state

_CHECKSUM_PATH: Final = ("metadata", "annotations", names.APPLIED_ANNOTATION)
_SETTINGS_PATH: Final = (
    "spec",
    "template",
    "metadata",
    "annotations",
    names.SETTINGS_CHECKSUM_ANNOTATION,
)
_LOOKS: Final = 5
"""How often an object is looked at again that others change at the same time."""
_PAUSE_VALUES: Final = frozenset({"true", "yes", "1"})


@dataclass(slots=True)
class _Around:
    """What the operator would know besides the platform, as far as this user may see it."""

    optional_kinds: frozenset[str]
    secret_versions: dict[str, str] = field(default_factory=dict)
    secrets_readable: bool = True
    notes: list[str] = field(default_factory=list)


def plan_file(
    api: Api, document: JsonObject, *, operator_namespace: str, now: datetime, step: Step
) -> tuple[Plan, JsonObject]:
    """The plan of applying a platform document, and the platform as it would be. Raises CliError.

    Fields of the platform that another manager owns are told as conflicts; the plan shows what `--force-conflicts`
    would do about them.
    """
    metadata = document["metadata"]
    step.say(f"{PLATFORM.kind} {metadata['name']}")
    live = api.get(PLATFORM, metadata["namespace"], metadata["name"])
    conflicts: tuple[FieldChange, ...] = ()
    try:
        result = api.apply(PLATFORM, document, force=False, dry_run=True)
    except ApiError as error:
        if not error.conflicts:
            raise
        conflicts = tuple(FieldChange(each.field, None, None, each.manager, conflict=True) for each in error.conflicts)
        result = api.apply(PLATFORM, document, force=True, dry_run=True)
    own = _changed(PLATFORM.kind, live, result, conflicts)
    plan = _children(api, result, own, is_new=live is None, operator_namespace=operator_namespace, now=now, step=step)
    return plan, result


def plan_live(api: Api, platform: JsonObject, *, operator_namespace: str, now: datetime, step: Step) -> Plan:
    """The plan of the platform as it is: what drifted, or has not been done yet."""
    unchanged = ObjectChange(PLATFORM.kind, platform["metadata"]["name"], "none")
    return _children(api, platform, unchanged, is_new=False, operator_namespace=operator_namespace, now=now, step=step)


def _children(
    api: Api,
    document: JsonObject,
    own: ObjectChange,
    *,
    is_new: bool,
    operator_namespace: str,
    now: datetime,
    step: Step,
) -> Plan:
    platform = platform_files.parsed(document, f"{PLATFORM.kind} {document['metadata']['name']}")
    namespace = platform.metadata.namespace
    blueprint = platform_files.cluster_blueprint(platform)
    operator = operators.find(api, operator_namespace, namespace)
    around = _look_around(api, blueprint, namespace)
    if operator is None:
        around.notes.append(f"No operator is visible; its usual settings are assumed ({_place(operator_namespace)}).")
    elif not operator.sees(namespace):
        around.notes.append(f"The operator watches namespace {operator.watches} only: it would do nothing of this.")
    if platform.metadata.annotations.get(names.PAUSE_ANNOTATION, "").lower() in _PAUSE_VALUES:
        around.notes.append("The platform is suspended: the operator does nothing of this before `ticketly resume`.")
    wanted = rendering.render(
        platform,
        blueprint,
        operator_namespace=operator.namespace if operator else _place(operator_namespace),
        optional_kinds=around.optional_kinds,
        secret_versions=around.secret_versions,
        at=now,
        limits=operator.limits if operator else None,
        restart_token=platform.metadata.annotations.get(names.RESTART_ANNOTATION, ""),
    )
    live = [] if is_new else _live(api, platform.name, namespace, around.optional_kinds)
    by_name = {name_of(each): each for each in live}
    told = [own]
    for manifest in _needed(wanted, by_name):
        step.say(f"{manifest['kind']} {manifest['metadata']['name']}")
        told.append(_dry_run(api, manifest, by_name.get(name_of(manifest)), platform, around))
    told += _deletions(wanted, live, platform.metadata.uid)
    return Plan(platform.name, namespace, api.context, tuple(told), tuple(around.notes))


def _place(operator_namespace: str) -> str:
    return operator_namespace or operators.DEFAULT_NAMESPACE


def _look_around(api: Api, blueprint: Blueprint, namespace: str) -> _Around:
    groups = sorted({(kind.group, kind.version) for kind in kinds.OPTIONAL})
    served = {f"{kind}.{group}" for group, version in groups for kind in api.served(group, version)}
    around = _Around(frozenset(kind.qualified for kind in kinds.OPTIONAL if kind.qualified in served))
    missing = []
    for name in sorted({ref.name for ref in blueprint.secrets()}):
        try:
            secret = api.get(SECRET, namespace, name)
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            around.secrets_readable = False
            around.notes.append("Secrets may not be read: whether a rotated one makes pods roll is not shown.")
            break
        if secret is None:
            missing.append(name)
        else:
            around.secret_versions[name] = secret_version(secret)
    if missing:
        listed = ", ".join(missing)
        around.notes.append(f"Missing Secrets: {listed}. The operator changes nothing else before they exist.")
    return around


def secret_version(secret: JsonObject) -> str:
    """What the operator derives from a Secret's content to make pods roll; nothing of it can be told from it. Pure."""
    content = json.dumps(secret.get("data") or {}, sort_keys=True).encode()
    return hmac.new(secret["metadata"]["uid"].encode(), content, hashlib.sha256).hexdigest()[:16]


def _live(api: Api, platform: str, namespace: str, optional_kinds: frozenset[str]) -> list[JsonObject]:
    wanted = [*kinds.MANAGED, *(kind for kind in kinds.OPTIONAL if kind.qualified in optional_kinds)]
    selector = f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER},{names.INSTANCE_LABEL}={names.label_value(platform)}"
    return [item for kind in wanted for item in api.list(kind, namespace, selector)]


def _needed(wanted: Sequence[Manifest], live: dict[tuple[str, str, str], JsonObject]) -> list[Manifest]:
    """The objects without the migrations that are over: those that a service's deployment already stands on."""
    done = set()
    for each in wanted:
        standing = live.get(name_of(each)) if each["kind"] == "Deployment" else None
        if standing is not None and _migration(standing) == _migration(each):
            done.add(each["metadata"]["labels"].get(names.COMPONENT_LABEL))
    return [
        each
        for each in wanted
        if each["kind"] != "Job" or each["metadata"]["labels"].get(names.COMPONENT_LABEL) not in done
    ]


def _migration(deployment: JsonObject) -> str:
    return str((deployment["metadata"].get("annotations") or {}).get(names.MIGRATION_ANNOTATION, ""))


def _dry_run(
    api: Api, manifest: Manifest, live: JsonObject | None, platform: TicketlyPlatform, around: _Around
) -> ObjectChange:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    api_kind = kinds.of(manifest)
    if live is None:
        standing = api.get(api_kind, manifest["metadata"]["namespace"], name)
        if standing is not None and not may_take(standing, platform.name, platform.metadata.uid):
            return ObjectChange(
                kind, name, "refused", reason="it exists and is not this platform's: rename or remove it"
            )
        live = standing
    try:
        live, result = _before_and_after(api, manifest, live)
    except ApiError as error:
        if error.status not in (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT):
            raise
        return ObjectChange(kind, name, "refused", reason=error.said)
    change = _changed(kind, live, result)
    if change.action != "update" or around.secrets_readable:
        return change
    kept = tuple(each for each in change.fields if each.path != _SETTINGS_PATH and each.path != _CHECKSUM_PATH)
    return ObjectChange(kind, name, "update" if kept else "none", kept)


def _before_and_after(api: Api, manifest: Manifest, live: JsonObject | None) -> tuple[JsonObject | None, JsonObject]:
    """The object as it is and as it would be, seen in the same version of it.

    A dry run answers with the version that it started from. Where that is not the one that was read, somebody (an
    autoscaler, say) wrote in between, and what they did would be shown as a change of ours.
    """
    for _ in range(_LOOKS):
        result = api.apply(kinds.of(manifest), manifest, manager=names.FIELD_MANAGER, force=True, dry_run=True)
        if _version(live) == _version(result):
            break
        live = api.get(kinds.of(manifest), manifest["metadata"]["namespace"], manifest["metadata"]["name"])
    return live, result


def _version(found: JsonObject | None) -> str | None:
    version: str | None = found["metadata"].get("resourceVersion") if found is not None else None
    return version


def _changed(
    kind: str, live: JsonObject | None, result: JsonObject, conflicts: tuple[FieldChange, ...] = ()
) -> ObjectChange:
    name = result["metadata"]["name"]
    if live is None:
        return ObjectChange(kind, name, "create")
    found = comparing.object_changes(live, result)
    told = [each for each in found if each.path != _CHECKSUM_PATH] or list(found)
    fields = tuple(_field(each, live, conflicts) for each in told)
    return ObjectChange(kind, name, "update" if fields else "none", fields)


def _field(difference: Difference, live: JsonObject, conflicts: tuple[FieldChange, ...]) -> FieldChange:
    manager = manager_of(live, difference.path) if difference.found is not None else ""
    conflict = any(each.field == difference.field for each in conflicts)
    return FieldChange(
        difference.field, difference.found, difference.wanted, manager, conflict=conflict, path=difference.path
    )


def _deletions(wanted: Sequence[Manifest], live: Sequence[JsonObject], uid: str) -> list[ObjectChange]:
    kept = {name_of(each) for each in wanted}
    gone = [action.manifest for action in plan_objects(wanted, live, uid) if isinstance(action, Delete)]
    told = [ObjectChange(each["kind"], each["metadata"]["name"], "delete", reason="no longer wanted") for each in gone]
    over = [
        each
        for each in live
        if each["kind"] == "Job"
        and name_of(each) not in kept
        and job_state(each)[0] != "running"
        and belongs_to(each, uid)
    ]
    told += [
        ObjectChange("Job", each["metadata"]["name"], "delete", reason="an earlier migration, done") for each in over
    ]
    return told


def require_no_conflicts(plan: Plan, *, force: bool) -> None:
    """Raises CliError when fields of the platform belong to somebody else and nobody said to take them over."""
    found = [each for each in plan.objects[0].fields if each.conflict]
    if found and not force:
        listed = ", ".join(f"{each.field} (set by {each.manager})" for each in found)
        raise CliError(
            f"Nothing was applied, because other managers own fields that the file changes: {listed}.",
            "Leave the fields out of the file, or take them over with --force-conflicts.",
        )
