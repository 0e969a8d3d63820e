"""What the platform's services may do in AWS: a policy for each that needs one, down to single buckets and queues.

Profile `prod` gives each to its own service account by Pod Identity; profile `dev` to the workers' role
(`small_cluster.py`). No user, no access key: credentials are handed out for hours and to those places only. A service
that is not listed here (order, event query, email) asks nothing of AWS and gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_crds import names
from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.queues import Queues
from ticketly_infra.scheduler import Scheduler
from ticketly_infra.storage import Storage

_COMPONENT: Final = "workloads"


@dataclass(frozen=True, slots=True)
class WorkloadsArgs:
    """`cluster_name` and `cluster_arn` of an EKS cluster."""

    scope: Scope
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    policies: Mapping[str, pulumi.Output[str]]


class Workloads(pulumi.ComponentResource):
    """A role and its association for each service; `role_arns[service]`."""

    def __init__(self, args: WorkloadsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the roles."""
        scope = args.scope
        super().__init__(component_type("Workloads"), scope.name(_COMPONENT), None, opts)
        self.role_arns: dict[str, pulumi.Output[str]] = {}
        settings = scope.settings
        for service, policy in args.policies.items():
            name = scope.name("workload", service)
            role = aws.iam.Role(
                name,
                description=f"The service {service}",
                assume_role_policy=pulumi.Output.from_input(args.cluster_arn).apply(
                    lambda arn: documents.trust(
                        "pods.eks.amazonaws.com",
                        "sts:AssumeRole",
                        "sts:TagSession",
                        conditions=documents.only_from(scope.account, arn),
                    )
                ),
                tags=scope.tags(_COMPONENT),
                opts=scope.inside(self),
            )
            aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=scope.inside(self))
            aws.eks.PodIdentityAssociation(
                name,
                cluster_name=args.cluster_name,
                namespace=settings.platform_namespace,
                service_account=names.workload(settings.platform_name, service),
                role_arn=role.arn,
                tags=scope.tags(_COMPONENT),
                opts=scope.inside(self),
            )
            self.role_arns[service] = role.arn
        self.register_outputs({})


def policies(
    scope: Scope, storage: Storage, queues: Queues, scheduler: Scheduler, key_arn: pulumi.Output[str]
) -> dict[str, pulumi.Output[str]]:
    """Service -> its policy."""
    arns = list(queues.arns.values())
    return {
        "event-command": pulumi.Output.all(storage.images.arn, key_arn).apply(
            lambda found: images_policy(found[0], found[1])
        ),
        "scheduler": pulumi.Output.all(scheduler.group_name, scheduler.role_arn, key_arn, *arns).apply(
            lambda found: due_work_policy(scope, found[0], found[1], found[2], found[3:])
        ),
    }


def images_policy(bucket_arn: str, key_arn: str) -> str:
    """Put, read and delete images."""
    return documents.policy(
        documents.allow(("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), f"{bucket_arn}/*"),
        documents.allow("s3:ListBucket", bucket_arn),
        documents.allow(("kms:Decrypt", "kms:GenerateDataKey"), key_arn),
    )


def due_work_policy(scope: Scope, group: str, role_arn: str, key_arn: str, queue_arns: list[str]) -> str:
    """Make schedules of one group, hand them one role, work off three queues."""
    schedule = tuple(f"scheduler:{word}Schedule" for word in ("Create", "Delete", "Get", "Update"))
    work = tuple(
        f"sqs:{word}" for word in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    )
    to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    return documents.policy(
        documents.allow(schedule, scope.arn("scheduler", f"schedule/{group}/*")),
        documents.allow("iam:PassRole", role_arn, conditions=to_scheduler),
        documents.allow(work, queue_arns),
        documents.allow("kms:Decrypt", key_arn),
    )
