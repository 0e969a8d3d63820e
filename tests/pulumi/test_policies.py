"""Rules over the whole program, both profiles; and programs with one mistake each, which a rule must catch."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ticketly_cli.provision import changes
from ticketly_cli.provision.policies import violations
from ticketly_infra import policies
from ticketly_infra.policies import keeping
from ticketly_infra.policies.model import UNKNOWN, Seen, Violation

PROFILES = ("dev", "prod")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_program_keeps_every_policy(seen, profile):
    assert [str(one) for one in policies.broken(seen[profile])] == []
    assert len(seen[profile]) > 200


def changed(resources, kind, ending="", **inputs):
    """The program with other inputs in the first such resource (`a__b` for a path, None takes an input away)."""
    found = list(resources)
    place = next(n for n, one in enumerate(found) if one.type == kind and one.name.endswith(ending))
    tree = json.loads(json.dumps(found[place].inputs))
    for path, value in inputs.items():
        *parents, last = path.split("__")
        spot = tree
        for part in parents:
            spot = spot[int(part)] if part.isdigit() else spot.setdefault(part, {})
        if value is None:
            spot.pop(last, None)
        else:
            spot[last] = value
    found[place] = replace(found[place], inputs=tree)
    return found


def without(resources, kind, ending=""):
    found = [one for one in resources if not (one.type == kind and one.name.endswith(ending))]
    assert len(found) < len(resources)
    return found


def added(resources, kind, **inputs):
    return [*resources, Seen(kind, "ticketly-added", inputs)]


def flagged(resources, kind, **flags):
    place = next(n for n, one in enumerate(resources) if one.type == kind)
    return [*resources[:place], replace(resources[place], **flags), *resources[place + 1 :]]


def document(**statement):
    return json.dumps({"Statement": [{"Effect": "Allow", **statement}]})


RULE = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ROLE = "iam/rolePolicy:RolePolicy"
ACL = "wafv2/webAcl:WebAcl"
RATE = {"limit": 2000, "aggregateKeyType": "IP"}
LEAKY = "#!/bin/bash\nexport PASSWORD=hunter2hunter2\n"

SEEDED = {
    # exposure
    "ssh to the world": ("world-ports", lambda r: changed(r, RULE, "from-world-80", fromPort=22, toPort=22)),
    "all protocols to the world": ("world-ports", lambda r: changed(r, RULE, "from-world-80", ipProtocol="-1")),
    "a range to the world": ("world-ports", lambda r: changed(r, RULE, "from-world-80", toPort=443)),
    "half the world": (
        "world-ports",
        lambda r: added(r, RULE, cidrIpv4="0.0.0.0/1", ipProtocol="tcp", fromPort=5432, toPort=5432),
    ),
    "the world by IPv6": (
        "world-ports",
        lambda r: added(r, RULE, cidrIpv6="::/0", ipProtocol="tcp", fromPort=9092, toPort=9092),
    ),
    "an inline rule": (
        "world-ports",
        lambda r: added(
            r,
            "ec2/securityGroup:SecurityGroup",
            ingress=[{"protocol": "tcp", "fromPort": 6379, "toPort": 6379, "cidrBlocks": ["0.0.0.0/0"]}],
        ),
    ),
    "an old-style rule": (
        "world-ports",
        lambda r: added(
            r,
            "ec2/securityGroupRule:SecurityGroupRule",
            type="ingress",
            protocol="tcp",
            fromPort=8080,
            toPort=8080,
            cidrBlocks=["0.0.0.0/0"],
        ),
    ),
    "a public database": ("nothing-public", lambda r: changed(r, "rds/instance:Instance", publiclyAccessible=True)),
    "addresses for a subnet": ("nothing-public", lambda r: changed(r, "ec2/subnet:Subnet", mapPublicIpOnLaunch=True)),
    "an address for a task": (
        "nothing-public",
        lambda r: changed(r, "ecs/service:Service", networkConfiguration__assignPublicIp=True),
    ),
    "an open bucket": (
        "nothing-public",
        lambda r: changed(r, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", restrictPublicBuckets=False),
    ),
    "a bucket without a block": (
        "buckets-blocked",
        lambda r: without(r, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "images"),
    ),
    "public objects": ("nothing-public", lambda r: added(r, "s3/bucketAcl:BucketAcl", acl="public-read")),
    "a machine with an address": ("nothing-public", lambda r: added(r, "ec2/eip:Eip", instance="i-1")),
    "a public cluster": (
        "nothing-public",
        lambda r: added(r, "eks/cluster:Cluster", vpcConfig={"endpointPublicAccess": True}),
    ),
    "a cluster open to the world": (
        "nothing-public",
        lambda r: added(
            r,
            "eks/cluster:Cluster",
            vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]},
        ),
    ),
    "a database in a public subnet": (
        "public-subnets",
        lambda r: changed(
            r,
            "rds/subnetGroup:SubnetGroup",
            subnetIds=[next(one.id for one in r if one.type == "ec2/subnet:Subnet" and "public" in one.name)],
        ),
    ),
    # encryption
    "a database in clear": ("encrypted-at-rest", lambda r: changed(r, "rds/instance:Instance", storageEncrypted=False)),
    "a queue without a key": ("encrypted-at-rest", lambda r: changed(r, "sqs/queue:Queue", kmsMasterKeyId=None)),
    "a log without a key": ("encrypted-at-rest", lambda r: changed(r, "cloudwatch/logGroup:LogGroup", kmsKeyId=None)),
    "a log for ever": (
        "encrypted-at-rest",
        lambda r: changed(r, "cloudwatch/logGroup:LogGroup", retentionInDays=None),
    ),
    "a node's disk in clear": (
        "encrypted-at-rest",
        lambda r: changed(r, "ec2/launchTemplate:LaunchTemplate", blockDeviceMappings__0__ebs__encrypted="false"),
    ),
    "a key that never changes": ("encrypted-at-rest", lambda r: changed(r, "kms/key:Key", enableKeyRotation=False)),
    "a bucket without encryption": (
        "buckets-encrypted",
        lambda r: without(
            r, "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "images"
        ),
    ),
    "old TLS at the door": (
        "encrypted-in-transit",
        lambda r: changed(r, "lb/listener:Listener", "https", sslPolicy="ELBSecurityPolicy-2016-08"),
    ),
    "plain HTTP that answers": (
        "encrypted-in-transit",
        lambda r: changed(r, "lb/listener:Listener", "http", defaultActions=[{"type": "forward"}]),
    ),
    "old TLS for images": (
        "encrypted-in-transit",
        lambda r: changed(r, "cloudfront/distribution:Distribution", viewerCertificate__minimumProtocolVersion="TLSv1"),
    ),
    "a database that takes plain connections": (
        "encrypted-in-transit",
        lambda r: changed(r, "rds/parameterGroup:ParameterGroup", parameters__1__value="0"),
    ),
    "no logical replication": (
        "encrypted-in-transit",
        lambda r: changed(r, "rds/parameterGroup:ParameterGroup", parameters__0__value="0"),
    ),
    "mail in clear": (
        "encrypted-in-transit",
        lambda r: changed(r, "sesv2/configurationSet:ConfigurationSet", deliveryOptions__tlsPolicy="OPTIONAL"),
    ),
    "a queue over HTTP": (
        "tls-only",
        lambda r: changed(
            r, "sqs/queuePolicy:QueuePolicy", policy=document(Principal={"AWS": "x"}, Action="sqs:SendMessage")
        ),
    ),
    "a bucket without a policy": ("tls-policy-exists", lambda r: without(r, "s3/bucketPolicy:BucketPolicy", "images")),
    "a secret without a policy": (
        "tls-policy-exists",
        lambda r: without(r, "secretsmanager/secretPolicy:SecretPolicy", "oidc"),
    ),
    # access
    "everything for a role": (
        "no-wildcards",
        lambda r: changed(r, ROLE, policy=document(Action="*", Resource="*")),
    ),
    "all of a service": ("no-wildcards", lambda r: changed(r, ROLE, policy=document(Action=["s3:*"], Resource=["*"]))),
    "all but something": (
        "no-wildcards",
        lambda r: changed(r, ROLE, policy=document(NotAction="iam:*", Resource="arn:aws:s3:::x")),
    ),
    "a role for everybody": (
        "no-wildcards",
        lambda r: changed(
            r, "iam/role:Role", assumeRolePolicy=document(Principal={"AWS": "*"}, Action="sts:AssumeRole")
        ),
    ),
    "a key for everybody": (
        "no-wildcards",
        lambda r: changed(r, "kms/key:Key", policy=document(Principal={"AWS": "*"}, Action="kms:*", Resource="*")),
    ),
    "an administrator": (
        "no-wide-managed-policies",
        lambda r: changed(
            r,
            "iam/rolePolicyAttachment:RolePolicyAttachment",
            policyArn="arn:aws:iam::aws:policy/AdministratorAccess",
        ),
    ),
    "a user": ("no-static-keys", lambda r: added(r, "iam/user:User", name="deploy")),
    "an access key": ("no-static-keys", lambda r: added(r, "iam/accessKey:AccessKey", user="deploy")),
    "an SSH key": ("no-static-keys", lambda r: changed(r, "ec2/launchTemplate:LaunchTemplate", keyName="ops")),
    "IMDSv1": (
        "imdsv2",
        lambda r: changed(r, "ec2/launchTemplate:LaunchTemplate", metadataOptions__httpTokens="optional"),
    ),
    "metadata for everybody": (
        "imdsv2",
        lambda r: changed(r, "ec2/launchTemplate:LaunchTemplate", metadataOptions__httpPutResponseHopLimit=64),
    ),
    "the bypass of the reference": (
        "firewall-without-bypass",
        lambda r: changed(
            r,
            ACL,
            rules=[
                {"name": "uploads", "action": {"allow": {}}, "statement": {}},
                {"name": "flood", "action": {"block": {}}, "statement": {"rateBasedStatement": RATE}},
            ],
        ),
    ),
    "managed rules that only count": (
        "firewall-without-bypass",
        lambda r: changed(
            r,
            ACL,
            rules=[
                {"name": "common", "overrideAction": {"count": {}}, "statement": {}},
                {"name": "flood", "action": {"block": {}}, "statement": {"rateBasedStatement": RATE}},
            ],
        ),
    ),
    "a limit that a header switches off": (
        "firewall-without-bypass",
        lambda r: changed(
            r,
            ACL,
            rules=[
                {
                    "name": "flood",
                    "action": {"block": {}},
                    "statement": {"rateBasedStatement": {**RATE, "scopeDownStatement": {"byteMatchStatement": {}}}},
                }
            ],
        ),
    ),
    "no firewall": (
        "behind-a-firewall",
        lambda r: without(r, "wafv2/webAclAssociation:WebAclAssociation"),
    ),
    "a firewall that opens when it fails": (
        "behind-a-firewall",
        lambda r: changed(r, "lb/loadBalancer:LoadBalancer", enableWafFailOpen=True),
    ),
    # keeping
    "an unprotected database": ("protected", lambda r: flagged(r, "rds/instance:Instance", protect=False)),
    "a secret deleted before its replacement": (
        "protected",
        lambda r: flagged(r, "secretsmanager/secret:Secret", creates_first=False),
    ),
    "no last snapshot": ("backed-up", lambda r: changed(r, "rds/instance:Instance", skipFinalSnapshot=True)),
    "one day of backups": ("backed-up", lambda r: changed(r, "rds/instance:Instance", backupRetentionPeriod=1)),
    "no deletion protection": ("backed-up", lambda r: changed(r, "rds/instance:Instance", deletionProtection=False)),
    "a bucket that is emptied": ("backed-up", lambda r: changed(r, "s3/bucket:Bucket", forceDestroy=True)),
    "images without versions": (
        "bucket-versions",
        lambda r: without(r, "s3/bucketVersioning:BucketVersioning", "images"),
    ),
    "a queue that loses what failed": (
        "dead-letter-queues",
        lambda r: changed(r, "sqs/queue:Queue", "trending-job", redrivePolicy=None),
    ),
    "no queue for what failed": (
        "dead-letter-queues",
        lambda r: without(r, "sqs/queue:Queue", "trending-job-dead"),
    ),
    "what failed goes to another queue": (
        "dead-letter-queues",
        lambda r: changed(
            r,
            "sqs/queue:Queue",
            "trending-job",
            redrivePolicy=json.dumps({"deadLetterTargetArn": "arn:aws:sqs:x", "maxReceiveCount": 5}),
        ),
    ),
    "nothing to tell costs by": ("tagged", lambda r: changed(r, "ec2/vpc:Vpc", tags={"Name": "x"})),
    # secrecy
    "a password that is not marked": (
        "secrets-marked",
        lambda r: flagged(r, "secretsmanager/secretVersion:SecretVersion", secrets=frozenset()),
    ),
    "a password in user data": (
        "no-secret-in-plain",
        lambda r: added(r, "ec2/instance:Instance", userData=LEAKY),
    ),
    "an access key in a tag": (
        "no-secret-in-plain",
        lambda r: changed(r, "ec2/vpc:Vpc", tags__Note="AKIA" + "ABCDEFGHIJKLMNOP"),
    ),
    "a password in a container's variable": (
        "no-secret-in-plain",
        lambda r: changed(
            r,
            "ecs/taskDefinition:TaskDefinition",
            containerDefinitions=json.dumps([{"environment": [{"name": "KC_DB_PASSWORD", "value": "x"}]}]),
        ),
    ),
    "a login in an address": (
        "no-secret-in-plain",
        lambda r: changed(r, "ec2/vpc:Vpc", tags__Uri="mongodb://user:hunter2@host/db"),
    ),
}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mistake", SEEDED)
def test_a_mistake_is_caught_by_its_rule(seen, profile, mistake):
    rule, spoil = SEEDED[mistake]
    found = {one.rule for one in policies.broken(spoil(seen[profile]))}
    assert rule in found


def test_every_rule_catches_something():
    assert {rule for rule, _ in SEEDED.values()} == {*policies.SINGLE, *policies.KEPT, *policies.WHOLE}


def test_a_stack_that_gives_up_its_protection_is_held_to_all_other_rules(seen):
    bare = [replace(one, protect=False) for one in seen["dev"]]
    assert policies.broken(bare, kept=False) == ()
    assert {one.rule for one in policies.broken(bare)} == {"protected"}


def test_values_that_come_later_break_nothing():
    later = Seen("rds/instance:Instance", "x", {"publiclyAccessible": UNKNOWN, "password": UNKNOWN})
    assert {one.rule for one in policies.broken([later], kept=False)} <= {"encrypted-at-rest", "tagged"}


def test_program_and_command_line_agree_on_what_is_stateful():
    assert {f"aws:{kind}" for kind in keeping.STATEFUL} == set(changes.STATEFUL_TYPES)


def test_the_command_line_reads_what_the_program_says():
    said = f"Exception: \n{Violation('world-ports', 'ticketly-dev-edge', 'opens tcp 22-22 to 0.0.0.0/0')}\n"
    (found,) = violations([said])
    assert (found.rule, found.resource, found.message) == (
        "world-ports",
        "ticketly-dev-edge",
        "opens tcp 22-22 to 0.0.0.0/0",
    )
