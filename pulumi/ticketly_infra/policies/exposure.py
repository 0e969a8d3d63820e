"""Nothing but the load balancer's 80 and 443 is open to the world, and nothing has a public address of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Any, Final

from ticketly_infra.policies.model import UNKNOWN, Rule, Seen, many, of

_OPEN_PORTS: Final = (80, 443)
_INGRESS: Final = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_OLD_RULE: Final = "ec2/securityGroupRule:SecurityGroupRule"
_GROUP: Final = "ec2/securityGroup:SecurityGroup"
_WIDEST: Final = 8
"""Shorter prefixes are the world by another name."""


def world_ports(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Open to the world: 80 and 443 over TCP, one port at a time."""
    for one in resources:
        for blocks, protocol, low, high in _openings(one):
            wide = [block for block in blocks if _is_world(block)]
            if wide and not (protocol == "tcp" and low == high and low in _OPEN_PORTS):
                yield one.name, f"opens {protocol} {low}-{high} to {', '.join(wide)}"


def _openings(one: Seen) -> Iterator[tuple[list[str], str, Any, Any]]:
    if one.type == _INGRESS:
        blocks = [one.get("cidrIpv4"), one.get("cidrIpv6")]
        yield [block for block in blocks if block], str(one.get("ipProtocol")), one.get("fromPort"), one.get("toPort")
    elif one.type == _OLD_RULE and one.get("type") == "ingress":
        yield _blocks(one.inputs), str(one.get("protocol")), one.get("fromPort"), one.get("toPort")
    elif one.type in {_GROUP, "ec2/defaultSecurityGroup:DefaultSecurityGroup"}:
        for rule in many(one.get("ingress")):
            yield _blocks(rule), str(rule.get("protocol")), rule.get("fromPort"), rule.get("toPort")


def _blocks(rule: Any) -> list[str]:
    return [*many(rule.get("cidrBlocks")), *many(rule.get("ipv6CidrBlocks"))]


def _is_world(block: str) -> bool:
    if block == UNKNOWN:
        return False
    return ip_network(block, strict=False).prefixlen < _WIDEST


def nothing_public(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Public addresses, public endpoints, public objects."""
    for one in resources:
        for path, allowed in _MUST_BE.get(one.type, {}).items():
            value = one.get(path)
            if value not in (*allowed, UNKNOWN):
                yield one.name, f"{path} is {value!r}"
        if one.type == "eks/cluster:Cluster":
            yield from _endpoint(one)
        if one.type in {"s3/bucketAcl:BucketAcl", "ec2/eipAssociation:EipAssociation"}:
            yield one.name, "makes something public"
        if one.type == "ec2/eip:Eip" and (one.get("instance") or one.get("networkInterface")):
            yield one.name, "gives a machine a public address"


_MUST_BE: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "docdb/clusterInstance:ClusterInstance": {"publiclyAccessible": (None, False)},
    "ec2/instance:Instance": {"associatePublicIpAddress": (False,)},
    "ec2/launchTemplate:LaunchTemplate": {"networkInterfaces.0.associatePublicIpAddress": (None, False, "false")},
    "ec2/subnet:Subnet": {"mapPublicIpOnLaunch": (None, False)},
    "ecs/service:Service": {"networkConfiguration.assignPublicIp": (None, False)},
    "msk/cluster:Cluster": {"brokerNodeGroupInfo.connectivityInfo.publicAccess.type": (None, "DISABLED")},
    "rds/instance:Instance": {"publiclyAccessible": (False,)},
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {
        "blockPublicAcls": (True,),
        "blockPublicPolicy": (True,),
        "ignorePublicAcls": (True,),
        "restrictPublicBuckets": (True,),
    },
}
"""Type -> input -> what it may say; None stands for saying nothing."""


def _endpoint(one: Seen) -> Iterator[tuple[str, str]]:
    if one.get("vpcConfig.endpointPublicAccess", True) is False:
        return
    blocks = many(one.get("vpcConfig.publicAccessCidrs"))
    if not blocks:
        yield one.name, "its endpoint is public and names no blocks, which means everybody"
    for block in blocks:
        if _is_world(block):
            yield one.name, f"its endpoint is open to {block}"


_PLACES: Final = (
    "brokerNodeGroupInfo.clientSubnets",
    "networkConfiguration.subnets",
    "subnetId",
    "subnetIds",
    "vpcConfig.subnetIds",
    "vpcZoneIdentifiers",
)


def public_subnets(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """In subnets that lead to the internet gateway stand the load balancer and NAT gateways alone."""
    tables = {one.get("routeTableId") for one in of(resources, "ec2/route:Route") if one.get("gatewayId")}
    public = {
        one.get("subnetId")
        for one in of(resources, "ec2/routeTableAssociation:RouteTableAssociation")
        if one.get("routeTableId") in tables
    } - {UNKNOWN}
    for one in resources:
        if one.type in {
            "ec2/natGateway:NatGateway",
            "lb/loadBalancer:LoadBalancer",
            "ec2/routeTableAssociation:RouteTableAssociation",
        }:
            continue
        for path in (
            "subnetId",
            "subnetIds",
            "vpcZoneIdentifiers",
            "vpcConfig.subnetIds",
            "networkConfiguration.subnets",
        ):
            if public & {place for place in many(one.get(path)) if isinstance(place, str)}:
                yield one.name, "stands in a public subnet"
        if public & set(many(one.get("brokerNodeGroupInfo.clientSubnets"))):
            yield one.name, "stands in a public subnet"


def buckets_blocked(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Every bucket has its block of public access, under the same name."""
    blocked = {one.name for one in of(resources, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock")}
    for one in of(resources, "s3/bucket:Bucket", "s3/bucketV2:BucketV2"):
        if one.name not in blocked:
            yield one.name, "does not block public access"


SINGLE: Final[dict[str, Rule]] = {"world-ports": world_ports, "nothing-public": nothing_public}
WHOLE: Final[dict[str, Rule]] = {"public-subnets": public_subnets, "buckets-blocked": buckets_blocked}
