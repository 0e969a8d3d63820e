"""The read side's store of profile `prod`: DocumentDB, or a MongoDB elsewhere whose URI people put into a secret.

DocumentDB 5.0 speaks what the read side uses, because the read side keeps to the common subset (design, local-stack 4):
compare-and-set by filter, unique and compound indexes, bulk writes, `$max`, `$inc`, `$elemMatch`, `$regex`, `$group`,
`$unwind`. It has no retryable writes, so the URI says so. What is in it can be built again from the log, in hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import groups
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.secrets import Kept, Secrets

PORT: Final = 27017
USER: Final = "ticketly"
CA_FILE: Final = "/etc/ssl/rds/global-bundle.pem"
"""Where the services' images carry RDS's certificates; DocumentDB's come from the same authority."""
_COMPONENT: Final = "documents"
_OPTIONS: Final = f"tls=true&tlsCAFile={CA_FILE}&replicaSet=rs0&readPreference=primary&retryWrites=false"


@dataclass(frozen=True, slots=True)
class DocumentStoreArgs:
    """`clients`: word -> id of a security group that may connect."""

    scope: Scope
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]
    secrets: Secrets


class DocumentStore(pulumi.ComponentResource):
    """`secret` holds the whole URI under `uri`; `identifier` is None for a store elsewhere."""

    def __init__(self, args: DocumentStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the store, or a place for its URI."""
        scope = args.scope
        super().__init__(component_type("DocumentStore"), scope.name(_COMPONENT), None, opts)
        self.identifier: pulumi.Output[str] | None = None
        if scope.settings.documents.kind == "external":
            self.secret: Kept = args.secrets.from_people(
                "mongo", ["uri"], description="Ticketly: URI of a MongoDB 5.0 or newer, with tls=true"
            )
        else:
            self.secret = self._cluster(args)
        self.register_outputs({})

    def _cluster(self, args: DocumentStoreArgs) -> Kept:
        scope = args.scope
        settings = scope.settings.documents
        name = scope.name(_COMPONENT)
        group = groups.security_group(scope, self, _COMPONENT, args.vpc_id, "DocumentDB")
        groups.let_in(scope, self, _COMPONENT, group, args.clients, PORT)
        subnets = aws.docdb.SubnetGroup(
            name,
            description="Private subnets of Ticketly",
            subnet_ids=args.subnet_ids,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        parameters = aws.docdb.ClusterParameterGroup(
            name,
            family="docdb5.0",
            description="TLS and an audit log",
            parameters=[
                {"name": "tls", "value": "tls1.2+", "apply_method": "pending-reboot"},
                {"name": "audit_logs", "value": "ddl", "apply_method": "pending-reboot"},
            ],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        master = args.secrets.generated("mongo-master", ["password"], plain={"username": USER})
        cluster = aws.docdb.Cluster(
            name,
            engine="docdb",
            engine_version="5.0.0",
            master_username=USER,
            master_password=master.field("password"),
            port=PORT,
            db_subnet_group_name=subnets.name,
            db_cluster_parameter_group_name=parameters.name,
            vpc_security_group_ids=[group.id],
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            backup_retention_period=settings.backup_days,
            preferred_backup_window="18:00-19:00",
            preferred_maintenance_window="sun:22:30-sun:23:30",
            deletion_protection=scope.settings.protect,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{name}-final",
            enabled_cloudwatch_logs_exports=["audit", "profiler"],
            apply_immediately=False,
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self),
        )
        for number in range(settings.nodes):
            aws.docdb.ClusterInstance(
                scope.name(_COMPONENT, str(number)),
                cluster_identifier=cluster.id,
                instance_class=settings.instance_class,
                auto_minor_version_upgrade=True,
                ca_cert_identifier="rds-ca-rsa2048-g1",
                enable_performance_insights=False,
                tags=scope.tags(_COMPONENT),
                opts=scope.inside(self),
            )
        self.identifier = cluster.cluster_identifier
        uri = pulumi.Output.all(master.field("password"), cluster.endpoint).apply(
            lambda found: f"mongodb://{USER}:{found[0]}@{found[1]}:{PORT}/?{_OPTIONS}"
        )
        return args.secrets.derived("mongo", {"uri": uri}, description="Ticketly: URI of the read side's store")
