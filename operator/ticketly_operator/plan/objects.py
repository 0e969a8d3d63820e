"""What makes the live objects the wanted ones: create, patch, delete, or nothing; each with its reason.

An object that carries the checksum of exactly what is wanted, and yet differs, was changed by somebody else: that is
drift. It is put back and told with field and manager. An object of the wanted name that is not this platform's is never
touched: two platforms with colliding names, or a person's own object, end in a refusal instead of an overwrite. What an
earlier platform of the same name left behind is taken over, so that deleting a platform with its children orphaned and
making it again stops nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ticketly_crds import names
from ticketly_crds.spec import KIND
from ticketly_operator.desired.model import Manifest
from ticketly_operator.plan.difference import Difference, differences, manager_of

_SHOWN_DIFFERENCES: Final = 3
_CHECKSUM_PATH: Final = ("metadata", "annotations", names.APPLIED_ANNOTATION)


@dataclass(frozen=True, slots=True)
class Drift:
    """A field of a managed object that somebody else changed."""

    kind: str
    name: str
    difference: Difference
    manager: str

    def __str__(self) -> str:
        """Return one sentence."""
        return f"{self.kind} {self.name}: {self.manager} changed {self.difference}"


@dataclass(frozen=True, slots=True)
class Create:
    """The object is missing."""

    manifest: Manifest
    reason: str = "missing"


@dataclass(frozen=True, slots=True)
class Patch:
    """The object differs.

    ``handover`` has fields that are no longer wanted and yet must keep their value: somebody else is to own them first.
    """

    manifest: Manifest
    reason: str
    drift: tuple[Drift, ...] = ()
    handover: Manifest | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The object is no longer wanted; ``manifest`` is the live one, with its uid."""

    manifest: Manifest
    reason: str = "no longer wanted"


@dataclass(frozen=True, slots=True)
class Noop:
    """The object is as wanted."""

    manifest: Manifest


Action: TypeAlias = Create | Patch | Delete | Noop
Name: TypeAlias = tuple[str, str, str]
"""API version, kind and name: what identifies an object within a namespace."""


def name_of(manifest: Manifest) -> Name:
    """Return what identifies the object within its namespace."""
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def belongs_to(manifest: Manifest, platform_uid: str) -> bool:
    """Tell whether the platform owns the object."""
    owners = manifest["metadata"].get("ownerReferences", ())
    return any(owner.get("uid") == platform_uid for owner in owners)


def may_take(manifest: Manifest, platform: str, platform_uid: str) -> bool:
    """Tell whether the object is the platform's, or was an earlier one's of that name and is controlled by nobody."""
    if belongs_to(manifest, platform_uid):
        return True
    metadata = manifest["metadata"]
    others = [owner for owner in metadata.get("ownerReferences", ()) if owner.get("controller")]
    return (
        names.APPLIED_ANNOTATION in metadata.get("annotations", {})
        and metadata.get("labels", {}).get(names.INSTANCE_LABEL) == names.label_value(platform)
        and all(owner.get("kind") == KIND and owner.get("name") == platform for owner in others)
    )


def plan_one(wanted: Manifest, live: Manifest | None) -> Action:
    """Return what makes one object as wanted."""
    if live is None:
        return Create(wanted)
    found = differences(wanted, live)
    if not found:
        return Noop(wanted)
    told = [difference for difference in found if difference.path != _CHECKSUM_PATH]
    reason = "; ".join(str(difference) for difference in told[:_SHOWN_DIFFERENCES]) or "a field is no longer wanted"
    if len(told) > _SHOWN_DIFFERENCES:
        reason += f"; {len(told) - _SHOWN_DIFFERENCES} more"
    drift: tuple[Drift, ...] = ()
    if len(told) == len(found):
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        drift = tuple(Drift(kind, name, each, manager_of(live, each.path)) for each in told)
    return Patch(wanted, reason, drift, _handover(wanted, live))


def _handover(wanted: Manifest, live: Manifest) -> Manifest | None:
    """Return the pod count that is to stay when an autoscaler takes it over.

    A field that its only owner stops applying goes back to the default: without this every pod but one would end.
    """
    if wanted["kind"] != "Deployment" or "replicas" in wanted["spec"]:
        return None
    if manager_of(live, ("spec", "replicas")) != names.FIELD_MANAGER:
        return None
    metadata = {key: wanted["metadata"][key] for key in ("name", "namespace")}
    spec = {"replicas": live["spec"]["replicas"]}
    return {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata, "spec": spec}


def plan_objects(wanted: Sequence[Manifest], live: Sequence[Manifest], platform_uid: str) -> tuple[Action, ...]:
    """Return an action for each wanted object, in that order, then a deletion of each that is no longer wanted.

    ``live`` are the objects with the platform's labels. Jobs are never deleted here: whether a migration may go is not
    a question of being wanted.
    """
    by_name = {name_of(each): each for each in live}
    actions: list[Action] = [plan_one(each, by_name.get(name_of(each))) for each in wanted]
    kept = {name_of(each) for each in wanted}
    for each in live:
        ours = belongs_to(each, platform_uid) and not each["metadata"].get("deletionTimestamp")
        if ours and each["kind"] != "Job" and name_of(each) not in kept:
            actions.append(Delete(each))
    return tuple(actions)
