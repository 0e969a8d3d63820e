"""The cluster of profile `prod`: EKS with managed nodes and Pod Identity.

The endpoint is private; `ticketly:cluster.publicAccessCidrs` opens it to named blocks. Access comes from access entries
only, for the roles in `ticketly:cluster.adminRoleArns`; whoever made the cluster gets nothing by that. Nodes keep pods
away from their own role (one metadata hop); pods get theirs from Pod Identity (`workloads.py`).

The cluster's name is fixed, because its log group has to exist, encrypted and with an end, before it does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import addresses, documents, machines
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "cluster"
_ADDONS: Final[dict[str, dict[str, Any]]] = {
    "vpc-cni": {"enableNetworkPolicy": "true"},
    "kube-proxy": {},
    "coredns": {},
    "eks-pod-identity-agent": {},
    "metrics-server": {},
}
"""The operator's network policies need the first one's setting, its autoscalers the last."""
_NODE_POLICIES: Final = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly")
_NODE_ROLE: Final = "nodes"


@dataclass(frozen=True, slots=True)
class ClusterArgs:
    """`nodes_group_id` is the nodes' security group; nodes register with `target_group`."""

    scope: Scope
    subnet_ids: list[pulumi.Output[str]]
    nodes_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    target_group: aws.lb.TargetGroup


class Cluster(pulumi.ComponentResource):
    """`name` of the cluster."""

    def __init__(self, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make control plane, nodes and add-ons."""
        scope = args.scope
        super().__init__(component_type("Cluster"), scope.name(_COMPONENT), None, opts)
        self._args = args
        self.cluster = self._control_plane()
        self.name: pulumi.Output[str] = self.cluster.name
        before = [self._addon("vpc-cni", []), self._addon("kube-proxy", []), self._addon("eks-pod-identity-agent", [])]
        self.nodes = self._nodes(before)
        self._addon("coredns", [self.nodes])
        self._addon("metrics-server", [self.nodes])
        self.register_outputs({"name": self.name})

    def _control_plane(self) -> aws.eks.Cluster:
        args, scope = self._args, self._args.scope
        name = scope.name()
        role = self._role("control-plane", "eks.amazonaws.com", ("AmazonEKSClusterPolicy",))
        logs = aws.cloudwatch.LogGroup(
            scope.name(_COMPONENT),
            name=f"/aws/eks/{name}/cluster",
            retention_in_days=90,
            kms_key_id=args.logs_key_arn,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        blocks = [str(block) for block in scope.settings.cluster.public_access_cidrs]
        cluster = aws.eks.Cluster(
            scope.name(_COMPONENT),
            name=name,
            version=scope.settings.cluster.version,
            role_arn=role.arn,
            bootstrap_self_managed_addons=False,
            vpc_config={
                "subnet_ids": args.subnet_ids,
                "endpoint_private_access": True,
                "endpoint_public_access": bool(blocks),
                **({"public_access_cidrs": blocks} if blocks else {}),
            },
            kubernetes_network_config={
                "service_ipv4_cidr": str(addresses.CLUSTER_BLOCKS["services of the cluster (EKS)"])
            },
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            encryption_config={"resources": ["secrets"], "provider": {"key_arn": args.key_arn}},
            enabled_cluster_log_types=["api", "audit", "authenticator", "controllerManager", "scheduler"],
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=scope.settings.protect,
            tags=scope.tags(_COMPONENT, name),
            opts=scope.keeping(self, depends_on=[logs]),
        )
        for number, arn in enumerate(scope.settings.cluster.admin_role_arns):
            self._administrator(cluster, number, arn)
        return cluster

    def _administrator(self, cluster: aws.eks.Cluster, number: int, arn: str) -> None:
        scope = self._args.scope
        name = scope.name("administrators", str(number))
        entry = aws.eks.AccessEntry(
            name, cluster_name=cluster.name, principal_arn=arn, tags=scope.tags(_COMPONENT), opts=scope.inside(self)
        )
        aws.eks.AccessPolicyAssociation(
            name,
            cluster_name=cluster.name,
            principal_arn=arn,
            policy_arn=f"arn:{scope.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            access_scope={"type": "cluster"},
            opts=scope.inside(self, depends_on=[entry]),
        )

    def _nodes(self, before: list[pulumi.Resource]) -> aws.eks.NodeGroup:
        args, scope = self._args, self._args.scope
        settings = scope.settings.cluster
        name = scope.name(_NODE_ROLE)
        role = self._role(_NODE_ROLE, "ec2.amazonaws.com", (*_NODE_POLICIES, "AmazonSSMManagedInstanceCore"))
        template = aws.ec2.LaunchTemplate(
            name,
            description="Nodes of the cluster",
            vpc_security_group_ids=[
                args.nodes_group_id,
                # the group through which control plane and nodes speak; EKS makes it
                self.cluster.vpc_config.cluster_security_group_id,
            ],
            metadata_options=machines.metadata_options(1),
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
            tag_specifications=[
                {"resource_type": kind, "tags": scope.tags(_COMPONENT, name)} for kind in ("instance", "volume")
            ],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        nodes = aws.eks.NodeGroup(
            name,
            cluster_name=self.cluster.name,
            node_role_arn=role.arn,
            subnet_ids=args.subnet_ids,
            ami_type="AL2023_ARM_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=[settings.instance_type],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            scaling_config={
                "desired_size": settings.min_nodes,
                "min_size": settings.min_nodes,
                "max_size": settings.max_nodes,
            },
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            tags=scope.tags(_COMPONENT, name),
            # whoever scales the nodes decides their number
            opts=scope.inside(self, depends_on=before, ignore=["scalingConfig.desiredSize"]),
        )
        aws.autoscaling.Attachment(
            name,
            autoscaling_group_name=nodes.resources[0].autoscaling_groups[0].name,
            lb_target_group_arn=args.target_group.arn,
            opts=scope.inside(self),
        )
        return nodes

    def _addon(self, addon: str, after: list[pulumi.Resource]) -> aws.eks.Addon:
        scope = self._args.scope
        values = _ADDONS[addon]
        return aws.eks.Addon(
            scope.name("addon", addon),
            cluster_name=self.cluster.name,
            addon_name=addon,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            configuration_values=json.dumps(values) if values else None,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self, depends_on=after or None),
        )

    def _role(self, word: str, service: str, policies: tuple[str, ...]) -> aws.iam.Role:
        scope = self._args.scope
        name = scope.name(word)
        role = aws.iam.Role(
            name,
            description=f"EKS: {word}",
            assume_role_policy=documents.trust(service),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        for policy in policies:
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy.lower()}",
                role=role.name,
                policy_arn=f"arn:{scope.partition}:iam::aws:policy/{policy}",
                opts=scope.inside(self),
            )
        return role
