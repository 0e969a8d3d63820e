"""Runs a Pulumi program against mocks and writes down every resource with the inputs it would send.

Importable, and a script of its own process for a program that is only replayed: `recording.py MODULE:FUNCTION STACK
FILE`. The mocked identifiers are tokens that occur nowhere else, so that a replay can put real ones in their place.
A resource without a name gets one as the provider would give it.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.stack import run_pulumi_func

ACCOUNT, REGION = "123456789012", "ap-south-1"

_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Marks a value that is more than JSON on Pulumi's wire; a secret has its plain value under `value`."""

AUTONAMED = {
    "aws:cloudfront/originAccessControl:OriginAccessControl": "name",
    "aws:cloudwatch/dashboard:Dashboard": "dashboardName",
    "aws:docdb/cluster:Cluster": "clusterIdentifier",
    "aws:docdb/clusterInstance:ClusterInstance": "identifier",
    "aws:eks/nodeGroup:NodeGroup": "nodeGroupName",
    "aws:elasticache/replicationGroup:ReplicationGroup": "replicationGroupId",
    "aws:msk/cluster:Cluster": "clusterName",
    "aws:rds/instance:Instance": "identifier",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:sesv2/configurationSet:ConfigurationSet": "configurationSetName",
    **{
        f"aws:{kind}": "name"
        for kind in (
            "autoscaling/group:Group",
            "budgets/budget:Budget",
            "cloudwatch/logGroup:LogGroup",
            "cloudwatch/metricAlarm:MetricAlarm",
            "docdb/clusterParameterGroup:ClusterParameterGroup",
            "docdb/subnetGroup:SubnetGroup",
            "ec2/launchTemplate:LaunchTemplate",
            "ec2/securityGroup:SecurityGroup",
            "ecs/service:Service",
            "elasticache/parameterGroup:ParameterGroup",
            "elasticache/subnetGroup:SubnetGroup",
            "iam/instanceProfile:InstanceProfile",
            "iam/policy:Policy",
            "iam/role:Role",
            "iam/rolePolicy:RolePolicy",
            "lb/loadBalancer:LoadBalancer",
            "lb/targetGroup:TargetGroup",
            "msk/configuration:Configuration",
            "rds/parameterGroup:ParameterGroup",
            "rds/subnetGroup:SubnetGroup",
            "scheduler/schedule:Schedule",
            "scheduler/scheduleGroup:ScheduleGroup",
            "secretsmanager/secret:Secret",
            "sns/topic:Topic",
            "sqs/queue:Queue",
            "wafv2/webAcl:WebAcl",
        )
    },
}
_NAME_LIMITS = {"aws:lb/loadBalancer:LoadBalancer": 32, "aws:lb/targetGroup:TargetGroup": 32}


def as_sent(value: Any) -> Any:
    """Inputs as a provider sees them: secrets opened, and whole numbers whole again (the wire knows only floats)."""
    if isinstance(value, dict):
        if _SIGNATURE in value:
            return as_sent(value.get("value"))
        return {name: as_sent(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_sent(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def secret_paths(value: Any, path: str = "") -> Iterator[str]:
    """Where the wire marks a value as secret: `masterPassword`, `items.0.value`; "" for the whole."""
    if isinstance(value, dict):
        if _SIGNATURE in value:
            yield path
            return
        for name, inner in value.items():
            yield from secret_paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from secret_paths(inner, f"{path}.{number}" if path else str(number))


class Recorder(mocks.Mocks):
    """Answers every resource with its own inputs, an id, an ARN and what AWS would add."""

    def __init__(self, first_number: int = 1) -> None:
        self.recorded: list[dict[str, Any]] = []
        self._numbers = itertools.count(first_number)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Note the resource; the order of the calls is an order in which they could be created."""
        inputs = as_sent(args.inputs or {})
        number = f"{next(self._numbers):08x}"
        service, _, kind = args.typ.partition("/")[0].rpartition(":")[2], "", args.typ.rpartition(":")[2]
        identifier = f"{kind.lower()}-{number}{'0' * 9}"
        name_input = AUTONAMED.get(args.typ)
        if args.custom and name_input and name_input not in inputs:
            limit = _NAME_LIMITS.get(args.typ, 200)
            inputs[name_input] = f"{args.name[: limit - 8]}-{number[-7:]}"
        outputs = {
            "arn": f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:{kind.lower()}/{identifier}",
            **{
                name: f"{name.lower()}-{number}{'0' * 9}"
                for name in ("url", "name", "dnsName", "zoneId", "bucket", "keyId", "allocationId", "arnSuffix")
            },
            "endpoint": f"endpoint-{number}.example.internal:5432",
            "address": f"address-{number}.example.internal",
            "port": 5432,
            **inputs,
            **added_by_aws(args.typ, number, inputs),
        }
        if args.custom:
            self.recorded.append(
                {"type": args.typ, "name": args.name, "inputs": inputs, "id": identifier, "outputs": outputs}
            )
        return identifier, outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        """Functions of the provider: who and where one is, and what AWS makes up."""
        return {
            "aws:index/getCallerIdentity:getCallerIdentity": {
                "accountId": ACCOUNT,
                "arn": "",
                "id": ACCOUNT,
                "userId": "",
            },
            "aws:index/getRegion:getRegion": {"name": REGION, "region": REGION, "id": REGION, "description": ""},
            "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws"},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": [f"{REGION}{letter}" for letter in "abc"],
                "zoneIds": ["aps1-az1", "aps1-az2", "aps1-az3"],
            },
            "aws:ec2/getAmi:getAmi": {"id": "ami-12c6146b", "architecture": "x86_64"},
            "aws:ssm/getParameter:getParameter": {"value": "ami-12c6146b"},
            "aws:secretsmanager/getRandomPassword:getRandomPassword": {
                "randomPassword": f"canaryPassword{next(self._numbers):018d}",
                "id": "password",
            },
        }.get(args.token, {})


def added_by_aws(kind: str, number: str, inputs: Mapping[str, Any]) -> dict[str, Any]:  # noqa: C901  a table
    """Attributes that only AWS knows, where the program reads them."""
    host = f"{number}.example.internal"
    match kind:
        case "aws:acm/certificate:Certificate":
            names = [inputs.get("domainName", ""), *inputs.get("subjectAlternativeNames", [])]
            return {
                "domainValidationOptions": [
                    {
                        "domainName": name,
                        "resourceRecordName": f"_check-{place}.{name}.",
                        "resourceRecordType": "CNAME",
                        "resourceRecordValue": f"_{number}.acm-validations.aws.",
                    }
                    for place, name in enumerate(names)
                ]
            }
        case "aws:cloudfront/distribution:Distribution":
            return {"domainName": f"d{number}.cloudfront.net", "hostedZoneId": "Z2FDTNDATAQYW2"}
        case "aws:ec2/launchTemplate:LaunchTemplate":
            return {"latestVersion": 1}
        case "aws:ecr/repository:Repository":
            return {"repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{inputs.get('name')}"}
        case "aws:eks/cluster:Cluster":
            group = {"clusterSecurityGroupId": f"sg-eks{number}"}
            return {"endpoint": f"https://{host}", "vpcConfig": {**inputs.get("vpcConfig", {}), **group}}
        case "aws:eks/nodeGroup:NodeGroup":
            return {"resources": [{"autoscalingGroups": [{"name": f"eks-nodes-{number}"}]}]}
        case "aws:elasticache/replicationGroup:ReplicationGroup":
            return {"primaryEndpointAddress": host, "readerEndpointAddress": f"reader.{host}"}
        case "aws:msk/configuration:Configuration":
            return {"latestRevision": 1}
        case "aws:s3/bucket:Bucket":
            return {"bucketRegionalDomainName": f"{inputs.get('bucket')}.s3.{REGION}.amazonaws.com"}
        case "aws:msk/cluster:Cluster":
            return {"bootstrapBrokersSaslScram": f"b-1.{host}:9096,b-2.{host}:9096,b-3.{host}:9096"}
        case "aws:rds/instance:Instance":
            secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-{number}-AbCdEf"
            return {"masterUserSecrets": [{"secretArn": secret, "kmsKeyId": "", "secretStatus": "active"}]}
        case "aws:route53/record:Record":
            return {"fqdn": str(inputs.get("name", "")).rstrip(".")}
        case "aws:route53/zone:Zone":
            return {"nameServers": [f"ns-{place}-{number}.awsdns.example" for place in range(4)]}
        case "aws:secretsmanager/secret:Secret":
            name = inputs.get("name", "secret")
            return {"arn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{number[-6:]}"}
        case "aws:sesv2/emailIdentity:EmailIdentity":
            tokens = [f"token{place}{number}" for place in "abc"]
            return {"dkimSigningAttributes": {**inputs.get("dkimSigningAttributes", {}), "tokens": tokens}}
        case "aws:sqs/queue:Queue":
            return {"url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/queue-{number}"}
        case "aws:ec2/instance:Instance":
            return {"privateIp": f"10.0.48.{int(number, 16) % 250 + 4}", "privateDns": f"ip-{number}.internal"}
        case _:
            return {}


class Monitor(mocks.MockMonitor):
    """Notes as well what the mocks are not told: protection, order of replacement, secrets."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._recorder = recorder
        self.loops: set[asyncio.AbstractEventLoop] = set()
        """Pulumi makes one for each of its threads and closes none."""

    def Invoke(self, request: Any) -> Any:  # noqa: N802  the name of the call
        answer = super().Invoke(request)
        self.loops.add(asyncio.get_event_loop())
        return answer

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the name of the call
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.loops.add(asyncio.get_event_loop())
        if request.custom:
            # calls come from several threads, so it need not be the last one
            own = (request.type, request.name)
            found = next(one for one in self._recorder.recorded if (one["type"], one["name"]) == own)
            found["protect"] = bool(request.protect)
            found["createsFirst"] = request.deleteBeforeReplaceDefined and not request.deleteBeforeReplace
            found["ignoreChanges"] = list(request.ignoreChanges)
            found["parent"] = request.parent.rpartition("::")[2]
            found["secrets"] = sorted(secret_paths(rpc.deserialize_properties(request.object)))
        return answer


async def _outputs() -> dict[str, dict[str, Any]]:
    root = pulumi.runtime.get_root_resource()
    found = {}
    for name, value in sorted((getattr(root, "outputs", None) or {}).items()):
        output = pulumi.Output.from_input(value)
        found[name] = {"value": await output.future(), "secret": await output.is_secret()}
    return found


def run(build: Callable[[], Any], stack: str = "dev", config: Mapping[str, str] | None = None) -> dict[str, Any]:
    """{"resources": [...], "outputs": {name: {value, secret}}} of a program, resources in an order of creation.

    In a thread of its own, so that whatever loop the caller has stays what it was. Raises what the program raises.
    """
    with ThreadPoolExecutor(1, "program") as thread:
        return thread.submit(_run, build, stack, config or {}).result()


def _run(build: Callable[[], Any], stack: str, config: Mapping[str, str]) -> dict[str, Any]:
    recorder = Recorder()
    monitor = Monitor(recorder)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(recorder, project="ticketly", stack=stack, preview=False, monitor=monitor)
        pulumi.runtime.set_all_config({"aws:region": REGION, **config}, [])
        loop.run_until_complete(run_pulumi_func(build))
        return {"resources": recorder.recorded, "outputs": loop.run_until_complete(_outputs())}
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        for one in {*monitor.loops, loop}:
            one.close()
        asyncio.set_event_loop(None)


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    built = getattr(importlib.import_module(module), function)
    found = run(built, sys.argv[2], json.loads(os.environ.get("RECORDING_CONFIG") or "{}"))
    Path(sys.argv[3]).write_text(json.dumps(found["resources"], indent=1))
