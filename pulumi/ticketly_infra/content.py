"""Images for visitors: CloudFront in front of the private bucket. CloudFront signs its own requests (OAC).

GET and HEAD only; nothing but TLS 1.2 and newer; the origin is never reached without the distribution's signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra.domains import Domains
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.storage import Storage, images_policy

_COMPONENT: Final = "content"
_CACHING_OPTIMIZED: Final = "658327ea-f89d-4fab-a63d-7e88639e58f6"
_SECURITY_HEADERS: Final = "67f7725c-6f97-4210-82d7-5512b31e9d03"
"""Policies that AWS maintains; their ids are the same in every account."""


@dataclass(frozen=True, slots=True)
class ContentArgs:
    """The bucket of `storage` and the certificate of `domains`."""

    scope: Scope
    storage: Storage
    domains: Domains


class Content(pulumi.ComponentResource):
    """`https://images.<domain>`."""

    def __init__(self, args: ContentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the distribution, let it read the bucket, give it its name."""
        scope = args.scope
        settings = scope.settings
        name = scope.name("images")
        super().__init__(component_type("Content"), scope.name(_COMPONENT), None, opts)
        bucket = args.storage.images
        access = aws.cloudfront.OriginAccessControl(
            name,
            description="CloudFront to the images of Ticketly",
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
            opts=scope.inside(self),
        )
        self.distribution = aws.cloudfront.Distribution(
            name,
            enabled=True,
            comment=f"Images of Ticketly {settings.stack}",
            aliases=[settings.images_host],
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class="PriceClass_200",
            origins=[
                {
                    "origin_id": "images",
                    "domain_name": bucket.bucket_regional_domain_name,
                    "origin_access_control_id": access.id,
                }
            ],
            default_cache_behavior={
                "target_origin_id": "images",
                "viewer_protocol_policy": "redirect-to-https",
                "allowed_methods": ["GET", "HEAD"],
                "cached_methods": ["GET", "HEAD"],
                "cache_policy_id": _CACHING_OPTIMIZED,
                "response_headers_policy_id": _SECURITY_HEADERS,
                "compress": True,
            },
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={
                "acm_certificate_arn": args.domains.images_certificate_arn,
                "ssl_support_method": "sni-only",
                "minimum_protocol_version": "TLSv1.2_2021",
            },
            tags=scope.tags(_COMPONENT, name),
            opts=scope.inside(self),
        )
        aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=pulumi.Output.all(bucket.arn, self.distribution.arn).apply(
                lambda found: images_policy(scope, found[0], found[1])
            ),
            opts=scope.inside(self),
        )
        for kind in ("A", "AAAA"):
            aws.route53.Record(
                scope.name("images", kind.lower()),
                zone_id=args.domains.zone_id,
                name=settings.images_host,
                type=kind,
                aliases=[
                    {
                        "name": self.distribution.domain_name,
                        "zone_id": self.distribution.hosted_zone_id,
                        "evaluate_target_health": False,
                    }
                ],
                opts=scope.inside(self),
            )
        self.register_outputs({"distributionId": self.distribution.id})
