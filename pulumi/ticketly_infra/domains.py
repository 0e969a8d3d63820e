"""Names and certificates: the hosted zone, certificates for load balancer and CloudFront, who may issue them.

The zone is made here unless `ticketly:hostedZoneId` names one. Certificates renew themselves as long as the checking
records stay. CAA records let Amazon alone issue for this domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "domains"
_CLOUDFRONT_REGION: Final = "us-east-1"
"""CloudFront takes certificates from there only, wherever the rest is."""


@dataclass(frozen=True, slots=True)
class DomainsArgs:
    """Nothing but the place."""

    scope: Scope


class Domains(pulumi.ComponentResource):
    """`zone_id`, `certificate_arn` (api, auth) and `images_certificate_arn`, both only once they are valid."""

    def __init__(self, args: DomainsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make or take the zone, ask for the certificates."""
        scope = args.scope
        settings = scope.settings
        super().__init__(component_type("Domains"), scope.name(_COMPONENT), None, opts)
        self._scope = scope
        self.name_servers: pulumi.Output[list[str]] = pulumi.Output.from_input([])
        if settings.hosted_zone_id:
            self.zone_id: pulumi.Output[str] = pulumi.Output.from_input(settings.hosted_zone_id)
        else:
            zone = aws.route53.Zone(
                scope.name("zone"),
                name=settings.domain,
                comment="Ticketly",
                force_destroy=False,
                tags=scope.tags(_COMPONENT, settings.domain),
                opts=scope.keeping(self),
            )
            self.zone_id = zone.zone_id
            self.name_servers = zone.name_servers
        for host in (settings.api_host, settings.auth_host, settings.images_host):
            aws.route53.Record(
                scope.name("caa", host.partition(".")[0]),
                zone_id=self.zone_id,
                name=host,
                type="CAA",
                ttl=3600,
                records=['0 issue "amazon.com"', '0 issuewild ";"'],
                opts=scope.inside(self),
            )
        self.certificate_arn = self._certificate("edge", [settings.api_host, settings.auth_host], scope.region)
        self.images_certificate_arn = self._certificate("images", [settings.images_host], _CLOUDFRONT_REGION)
        self.register_outputs({"zoneId": self.zone_id})

    def _certificate(self, part: str, hosts: list[str], region: str) -> pulumi.Output[str]:
        scope = self._scope
        certificate = aws.acm.Certificate(
            scope.name("certificate", part),
            domain_name=hosts[0],
            subject_alternative_names=hosts[1:] or None,
            validation_method="DNS",
            key_algorithm="EC_prime256v1",
            region=region,
            tags=scope.tags(_COMPONENT, hosts[0]),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )
        records = []
        for number, host in enumerate(hosts):
            option = certificate.domain_validation_options[number]
            records.append(
                aws.route53.Record(
                    scope.name("certificate", part, host.partition(".")[0]),
                    zone_id=self.zone_id,
                    name=option["resource_record_name"],
                    type=option["resource_record_type"],
                    ttl=300,
                    records=[option["resource_record_value"]],
                    allow_overwrite=True,
                    opts=scope.inside(self),
                )
            )
        valid = aws.acm.CertificateValidation(
            scope.name("certificate", part),
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn for record in records],
            region=region,
            opts=scope.inside(self),
        )
        arn: pulumi.Output[str] = valid.certificate_arn
        return arn
