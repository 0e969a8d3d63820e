"""How the inputs of each resource type become calls of the AWS API.

A translation is a generator: it yields calls, gets their answers, and returns the identifiers AWS gave. Every input has
to be taken: one that is left over is an input whose shape nobody checked, and fails the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

REPLAYED = "replayed"
VALIDATED = "validated"
"""Checked by botocore against AWS's service model and not sent: the emulator does not know the call."""


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    parameters: dict[str, Any]


class LeftOverError(Exception):
    """An input that no translation takes."""


class Taken:
    """Inputs that note which of them were looked at. `taken["x"]` is required, `taken.get("x")` is not."""

    ALWAYS = frozenset({"tags", "tagsAll", "region", "__defaults"})

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs = inputs
        self._seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self._seen.add(name)
        return self._inputs[name]

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.add(name)
        found = self._inputs.get(name)
        return default if found is None else found

    def ignore(self, *names: str) -> None:
        """These say how the provider behaves, not what AWS gets."""
        self._seen.update(names)

    def finish(self) -> None:
        left = set(self._inputs) - self._seen - self.ALWAYS
        if left:
            raise LeftOverError(f"inputs that nothing takes: {', '.join(sorted(left))}")


Steps = Generator[Call, Any, dict[str, Any]]
Translation = Callable[[Taken], Steps]
TRANSLATIONS: dict[str, tuple[str, Translation]] = {}
NOT_COVERED: dict[str, str] = {
    "aws:acm/certificateValidation:CertificateValidation": "waits only, sends nothing of its own",
    "pulumi:providers:aws": "the provider itself",
}


def translates(*types: str, how: str = REPLAYED) -> Callable[[Translation], Translation]:
    def register(function: Translation) -> Translation:
        for one in types:
            TRANSLATIONS[one] = (how, function)
        return function

    return register


def pascal(value: Any, **renamed: str) -> Any:
    """camelCase keys to PascalCase at every depth; `renamed` where AWS says it otherwise."""
    if isinstance(value, Mapping):
        return {renamed.get(key, key[:1].upper() + key[1:]): pascal(inner, **renamed) for key, inner in value.items()}
    return [pascal(inner, **renamed) for inner in value] if isinstance(value, list) else value


def given(**values: Any) -> dict[str, Any]:
    """Without what is not there."""
    return {name: value for name, value in values.items() if value is not None}


def pairs(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def plain(
    service: str, operation: str, fields: Mapping[str, str], gives: Mapping[str, str], **extra: Any
) -> Translation:
    """One call: `fields` input -> parameter, `gives` attribute -> path in the answer, dotted."""

    def translation(taken: Taken) -> Steps:
        found = {parameter: taken.get(name) for name, parameter in fields.items()}
        answer = yield Call(service, operation, {**given(**found), **extra})
        return {name: at(answer, path) for name, path in gives.items()}

    return translation


def at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer[int(part)] if part.isdigit() else answer[part]
    return answer


# EC2 --------------------------------------------------------------------------------------------------------------


@translates("aws:ec2/vpc:Vpc")
def vpc(taken: Taken) -> Steps:
    answer = yield Call("ec2", "create_vpc", {"CidrBlock": taken["cidrBlock"]})
    found = answer["Vpc"]["VpcId"]
    for name, parameter in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        if taken.get(name) is not None:
            yield Call("ec2", "modify_vpc_attribute", {"VpcId": found, parameter: {"Value": taken[name]}})
    return {"id": found}


@translates("aws:ec2/subnet:Subnet")
def subnet(taken: Taken) -> Steps:
    parameters = given(
        VpcId=taken["vpcId"], CidrBlock=taken["cidrBlock"], AvailabilityZone=taken.get("availabilityZone")
    )
    answer = yield Call("ec2", "create_subnet", parameters)
    found = answer["Subnet"]["SubnetId"]
    if taken.get("mapPublicIpOnLaunch") is not None:
        value = {"Value": taken["mapPublicIpOnLaunch"]}
        yield Call("ec2", "modify_subnet_attribute", {"SubnetId": found, "MapPublicIpOnLaunch": value})
    return {"id": found}


@translates("aws:ec2/internetGateway:InternetGateway")
def internet_gateway(taken: Taken) -> Steps:
    answer = yield Call("ec2", "create_internet_gateway", {})
    found = answer["InternetGateway"]["InternetGatewayId"]
    if taken.get("vpcId"):
        yield Call("ec2", "attach_internet_gateway", {"InternetGatewayId": found, "VpcId": taken["vpcId"]})
    return {"id": found}


TRANSLATIONS["aws:ec2/eip:Eip"] = (
    REPLAYED,
    plain("ec2", "allocate_address", {"domain": "Domain"}, {"id": "AllocationId", "allocationId": "AllocationId"}),
)


@translates("aws:ec2/natGateway:NatGateway")
def nat_gateway(taken: Taken) -> Steps:
    parameters = given(
        SubnetId=taken["subnetId"],
        AllocationId=taken.get("allocationId"),
        ConnectivityType=taken.get("connectivityType"),
    )
    answer = yield Call("ec2", "create_nat_gateway", parameters)
    return {"id": answer["NatGateway"]["NatGatewayId"]}


def _route(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "cidrBlock": "DestinationCidrBlock",
        "destinationCidrBlock": "DestinationCidrBlock",
        "gatewayId": "GatewayId",
        "natGatewayId": "NatGatewayId",
    }
    return {names[name]: value for name, value in entry.items() if value}


@translates("aws:ec2/routeTable:RouteTable")
def route_table(taken: Taken) -> Steps:
    answer = yield Call("ec2", "create_route_table", {"VpcId": taken["vpcId"]})
    found = answer["RouteTable"]["RouteTableId"]
    for entry in taken.get("routes", []):
        yield Call("ec2", "create_route", {"RouteTableId": found, **_route(entry)})
    return {"id": found}


@translates("aws:ec2/route:Route")
def route(taken: Taken) -> Steps:
    names = ("destinationCidrBlock", "gatewayId", "natGatewayId")
    entry = {name: taken.get(name) for name in names}
    yield Call("ec2", "create_route", {"RouteTableId": taken["routeTableId"], **_route(entry)})
    return {}


@translates("aws:ec2/routeTableAssociation:RouteTableAssociation")
def route_table_association(taken: Taken) -> Steps:
    parameters = {"RouteTableId": taken["routeTableId"], "SubnetId": taken["subnetId"]}
    answer = yield Call("ec2", "associate_route_table", parameters)
    return {"id": answer["AssociationId"]}


def _permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    described = given(Description=rule.get("description"))
    found: dict[str, Any] = {"IpProtocol": rule["protocol"], "FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
    if rule.get("cidrBlocks"):
        found["IpRanges"] = [{"CidrIp": block, **described} for block in rule["cidrBlocks"]]
    if rule.get("securityGroups"):
        found["UserIdGroupPairs"] = [{"GroupId": group, **described} for group in rule["securityGroups"]]
    unknown = set(rule) - {"protocol", "fromPort", "toPort", "cidrBlocks", "securityGroups", "description", "self"}
    if unknown:
        raise LeftOverError(f"rule fields that nothing takes: {', '.join(sorted(unknown))}")
    return found


@translates("aws:ec2/securityGroup:SecurityGroup")
def security_group(taken: Taken) -> Steps:
    taken.ignore("revokeRulesOnDelete")
    name = taken.get("name") or taken.get("namePrefix") or taken.get("description")
    answer = yield Call(
        "ec2",
        "create_security_group",
        {"GroupName": name, "Description": taken["description"], "VpcId": taken["vpcId"]},
    )
    found = answer["GroupId"]
    egress = taken.get("egress", [])
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    yield Call("ec2", "revoke_security_group_egress", {"GroupId": found, "IpPermissions": everything})
    for operation, rules in (("ingress", taken.get("ingress", [])), ("egress", egress)):
        for rule in rules:
            parameters = {"GroupId": found, "IpPermissions": [_permission(rule)]}
            yield Call("ec2", f"authorize_security_group_{operation}", parameters)
    return {"id": found}


def _single_rule(direction: str) -> Translation:
    def translation(taken: Taken) -> Steps:
        described = given(Description=taken.get("description"))
        found = given(IpProtocol=taken["ipProtocol"], FromPort=taken.get("fromPort"), ToPort=taken.get("toPort"))
        if taken.get("cidrIpv4"):
            found["IpRanges"] = [{"CidrIp": taken["cidrIpv4"], **described}]
        if taken.get("referencedSecurityGroupId"):
            found["UserIdGroupPairs"] = [{"GroupId": taken["referencedSecurityGroupId"], **described}]
        if taken.get("prefixListId"):
            found["PrefixListIds"] = [{"PrefixListId": taken["prefixListId"], **described}]
        parameters = {"GroupId": taken["securityGroupId"], "IpPermissions": [found]}
        yield Call("ec2", f"authorize_security_group_{direction}", parameters)
        return {}

    return translation


TRANSLATIONS["aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"] = (REPLAYED, _single_rule("ingress"))
TRANSLATIONS["aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"] = (REPLAYED, _single_rule("egress"))


@translates("aws:ec2/securityGroupRule:SecurityGroupRule")
def security_group_rule(taken: Taken) -> Steps:
    rule = {name: taken[name] for name in ("protocol", "fromPort", "toPort")}
    rule |= given(cidrBlocks=taken.get("cidrBlocks"), description=taken.get("description"))
    if taken.get("sourceSecurityGroupId"):
        rule["securityGroups"] = [taken["sourceSecurityGroupId"]]
    if taken.get("self"):
        rule["securityGroups"] = [taken["securityGroupId"]]
    parameters = {"GroupId": taken["securityGroupId"], "IpPermissions": [_permission(rule)]}
    yield Call("ec2", f"authorize_security_group_{taken['type']}", parameters)
    return {}


@translates("aws:ec2/vpcEndpoint:VpcEndpoint")
def vpc_endpoint(taken: Taken) -> Steps:
    parameters = given(
        VpcId=taken["vpcId"],
        ServiceName=taken["serviceName"],
        VpcEndpointType=taken.get("vpcEndpointType"),
        RouteTableIds=taken.get("routeTableIds"),
        SubnetIds=taken.get("subnetIds"),
        SecurityGroupIds=taken.get("securityGroupIds"),
        PrivateDnsEnabled=taken.get("privateDnsEnabled"),
        PolicyDocument=taken.get("policy"),
    )
    answer = yield Call("ec2", "create_vpc_endpoint", parameters)
    return {"id": answer["VpcEndpoint"]["VpcEndpointId"]}


@translates("aws:ec2/flowLog:FlowLog")
def flow_log(taken: Taken) -> Steps:
    parameters = given(
        ResourceIds=[taken["vpcId"]],
        ResourceType="VPC",
        TrafficType=taken.get("trafficType"),
        LogDestinationType=taken.get("logDestinationType"),
        LogDestination=taken.get("logDestination"),
        DeliverLogsPermissionArn=taken.get("iamRoleArn"),
        MaxAggregationInterval=taken.get("maxAggregationInterval"),
    )
    answer = yield Call("ec2", "create_flow_logs", parameters)
    if answer["Unsuccessful"]:
        raise ValueError(str(answer["Unsuccessful"]))
    return {"id": answer["FlowLogIds"][0]}
