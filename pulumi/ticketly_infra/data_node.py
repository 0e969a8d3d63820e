"""The one private machine of profile `dev`: Kafka, Kafka Connect, MongoDB and Redis in containers.

Every store asks for a login. They speak without TLS inside the private subnets, because the platform file has no place
for a private authority; `prod` has TLS everywhere (docs/aws/security.md). Data is on a disk of its own, encrypted
and protected, that outlives the machine; logins are fetched at boot and kept in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents, groups, machines
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Kept, Secrets

KAFKA_PORT: Final = 9092
CONNECT_PORT: Final = 8083
MONGO_PORT: Final = 27017
REDIS_PORT: Final = 6379
USER: Final = "ticketly"
METRICS_NAMESPACE: Final = "Ticketly/DataNode"
_COMPONENT: Final = "data"
_DEVICE: Final = "/dev/sdf"


@dataclass(frozen=True, slots=True)
class DataNodeArgs:
    """`clients`: word -> id of a security group that may connect; `cdc` holds `cdc-password`."""

    scope: Scope
    subnet_id: pulumi.Output[str]
    zone: str
    group: aws.ec2.SecurityGroup
    key_arn: pulumi.Input[str]
    clients: dict[str, pulumi.Input[str]]
    secrets: Secrets
    postgres: Kept
    postgres_secret_name: str


class DataNode(pulumi.ComponentResource):
    """`host` (a private address), and secrets with URLs like those of profile `prod`."""

    def __init__(self, args: DataNodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make machine and disk."""
        scope = args.scope
        settings = scope.settings.data_node
        name = scope.name(_COMPONENT)
        super().__init__(component_type("DataNode"), name, None, opts)
        self._args = args
        for port in (KAFKA_PORT, CONNECT_PORT, MONGO_PORT, REDIS_PORT):
            groups.let_in(scope, self, _COMPONENT, args.group, args.clients, port)
        self.logins = args.secrets.generated(
            "data-node",
            ["kafka-password", "mongo-password", "redis-password"],
            description="Ticketly: logins of the data node",
        )
        disk = aws.ebs.Volume(
            name,
            availability_zone=args.zone,
            size=settings.disk_gib,
            type="gp3",
            encrypted=True,
            kms_key_id=args.key_arn,
            tags={**scope.tags(_COMPONENT, name), "Snapshots": scope.name()},
            opts=scope.keeping(self),
        )
        _, profile = machines.role(scope, self, _COMPONENT, "The data node", self._policy())
        self.machine = aws.ec2.Instance(
            name,
            ami=machines.image(self),
            instance_type=settings.instance_type,
            subnet_id=args.subnet_id,
            vpc_security_group_ids=[args.group.id],
            iam_instance_profile=profile.name,
            associate_public_ip_address=False,
            metadata_options=machines.metadata_options(1),
            monitoring=True,
            disable_api_termination=scope.settings.protect,
            root_block_device={
                "volume_size": 20,
                "volume_type": "gp3",
                "encrypted": True,
                "kms_key_id": args.key_arn,
                "delete_on_termination": True,
                "tags": scope.tags(_COMPONENT, name),
            },
            user_data=pulumi.Output.all(self.logins.arn, args.postgres.arn).apply(
                lambda found: script(scope, found[0], found[1], args.postgres_secret_name)
            ),
            user_data_replace_on_change=False,
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self, ignore=["ami"]),
        )
        aws.ec2.VolumeAttachment(
            name,
            device_name=_DEVICE,
            instance_id=self.machine.id,
            volume_id=disk.id,
            stop_instance_before_detaching=True,
            opts=scope.inside(self),
        )
        self._snapshots()
        self.host: pulumi.Output[str] = self.machine.private_ip
        self.id: pulumi.Output[str] = self.machine.id
        self.bootstrap_servers = self.host.apply(lambda host: f"{host}:{KAFKA_PORT}")
        self.connect_url = self.host.apply(lambda host: f"http://{host}:{CONNECT_PORT}")
        self._urls()
        self.register_outputs({"host": self.host})

    def _urls(self) -> None:
        secrets, host = self._args.secrets, self.host
        self.kafka: Kept = secrets.derived("kafka", {"username": USER, "password": self.logins.field("kafka-password")})
        mongo = pulumi.Output.all(self.logins.field("mongo-password"), host)
        redis = pulumi.Output.all(self.logins.field("redis-password"), host)
        self.mongo: Kept = secrets.derived(
            "mongo",
            {
                "uri": mongo.apply(
                    lambda found: f"mongodb://{USER}:{found[0]}@{found[1]}:{MONGO_PORT}/?authSource=admin"
                )
            },
        )
        self.redis: Kept = secrets.derived(
            "redis", {"url": redis.apply(lambda found: f"redis://:{found[0]}@{found[1]}:{REDIS_PORT}/0")}
        )

    def _policy(self) -> pulumi.Output[str]:
        """Its logins, capture's password, and the metrics of its disk."""
        args = self._args
        return pulumi.Output.all(self.logins.arn, args.postgres.arn, args.key_arn).apply(
            lambda found: documents.policy(
                documents.allow("secretsmanager:GetSecretValue", found[:2]),
                documents.allow("kms:Decrypt", found[2]),
                # the call knows no resource; the namespace narrows it
                documents.allow(
                    "cloudwatch:PutMetricData",
                    "*",
                    conditions={"StringEquals": {"cloudwatch:namespace": METRICS_NAMESPACE}},
                ),
            )
        )

    def _snapshots(self) -> None:
        """The disk, every night, kept for a week."""
        scope = self._args.scope
        name = scope.name("snapshots")
        role = aws.iam.Role(
            name,
            description="Snapshots of the data node's disk",
            assume_role_policy=documents.trust("dlm.amazonaws.com", conditions=documents.only_from(scope.account)),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        aws.iam.RolePolicyAttachment(
            name,
            role=role.name,
            policy_arn=f"arn:{scope.partition}:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole",
            opts=scope.inside(self),
        )
        aws.dlm.LifecyclePolicy(
            name,
            description="Nightly snapshots of the data node",
            execution_role_arn=role.arn,
            state="ENABLED",
            policy_details={
                "resource_types": ["VOLUME"],
                "target_tags": {"Snapshots": scope.name()},
                "schedules": [
                    {
                        "name": "nightly",
                        "create_rule": {"interval": 24, "interval_unit": "HOURS", "times": "19:30"},
                        "retain_rule": {"count": 7},
                        "copy_tags": True,
                    }
                ],
            },
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )


def script(scope: Scope, logins_arn: str, postgres_arn: str, postgres_secret_name: str) -> str:
    """What the machine does at its first boot."""
    return machines.boot_script(
        "data_node.sh",
        {
            "region": scope.region,
            "logins": logins_arn,
            "postgres": postgres_arn,
            "postgres-name": postgres_secret_name,
            "user": USER,
            "kafka-port": str(KAFKA_PORT),
            "connect-port": str(CONNECT_PORT),
            "mongo-port": str(MONGO_PORT),
            "redis-port": str(REDIS_PORT),
            "namespace": METRICS_NAMESPACE,
            "stack": scope.settings.stack,
        },
    )
