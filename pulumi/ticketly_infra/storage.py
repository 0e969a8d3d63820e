"""Buckets: images of events, and the access logs of the load balancer. Private, TLS only.

Nobody reads images from the bucket itself: visitors through CloudFront, which the bucket's policy names, owners with
signed links that the services make. Access logs use S3's own key: the service that writes them can use no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "storage"
_OLD_VERSION_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class StorageArgs:
    """`key_arn` encrypts the images."""

    scope: Scope
    key_arn: pulumi.Input[str]


class Storage(pulumi.ComponentResource):
    """`images` (its policy is written by `content.py`, which knows the distribution) and `logs`."""

    def __init__(self, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the buckets."""
        scope = args.scope
        super().__init__(component_type("Storage"), scope.name(_COMPONENT), None, opts)
        self._scope = scope
        self.images = self._bucket("images", "aws:kms", args.key_arn)
        aws.s3.BucketVersioning(
            scope.name("images"),
            bucket=self.images.id,
            versioning_configuration={"status": "Enabled"},
            opts=scope.inside(self),
        )
        self._life_cycle(
            self.images,
            "images",
            {"noncurrent_version_expiration": {"noncurrent_days": _OLD_VERSION_DAYS}},
        )
        aws.s3.BucketCorsConfiguration(
            scope.name("images"),
            bucket=self.images.id,
            cors_rules=[
                {
                    "allowed_methods": ["GET", "HEAD"],
                    "allowed_origins": list(scope.settings.web_origins) or [f"https://{scope.settings.domain}"],
                    "max_age_seconds": 3600,
                }
            ],
            opts=scope.inside(self),
        )
        self.logs = self._bucket("access-logs", "AES256", None)
        self._life_cycle(self.logs, "access-logs", {"expiration": {"days": scope.settings.edge.log_days}})
        self.logs_policy = aws.s3.BucketPolicy(
            scope.name("access-logs"),
            bucket=self.logs.id,
            policy=self.logs.arn.apply(lambda arn: logs_policy(scope, arn)),
            opts=scope.inside(self),
        )
        self.register_outputs({"images": self.images.bucket, "logs": self.logs.bucket})

    def _bucket(self, part: str, algorithm: str, key_arn: pulumi.Input[str] | None) -> aws.s3.Bucket:
        scope = self._scope
        name = scope.name(part)
        bucket = aws.s3.Bucket(name, force_destroy=False, tags=scope.tags(_COMPONENT, name), opts=scope.keeping(self))
        default: dict[str, Any] = {"sse_algorithm": algorithm}
        if key_arn is not None:
            default["kms_master_key_id"] = key_arn
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                {
                    "bucket_key_enabled": key_arn is not None,
                    "apply_server_side_encryption_by_default": default,
                }
            ],
            opts=scope.inside(self),
        )
        aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=scope.inside(self),
        )
        aws.s3.BucketOwnershipControls(
            name, bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=scope.inside(self)
        )
        return bucket

    def _life_cycle(self, bucket: aws.s3.Bucket, part: str, what: dict[str, Any]) -> None:
        scope = self._scope
        aws.s3.BucketLifecycleConfiguration(
            scope.name(part),
            bucket=bucket.id,
            rules=[
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 3},
                    **what,
                }
            ],
            opts=scope.inside(self),
        )


def logs_policy(scope: Scope, arn: str) -> str:
    """The log delivery of load balancers of this account may write below its prefix; nobody may speak plain HTTP."""
    balancers = scope.arn("elasticloadbalancing", "loadbalancer/*")
    return documents.policy(
        documents.tls_only("s3:*", [arn, f"{arn}/*"]),
        documents.allow_service(
            "logdelivery.elasticloadbalancing.amazonaws.com",
            "s3:PutObject",
            f"{arn}/balancer/AWSLogs/{scope.account}/*",
            sid="AccessLogs",
            conditions={"ArnLike": {"aws:SourceArn": balancers}},
        ),
    )


def images_policy(scope: Scope, bucket_arn: str, distribution_arn: str) -> str:
    """One distribution may read images; nobody may speak plain HTTP."""
    return documents.policy(
        documents.tls_only("s3:*", [bucket_arn, f"{bucket_arn}/*"]),
        documents.allow_service(
            "cloudfront.amazonaws.com",
            "s3:GetObject",
            f"{bucket_arn}/*",
            sid="ImagesToCloudFront",
            conditions={"StringEquals": {"aws:SourceArn": distribution_arn, "aws:SourceAccount": scope.account}},
        ),
    )
