"""Mail: the domain as a sender of SES, signed (DKIM), with SPF and DMARC, TLS required, bounces told to the alarms.

The platform's email service speaks SMTP. An SMTP login of SES is made from an access key of a user, a static key, so
this program makes none: the policy that such a login needs is made here, its value is put into the secret `mail` by
people, who also rotate it. Any other relay's login goes into the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "mail"
_DKIM_TOKENS: Final = 3


@dataclass(frozen=True, slots=True)
class MailArgs:
    """`topic_arn` hears of bounces and complaints."""

    scope: Scope
    zone_id: pulumi.Input[str]
    topic_arn: pulumi.Input[str]


class Mail(pulumi.ComponentResource):
    """`host` is the SMTP relay; `sender_policy_arn` is what its login needs."""

    def __init__(self, args: MailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the identity and its records."""
        scope = args.scope
        domain = scope.settings.domain
        name = scope.name(_COMPONENT)
        super().__init__(component_type("Mail"), name, None, opts)
        self._args = args
        self.host = f"email-smtp.{scope.region}.amazonaws.com"
        settings = aws.sesv2.ConfigurationSet(
            name,
            configuration_set_name=name,
            delivery_options={"tls_policy": "REQUIRE"},
            reputation_options={"reputation_metrics_enabled": True},
            suppression_options={"suppressed_reasons": ["BOUNCE", "COMPLAINT"]},
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        aws.sesv2.ConfigurationSetEventDestination(
            name,
            configuration_set_name=settings.configuration_set_name,
            event_destination_name="alarms",
            event_destination={
                "enabled": True,
                "matching_event_types": ["BOUNCE", "COMPLAINT", "REJECT", "RENDERING_FAILURE"],
                "sns_destination": {"topic_arn": args.topic_arn},
            },
            opts=scope.inside(self),
        )
        identity = aws.sesv2.EmailIdentity(
            name,
            email_identity=domain,
            configuration_set_name=settings.configuration_set_name,
            dkim_signing_attributes={"next_signing_key_length": "RSA_2048_BIT"},
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        for number in range(_DKIM_TOKENS):
            token = identity.dkim_signing_attributes.apply(lambda found, number=number: str(found.tokens[number]))
            self._record(
                f"dkim-{number}",
                token.apply(lambda found: f"{found}._domainkey.{domain}"),
                "CNAME",
                [token.apply(lambda found: f"{found}.dkim.amazonses.com")],
            )
        bounce = f"bounce.{domain}"
        aws.sesv2.EmailIdentityMailFromAttributes(
            name,
            email_identity=identity.email_identity,
            mail_from_domain=bounce,
            behavior_on_mx_failure="REJECT_MESSAGE",
            opts=scope.inside(self),
        )
        self._record("mx", bounce, "MX", [f"10 feedback-smtp.{scope.region}.amazonses.com"])
        self._record("spf", bounce, "TXT", ["v=spf1 include:amazonses.com -all"])
        report = f"; rua=mailto:{scope.settings.mail.report_to}" if scope.settings.mail.report_to else ""
        self._record("dmarc", f"_dmarc.{domain}", "TXT", [f"v=DMARC1; p=quarantine; adkim=s; aspf=r{report}"])
        policy = aws.iam.Policy(
            name,
            description="Send mail of Ticketly from its own domain, nothing else",
            policy=documents.policy(
                documents.allow(
                    "ses:SendRawEmail",
                    [scope.arn("ses", f"identity/{domain}"), scope.arn("ses", f"configuration-set/{name}")],
                    conditions={"StringEquals": {"ses:FromAddress": scope.settings.mail_sender}},
                )
            ),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        self.sender_policy_arn: pulumi.Output[str] = policy.arn
        self.register_outputs({"host": self.host})

    def _record(self, part: str, host: pulumi.Input[str], kind: str, values: list[pulumi.Input[str]]) -> None:
        scope = self._args.scope
        aws.route53.Record(
            scope.name(_COMPONENT, part),
            zone_id=self._args.zone_id,
            name=host,
            type=kind,
            ttl=3600,
            records=values,
            opts=scope.inside(self),
        )
