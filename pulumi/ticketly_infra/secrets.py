"""Secrets: made in AWS, kept in Secrets Manager, encrypted with the data key, read over TLS only.

Passwords come from Secrets Manager's own generator on the first update and are kept: later updates ignore what the
generator says then, and everybody reads the value of the kept version. So a password is in no file and in no
configuration; in the state it is encrypted, because Pulumi is told that it is secret. What only people know (the
payment provider's keys, the mail relay's login) gets an empty place here, never a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "secrets"
_PASSWORD_CHARS: Final = 40


@dataclass(frozen=True, slots=True)
class SecretsArgs:
    """`key_arn` encrypts all of them."""

    scope: Scope
    key_arn: pulumi.Input[str]


@dataclass(frozen=True, slots=True)
class Kept:
    """One secret: a JSON object with these fields. `value` is None where people put the value."""

    arn: pulumi.Output[str]
    fields: tuple[str, ...]
    value: pulumi.Output[str] | None = None
    version: aws.secretsmanager.SecretVersion | None = None

    def field(self, name: str) -> pulumi.Output[str]:
        """The value of one field, marked as secret. Raises KeyError for a field it has not."""
        if name not in self.fields or self.value is None:
            raise KeyError(name)
        return pulumi.Output.secret(self.value.apply(lambda text: str(json.loads(text)[name])))


class Secrets(pulumi.ComponentResource):
    """The place for secrets of a platform."""

    def __init__(self, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the place; the secrets are made by asking for them."""
        super().__init__(component_type("Secrets"), args.scope.name(_COMPONENT), None, opts)
        self._scope = args.scope
        self._key_arn = args.key_arn
        self.register_outputs({})

    def generated(
        self,
        purpose: str,
        passwords: Sequence[str],
        *,
        plain: Mapping[str, str] | None = None,
        prefix: str = "",
        description: str = "",
    ) -> Kept:
        """A secret with a password for each field, and fixed fields such as a user's name beside them."""
        beside = dict(plain or {})
        made = [
            pulumi.Output.secret(
                aws.secretsmanager.get_random_password_output(
                    password_length=_PASSWORD_CHARS,
                    exclude_punctuation=True,
                    require_each_included_type=True,
                    opts=pulumi.InvokeOutputOptions(parent=self),
                ).random_password
            )
            for _ in passwords
        ]
        names = tuple(passwords)
        text = pulumi.Output.all(*made).apply(
            lambda found: json.dumps({**beside, **dict(zip(names, found, strict=True))}, sort_keys=True)
        )
        return self._kept(purpose, (*beside, *names), text, prefix, description, ["secretString"])

    def derived(self, purpose: str, values: Mapping[str, pulumi.Input[str]], *, description: str = "") -> Kept:
        """A secret made of other secrets and addresses, such as a connection URL; it follows them."""
        text = pulumi.Output.all(**values).apply(lambda found: json.dumps(found, sort_keys=True))
        return self._kept(purpose, tuple(values), text, "", description, None)

    def from_people(self, purpose: str, fields: Sequence[str], *, description: str) -> Kept:
        """An empty place. Whoever knows the value puts a JSON object with these fields there."""
        return Kept(self._secret(purpose, "", description).arn, tuple(fields))

    def _kept(
        self,
        purpose: str,
        fields: tuple[str, ...],
        text: pulumi.Output[str],
        prefix: str,
        description: str,
        ignore: list[str] | None,
    ) -> Kept:
        secret = self._secret(purpose, prefix, description)
        hidden: pulumi.Output[str] = pulumi.Output.secret(text)
        version = aws.secretsmanager.SecretVersion(
            self._scope.name(purpose),
            secret_id=secret.id,
            secret_string=hidden,
            opts=self._scope.inside(self, ignore=ignore),
        )
        value = pulumi.Output.secret(version.secret_string.apply(lambda found: found or "{}"))
        return Kept(secret.arn, fields, value, version)

    def _secret(self, purpose: str, prefix: str, description: str) -> aws.secretsmanager.Secret:
        scope = self._scope
        secret = aws.secretsmanager.Secret(
            f"{prefix}{scope.name(purpose)}",
            description=description or f"Ticketly: {purpose}",
            kms_key_id=self._key_arn,
            recovery_window_in_days=scope.settings.secret_recovery_days,
            tags=scope.tags(_COMPONENT, scope.name(purpose)),
            opts=scope.keeping(self),
        )
        aws.secretsmanager.SecretPolicy(
            scope.name(purpose),
            secret_arn=secret.arn,
            block_public_policy=True,
            policy=secret.arn.apply(lambda arn: documents.policy(documents.tls_only("secretsmanager:*", arn))),
            opts=scope.inside(self),
        )
        return secret
