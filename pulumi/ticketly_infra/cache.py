"""The cache of profile `prod`: ElastiCache with a token, TLS and encryption, over three zones.

Losing it loses nothing but speed; it is protected all the same, because an empty cache during a sale hurts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import groups
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Kept, Secrets

PORT: Final = 6379
_COMPONENT: Final = "cache"


@dataclass(frozen=True, slots=True)
class CacheArgs:
    """`clients`: word -> id of a security group that may connect."""

    scope: Scope
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]
    secrets: Secrets


class Cache(pulumi.ComponentResource):
    """`secret` holds the whole URL under `url`."""

    def __init__(self, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the cache."""
        scope = args.scope
        settings = scope.settings.cache
        name = scope.name(_COMPONENT)
        super().__init__(component_type("Cache"), name, None, opts)
        group = groups.security_group(scope, self, _COMPONENT, args.vpc_id, "Redis")
        groups.let_in(scope, self, _COMPONENT, group, args.clients, PORT)
        subnets = aws.elasticache.SubnetGroup(
            name,
            description="Private subnets of Ticketly",
            subnet_ids=args.subnet_ids,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        token = args.secrets.generated("cache-token", ["token"])
        self.group = aws.elasticache.ReplicationGroup(
            name,
            description="Shield and cache of Ticketly",
            engine="redis",
            engine_version="7.1",
            node_type=settings.node_type,
            num_cache_clusters=settings.nodes,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            subnet_group_name=subnets.name,
            security_group_ids=[group.id],
            port=PORT,
            at_rest_encryption_enabled=True,
            kms_key_id=args.key_arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=token.field("token"),
            auth_token_update_strategy="ROTATE",  # noqa: S106  a way to change it, not a token
            auto_minor_version_upgrade="true",
            snapshot_retention_limit=1,
            snapshot_window="18:00-19:00",
            maintenance_window="sun:21:30-sun:22:30",
            apply_immediately=False,
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self),
        )
        self.nodes: list[pulumi.Output[str]] = [
            self.group.replication_group_id.apply(lambda found, number=number: f"{found}-{number:03d}")
            for number in range(1, settings.nodes + 1)
        ]
        self.secret: Kept = args.secrets.derived(
            "redis",
            {
                "url": pulumi.Output.all(token.field("token"), self.group.primary_endpoint_address).apply(
                    lambda found: f"rediss://:{found[0]}@{found[1]}:{PORT}/0"
                )
            },
            description="Ticketly: URL of the cache",
        )
        self.register_outputs({})
