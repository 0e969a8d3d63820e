"""Recorded resources are sent to an AWS emulator: a shape that AWS would refuse fails here."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from ticketly_cli.local import paths

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "emulator-requirements.txt"
STATE_BACKEND = HERE.parents[1] / "pulumi" / "state-backend.yaml"
VALIDATED = {"aws:eks/podIdentityAssociation:PodIdentityAssociation", "aws:msk/configuration:Configuration"}
"""Kinds of the sample that the emulator does not know."""

PROGRAM_VALIDATED = {
    "dev": {
        "aws:dlm/lifecyclePolicy:LifecyclePolicy": "the emulator has only a part of its calls",
        "aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination": "unknown to the emulator",
        "aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes": "unknown to the emulator",
    },
    "prod": {
        "aws:autoscaling/attachment:Attachment": "the emulator makes no machines for a node group",
        "aws:docdb/cluster:Cluster": "the emulator has no DocumentDB, and answers its calls as RDS",
        "aws:docdb/clusterInstance:ClusterInstance": "as above",
        "aws:docdb/clusterParameterGroup:ClusterParameterGroup": "as above",
        "aws:docdb/subnetGroup:SubnetGroup": "as above",
        "aws:eks/accessEntry:AccessEntry": "unknown to the emulator",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "unknown to the emulator",
        "aws:eks/addon:Addon": "unknown to the emulator",
        "aws:eks/podIdentityAssociation:PodIdentityAssociation": "unknown to the emulator",
        "aws:msk/configuration:Configuration": "unknown to the emulator",
        "aws:msk/scramSecretAssociation:ScramSecretAssociation": "unknown to the emulator",
        "aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination": "unknown to the emulator",
        "aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes": "unknown to the emulator",
    },
}
"""Kinds of the program that are checked against AWS's own description and not sent, each with the reason."""

CONFIG = {
    "dev": {"ticketly:profile": "dev", "ticketly:domain": "dev.example.com", "ticketly:alarmEmail": "o@example.com"},
    "prod": {
        "ticketly:profile": "prod",
        "ticketly:domain": "tickets.example.com",
        "ticketly:alarmEmail": "o@example.com",
        "ticketly:identity": '{"adminCidrs": ["198.51.100.0/24"]}',
        "ticketly:cluster": json.dumps(
            {"publicAccessCidrs": ["198.51.100.0/24"], "adminRoleArns": ["arn:aws:iam::123456789012:role/operators"]}
        ),
    },
}


@pytest.fixture(scope="session")
def emulator() -> Path:
    """The interpreter of the emulator's own environment, made once per set of requirements."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = paths.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"aws-emulator-{digest}"
    with FileLock(cache / "aws-emulator.lock"):
        if not (place / "complete").exists():
            uv = Path(sys.executable).parent / "uv"
            environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
            make = [str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(place)]
            subprocess.run(make, check=True, env=environment, timeout=120)
            fill = [str(uv), "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), "-r"]
            subprocess.run([*fill, str(REQUIREMENTS)], check=True, env=environment, timeout=600)
            (place / "complete").touch()
    return place / "bin" / "python"


def record(program: str, stack: str, file: Path, config: dict[str, str] | None = None) -> list[dict]:
    done = subprocess.run(
        [sys.executable, str(HERE / "recording.py"), program, stack, str(file)],
        env={**os.environ, "RECORDING_CONFIG": json.dumps(config or {})},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


def replay(emulator: Path, resources: list[dict], file: Path) -> dict:
    file.write_text(json.dumps(resources))
    done = subprocess.run(
        [str(emulator), str(HERE / "recording_replay.py"), str(file)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return record("recording_sample:build", "dev", tmp_path_factory.mktemp("recording") / "sample.json")


def test_every_kind_of_resource_is_accepted_by_the_api(emulator, sample, tmp_path):
    found = replay(emulator, sample, tmp_path / "sample.json")
    assert found["failures"] == []
    assert found["unplaced"] == []
    assert set(found["validated"]) == VALIDATED
    assert len(found["replayed"]) >= 50
    assert found["calls"] > len(sample) / 2


def spoiled(resource: dict, inputs: dict[str, object]) -> dict:
    """A copy with other inputs (None takes one away) and identifiers that nobody refers to."""
    kept = {name: value for name, value in {**resource["inputs"], **inputs}.items() if value is not None}
    return {**copy.deepcopy(resource), "inputs": kept, "id": "nobody", "outputs": {}}


WRONG = {
    "aws:ec2/subnet:Subnet": {"cidrBlock": "10.9.0.0/20"},
    "aws:ec2/securityGroup:SecurityGroup": {
        "name": "another",
        "ingress": [{"protocol": "tcp", "fromPort": "https", "toPort": 443}],
    },
    "aws:ec2/natGateway:NatGateway": {"subnetId": "subnet-00000000"},
    "aws:rds/instance:Instance": {"allocatedStorage": "fifty"},
    "aws:rds/subnetGroup:SubnetGroup": {"subnetIds": ["subnet-00000000"]},
    "aws:sqs/queuePolicy:QueuePolicy": {"queueUrl": "http://127.0.0.1/123456789012/nowhere"},
    "aws:scheduler/schedule:Schedule": {"flexibleTimeWindow": {"kind": "OFF"}},
    "aws:s3/bucketVersioning:BucketVersioning": {"versioningConfiguration": {"state": "Enabled"}},
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {"blockPublicAcls": "yes"},
    "aws:lb/listener:Listener": {"defaultActions": [{"type": "redirect", "redirected": {}}]},
    "aws:wafv2/webAcl:WebAcl": {"rules": [{"name": "rate", "priority": "first"}]},
    "aws:wafv2/webAclAssociation:WebAclAssociation": {"webAclArn": None},
    "aws:iam/role:Role": {"assumeRolePolicy": {"not": "a text"}},
    "aws:kms/key:Key": {"rotates": True},
    "aws:elasticache/replicationGroup:ReplicationGroup": {"securityGroupIds": "sg-1"},
    "aws:msk/cluster:Cluster": {"numberOfBrokerNodes": "three"},
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": {"roleArn": 7},
    "aws:cloudwatch/metricAlarm:MetricAlarm": {"dimensions": {"QueueName": ["a", "b"]}},
    "aws:ecr/repository:Repository": {"imageScanningConfiguration": {"scanOnPush": "always"}},
    "aws:route53/record:Record": {"aliases": [{"name": "x", "zoneId": "z", "evaluateTargetHealth": "sometimes"}]},
}


def test_a_wrong_shape_of_each_of_these_kinds_is_caught_and_nothing_else(emulator, sample, tmp_path):
    """The spoiled copy goes first, so that it fails by itself and not because its name is taken."""
    resources, left = [], dict(WRONG)
    for resource in sample:
        if resource["type"] in left:
            resources.append(spoiled(resource, left.pop(resource["type"])))
        resources.append(resource)
    assert left == {}
    found = replay(emulator, resources, tmp_path / "wrong.json")
    assert sorted(one["type"] for one in found["failures"]) == sorted(WRONG)


def test_a_kind_nobody_placed_is_reported(emulator, sample, tmp_path):
    resources = [{**sample[0], "type": "aws:new/thing:Thing"}]
    assert replay(emulator, resources, tmp_path / "new.json")["unplaced"] == ["aws:new/thing:Thing"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_the_program_is_accepted_by_the_api(emulator, profile, tmp_path):
    """Every resource of the real program, in an order of creation, with what other resources really gave."""
    resources = record("ticketly_infra.program:main", profile, tmp_path / "recorded.json", CONFIG[profile])
    found = replay(emulator, resources, tmp_path / f"{profile}.json")
    assert found["failures"] == []
    assert found["unplaced"] == []
    assert set(found["validated"]) == set(PROGRAM_VALIDATED[profile])
    assert found["calls"] > len(resources)


@pytest.mark.timeout(600)
def test_a_state_bucket_is_made_as_the_guide_says(emulator, tmp_path):
    """The template of `pulumi/state-backend.yaml`, read by AWS's own linter and made in the emulator."""
    done = subprocess.run(
        [str(emulator), str(HERE / "state_backend.py"), str(STATE_BACKEND)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["faults"] == []
    assert found["encryption"] == "aws:kms"
    assert found["versioning"] == "Enabled"
    assert set(found["block"].values()) == {True}
    assert found["refuses_plain_http"]
    assert found["key_rotates"]
    assert found["kept"] == ["Bucket", "Key"]
    assert (found["status"], found["outputs"]) == ("CREATE_COMPLETE", ["Bucket", "KeyAlias"])
    assert found["buckets"] == ["ticketly-state-123456789012"]
