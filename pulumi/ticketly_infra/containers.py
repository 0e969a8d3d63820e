"""Where containers outside the cluster run: Fargate, for Keycloak and for the task that makes databases and roles.

They are not in the cluster, because the cluster's workloads need them before they can start, and because a task gets
single fields of secrets without anything else that could read them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "containers"


@dataclass(frozen=True, slots=True)
class ContainersArgs:
    """`logs_key_arn` encrypts what containers print."""

    scope: Scope
    logs_key_arn: pulumi.Input[str]


class Containers(pulumi.ComponentResource):
    """`cluster_arn`; and task definitions by `task`."""

    def __init__(self, args: ContainersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the cluster of tasks."""
        scope = args.scope
        super().__init__(component_type("Containers"), scope.name(_COMPONENT), None, opts)
        self._args = args
        self.cluster = aws.ecs.Cluster(
            scope.name("tasks"),
            name=scope.name("tasks"),
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        self.cluster_arn: pulumi.Output[str] = self.cluster.arn
        self.register_outputs({"clusterArn": self.cluster_arn})

    def task(
        self,
        word: str,
        container: Mapping[str, Any],
        secrets: Mapping[str, pulumi.Output[str]],
        *,
        secret_arns: Sequence[pulumi.Output[str]],
        key_arn: pulumi.Input[str],
        image_arns: Sequence[pulumi.Output[str]] = (),
        cpu: int,
        memory_mib: int,
        environment: Mapping[str, pulumi.Input[str]],
    ) -> aws.ecs.TaskDefinition:
        """A task of one container. `secrets`: variable -> `<arn>:<field>::`; what starts it may read `secret_arns`."""
        scope = self._args.scope
        name = scope.name(word)
        logs = aws.cloudwatch.LogGroup(
            name,
            retention_in_days=30,
            kms_key_id=self._args.logs_key_arn,
            tags=scope.tags(word),
            opts=scope.inside(self),
        )
        starter = self._starter(word, secret_arns, image_arns, key_arn, logs.arn)
        described = pulumi.Output.all(
            logs=logs.name,
            environment=pulumi.Output.all(**environment) if environment else {},
            secrets=pulumi.Output.all(**secrets),
        ).apply(lambda found: json.dumps([_container(scope, word, container, found)], sort_keys=True))
        return aws.ecs.TaskDefinition(
            name,
            family=name,
            container_definitions=described,
            cpu=str(cpu),
            memory=str(memory_mib),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform={"cpu_architecture": "ARM64", "operating_system_family": "LINUX"},
            execution_role_arn=starter.arn,
            tags=scope.tags(word),
            opts=scope.inside(self),
        )

    def _starter(
        self,
        word: str,
        secret_arns: Sequence[pulumi.Output[str]],
        image_arns: Sequence[pulumi.Output[str]],
        key_arn: pulumi.Input[str],
        logs_arn: pulumi.Output[str],
    ) -> aws.iam.Role:
        """The role that fetches image and secrets. The container itself has no role."""
        scope = self._args.scope
        name = scope.name(word, "start")
        role = aws.iam.Role(
            name,
            description=f"Starts {word}: its image, its secrets, its log",
            assume_role_policy=documents.trust(
                "ecs-tasks.amazonaws.com", conditions=documents.only_from(scope.account, scope.arn("ecs", "*"))
            ),
            tags=scope.tags(word),
            opts=scope.inside(self),
        )
        aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=pulumi.Output.all(
                key=key_arn,
                logs=logs_arn,
                secrets=pulumi.Output.all(*secret_arns),
                images=pulumi.Output.all(*image_arns) if image_arns else [],
            ).apply(_starting),
            opts=scope.inside(self),
        )
        return role


def _starting(found: Mapping[str, Any]) -> str:
    statements = [
        documents.allow("secretsmanager:GetSecretValue", found["secrets"]),
        documents.allow("kms:Decrypt", found["key"]),
        documents.allow(("logs:CreateLogStream", "logs:PutLogEvents"), f"{found['logs']}:*"),
    ]
    if found["images"]:
        pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        # a token for the registry is for the registry as a whole: the call knows no resource
        statements += [documents.allow(pull, found["images"]), documents.allow("ecr:GetAuthorizationToken", "*")]
    return documents.policy(*statements)


def _container(scope: Scope, word: str, container: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": word,
        "essential": True,
        "environment": [{"name": name, "value": value} for name, value in sorted(found["environment"].items())],
        "secrets": [{"name": name, "valueFrom": value} for name, value in sorted(found["secrets"].items())],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": found["logs"],
                "awslogs-region": scope.region,
                "awslogs-stream-prefix": word,
            },
        },
        **container,
    }


def field_of(arn: pulumi.Output[str], field: str) -> pulumi.Output[str]:
    """How a task refers to one field of a secret."""
    return arn.apply(lambda found: f"{found}:{field}::")
