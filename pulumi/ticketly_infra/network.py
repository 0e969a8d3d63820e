"""The network: one VPC, three zones, a public and a private subnet in each, ways out, endpoints, flow logs.

Public subnets hold the load balancer and the NAT gateways and nothing else; whatever runs or stores is in the private
ones and has no public address. The default security group, which AWS fills with rules, is emptied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents, groups
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "network"
_INTERFACES: Final = ("ecr.api", "ecr.dkr", "kms", "logs", "secretsmanager", "sqs", "sts")
"""What every node and pod asks for all day; each endpoint costs by zone and hour, so the list is short."""

_OWN_BUCKET_ACTIONS: Final = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:PutObject",
)


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    """`logs_key_arn` encrypts the flow logs."""

    scope: Scope
    logs_key_arn: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """`public_subnet_ids[i]` and `private_subnet_ids[i]` lie in zone i of the address plan."""

    def __init__(self, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the network."""
        scope = args.scope
        super().__init__(component_type("Network"), scope.name(_COMPONENT), None, opts)
        self._scope = scope
        plan = scope.settings.network.plan
        self.cidr = str(plan.vpc)
        self.vpc = aws.ec2.Vpc(
            scope.name(_COMPONENT),
            cidr_block=self.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=scope.tags(_COMPONENT, scope.name(_COMPONENT)),
            opts=scope.inside(self),
        )
        self.vpc_id: pulumi.Output[str] = self.vpc.id
        aws.ec2.DefaultSecurityGroup(
            scope.name(_COMPONENT, "default"),
            vpc_id=self.vpc.id,
            ingress=[],
            egress=[],
            tags=scope.tags(_COMPONENT, scope.name("unused")),
            opts=scope.inside(self),
        )
        public = self._subnets("public", [str(block) for block in plan.public])
        private = self._subnets("private", [str(block) for block in plan.private])
        self.public_subnet_ids: list[pulumi.Output[str]] = [subnet.id for subnet in public]
        self.private_subnet_ids: list[pulumi.Output[str]] = [subnet.id for subnet in private]
        self.gateways: list[aws.ec2.NatGateway] = []
        self._public_routes(public)
        self.private_route_table_ids: list[pulumi.Output[str]] = self._private_routes(public, private)
        self._endpoints()
        self._flow_logs(args.logs_key_arn)
        self.register_outputs({"vpcId": self.vpc_id})

    def _subnets(self, kind: str, blocks: list[str]) -> list[aws.ec2.Subnet]:
        scope = self._scope
        # load balancers that somebody makes from inside the cluster find their subnets by these tags
        role = {"kubernetes.io/role/elb" if kind == "public" else "kubernetes.io/role/internal-elb": "1"}
        return [
            aws.ec2.Subnet(
                scope.name(_COMPONENT, kind, letter),
                vpc_id=self.vpc.id,
                cidr_block=block,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags={**scope.tags(_COMPONENT, scope.name(kind, letter)), **role},
                opts=scope.inside(self),
            )
            for letter, zone, block in zip(scope.settings.network.zones, scope.settings.zones, blocks, strict=True)
        ]

    def _public_routes(self, subnets: list[aws.ec2.Subnet]) -> None:
        scope = self._scope
        gateway = aws.ec2.InternetGateway(
            scope.name(_COMPONENT),
            vpc_id=self.vpc.id,
            tags=scope.tags(_COMPONENT, scope.name(_COMPONENT)),
            opts=scope.inside(self),
        )
        table = self._table("public", subnets)
        aws.ec2.Route(
            scope.name(_COMPONENT, "public"),
            route_table_id=table.id,
            destination_cidr_block=groups.ANYWHERE,
            gateway_id=gateway.id,
            opts=scope.inside(self),
        )

    def _private_routes(self, public: list[aws.ec2.Subnet], private: list[aws.ec2.Subnet]) -> list[pulumi.Output[str]]:
        """One table for each zone in either case, so that a change from one gateway to three replaces no table."""
        scope = self._scope
        letters = scope.settings.network.zones
        homes = public if scope.settings.network.nat_gateways == "perZone" else public[:1]
        for letter, home in zip(letters, homes, strict=False):
            name = scope.name(_COMPONENT, "nat", letter)
            address = aws.ec2.Eip(name, domain="vpc", tags=scope.tags(_COMPONENT, name), opts=scope.inside(self))
            self.gateways.append(
                aws.ec2.NatGateway(
                    name,
                    subnet_id=home.id,
                    allocation_id=address.allocation_id,
                    connectivity_type="public",
                    tags=scope.tags(_COMPONENT, name),
                    opts=scope.inside(self),
                )
            )
        tables = []
        for number, (letter, subnet) in enumerate(zip(letters, private, strict=True)):
            table = self._table(f"private-{letter}", [subnet])
            aws.ec2.Route(
                scope.name(_COMPONENT, "private", letter),
                route_table_id=table.id,
                destination_cidr_block=groups.ANYWHERE,
                nat_gateway_id=self.gateways[min(number, len(self.gateways) - 1)].id,
                opts=scope.inside(self),
            )
            tables.append(table.id)
        return tables

    def _table(self, part: str, subnets: list[aws.ec2.Subnet]) -> aws.ec2.RouteTable:
        scope = self._scope
        name = scope.name(_COMPONENT, part)
        table = aws.ec2.RouteTable(name, vpc_id=self.vpc.id, tags=scope.tags(_COMPONENT, name), opts=scope.inside(self))
        for number, subnet in enumerate(subnets):
            aws.ec2.RouteTableAssociation(
                f"{name}-{number}", route_table_id=table.id, subnet_id=subnet.id, opts=scope.inside(self)
            )
        return table

    def _endpoints(self) -> None:
        scope = self._scope
        aws.ec2.VpcEndpoint(
            scope.name(_COMPONENT, "s3"),
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{scope.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=self.private_route_table_ids,
            policy=bucket_endpoint_policy(scope),
            tags=scope.tags(_COMPONENT, scope.name("s3")),
            opts=scope.inside(self),
        )
        if not scope.settings.network.interface_endpoints:
            return
        group = groups.security_group(
            scope, self, _COMPONENT, self.vpc.id, "AWS services, reached from inside", "endpoints"
        )
        aws.vpc.SecurityGroupIngressRule(
            scope.name(_COMPONENT, "endpoints-from-network"),
            security_group_id=group.id,
            cidr_ipv4=self.cidr,
            ip_protocol="tcp",
            from_port=groups.HTTPS_PORT,
            to_port=groups.HTTPS_PORT,
            description="the network to AWS services",
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        for service in _INTERFACES:
            aws.ec2.VpcEndpoint(
                scope.name(_COMPONENT, service.replace(".", "-")),
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{scope.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=self.private_subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                tags=scope.tags(_COMPONENT, scope.name(service)),
                opts=scope.inside(self),
            )

    def _flow_logs(self, key_arn: pulumi.Input[str]) -> None:
        scope = self._scope
        group = aws.cloudwatch.LogGroup(
            scope.name(_COMPONENT, "flow"),
            retention_in_days=scope.settings.network.flow_log_days,
            kms_key_id=key_arn,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        writer = aws.iam.Role(
            scope.name(_COMPONENT, "flow"),
            description="VPC flow logs to CloudWatch",
            assume_role_policy=documents.trust(
                "vpc-flow-logs.amazonaws.com", conditions=documents.only_from(scope.account)
            ),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        actions = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
        aws.iam.RolePolicy(
            scope.name(_COMPONENT, "flow"),
            role=writer.name,
            policy=group.arn.apply(lambda arn: documents.policy(documents.allow(actions, [arn, f"{arn}:*"]))),
            opts=scope.inside(self),
        )
        aws.ec2.FlowLog(
            scope.name(_COMPONENT, "flow"),
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=writer.arn,
            max_aggregation_interval=60,
            tags=scope.tags(_COMPONENT, scope.name("flow")),
            opts=scope.inside(self),
        )


def bucket_endpoint_policy(scope: Scope) -> str:
    """What may leave through the S3 endpoint: this account's buckets, and AWS's own that machines read from."""
    region, partition = scope.region, scope.partition
    read_only = [
        f"arn:{partition}:s3:::prod-{region}-starport-layer-bucket/*",  # layers of images in ECR
        f"arn:{partition}:s3:::al2023-repos-{region}-de612dc2/*",  # packages of Amazon Linux
        f"arn:{partition}:s3:::amazon-ssm-{region}/*",
        f"arn:{partition}:s3:::aws-ssm-{region}/*",
    ]
    anybody = {"Principal": {"AWS": "*"}}
    own = {"StringEquals": {"aws:ResourceAccount": scope.account}}
    return documents.policy(
        {**anybody, **documents.allow(_OWN_BUCKET_ACTIONS, "*", sid="OwnBuckets", conditions=own)},
        {**anybody, **documents.allow("s3:GetObject", read_only, sid="BucketsOfAws")},
    )
