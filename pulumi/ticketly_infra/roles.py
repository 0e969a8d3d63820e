"""Databases and roles, change capture's among them: a task that runs `boot/roles.sql` against the server.

The server is reachable from inside only and the program runs outside, so the program makes a task and people start it:
once after the first update, and after a rotation. It is the only thing that reads the master's password.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Final

import pulumi

from ticketly_infra import database
from ticketly_infra.containers import Containers, field_of
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Kept

SERVICES: Final = ("event-command", "order", "scheduler", "email")
CAPTURE: Final = "cdc"
KEYCLOAK: Final = "keycloak"
_COMPONENT: Final = "roles"
_IMAGE: Final = "public.ecr.aws/docker/library/postgres:17-alpine"
_CERTIFICATES: Final = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
_CA_FILE: Final = "/var/tmp/rds.pem"  # noqa: S108  inside a container that lives for a minute
_COMMAND: Final = (
    f'wget -q -O {_CA_FILE} {_CERTIFICATES} && printf "%s" "$ROLES_SQL" | psql --no-psqlrc -v ON_ERROR_STOP=1 -f -'
)


@dataclass(frozen=True, slots=True)
class RolesArgs:
    """`passwords` has a field for each service and for capture, `keycloak` one for Keycloak."""

    scope: Scope
    containers: Containers
    server: database.Database
    passwords: Kept
    keycloak: Kept
    key_arn: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    group_id: pulumi.Input[str]


class Roles(pulumi.ComponentResource):
    """`command` is what starts the task."""

    def __init__(self, args: RolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the task."""
        scope = args.scope
        super().__init__(component_type("Roles"), scope.name(_COMPONENT), None, opts)
        secrets = {variable(word): field_of(args.passwords.arn, f"{word}-password") for word in (*SERVICES, CAPTURE)}
        secrets[variable(KEYCLOAK)] = field_of(args.keycloak.arn, "database-password")
        secrets["PGPASSWORD"] = field_of(args.server.master_secret_arn, "password")
        task = args.containers.task(
            _COMPONENT,
            {"image": _IMAGE, "command": ["sh", "-euc", _COMMAND]},
            secrets,
            secret_arns=[args.passwords.arn, args.keycloak.arn, args.server.master_secret_arn],
            key_arn=args.key_arn,
            cpu=256,
            memory_mib=512,
            environment={
                "PGHOST": args.server.host,
                "PGPORT": str(database.PORT),
                "PGUSER": database.MASTER,
                "PGDATABASE": "postgres",
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": _CA_FILE,
                "ROLES_SQL": statements(),
            },
        )
        self.command: pulumi.Output[str] = pulumi.Output.all(
            args.containers.cluster_arn, task.arn, args.group_id, *args.subnet_ids
        ).apply(lambda found: start_command(scope.region, found[0], found[1], found[2], found[3:]))
        self.register_outputs({"command": self.command})


def variable(word: str) -> str:
    """The environment variable with a role's password: `ORDER_PASSWORD`."""
    return f"{word.replace('-', '_').upper()}_PASSWORD"


def statements() -> str:
    """The SQL."""
    return (resources.files("ticketly_infra") / "boot" / "roles.sql").read_text(encoding="utf-8")


def start_command(region: str, cluster: str, task: str, group: str, subnets: list[str]) -> str:
    """What people type to run the task."""
    network = f"awsvpcConfiguration={{subnets=[{','.join(subnets)}],securityGroups=[{group}],assignPublicIp=DISABLED}}"
    return (
        f"aws ecs run-task --region {region} --cluster {cluster} --task-definition {task} "
        f"--launch-type FARGATE --network-configuration '{network}'"
    )
