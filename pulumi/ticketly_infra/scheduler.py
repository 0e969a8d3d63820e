"""Schedules: a group for what services make at run time, the role they run with, and the daily trending job.

The role can put messages into the three queues and do nothing else; only EventBridge Scheduler, only for schedules of
this group, may take it. What fails after its retries goes to the dead-letter queue of its target.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.queues import Queues

_COMPONENT: Final = "scheduler"
TRENDING_TIME: Final = "cron(0 2 * * ? *)"
TIME_ZONE: Final = "Asia/Colombo"


@dataclass(frozen=True, slots=True)
class SchedulerArgs:
    """`key_arn` is the key of the queues."""

    scope: Scope
    queues: Queues
    key_arn: pulumi.Input[str]


class Scheduler(pulumi.ComponentResource):
    """`group_name` and `role_arn` go into the platform file."""

    def __init__(self, args: SchedulerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make group, role and schedule."""
        scope = args.scope
        name = scope.name(_COMPONENT)
        super().__init__(component_type("Scheduler"), name, None, opts)
        self.group = aws.scheduler.ScheduleGroup(name, tags=scope.tags(_COMPONENT, name), opts=scope.keeping(self))
        self.group_name: pulumi.Output[str] = self.group.name
        group_arn = scope.arn("scheduler", "schedule-group")
        role = aws.iam.Role(
            name,
            description="EventBridge Scheduler to the queues of Ticketly",
            assume_role_policy=self.group_name.apply(
                lambda found: documents.trust(
                    "scheduler.amazonaws.com",
                    conditions=documents.only_from(scope.account, f"{group_arn}/{found}"),
                )
            ),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        self.role_arn: pulumi.Output[str] = role.arn
        targets = [queue.arn for queue in (*args.queues.queues.values(), *args.queues.dead.values())]
        aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=pulumi.Output.all(args.key_arn, *targets).apply(
                lambda found: documents.policy(
                    documents.allow("sqs:SendMessage", found[1:]),
                    documents.allow(("kms:Decrypt", "kms:GenerateDataKey"), found[0]),
                )
            ),
            opts=scope.inside(self),
        )
        aws.scheduler.Schedule(
            scope.name("trending"),
            group_name=self.group_name,
            description="Trending events, once a day",
            schedule_expression=TRENDING_TIME,
            schedule_expression_timezone=TIME_ZONE,
            flexible_time_window={"mode": "OFF"},
            kms_key_arn=args.key_arn,
            target={
                "arn": args.queues.arns["trending-job"],
                "role_arn": role.arn,
                "input": json.dumps({"job": "trending"}),
                "retry_policy": {"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 10},
                "dead_letter_config": {"arn": args.queues.dead["trending-job"].arn},
            },
            opts=scope.inside(self),
        )
        self.register_outputs({"groupName": self.group_name, "roleArn": self.role_arn})
