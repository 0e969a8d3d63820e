"""What holds data is protected, backed up, and replaced only by what already stands; no job is lost; all is tagged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ticketly_infra.policies.model import UNKNOWN, Rule, Seen, many, number, of

STATEFUL: Final = frozenset(
    {
        "docdb/cluster:Cluster",
        "dynamodb/table:Table",
        "ebs/volume:Volume",
        "ec2/instance:Instance",
        "ecr/repository:Repository",
        "efs/fileSystem:FileSystem",
        "eks/cluster:Cluster",
        "elasticache/replicationGroup:ReplicationGroup",
        "kms/key:Key",
        "msk/cluster:Cluster",
        "rds/cluster:Cluster",
        "rds/instance:Instance",
        "route53/zone:Zone",
        "s3/bucket:Bucket",
        "s3/bucketV2:BucketV2",
        "scheduler/scheduleGroup:ScheduleGroup",
        "secretsmanager/secret:Secret",
        "sqs/queue:Queue",
    }
)
"""The types that the command line asks about by name (`ticketly_cli.provision.changes`); a test holds them together."""

_TAGS: Final = ("Project", "Stack", "Component")
_WITHOUT_TAGS: Final = frozenset(
    {
        "autoscaling/attachment:Attachment",
        "cloudfront/originAccessControl:OriginAccessControl",
        "cloudwatch/dashboard:Dashboard",
        "ec2/route:Route",
        "ec2/routeTableAssociation:RouteTableAssociation",
        "ec2/volumeAttachment:VolumeAttachment",
        "ecr/lifecyclePolicy:LifecyclePolicy",
        "eks/accessPolicyAssociation:AccessPolicyAssociation",
        "iam/rolePolicy:RolePolicy",
        "iam/rolePolicyAttachment:RolePolicyAttachment",
        "kms/alias:Alias",
        "msk/configuration:Configuration",
        "msk/scramSecretAssociation:ScramSecretAssociation",
        "route53/record:Record",
        "scheduler/schedule:Schedule",
        "secretsmanager/secretPolicy:SecretPolicy",
        "secretsmanager/secretVersion:SecretVersion",
        "sesv2/configurationSetEventDestination:ConfigurationSetEventDestination",
        "sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes",
        "sns/topicPolicy:TopicPolicy",
        "sns/topicSubscription:TopicSubscription",
        "sqs/queuePolicy:QueuePolicy",
        "sqs/redriveAllowPolicy:RedriveAllowPolicy",
        "wafv2/webAclAssociation:WebAclAssociation",
        "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
    }
)
"""Types that AWS gives no tags, beside all settings of a bucket and certificates' checks."""


def protected(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Stateful resources cannot be deleted by accident, and a replacement comes before the end of the old one."""
    for one in of(resources, *STATEFUL):
        if not one.protect:
            yield one.name, "is stateful and not protected"
        if not one.creates_first:
            yield one.name, "would be deleted before its replacement exists"


def backed_up(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Databases have backups, a last snapshot and AWS's own protection; nothing is emptied to be deleted."""
    for one in of(resources, "rds/instance:Instance", "docdb/cluster:Cluster"):
        if number(one.get("backupRetentionPeriod", 0), 7) < 7:
            yield one.name, "keeps backups for less than 7 days"
        if one.get("skipFinalSnapshot") is not False or not one.get("finalSnapshotIdentifier"):
            yield one.name, "leaves no last snapshot"
        if one.get("deletionProtection") is not True:
            yield one.name, "has no deletion protection"
    for one in resources:
        for name in ("forceDestroy", "forceDelete"):
            if one.get(name) is True:
                yield one.name, f"{name}: is emptied to be deleted"
        if one.type == "secretsmanager/secret:Secret" and number(one.get("recoveryWindowInDays", 30), 7) < 7:
            yield one.name, "cannot be recovered for 7 days"
        if one.type == "kms/key:Key" and number(one.get("deletionWindowInDays", 30), 14) < 14:
            yield one.name, "waits for less than 14 days before it is gone"


def tagged(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Costs and owners are told apart by tags."""
    for one in resources:
        short = one.type.partition("/")[2]
        if one.type in _WITHOUT_TAGS or (one.type.startswith("s3/bucket") and not short.startswith("bucket:")):
            continue
        if short.startswith("certificateValidation:"):
            continue
        found = _tags_of(one)
        missing = [name for name in _TAGS if name not in found]
        if missing:
            yield one.name, f"has no tag {', '.join(missing)}"


def _tags_of(one: Seen) -> Any:
    tags = one.get("tags", {})
    return {entry.get("key") for entry in tags} if isinstance(tags, list) else tags


def dead_letters(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Every queue has a queue for what failed: named `<queue>-dead`, and named by it."""
    queues = {one.name: one for one in of(resources, "sqs/queue:Queue")}
    for name, one in queues.items():
        if name.endswith("-dead") and name.removesuffix("-dead") in queues:
            continue
        redrive = one.get("redrivePolicy")
        dead = queues.get(f"{name}-dead")
        if redrive is None:
            yield name, "has no dead-letter queue"
        elif dead is None:
            yield name, f"has no queue {name}-dead"
        elif redrive != UNKNOWN:
            settings = json.loads(redrive)
            if dead.arn and settings.get("deadLetterTargetArn") != dead.arn:
                yield name, "sends what failed to another queue than its own"
            if not 1 <= int(settings.get("maxReceiveCount", 0)) <= 20:
                yield name, "tries too often or never"


def versions(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """A bucket keeps old versions, or says when its content ends."""
    kept = {
        one.name
        for one in of(resources, "s3/bucketVersioning:BucketVersioning")
        if one.get("versioningConfiguration.status") == "Enabled"
    }
    ends = {
        one.name
        for one in of(resources, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
        if any(rule.get("expiration") for rule in many(one.get("rules")))
    }
    for one in of(resources, "s3/bucket:Bucket", "s3/bucketV2:BucketV2"):
        if one.name not in kept | ends:
            yield one.name, "keeps neither old versions nor an end of its content"


SINGLE: Final[dict[str, Rule]] = {"protected": protected, "backed-up": backed_up}
WHOLE: Final[dict[str, Rule]] = {"dead-letter-queues": dead_letters, "bucket-versions": versions, "tagged": tagged}
