"""The security groups of everything that runs, made before anything runs, and what they may say to each other.

The world reaches the load balancer on 80 and 443. The load balancer reaches the ingress of the nodes and Keycloak.
Stores add their own groups and name these as their clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import groups
from ticketly_infra.naming import Scope, component_type

HTTP_PORT: Final = 80
INGRESS_PORT: Final = 30080
"""Where Traefik listens on every node; the same in both profiles."""
IDENTITY_PORT: Final = 8080
IDENTITY_HEALTH_PORT: Final = 9000
_IDENTITY_CLUSTER_PORTS: Final = (7800, 57800)
"""Keycloak's cache between its tasks, and the check whether a neighbour is alive."""
_SMTP_PORT: Final = 587
_COMPONENT: Final = "perimeter"


@dataclass(frozen=True, slots=True)
class PerimeterArgs:
    """`cidr` is the block of the VPC."""

    scope: Scope
    vpc_id: pulumi.Input[str]
    cidr: str


class Perimeter(pulumi.ComponentResource):
    """`edge`, `nodes`, `identity`, `setup`, `data`: ids of security groups."""

    def __init__(self, args: PerimeterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the groups and the rules between them."""
        scope = args.scope
        super().__init__(component_type("Perimeter"), scope.name(_COMPONENT), None, opts)
        self._args = args
        edge = self._group("edge", "Load balancer: the only thing the world may speak to")
        nodes = self._group("nodes", "Nodes of the cluster")
        identity = self._group("identity", "Keycloak")
        setup = self._group("setup", "The task that makes databases and roles")
        for port in (HTTP_PORT, groups.HTTPS_PORT):
            groups.open_to_world(scope, self, "edge", edge, port)
        for port in (INGRESS_PORT, IDENTITY_PORT, IDENTITY_HEALTH_PORT):
            groups.let_out(scope, self, "edge", edge, args.cidr, port)
        groups.let_in(scope, self, "nodes", nodes, {"edge": edge.id}, INGRESS_PORT)
        self._among("nodes", nodes)
        for port in (IDENTITY_PORT, IDENTITY_HEALTH_PORT):
            groups.let_in(scope, self, "identity", identity, {"edge": edge.id}, port)
        for port in _IDENTITY_CLUSTER_PORTS:
            groups.let_in(scope, self, "identity", identity, {"identity": identity.id}, port)
        groups.let_out(scope, self, "setup", setup, args.cidr)
        self._outwards("setup", setup, groups.HTTPS_PORT)
        for word, group in (("nodes", nodes), ("identity", identity)):
            groups.let_out(scope, self, word, group, args.cidr)
            self._outwards(word, group, groups.HTTPS_PORT, _SMTP_PORT)
        self.edge: pulumi.Output[str] = edge.id
        self.nodes: pulumi.Output[str] = nodes.id
        self.identity: pulumi.Output[str] = identity.id
        self.setup: pulumi.Output[str] = setup.id
        self.data: aws.ec2.SecurityGroup | None = None
        if scope.settings.profile == "dev":
            self.data = self._group("data", "The node with Kafka, Connect, MongoDB and Redis")
            groups.let_out(scope, self, "data", self.data, args.cidr)
            self._outwards("data", self.data, groups.HTTPS_PORT)
        self.register_outputs({})

    def _group(self, part: str, description: str) -> aws.ec2.SecurityGroup:
        return groups.security_group(self._args.scope, self, part, self._args.vpc_id, description)

    def _outwards(self, word: str, group: aws.ec2.SecurityGroup, *ports: int) -> None:
        for port in ports:
            groups.let_out(self._args.scope, self, word, group, groups.ANYWHERE, port)

    def _among(self, word: str, group: aws.ec2.SecurityGroup) -> None:
        """Pods speak to pods on any port; which pods may is the matter of network policies."""
        scope = self._args.scope
        aws.vpc.SecurityGroupIngressRule(
            scope.name(word, "among-themselves"),
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="-1",
            description=f"{word} among themselves",
            tags=scope.tags(word),
            opts=scope.inside(self),
        )
