"""The edge: one load balancer for the whole platform, TLS 1.3 (1.2 for old clients), a firewall, logs of both.

Port 80 answers with a redirect and nothing else. Port 443 knows two hosts; whatever is neither gets 404. Internal
routes are not reachable: the ingress carries public prefixes only, and of Keycloak the realm `event-ticketing` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import firewall, groups, identity, perimeter
from ticketly_infra.domains import Domains
from ticketly_infra.naming import Scope, component_type
from ticketly_infra.storage import Storage

_COMPONENT: Final = "edge"
TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_STREAM_IDLE_SECONDS: Final = 120
"""Streams of seat changes send a heartbeat every 15 s."""
_SEEN_BY_VISITORS: Final = (f"/realms/{identity.REALM}/*", "/resources/*", "/robots.txt")


@dataclass(frozen=True, slots=True)
class EdgeArgs:
    """`group_id` is the group that the world may reach."""

    scope: Scope
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    group_id: pulumi.Input[str]
    domains: Domains
    storage: Storage
    logs_key_arn: pulumi.Input[str]


class Edge(pulumi.ComponentResource):
    """`ingress` (nodes register here), `identity` (Keycloak's tasks), `listener`, `firewall`."""

    def __init__(self, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make balancer, firewall, listeners, names."""
        scope = args.scope
        super().__init__(component_type("Edge"), scope.name(_COMPONENT), None, opts)
        self._args = args
        self._scope = scope
        self.balancer = aws.lb.LoadBalancer(
            scope.name(_COMPONENT),
            load_balancer_type="application",
            internal=False,
            subnets=args.subnet_ids,
            security_groups=[args.group_id],
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            xff_header_processing_mode="append",
            enable_deletion_protection=scope.settings.protect,
            enable_http2=True,
            # a firewall that does not answer closes the door instead of leaving it open
            enable_waf_fail_open=False,
            idle_timeout=_STREAM_IDLE_SECONDS,
            access_logs={"enabled": True, "bucket": args.storage.logs.bucket, "prefix": "balancer"},
            tags=scope.tags(_COMPONENT, scope.name(_COMPONENT)),
            opts=scope.inside(self, depends_on=[args.storage.logs_policy]),
        )
        self.arn_suffix: pulumi.Output[str] = self.balancer.arn_suffix
        self.ingress = self._targets(
            "ingress", perimeter.INGRESS_PORT, "instance", {"path": "/ping", "matcher": "200,404"}
        )
        self.identity = self._targets(
            "identity",
            perimeter.IDENTITY_PORT,
            "ip",
            {"path": "/health/ready", "matcher": "200", "port": str(perimeter.IDENTITY_HEALTH_PORT)},
        )
        self.listener = self._listeners()
        self._rules()
        self.firewall = self._firewall()
        self._names()
        self.register_outputs({"dnsName": self.balancer.dns_name})

    def _targets(self, word: str, port: int, kind: str, check: dict[str, Any]) -> aws.lb.TargetGroup:
        scope = self._scope
        return aws.lb.TargetGroup(
            scope.name(word),
            port=port,
            protocol="HTTP",
            target_type=kind,
            vpc_id=self._args.vpc_id,
            # longer than a stream's own goodbye
            deregistration_delay=30,
            health_check={
                "protocol": "HTTP",
                "interval": 10,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
                **check,
            },
            tags=scope.tags(_COMPONENT, scope.name(word)),
            opts=scope.inside(self),
        )

    def _listeners(self) -> aws.lb.Listener:
        scope = self._scope
        redirect = {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}
        aws.lb.Listener(
            scope.name(_COMPONENT, "http"),
            load_balancer_arn=self.balancer.arn,
            port=perimeter.HTTP_PORT,
            protocol="HTTP",
            default_actions=[{"type": "redirect", "redirect": redirect}],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        return aws.lb.Listener(
            scope.name(_COMPONENT, "https"),
            load_balancer_arn=self.balancer.arn,
            port=groups.HTTPS_PORT,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._args.domains.certificate_arn,
            default_actions=[_nothing_here()],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )

    def _rules(self) -> None:
        settings = self._scope.settings
        api, auth = ({"host_header": {"values": [host]}} for host in (settings.api_host, settings.auth_host))
        to_identity = {"type": "forward", "target_group_arn": self.identity.arn}
        self._rule("api", 10, [api], {"type": "forward", "target_group_arn": self.ingress.arn})
        self._rule("auth", 20, [auth, {"path_pattern": {"values": list(_SEEN_BY_VISITORS)}}], to_identity)
        blocks = [str(block) for block in settings.identity.admin_cidrs]
        if blocks:
            self._rule("auth-console", 30, [auth, {"source_ip": {"values": blocks}}], to_identity)

    def _rule(self, word: str, priority: int, conditions: list[dict[str, Any]], action: dict[str, Any]) -> None:
        scope = self._scope
        aws.lb.ListenerRule(
            scope.name(_COMPONENT, word),
            listener_arn=self.listener.arn,
            priority=priority,
            conditions=conditions,
            actions=[action],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )

    def _firewall(self) -> aws.wafv2.WebAcl:
        scope = self._scope
        settings = scope.settings
        name = scope.name("firewall")
        acl = aws.wafv2.WebAcl(
            name,
            scope="REGIONAL",
            description="Everything that reaches Ticketly",
            default_action={"allow": {}},
            rules=firewall.rules(
                limit=settings.edge.requests_per_five_minutes,
                sign_in_limit=settings.edge.sign_in_requests_per_five_minutes,
                auth_host=settings.auth_host,
            ),
            visibility_config=firewall.visibility("all"),
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        aws.wafv2.WebAclAssociation(name, resource_arn=self.balancer.arn, web_acl_arn=acl.arn, opts=scope.inside(self))
        logs = aws.cloudwatch.LogGroup(
            name,
            name=f"aws-waf-logs-{scope.name()}",
            retention_in_days=30,
            kms_key_id=self._args.logs_key_arn,
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
        aws.wafv2.WebAclLoggingConfiguration(
            name,
            resource_arn=acl.arn,
            log_destination_configs=[logs.arn],
            redacted_fields=[{"single_header": {"name": header}} for header in ("authorization", "cookie")],
            opts=scope.inside(self),
        )
        return acl

    def _names(self) -> None:
        scope = self._scope
        for host in (scope.settings.api_host, scope.settings.auth_host):
            aws.route53.Record(
                scope.name(_COMPONENT, host.partition(".")[0]),
                zone_id=self._args.domains.zone_id,
                name=host,
                type="A",
                aliases=[
                    {
                        "name": self.balancer.dns_name,
                        "zone_id": self.balancer.zone_id,
                        "evaluate_target_health": True,
                    }
                ],
                opts=scope.inside(self),
            )


def _nothing_here() -> dict[str, Any]:
    return {
        "type": "fixed-response",
        "fixed_response": {"content_type": "text/plain", "message_body": "Not found", "status_code": "404"},
    }
