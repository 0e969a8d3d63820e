"""Dashboards as data: load balancer, database, firewall. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

_WIDTH: Final = 12
_HEIGHT: Final = 6
Metric = list[Any]


def balancer(region: str, name: str, ingress: str, identity: str) -> str:
    """Requests, answers, slowness, healthy targets, streams that are open."""
    alb = ["LoadBalancer", name]
    space = "AWS/ApplicationELB"
    return _body(
        region,
        ("Requests a minute", "Sum", [[space, "RequestCount", *alb]]),
        (
            "Answers by class",
            "Sum",
            [[space, f"HTTPCode_Target_{kind}XX_Count", *alb] for kind in (2, 3, 4, 5)]
            + [[space, "HTTPCode_ELB_5XX_Count", *alb]],
        ),
        ("Answer time, 99 of 100", "p99", [[space, "TargetResponseTime", *alb]]),
        (
            "Healthy targets",
            "Minimum",
            [[space, "HealthyHostCount", "TargetGroup", group, *alb] for group in (ingress, identity)],
        ),
        ("Open connections", "Sum", [[space, "ActiveConnectionCount", *alb], [space, "NewConnectionCount", *alb]]),
        ("TLS failures", "Sum", [[space, "ClientTLSNegotiationErrorCount", *alb]]),
    )


def database(region: str, name: str) -> str:
    """Load, connections, latency, disk, and what replication slots hold back."""
    server = ["DBInstanceIdentifier", name]
    space = "AWS/RDS"
    return _body(
        region,
        ("Load", "Average", [[space, "CPUUtilization", *server], [space, "DBLoad", *server]]),
        ("Connections", "Maximum", [[space, "DatabaseConnections", *server]]),
        ("Commit latency", "p99", [[space, "CommitLatency", *server], [space, "WriteLatency", *server]]),
        ("Free disk and memory", "Minimum", [[space, "FreeStorageSpace", *server], [space, "FreeableMemory", *server]]),
        (
            "Change capture: log held back by slots",
            "Maximum",
            [
                [space, "OldestReplicationSlotLag", *server],
                [space, "ReplicationSlotDiskUsage", *server],
                [space, "TransactionLogsDiskUsage", *server],
            ],
        ),
        ("Reads and writes a second", "Average", [[space, "ReadIOPS", *server], [space, "WriteIOPS", *server]]),
    )


def firewall(region: str, name: str, rules: list[str]) -> str:
    """What passes, what is blocked, by which rule."""
    space = "AWS/WAFV2"
    acl = ["WebACL", name, "Region", region]
    return _body(
        region,
        (
            "Allowed and blocked",
            "Sum",
            [[space, "AllowedRequests", *acl, "Rule", "ALL"], [space, "BlockedRequests", *acl, "Rule", "ALL"]],
        ),
        ("Blocked by rule", "Sum", [[space, "BlockedRequests", *acl, "Rule", rule] for rule in rules]),
        ("Counted by rule", "Sum", [[space, "CountedRequests", *acl, "Rule", rule] for rule in rules]),
        ("Bots", "Sum", [[space, "SampleAllowedRequest", *acl, "BotCategory", "ALL"]]),
    )


def _body(region: str, *widgets: tuple[str, str, list[Metric]]) -> str:
    found = [
        {
            "type": "metric",
            "x": (place % 2) * _WIDTH,
            "y": (place // 2) * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
            "properties": {
                "title": title,
                "region": region,
                "stat": statistic,
                "period": 60,
                "view": "timeSeries",
                "metrics": metrics,
            },
        }
        for place, (title, statistic, metrics) in enumerate(widgets)
    ]
    return json.dumps({"widgets": found})
