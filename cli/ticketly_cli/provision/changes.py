"""What an update would do, from the engine's step events; which of it can lose data, and who approved that. Pure.

Invariant: a stateful resource is deleted or replaced only when its name was given for exactly that. Property values
never enter a plan, only property names, so a plan can be printed anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Operation: TypeAlias = Literal["create", "update", "replace", "delete"]
Loss: TypeAlias = Literal["replace", "delete"]

STATEFUL_TYPES: Final = frozenset(
    {
        "aws:docdb/cluster:Cluster",
        "aws:dynamodb/table:Table",
        "aws:ebs/volume:Volume",
        "aws:ec2/instance:Instance",
        "aws:ecr/repository:Repository",
        "aws:efs/fileSystem:FileSystem",
        "aws:eks/cluster:Cluster",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:kms/key:Key",
        "aws:msk/cluster:Cluster",
        "aws:rds/cluster:Cluster",
        "aws:rds/instance:Instance",
        "aws:route53/zone:Zone",
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketV2:BucketV2",
        "aws:scheduler/scheduleGroup:ScheduleGroup",
        "aws:secretsmanager/secret:Secret",
        "aws:sqs/queue:Queue",
    }
)
"""Types that hold what cannot be made again from the program: data, keys, images, queued work, delegated zones.

A resource that the program protects counts as stateful whatever its type.
"""

_MEANING: Final[dict[str, Operation]] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "delete": "delete",
}
_ORDER: Final[dict[Operation, int]] = {"delete": 0, "replace": 1, "update": 2, "create": 3}
_UNCHANGED: Final = frozenset({"same", "refresh", "read"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step event of the engine. `operation` is the engine's word; `properties` are names, never values."""

    operation: str
    urn: str
    type: str
    custom: bool
    """False for components, which are names for groups and nothing in AWS."""
    protected: bool = False
    replacing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource. `because` names the properties that cause it."""

    name: str
    type: str
    urn: str
    operation: Operation
    stateful: bool
    protected: bool
    because: tuple[str, ...] = ()

    @property
    def loss(self) -> Loss | None:
        """How this change can lose data; None when it cannot."""
        if not self.stateful:
            return None
        return self.operation if self.operation == "replace" or self.operation == "delete" else None


@dataclass(frozen=True, slots=True)
class Plan:
    """Every change, the dangerous ones first, and how many resources stay as they are."""

    changes: tuple[Change, ...]
    unchanged: int = 0

    @property
    def losses(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.loss)

    def count(self, operation: Operation) -> int:
        return sum(change.operation == operation for change in self.changes)


def resource_name(urn: str) -> str:
    """The name the program gave, the last part of a URN."""
    return urn.rpartition("::")[2]


def resource_type(urn: str) -> str:
    """The resource's own type; a URN carries the types of its parents before it, joined by `$`."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 3 else ""


def is_stateful(type_token: str, *, protected: bool = False) -> bool:
    return protected or type_token in STATEFUL_TYPES


def plan(steps: Iterable[Step]) -> Plan:
    """Put the steps of each resource together: a replacement arrives as up to three of them."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        if step.custom and not step.type.startswith("pulumi:"):
            found.setdefault(step.urn, []).append(step)
    changes: list[Change] = []
    unchanged = 0
    for urn, own in found.items():
        meanings = [_MEANING[step.operation] for step in own if step.operation in _MEANING]
        if meanings:
            changes.append(_change(urn, own, min(meanings, key=lambda one: (one != "replace", _ORDER[one]))))
        else:
            unchanged += all(step.operation in _UNCHANGED for step in own)
    changes.sort(key=lambda change: (change.loss is None, _ORDER[change.operation], change.type, change.name))
    return Plan(tuple(changes), unchanged)


def _change(urn: str, own: Sequence[Step], operation: Operation) -> Change:
    protected = any(step.protected for step in own)
    causes = [name for step in own for name in (step.replacing if operation == "replace" else step.changed)]
    because = tuple(dict.fromkeys(causes)) if operation in {"replace", "update"} else ()
    kind = own[0].type
    return Change(resource_name(urn), kind, urn, operation, is_stateful(kind, protected=protected), protected, because)


@dataclass(frozen=True, slots=True)
class Approvals:
    """Names of stateful resources that may be replaced, and those that may be deleted. One never means the other."""

    replace: Collection[str] = ()
    delete: Collection[str] = ()

    def cover(self, change: Change) -> bool:
        match change.loss:
            case None:
                return True
            case "replace":
                return change.name in self.replace
            case "delete":
                return change.name in self.delete


def unapproved(planned: Plan, approvals: Approvals, ask: Callable[[Change], str | None]) -> tuple[Change, ...]:
    """The losses nobody approved. `ask` gives what a person typed, or None when nobody can be asked.

    Only the exact name counts: "y", "yes" and an empty answer are refusals. After the first refusal nobody is asked
    any more.
    """
    refused: list[Change] = []
    for change in planned.losses:
        if approvals.cover(change):
            continue
        answer = None if refused else ask(change)
        if answer is None or answer.strip() != change.name:
            refused.append(change)
    return tuple(refused)
