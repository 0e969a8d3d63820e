"""Encryption keys: one for data, one for what is written about it (logs, alarms).

Two keys, so that whoever reads logs cannot read data. Rotated every year; a deleted key waits 30 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "keys"
_USE: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


@dataclass(frozen=True, slots=True)
class KeysArgs:
    """Nothing but the place."""

    scope: Scope


class Keys(pulumi.ComponentResource):
    """`data` and `logs`, each with an alias."""

    def __init__(self, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the keys."""
        super().__init__(component_type("Keys"), args.scope.name(_COMPONENT), None, opts)
        self._scope = args.scope
        self.data = self._key("data", "Data of a Ticketly platform", data_key_policy(args.scope))
        self.logs = self._key("logs", "Logs and alarms of a Ticketly platform", logs_key_policy(args.scope))
        self.data_arn: pulumi.Output[str] = self.data.arn
        self.logs_arn: pulumi.Output[str] = self.logs.arn
        self.register_outputs({"dataKeyArn": self.data_arn, "logsKeyArn": self.logs_arn})

    def _key(self, purpose: str, description: str, key_policy: str) -> aws.kms.Key:
        scope = self._scope
        key = aws.kms.Key(
            scope.name("key", purpose),
            description=description,
            policy=key_policy,
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=scope.tags(_COMPONENT, scope.name(purpose)),
            opts=scope.keeping(self),
        )
        aws.kms.Alias(
            scope.name("key", purpose),
            name=f"alias/{scope.name(purpose)}",
            target_key_id=key.key_id,
            opts=scope.inside(self),
        )
        return key


def _account(scope: Scope) -> dict[str, Any]:
    """Without it nobody could administer the key; in a key's policy `*` is the key itself."""
    return documents.allow_principal(
        f"arn:{scope.partition}:iam::{scope.account}:root", "kms:*", "*", sid="AccountDecidesByItsPolicies"
    )


def data_key_policy(scope: Scope) -> str:
    """Beside the account: CloudFront, to read images of the bucket behind it."""
    distributions = f"arn:{scope.partition}:cloudfront::{scope.account}:distribution/*"
    return documents.policy(
        _account(scope),
        documents.allow_service(
            "cloudfront.amazonaws.com",
            "kms:Decrypt",
            sid="ImagesToCloudFront",
            conditions=documents.only_from(scope.account, distributions),
        ),
    )


def logs_key_policy(scope: Scope) -> str:
    """Beside the account: the log service of this region, and what raises alarms."""
    groups_here = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": scope.arn("logs", "*")}}
    return documents.policy(
        _account(scope),
        documents.allow_service(f"logs.{scope.region}.amazonaws.com", _USE, sid="Logs", conditions=groups_here),
        documents.allow_service(
            ("cloudwatch.amazonaws.com", "budgets.amazonaws.com", "ses.amazonaws.com"),
            ("kms:Decrypt", "kms:GenerateDataKey*"),
            sid="Alarms",
            conditions=documents.only_from(scope.account),
        ),
    )
