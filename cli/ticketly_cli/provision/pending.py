"""Operations that an interrupted update left open: what each means, what to check in AWS, what to run. Pure.

The engine notes an operation before it starts and removes the note when it knows the result. A note that is left means
that nobody knows whether AWS did it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ticketly_cli.provision.changes import resource_name, resource_type

_CHECKS: Final[dict[str, str]] = {
    "aws:acm/certificate:Certificate": "aws acm list-certificates",
    "aws:docdb/cluster:Cluster": "aws docdb describe-db-clusters",
    "aws:ec2/instance:Instance": "aws ec2 describe-instances --filters Name=tag:Name,Values='*{name}*'",
    "aws:ec2/natGateway:NatGateway": "aws ec2 describe-nat-gateways",
    "aws:ec2/securityGroup:SecurityGroup": "aws ec2 describe-security-groups",
    "aws:ec2/subnet:Subnet": "aws ec2 describe-subnets",
    "aws:ec2/vpc:Vpc": "aws ec2 describe-vpcs",
    "aws:eks/cluster:Cluster": "aws eks list-clusters",
    "aws:eks/nodeGroup:NodeGroup": "aws eks list-nodegroups --cluster-name CLUSTER",
    "aws:elasticache/replicationGroup:ReplicationGroup": "aws elasticache describe-replication-groups",
    "aws:iam/role:Role": "aws iam list-roles",
    "aws:kms/key:Key": "aws kms list-keys",
    "aws:lb/loadBalancer:LoadBalancer": "aws elbv2 describe-load-balancers",
    "aws:msk/cluster:Cluster": "aws kafka list-clusters-v2",
    "aws:rds/instance:Instance": "aws rds describe-db-instances",
    "aws:s3/bucket:Bucket": "aws s3api list-buckets",
    "aws:secretsmanager/secret:Secret": "aws secretsmanager list-secrets --include-planned-deletion",
    "aws:sqs/queue:Queue": "aws sqs list-queues",
    "aws:wafv2/webAcl:WebAcl": "aws wafv2 list-web-acls --scope REGIONAL",
}
_ANY_TYPE: Final = "aws resourcegroupstaggingapi get-resources"
_MEANINGS: Final[dict[str, str]] = {
    "creating": "it may exist in AWS without being known here; then it costs money and a second `up` makes another",
    "updating": "it may have its old settings, its new settings, or some of both",
    "deleting": "it may be gone, still there, or on its way out",
    "reading": "nothing was changed",
    "importing": "nothing was changed in AWS; it may be missing here",
}


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """One open operation; `kind` is the engine's word (creating, updating, deleting, reading, importing)."""

    kind: str
    urn: str
    id: str

    @property
    def name(self) -> str:
        return resource_name(self.urn)

    @property
    def type(self) -> str:
        return resource_type(self.urn)

    @property
    def meaning(self) -> str:
        return _MEANINGS.get(self.kind, "its state in AWS is not known")

    def check(self, region: str) -> str:
        """The command that shows what AWS has."""
        return f"{_CHECKS.get(self.type, _ANY_TYPE).replace('{name}', self.name)} --region {region}"

    def repair(self, stack: str, project: str) -> str:
        """The command to run once AWS was looked at."""
        refresh = f"pulumi refresh --stack {stack} --cwd {project}"
        if self.kind == "creating":
            return (
                f"if AWS has it: `{refresh}` asks for its id and takes it in; "
                f"if not: `{refresh} --clear-pending-creates`"
            )
        return f"`{refresh}`"


def pending_operations(exported: Mapping[str, Any]) -> tuple[PendingOperation, ...]:
    """The open operations of an exported state (`pulumi stack export`)."""
    deployment = exported.get("deployment") or {}
    return tuple(
        PendingOperation(
            str(operation.get("type", "")),
            str(operation.get("resource", {}).get("urn", "")),
            str(operation.get("resource", {}).get("id", "")),
        )
        for operation in deployment.get("pending_operations") or ()
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource of the state."""

    name: str
    type: str
    urn: str
    protected: bool


def resources(exported: Mapping[str, Any]) -> tuple[Kept, ...]:
    """What the state says exists in AWS, components and providers aside."""
    deployment = exported.get("deployment") or {}
    return tuple(
        Kept(resource_name(one["urn"]), str(one.get("type", "")), one["urn"], bool(one.get("protect")))
        for one in deployment.get("resources") or ()
        if one.get("custom") and not str(one.get("type", "")).startswith("pulumi:")
    )


def secrets_provider(exported: Mapping[str, Any]) -> str:
    """How secrets in the state are encrypted: `awskms`, `passphrase`, `service`, or "" when nothing says so."""
    deployment = exported.get("deployment") or {}
    provider = deployment.get("secrets_providers") or {}
    kind = str(provider.get("type", ""))
    if kind == "cloud":
        url = str((provider.get("state") or {}).get("url", ""))
        return url.partition("://")[0] or kind
    return kind
