"""Everything that is kept or travels is encrypted, with a key of this account wherever AWS takes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ticketly_infra.policies.model import UNKNOWN, Rule, Seen, many, of, statements

_SET: Final = object()
"""Any value will do."""
_YES: Final = (True, "true")

_AT_REST: Final[dict[str, dict[str, Any]]] = {
    "cloudwatch/logGroup:LogGroup": {"kmsKeyId": _SET, "retentionInDays": _SET},
    "docdb/cluster:Cluster": {"storageEncrypted": _YES, "kmsKeyId": _SET},
    "ebs/volume:Volume": {"encrypted": _YES, "kmsKeyId": _SET},
    "ec2/instance:Instance": {"rootBlockDevice.encrypted": _YES},
    "ec2/launchTemplate:LaunchTemplate": {"blockDeviceMappings.0.ebs.encrypted": _YES},
    "ecr/repository:Repository": {
        "encryptionConfigurations.0.encryptionType": ("KMS",),
        "encryptionConfigurations.0.kmsKey": _SET,
    },
    "eks/cluster:Cluster": {"encryptionConfig.provider.keyArn": _SET, "encryptionConfig.resources.0": ("secrets",)},
    "elasticache/replicationGroup:ReplicationGroup": {"atRestEncryptionEnabled": _YES, "kmsKeyId": _SET},
    "kms/key:Key": {"enableKeyRotation": _YES},
    "msk/cluster:Cluster": {"encryptionInfo.encryptionAtRestKmsKeyArn": _SET},
    "rds/instance:Instance": {
        "storageEncrypted": _YES,
        "kmsKeyId": _SET,
        "performanceInsightsKmsKeyId": _SET,
        "masterUserSecretKmsKeyId": _SET,
    },
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": {
        "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm": ("aws:kms", "aws:kms:dsse", "AES256"),
    },
    "secretsmanager/secret:Secret": {"kmsKeyId": _SET},
    "sns/topic:Topic": {"kmsMasterKeyId": _SET},
    "sqs/queue:Queue": {"kmsMasterKeyId": _SET},
}
_IN_TRANSIT: Final[dict[str, dict[str, Any]]] = {
    "cloudfront/distribution:Distribution": {
        "defaultCacheBehavior.viewerProtocolPolicy": ("redirect-to-https", "https-only"),
        "viewerCertificate.minimumProtocolVersion": ("TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"),
    },
    "elasticache/replicationGroup:ReplicationGroup": {
        "transitEncryptionEnabled": _YES,
        "transitEncryptionMode": ("required",),
        "authToken": _SET,
    },
    "msk/cluster:Cluster": {
        "encryptionInfo.encryptionInTransit.clientBroker": ("TLS",),
        "encryptionInfo.encryptionInTransit.inCluster": _YES,
        "clientAuthentication.unauthenticated": (False,),
    },
    "sesv2/configurationSet:ConfigurationSet": {"deliveryOptions.tlsPolicy": ("REQUIRE",)},
}
_PARAMETERS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "rds/parameterGroup:ParameterGroup": {"rds.force_ssl": ("1",), "rds.logical_replication": ("1",)},
    "docdb/clusterParameterGroup:ClusterParameterGroup": {"tls": ("enabled", "tls1.2+", "tls1.3+", "fips-140-3")},
}
_TLS_POLICIES: Final = ("ELBSecurityPolicy-TLS13-1-2", "ELBSecurityPolicy-TLS13-1-3")


def _checked(wanted: Mapping[str, Mapping[str, Any]]) -> Rule:
    def rule(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
        for one in resources:
            for path, allowed in wanted.get(one.type, {}).items():
                value = one.get(path)
                if value is None:
                    yield one.name, f"{path} is not set"
                elif allowed is not _SET and value not in (*allowed, UNKNOWN):
                    yield one.name, f"{path} is {value!r}"

    return rule


at_rest = _checked(_AT_REST)


def in_transit(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Listeners, stores, mail."""
    yield from _checked(_IN_TRANSIT)(resources)
    for one in of(resources, "lb/listener:Listener"):
        if one.get("protocol") == "HTTPS":
            if not str(one.get("sslPolicy", "")).startswith(_TLS_POLICIES):
                yield one.name, f"sslPolicy is {one.get('sslPolicy')!r}"
        elif [action.get("type") for action in many(one.get("defaultActions"))] != ["redirect"]:
            yield one.name, "answers plain HTTP with more than a redirect"
    for one in of(resources, *_PARAMETERS):
        found = {entry.get("name"): entry.get("value") for entry in many(one.get("parameters"))}
        for name, allowed in _PARAMETERS[one.type].items():
            if found.get(name) not in allowed:
                yield one.name, f"{name} is {found.get(name)!r}"


_POLICIES: Final = {
    "s3/bucket:Bucket": "s3/bucketPolicy:BucketPolicy",
    "secretsmanager/secret:Secret": "secretsmanager/secretPolicy:SecretPolicy",
    "sns/topic:Topic": "sns/topicPolicy:TopicPolicy",
    "sqs/queue:Queue": "sqs/queuePolicy:QueuePolicy",
}
"""What is reached over AWS's interfaces, and what says that it is reached over TLS only."""


def tls_policies(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Every policy of these kinds denies what is not TLS."""
    for one in of(resources, *_POLICIES.values()):
        document = one.get("policy")
        found = statements(document)
        if found and not any(_denies_plain(statement) for statement in found):
            yield one.name, "its policy does not refuse plain HTTP"


def _denies_plain(statement: Mapping[str, Any]) -> bool:
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    plain = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
    return statement.get("Effect") == "Deny" and everybody and plain


def tls_policy_exists(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Each of them has such a policy. A policy has the name of its own, but for the prefix that AWS asks of some."""
    for kind, policy in _POLICIES.items():
        named = [one.name for one in of(resources, policy)]
        for one in of(resources, kind):
            if not any(one.name.endswith(name) for name in named):
                yield one.name, "has no policy that refuses plain HTTP"


def buckets_encrypted(resources: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Every bucket says how it encrypts, under its own name."""
    kind = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    named = {one.name for one in of(resources, kind)}
    for one in of(resources, "s3/bucket:Bucket", "s3/bucketV2:BucketV2"):
        if one.name not in named:
            yield one.name, "does not say how it is encrypted"


SINGLE: Final[dict[str, Rule]] = {
    "encrypted-at-rest": at_rest,
    "encrypted-in-transit": in_transit,
    "tls-only": tls_policies,
}
WHOLE: Final[dict[str, Rule]] = {"tls-policy-exists": tls_policy_exists, "buckets-encrypted": buckets_encrypted}
