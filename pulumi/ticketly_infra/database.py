"""PostgreSQL on RDS: private, encrypted, TLS forced, logical replication on, backed up, hard to lose.

`max_slot_wal_keep_size` bounds what a stopped connector can hold back: the database never fills up because of a slot;
the slot is lost instead, and the operator's guardian says so. The master's password is made and rotated by RDS and is
read by the task that makes the roles alone (`roles.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents, groups
from ticketly_infra.naming import Scope, component_type

PORT: Final = 5432
MASTER: Final = "ticketly_master"
_COMPONENT: Final = "database"
_IMMEDIATE, _AT_REBOOT = "immediate", "pending-reboot"


@dataclass(frozen=True, slots=True)
class DatabaseArgs:
    """`clients`: word -> id of a security group that may connect."""

    scope: Scope
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]


class Database(pulumi.ComponentResource):
    """One server for all services, a database and a role for each."""

    def __init__(self, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the server."""
        scope = args.scope
        settings = scope.settings.database
        name = scope.name(_COMPONENT)
        super().__init__(component_type("Database"), name, None, opts)
        group = groups.security_group(scope, self, _COMPONENT, args.vpc_id, "PostgreSQL")
        groups.let_in(scope, self, _COMPONENT, group, args.clients, PORT)
        subnets = aws.rds.SubnetGroup(
            name,
            description="Private subnets of Ticketly",
            subnet_ids=args.subnet_ids,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        self.instance = aws.rds.Instance(
            name,
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            allocated_storage=settings.storage_gib,
            max_allocated_storage=settings.max_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            username=MASTER,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key_arn,
            port=PORT,
            multi_az=settings.multi_az,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[group.id],
            parameter_group_name=self._parameters(scope).name,
            publicly_accessible=False,
            backup_retention_period=settings.backup_days,
            backup_window="19:00-20:00",
            maintenance_window="sun:20:30-sun:21:30",
            copy_tags_to_snapshot=True,
            deletion_protection=scope.settings.protect,
            delete_automated_backups=False,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{name}-final",
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            apply_immediately=False,
            ca_cert_identifier="rds-ca-rsa2048-g1",
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.key_arn,
            performance_insights_retention_period=settings.performance_insights_days,
            monitoring_interval=60,
            monitoring_role_arn=self._monitoring(scope).arn,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self),
        )
        self.host: pulumi.Output[str] = self.instance.address
        self.identifier: pulumi.Output[str] = self.instance.identifier
        self.master_secret_arn: pulumi.Output[str] = self.instance.master_user_secrets[0].secret_arn
        self.register_outputs({"host": self.host})

    def _parameters(self, scope: Scope) -> aws.rds.ParameterGroup:
        settings = scope.settings.database
        major = settings.engine_version.partition(".")[0]
        wanted = (
            ("rds.logical_replication", "1", _AT_REBOOT),
            ("rds.force_ssl", "1", _IMMEDIATE),
            ("max_slot_wal_keep_size", str(settings.slot_wal_keep_mib), _IMMEDIATE),
            ("password_encryption", "scram-sha-256", _IMMEDIATE),
            ("log_min_duration_statement", "500", _IMMEDIATE),
            ("log_lock_waits", "1", _IMMEDIATE),
            ("idle_in_transaction_session_timeout", "60000", _IMMEDIATE),
        )
        return aws.rds.ParameterGroup(
            scope.name(_COMPONENT),
            family=f"postgres{major}",
            description="Logical replication and forced TLS",
            parameters=[{"name": name, "value": value, "apply_method": how} for name, value, how in wanted],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )

    def _monitoring(self, scope: Scope) -> aws.iam.Role:
        name = scope.name(_COMPONENT, "monitoring")
        role = aws.iam.Role(
            name,
            description="RDS enhanced monitoring",
            assume_role_policy=documents.trust(
                "monitoring.rds.amazonaws.com", conditions=documents.only_from(scope.account)
            ),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        aws.iam.RolePolicyAttachment(
            name,
            role=role.name,
            policy_arn=f"arn:{scope.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            opts=scope.inside(self),
        )
        return role
