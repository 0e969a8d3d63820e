"""The cluster of profile `dev`: k3s on EC2, all of it in private subnets.

One server, whose disk holds the cluster's own state (SQLite), and workers that replace themselves. What the platform
needs to survive is in the database and on the data node, so a lost server costs an hour and no data:
`ticketly provision up`, then apply the platform file again. The join token is generated, and fetched at boot; it is in
no user data.

k3s has no Pod Identity: pods use the workers' role through two metadata hops, so every pod has what any of them needs.
That is the price of this profile; `prod` has a role for each service.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents, machines, perimeter
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Secrets

_COMPONENT: Final = "cluster"


@dataclass(frozen=True, slots=True)
class SmallClusterArgs:
    """`workload_statements`: JSON policies of the services, merged into the workers' role."""

    scope: Scope
    subnet_ids: list[pulumi.Output[str]]
    nodes_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    target_group: aws.lb.TargetGroup
    secrets: Secrets
    image_arns: list[pulumi.Output[str]]
    workload_policies: dict[str, pulumi.Output[str]]
    cidr: str


class SmallCluster(pulumi.ComponentResource):
    """`server_id`: the machine to open a session with."""

    def __init__(self, args: SmallClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make server and workers."""
        scope = args.scope
        super().__init__(component_type("SmallCluster"), scope.name(_COMPONENT), None, opts)
        self._args = args
        self.token = args.secrets.generated("k3s", ["token"], description="Ticketly: join token of the cluster")
        self._image = machines.image(self)
        self.server = self._server()
        self.server_id: pulumi.Output[str] = self.server.id
        self.workers = self._workers()
        self.register_outputs({"serverId": self.server_id})

    def _server(self) -> aws.ec2.Instance:
        args, scope = self._args, self._args.scope
        name = scope.name("server")
        _, profile = machines.role(scope, self, "server", "k3s server", self._machine_policy())
        script = self.token.arn.apply(lambda arn: self._script("server.sh", arn, ""))
        return aws.ec2.Instance(
            name,
            ami=self._image,
            instance_type=scope.settings.cluster.instance_type,
            subnet_id=args.subnet_ids[0],
            vpc_security_group_ids=[args.nodes_group_id],
            iam_instance_profile=profile.name,
            associate_public_ip_address=False,
            metadata_options=machines.metadata_options(1),
            monitoring=True,
            disable_api_termination=scope.settings.protect,
            root_block_device={
                "volume_size": scope.settings.cluster.disk_gib,
                "volume_type": "gp3",
                "encrypted": True,
                "kms_key_id": args.key_arn,
                "delete_on_termination": True,
                "tags": scope.tags(_COMPONENT, name),
            },
            user_data=script,
            user_data_replace_on_change=False,
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self, ignore=["ami"]),
        )

    def _workers(self) -> aws.autoscaling.Group:
        args, scope = self._args, self._args.scope
        settings = scope.settings.cluster
        name = scope.name("workers")
        role, profile = machines.role(scope, self, "workers", "k3s workers and their pods", self._machine_policy())
        for word, policy in args.workload_policies.items():
            aws.iam.RolePolicy(scope.name("workers", word), role=role.name, policy=policy, opts=scope.inside(self))
        script = pulumi.Output.all(self.token.arn, self.server.private_ip).apply(
            lambda found: self._script("worker.sh", found[0], found[1])
        )
        template = aws.ec2.LaunchTemplate(
            name,
            description="k3s workers",
            image_id=self._image,
            instance_type=settings.instance_type,
            iam_instance_profile={"name": profile.name},
            vpc_security_group_ids=[args.nodes_group_id],
            metadata_options=machines.metadata_options(2),
            monitoring={"enabled": True},
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": settings.disk_gib,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            user_data=script.apply(_encoded),
            tag_specifications=[
                {"resource_type": kind, "tags": scope.tags(_COMPONENT, name)} for kind in ("instance", "volume")
            ],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        return aws.autoscaling.Group(
            name,
            min_size=settings.min_nodes,
            max_size=settings.max_nodes,
            desired_capacity=settings.min_nodes,
            vpc_zone_identifiers=args.subnet_ids,
            target_group_arns=[args.target_group.arn],
            health_check_type="EC2",
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            instance_refresh={"strategy": "Rolling", "preferences": {"min_healthy_percentage": 66}},
            tags=[
                {"key": key, "value": value, "propagate_at_launch": False}
                for key, value in sorted(scope.tags(_COMPONENT, name).items())
            ],
            opts=scope.inside(self, ignore=["desiredCapacity"]),
        )

    def _script(self, script: str, token_arn: str, server: str) -> str:
        scope = self._args.scope
        return machines.boot_script(
            script,
            {
                "region": scope.region,
                "registry": f"{scope.account}.dkr.ecr.{scope.region}.amazonaws.com",
                "token-secret": token_arn,
                "k-version": scope.settings.cluster.k3s_version,
                "server": server,
                "ingress-port": str(perimeter.INGRESS_PORT),
                "network": self._args.cidr,
            },
        )

    def _machine_policy(self) -> pulumi.Output[str]:
        """What the machine itself needs: the join token and the images."""
        args = self._args
        pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        return pulumi.Output.all(self.token.arn, args.key_arn, *args.image_arns).apply(
            lambda found: documents.policy(
                documents.allow("secretsmanager:GetSecretValue", found[0]),
                documents.allow("kms:Decrypt", found[1]),
                documents.allow(pull, found[2:]),
                documents.allow("ecr:GetAuthorizationToken", "*"),
            )
        )


def _encoded(text: str) -> str:
    """Launch templates take user data in base 64."""
    return base64.b64encode(text.encode()).decode()
