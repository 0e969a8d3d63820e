"""Brokers of profile `prod`: MSK in KRaft mode over three zones, TLS everywhere, clients sign in by SCRAM.

SCRAM and not IAM, because the platform's clients (aiokafka, Debezium's workers) speak it without AWS's libraries, and
the platform file knows it. Kafka Connect runs in the cluster and not as MSK Connect: the operator watches and mends
connectors through Connect's REST interface, which MSK Connect does not offer (docs/aws/connect.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import addresses, groups
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Kept, Secrets

PORT: Final = 9096
"""SASL_SSL with SCRAM."""
USER: Final = "ticketly"
_COMPONENT: Final = "kafka"
_NAME_PREFIX: Final = "AmazonMSK_"
"""MSK takes a login only from a secret whose name begins like this."""

SERVER_PROPERTIES: Final = """\
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
group.min.session.timeout.ms=1000
offsets.retention.minutes=20160
"""


@dataclass(frozen=True, slots=True)
class KafkaArgs:
    """`clients`: word -> id of a security group that may connect."""

    scope: Scope
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]
    secrets: Secrets


class Kafka(pulumi.ComponentResource):
    """`bootstrap_servers` for SASL_SSL; `secret` holds `username` and `password`."""

    def __init__(self, args: KafkaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the brokers and their one user."""
        scope = args.scope
        settings = scope.settings.kafka
        name = scope.name(_COMPONENT)
        super().__init__(component_type("Kafka"), name, None, opts)
        group = groups.security_group(scope, self, _COMPONENT, args.vpc_id, "Kafka")
        groups.let_in(scope, self, _COMPONENT, group, args.clients, PORT)
        configuration = aws.msk.Configuration(
            name,
            kafka_versions=[settings.version],
            server_properties=SERVER_PROPERTIES,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )
        logs = aws.cloudwatch.LogGroup(
            name,
            retention_in_days=30,
            kms_key_id=args.logs_key_arn,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        self.cluster = aws.msk.Cluster(
            name,
            kafka_version=settings.version,
            number_of_broker_nodes=addresses.ZONES * settings.brokers_per_zone,
            broker_node_group_info={
                "instance_type": settings.instance_type,
                "client_subnets": args.subnet_ids,
                "security_groups": [group.id],
                "storage_info": {"ebs_storage_info": {"volume_size": settings.storage_gib}},
                "connectivity_info": {"public_access": {"type": "DISABLED"}},
            },
            encryption_info={
                "encryption_at_rest_kms_key_arn": args.key_arn,
                "encryption_in_transit": {"client_broker": "TLS", "in_cluster": True},
            },
            client_authentication={"sasl": {"scram": True, "iam": False}, "unauthenticated": False},
            configuration_info={"arn": configuration.arn, "revision": configuration.latest_revision},
            enhanced_monitoring="PER_BROKER",
            logging_info={"broker_logs": {"cloudwatch_logs": {"enabled": True, "log_group": logs.name}}},
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self),
        )
        self.secret: Kept = args.secrets.generated(
            "kafka", ["password"], plain={"username": USER}, prefix=_NAME_PREFIX, description="Ticketly: login of Kafka"
        )
        version = self.secret.version
        aws.msk.ScramSecretAssociation(
            name,
            cluster_arn=self.cluster.arn,
            secret_arn_lists=[self.secret.arn],
            opts=scope.inside(self, depends_on=[version] if version is not None else None),
        )
        self.name: pulumi.Output[str] = self.cluster.cluster_name
        self.bootstrap_servers: pulumi.Output[str] = self.cluster.bootstrap_brokers_sasl_scram
        self.register_outputs({"bootstrapServers": self.bootstrap_servers})
