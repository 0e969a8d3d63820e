"""Security groups: who may speak to whom, on which port. A group opens nothing that is not said here.

Rules are resources of their own and name a group as their source wherever they can, never a block of addresses that
happens to contain it. A group made here starts without any outgoing rule as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra.naming import Scope

ANYWHERE: Final = "0.0.0.0/0"
HTTPS_PORT: Final = 443


def security_group(
    scope: Scope, parent: pulumi.Resource, component: str, vpc_id: pulumi.Input[str], description: str, part: str = ""
) -> aws.ec2.SecurityGroup:
    """A group without rules."""
    name = scope.name(component, part) if part else scope.name(component)
    return aws.ec2.SecurityGroup(
        name,
        vpc_id=vpc_id,
        description=description,
        revoke_rules_on_delete=True,
        tags=scope.tags(component, name),
        opts=scope.inside(parent),
    )


def let_in(
    scope: Scope,
    parent: pulumi.Resource,
    component: str,
    group: aws.ec2.SecurityGroup,
    sources: Mapping[str, pulumi.Input[str]],
    port: int,
    *,
    to_port: int | None = None,
    protocol: str = "tcp",
) -> list[aws.vpc.SecurityGroupIngressRule]:
    """Let each source (word -> id of its group) in on one port, or a range of them."""
    return [
        aws.vpc.SecurityGroupIngressRule(
            scope.name(component, "from", word, str(port), *(() if protocol == "tcp" else (protocol,))),
            security_group_id=group.id,
            referenced_security_group_id=source,
            ip_protocol=protocol,
            from_port=port,
            to_port=port if to_port is None else to_port,
            description=f"{word} to {component}",
            tags=scope.tags(component),
            opts=scope.inside(parent),
        )
        for word, source in sources.items()
    ]


def open_to_world(
    scope: Scope, parent: pulumi.Resource, component: str, group: aws.ec2.SecurityGroup, port: int
) -> aws.vpc.SecurityGroupIngressRule:
    """Let everybody in; only the load balancer asks for this, on 80 and 443."""
    return aws.vpc.SecurityGroupIngressRule(
        scope.name(component, "from-world", str(port)),
        security_group_id=group.id,
        cidr_ipv4=ANYWHERE,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=f"everybody to {component}",
        tags=scope.tags(component),
        opts=scope.inside(parent),
    )


def let_out(
    scope: Scope,
    parent: pulumi.Resource,
    component: str,
    group: aws.ec2.SecurityGroup,
    block: str,
    port: int | None = None,
    *,
    part: str = "",
) -> aws.vpc.SecurityGroupEgressRule:
    """Let the group out to a block of addresses; without a port on all of them."""
    words = [component, *([part] if part else []), "to", "world" if block == ANYWHERE else "network"]
    ports = {} if port is None else {"from_port": port, "to_port": port}
    return aws.vpc.SecurityGroupEgressRule(
        scope.name(*words, "all" if port is None else str(port)),
        security_group_id=group.id,
        cidr_ipv4=block,
        ip_protocol="-1" if port is None else "tcp",
        description=f"{component} outwards",
        tags=scope.tags(component),
        opts=scope.inside(parent),
        **ports,
    )
