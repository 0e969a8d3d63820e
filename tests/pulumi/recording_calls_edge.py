"""Translations of the edge: load balancer, firewall, certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recording_calls import Call, LeftOverError, Steps, Taken, given, pascal, translates

# edge -------------------------------------------------------------------------------------------------------------


@translates("aws:lb/loadBalancer:LoadBalancer")
def load_balancer(taken: Taken) -> Steps:
    parameters = given(
        Name=taken.get("name") or "ticketly",
        Subnets=taken.get("subnets"),
        SecurityGroups=taken.get("securityGroups"),
        Scheme="internal" if taken.get("internal") else "internet-facing",
        Type=taken.get("loadBalancerType", "application"),
        IpAddressType=taken.get("ipAddressType"),
    )
    answer = yield Call("elbv2", "create_load_balancer", parameters)
    made = answer["LoadBalancers"][0]
    names = {
        "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
        "enableDeletionProtection": "deletion_protection.enabled",
        "idleTimeout": "idle_timeout.timeout_seconds",
        "desyncMitigationMode": "routing.http.desync_mitigation_mode",
        "enableHttp2": "routing.http2.enabled",
        "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
        "enableWafFailOpen": "waf.fail_open.enabled",
    }
    attributes = [
        {"Key": key, "Value": str(taken.get(name)).lower()}
        for name, key in names.items()
        if taken.get(name) is not None
    ]
    logs = taken.get("accessLogs")
    if logs:
        told = {"access_logs.s3.enabled": logs.get("enabled"), "access_logs.s3.bucket": logs["bucket"]}
        told |= given(**{"access_logs.s3.prefix": logs.get("prefix")})
        attributes += [{"Key": key, "Value": str(value).lower()} for key, value in told.items()]
    if attributes:
        parameters = {"LoadBalancerArn": made["LoadBalancerArn"], "Attributes": attributes}
        yield Call("elbv2", "modify_load_balancer_attributes", parameters)
    return {"id": made["LoadBalancerArn"], "arn": made["LoadBalancerArn"], "dnsName": made["DNSName"]}


@translates("aws:lb/targetGroup:TargetGroup")
def target_group(taken: Taken) -> Steps:
    taken.ignore("deregistrationDelay", "slowStart", "stickiness", "loadBalancingAlgorithmType")
    check = taken.get("healthCheck", {})
    parameters = given(
        Name=taken.get("name") or "ticketly",
        Protocol=taken.get("protocol"),
        ProtocolVersion=taken.get("protocolVersion"),
        Port=taken.get("port"),
        VpcId=taken.get("vpcId"),
        TargetType=taken.get("targetType"),
        HealthCheckProtocol=check.get("protocol"),
        HealthCheckPath=check.get("path"),
        HealthCheckPort=check.get("port"),
        HealthCheckIntervalSeconds=check.get("interval"),
        HealthCheckTimeoutSeconds=check.get("timeout"),
        HealthyThresholdCount=check.get("healthyThreshold"),
        UnhealthyThresholdCount=check.get("unhealthyThreshold"),
        Matcher={"HttpCode": check["matcher"]} if check.get("matcher") else None,
    )
    answer = yield Call("elbv2", "create_target_group", parameters)
    found = answer["TargetGroups"][0]["TargetGroupArn"]
    return {"id": found, "arn": found}


def _actions(actions: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    known = {"type", "targetGroupArn", "redirect", "fixedResponse", "order"}
    found = []
    for action in actions:
        if set(action) - known:
            raise LeftOverError(f"action fields that nothing takes: {', '.join(sorted(set(action) - known))}")
        found.append(
            given(
                Type=action["type"],
                TargetGroupArn=action.get("targetGroupArn"),
                RedirectConfig=pascal(action["redirect"]) if action.get("redirect") else None,
                FixedResponseConfig=pascal(action["fixedResponse"]) if action.get("fixedResponse") else None,
                Order=action.get("order"),
            )
        )
    return found


@translates("aws:lb/listener:Listener")
def listener(taken: Taken) -> Steps:
    certificate = taken.get("certificateArn")
    parameters = given(
        LoadBalancerArn=taken["loadBalancerArn"],
        Port=taken["port"],
        Protocol=taken.get("protocol"),
        SslPolicy=taken.get("sslPolicy"),
        Certificates=[{"CertificateArn": certificate}] if certificate else None,
        DefaultActions=_actions(taken["defaultActions"]),
    )
    answer = yield Call("elbv2", "create_listener", parameters)
    found = answer["Listeners"][0]["ListenerArn"]
    return {"id": found, "arn": found}


@translates("aws:lb/listenerRule:ListenerRule")
def listener_rule(taken: Taken) -> Steps:
    names = {
        "hostHeader": ("host-header", "HostHeaderConfig"),
        "pathPattern": ("path-pattern", "PathPatternConfig"),
        "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
        "httpHeader": ("http-header", "HttpHeaderConfig"),
        "sourceIp": ("source-ip", "SourceIpConfig"),
    }
    conditions = []
    for condition in taken["conditions"]:
        for name, value in condition.items():
            field, parameter = names[name]
            conditions.append({"Field": field, parameter: pascal(value)})
    parameters = {
        "ListenerArn": taken["listenerArn"],
        "Priority": taken.get("priority", 1),
        "Conditions": conditions,
        "Actions": _actions(taken["actions"]),
    }
    answer = yield Call("elbv2", "create_rule", parameters)
    found = answer["Rules"][0]["RuleArn"]
    return {"id": found, "arn": found}


def _waf(value: Any) -> Any:
    """The provider's nesting to AWS's: an empty block is an empty object there as well."""
    renamed = {"arn": "ARN", "statements": "Statements", "cloudwatchMetricsEnabled": "CloudWatchMetricsEnabled"}
    return pascal(value, **renamed)


@translates("aws:wafv2/webAcl:WebAcl")
def web_acl(taken: Taken) -> Steps:
    parameters = given(
        Name=taken.get("name") or "ticketly",
        Scope=taken["scope"],
        DefaultAction=_waf(taken["defaultAction"]),
        Description=taken.get("description"),
        Rules=_waf(taken.get("rules", [])),
        VisibilityConfig=_waf(taken["visibilityConfig"]),
        CustomResponseBodies={
            one["key"]: {"ContentType": one["contentType"], "Content": one["content"]}
            for one in taken.get("customResponseBodies", [])
        }
        or None,
        AssociationConfig=_waf(taken["associationConfig"]) if taken.get("associationConfig") else None,
    )
    answer = yield Call("wafv2", "create_web_acl", parameters)
    return {"id": answer["Summary"]["Id"], "arn": answer["Summary"]["ARN"]}


@translates("aws:wafv2/webAclAssociation:WebAclAssociation")
def web_acl_association(taken: Taken) -> Steps:
    yield Call("wafv2", "associate_web_acl", {"WebACLArn": taken["webAclArn"], "ResourceArn": taken["resourceArn"]})
    return {}


@translates("aws:acm/certificate:Certificate")
def certificate(taken: Taken) -> Steps:
    parameters = given(
        DomainName=taken["domainName"],
        ValidationMethod=taken.get("validationMethod"),
        SubjectAlternativeNames=taken.get("subjectAlternativeNames"),
        KeyAlgorithm=taken.get("keyAlgorithm"),
    )
    answer = yield Call("acm", "request_certificate", parameters)
    return {"id": answer["CertificateArn"], "arn": answer["CertificateArn"]}
