"""Keycloak's home: Fargate tasks behind the load balancer, its database on the platform's server.

Two tasks in profile `prod`, in different zones; they find each other through the database. Visitors reach the realm
`event-ticketing` only: the console and the realm `master` answer the addresses of `ticketly:identity.adminCidrs`, and
nobody while there are none (`edge.py`). The image is the platform's own (docs/aws/keycloak): Keycloak, its realm, and
RDS's certificates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import database, perimeter
from ticketly_infra.containers import Containers, field_of
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Kept

REALM: Final = "event-ticketing"
CLIENTS: Final = (
    "events-service",
    "event-projection-service-client",
    "ticket-service-client",
    "scheduler-service-client",
    "email-service-client",
)
"""Service clients of the realm; each has its secret (contract 1)."""
_COMPONENT: Final = "identity"
_CA_FILE: Final = "/opt/keycloak/conf/rds.pem"


@dataclass(frozen=True, slots=True)
class IdentityArgs:
    """`own` has `database-password` and `admin-password`; `clients` a field for each service client."""

    scope: Scope
    containers: Containers
    server: database.Database
    own: Kept
    clients: Kept
    key_arn: pulumi.Input[str]
    image: str
    image_arn: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]
    group_id: pulumi.Input[str]
    target_group: aws.lb.TargetGroup
    listener: aws.lb.Listener


class Identity(pulumi.ComponentResource):
    """`issuer` goes into the platform file."""

    def __init__(self, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the service."""
        scope = args.scope
        settings = scope.settings
        name = scope.name(_COMPONENT)
        super().__init__(component_type("Identity"), name, None, opts)
        self.issuer = f"https://{settings.auth_host}/realms/{REALM}"
        secrets = {
            "KC_DB_PASSWORD": field_of(args.own.arn, "database-password"),
            "KC_BOOTSTRAP_ADMIN_PASSWORD": field_of(args.own.arn, "admin-password"),
            **{client_variable(client): field_of(args.clients.arn, client) for client in CLIENTS},
        }
        url = args.server.host.apply(
            lambda host: f"jdbc:postgresql://{host}:{database.PORT}/keycloak?sslmode=verify-full&sslrootcert={_CA_FILE}"
        )
        task = args.containers.task(
            _COMPONENT,
            {
                "image": f"{args.image}:{settings.identity.image_tag}",
                "command": ["start", "--import-realm"],
                "portMappings": [
                    {"containerPort": port, "protocol": "tcp"}
                    for port in (perimeter.IDENTITY_PORT, perimeter.IDENTITY_HEALTH_PORT)
                ],
                "stopTimeout": 60,
            },
            secrets,
            secret_arns=[args.own.arn, args.clients.arn],
            key_arn=args.key_arn,
            image_arns=[args.image_arn],
            cpu=settings.identity.cpu,
            memory_mib=settings.identity.memory_mib,
            environment={
                "KC_DB": "postgres",
                "KC_DB_USERNAME": "keycloak",
                "KC_DB_URL": url,
                "KC_HOSTNAME": f"https://{settings.auth_host}",
                "KC_PROXY_HEADERS": "xforwarded",
                "KC_HTTP_ENABLED": "true",
                "KC_HEALTH_ENABLED": "true",
                "KC_CACHE": "ispn",
                "KC_BOOTSTRAP_ADMIN_USERNAME": "bootstrap",
                "KC_LOG_CONSOLE_OUTPUT": "json",
            },
        )
        aws.ecs.Service(
            name,
            cluster=args.containers.cluster_arn,
            task_definition=task.arn,
            desired_count=settings.identity.tasks,
            launch_type="FARGATE",
            platform_version="1.4.0",
            enable_execute_command=False,
            availability_zone_rebalancing="ENABLED" if settings.identity.tasks > 1 else "DISABLED",
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker={"enable": True, "rollback": True},
            # without the image nothing becomes healthy; the first update must not wait for what people push after it
            wait_for_steady_state=False,
            health_check_grace_period_seconds=180,
            network_configuration={
                "subnets": args.subnet_ids,
                "security_groups": [args.group_id],
                "assign_public_ip": False,
            },
            load_balancers=[
                {
                    "target_group_arn": args.target_group.arn,
                    "container_name": _COMPONENT,
                    "container_port": perimeter.IDENTITY_PORT,
                }
            ],
            propagate_tags="SERVICE",
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self, depends_on=[args.listener]),
        )
        self.register_outputs({"issuer": self.issuer})


def client_variable(client: str) -> str:
    """The variable that a realm file refers to for a client's secret: `CLIENT_EVENTS_SERVICE`."""
    return f"CLIENT_{client.replace('-', '_').upper()}"
