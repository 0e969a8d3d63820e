"""Queues of due work: three, each with its own dead-letter queue, encrypted, TLS only.

Who may send and receive stands in the roles of those who do (`scheduler.py`, `workloads.py`), down to single queues.
The queues' own policies only refuse: what is not TLS, and every other account.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "queues"
NAMES: Final = ("session-scheduling", "session-reminders", "trending-job")
MAX_RECEIVES: Final = 5
_KEPT_SECONDS: Final = 4 * 24 * 3600
_DEAD_KEPT_SECONDS: Final = 14 * 24 * 3600
_VISIBILITY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class QueuesArgs:
    """`key_arn` encrypts the messages."""

    scope: Scope
    key_arn: pulumi.Input[str]


class Queues(pulumi.ComponentResource):
    """`queues[name]` and `dead[name]`."""

    def __init__(self, args: QueuesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the queues."""
        super().__init__(component_type("Queues"), args.scope.name(_COMPONENT), None, opts)
        self._args = args
        self.queues: dict[str, aws.sqs.Queue] = {}
        self.dead: dict[str, aws.sqs.Queue] = {}
        for name in NAMES:
            self._pair(name)
        self.arns: dict[str, pulumi.Output[str]] = {name: queue.arn for name, queue in self.queues.items()}
        self.urls: dict[str, pulumi.Output[str]] = {name: queue.url for name, queue in self.queues.items()}
        self.register_outputs({"urls": self.urls})

    def _pair(self, name: str) -> None:
        scope = self._args.scope
        dead = self._queue(f"{name}-dead", _DEAD_KEPT_SECONDS, None)
        redrive = dead.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES}, sort_keys=True)
        )
        queue = self._queue(name, _KEPT_SECONDS, redrive)
        aws.sqs.RedriveAllowPolicy(
            scope.name(f"{name}-dead"),
            queue_url=dead.url,
            redrive_allow_policy=queue.arn.apply(
                lambda arn: json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn]}, sort_keys=True)
            ),
            opts=scope.inside(self),
        )
        self.queues[name], self.dead[name] = queue, dead

    def _queue(self, name: str, kept_seconds: int, redrive: pulumi.Input[str] | None) -> aws.sqs.Queue:
        scope = self._args.scope
        queue = aws.sqs.Queue(
            scope.name(name),
            message_retention_seconds=kept_seconds,
            visibility_timeout_seconds=_VISIBILITY_SECONDS,
            receive_wait_time_seconds=20,
            kms_master_key_id=self._args.key_arn,
            kms_data_key_reuse_period_seconds=300,
            redrive_policy=redrive,
            tags=scope.tags(_COMPONENT, scope.name(name)),
            opts=scope.keeping(self),
        )
        aws.sqs.QueuePolicy(
            scope.name(name),
            queue_url=queue.url,
            policy=queue.arn.apply(lambda arn: queue_policy(scope, arn)),
            opts=scope.inside(self),
        )
        return queue


def queue_policy(scope: Scope, arn: str) -> str:
    """Refuses plain HTTP and strangers; grants nothing, so that roles alone decide who may do what."""
    strangers = {
        "Sid": "OwnAccountOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": scope.account}},
    }
    return documents.policy(documents.tls_only("sqs:*", arn), strangers)
