"""A real API server accepts the definition, fills in the parser's defaults and refuses what the parser refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import pytest
import yaml

from ticketly_crds import spec
from ticketly_lab.cluster import Cluster, KubectlError

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("known_to_kubectl")]

DEFINITION = "customresourcedefinition/ticketlyplatforms.ticketly.io"
HEAD = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform"}
Refused = Callable[[str, dict[str, dict[str, Any]]], dict[str, list[str]]]
POSTGRES = {"host": "db", "credentialsSecretRef": {"name": "pg"}}
IDENTITY = {"issuer": "https://auth.example.com/realms/e", "clientSecretsRef": {"name": "oidc"}}
SALE = {"name": "spring", "start": "2027-03-01T09:00:00Z", "minReplicas": {"order": 6}}
SASL = {"protocol": "SASL_SSL"}


def platform(name: str, sections: Mapping[str, Any] | None = None, namespace: str = "default") -> dict[str, Any]:
    return {**HEAD, "metadata": {"name": name, "namespace": namespace}, "spec": dict(sections or {})}


def sample(name: str, namespace: str) -> dict[str, Any]:
    text = resources.files("ticketly_crds").joinpath("samples", name).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    document["metadata"]["namespace"] = namespace
    return document


# The definition itself --------------------------------------------------------------------------------------------


def test_the_definition_is_established_and_structural(cluster: Cluster) -> None:
    found = json.loads(cluster.kubectl("get", DEFINITION, "--output=json"))
    conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_every_field_is_explained_with_its_default(cluster: Cluster) -> None:
    told = " ".join(cluster.kubectl("explain", "tkp.spec.services.order.autoscaling").split())
    assert "Two pods at least" in told
    assert "max <integer> Pods at most. Each holds database connections: see postgres.connectionBudget." in told
    assert "Default: 15." in told
    assert "Mean CPU use to aim at, in percent of the requested CPU. Default: 70." in told
    whole = cluster.kubectl("explain", "tkp.spec", "--recursive")
    for name in ("connectionBudget", "paymentExtensionSeconds", "retainedBytesAct", "stabilizationSeconds"):
        assert name in whole


# Documents that are fine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["local.yaml", "cluster.yaml"])
def test_a_sample_is_accepted_and_filled_in_as_the_parser_does(cluster: Cluster, namespace: str, name: str) -> None:
    same_after_defaulting(cluster, sample(name, namespace))


EVERY_SECTION = {
    "identity": IDENTITY,
    "postgres": POSTGRES,
    "mongo": {"uriSecretRef": {"name": "mongo"}},
    "redis": {"urlSecretRef": {"name": "redis"}},
    "kafka": {"security": {}, "topics": {"overrides": {"a.b_c-d": {"partitions": 3}}}},
    "connect": {"url": "http://connect:8083"},
    "scheduling": {
        "aws": {
            "region": "eu-north-1",
            "groupName": "g",
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "queues": {
                key: f"https://sqs.example.com/{key}"
                for key in ("sessionScheduling", "sessionReminders", "trendingJob")
            },
        }
    },
    "payments": {"secretRef": {"name": "stripe"}},
    "mail": {"host": "smtp", "from": "a@b.example"},
    "services": {"email": {"env": [{"name": "A", "value": "x"}, {"name": "B", "secretRef": {"name": "s"}}]}},
    "flashSales": [SALE],
}


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({}, id="nothing"),
        pytest.param(EVERY_SECTION, id="every section"),
        pytest.param({"services": {"order": {"autoscaling": {"min": 4}}}}, id="one number deep inside"),
        pytest.param({"connectors": {"eventTables": {"slot": {"policy": "rebuild"}}}}, id="one word of a slot"),
        pytest.param(
            {"services": {"order": {"autoscaling": {"memory": None}, "resources": {"limits": {"memory": None}}}}},
            id="a default switched off by null",
        ),
        pytest.param(
            {
                **dict.fromkeys(("identity", "postgres", "mongo", "redis", "connect", "payments", "mail")),
                "kafka": {"bootstrapServers": None, "security": {"credentialsSecretRef": None}},
                "scheduling": {"aws": None},
                "services": {"email": {"env": [{"name": "A", "value": "x", "secretRef": None}]}},
            },
            id="null for what is absent",
        ),
    ],
)
def test_defaults_are_those_of_the_parser(cluster: Cluster, namespace: str, sections: dict[str, Any]) -> None:
    same_after_defaulting(cluster, platform("defaults", sections, namespace))


def same_after_defaulting(cluster: Cluster, document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for command in (["create"], ["apply", "--server-side"]):
        stored = json.loads(cluster.kubectl(*command, "--dry-run=server", "--output=json", "-f", "-", input=text))
        parsed = spec.parse(document).spec
        assert spec.parse(stored).spec == parsed
        assert without_nulls(stored["spec"]) == parsed.model_dump(mode="json", by_alias=True, exclude_none=True)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_a_name_at_the_limit_is_accepted_and_one_beyond_refused(refused: Refused) -> None:
    longest = "a" + "-b" * 19 + "c"
    assert len(longest) == 40
    assert refused("create", {longest: {}}) == {}
    for name in (longest + "d", "1a", "a.b"):
        (told,) = refused("create", {name: {}})[name]
        assert told.startswith("metadata.name: ")
        with pytest.raises(spec.SpecError, match=r"^metadata\.name: "):
            spec.parse(platform(name))


def test_a_document_without_spec_is_a_platform_of_defaults(cluster: Cluster, namespace: str) -> None:
    bare = {**HEAD, "metadata": {"name": "bare", "namespace": namespace}}
    same_after_defaulting(cluster, {**bare, "spec": {}})
    stored = json.loads(
        cluster.kubectl("create", "--dry-run=server", "--output=json", "-f", "-", input=json.dumps(bare))
    )
    assert spec.parse(stored).spec == spec.Spec()


# Documents that are not -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A document that both refuse at `path`. `says`: words of both. `server_path`: where the server names another."""

    sections: dict[str, Any]
    path: str
    says: str = ""
    server_path: str = field(default="")


def order(**parts: Any) -> dict[str, Any]:
    return {"services": {"order": parts}}


WRONG = {
    # rules
    "max-below-min": Wrong(order(autoscaling={"max": 1}), "spec.services.order.autoscaling.max", "must be >= min (2)"),
    "min-above-max": Wrong(
        order(autoscaling={"min": 20}), "spec.services.order.autoscaling.max", "must be >= min (20)"
    ),
    "memory-below-request": Wrong(
        {"services": {"email": {"resources": {"requests": {"memory": "1Gi"}}}}},
        "spec.services.email.resources.limits",
        "memory must be >= requests.memory (1Gi)",
    ),
    "cpu-below-request": Wrong(
        order(resources={"requests": {"cpu": "1.5"}, "limits": {"cpu": "1200m"}}),
        "spec.services.order.resources.limits",
        "cpu must be >= requests.cpu (1.5)",
    ),
    "two-sources": Wrong(
        order(env=[{"name": "A", "value": "x", "secretRef": {"name": "s"}}]),
        "spec.services.order.env[0].secretRef",
        "must not stand beside value",
    ),
    "replicas-above-max": Wrong(
        {"flashSales": [{**SALE, "minReplicas": {"order": 16}}]},
        "spec.flashSales[0].minReplicas.order",
        "must be <= services.order.autoscaling.max (15)",
        server_path="spec.flashSales",
    ),
    "insync-above-replication": Wrong(
        {"kafka": {"replicationFactor": 1}}, "spec.kafka.minInsyncReplicas", "must be <= replicationFactor (1)"
    ),
    "sasl-without-secret": Wrong(
        {"kafka": {"security": SASL}},
        "spec.kafka.security.credentialsSecretRef",
        "required with protocol SASL_SSL",
    ),
    "act-before-warn": Wrong(
        {"connectors": {"eventTables": {"slot": {"retainedBytesWarn": "5Gi"}}}},
        "spec.connectors.eventTables.slot.retainedBytesAct",
        "must be >= retainedBytesWarn (5Gi)",
    ),
    "part-of-a-byte": Wrong(
        {"connectors": {"orderOutbox": {"slot": {"retainedBytesWarn": "1500m"}}}},
        "spec.connectors.orderOutbox.slot.retainedBytesWarn",
        "must be a whole number of bytes",
    ),
    "s3-without-bucket": Wrong({"objectStorage": {"mode": "s3"}}, "spec.objectStorage.bucket", "required with mode s3"),
    "sasl-with-null": Wrong(
        {"kafka": {"security": {**SASL, "credentialsSecretRef": None}}},
        "spec.kafka.security.credentialsSecretRef",
        "required with protocol SASL_SSL",
    ),
    "aws-with-null": Wrong(
        {"scheduling": {"mode": "aws", "aws": None}}, "spec.scheduling.aws", "required with mode aws"
    ),
    "aws-without-section": Wrong({"scheduling": {"mode": "aws"}}, "spec.scheduling.aws", "required with mode aws"),
    "budget-too-small": Wrong(
        {"postgres": {**POSTGRES, "connectionBudget": 70}},
        "spec.postgres.connectionBudget",
        "must be >= 71 for the pods that order and eventCommand may scale to",
    ),
    "budget-for-more-pods": Wrong(
        {"postgres": POSTGRES, **order(autoscaling={"max": 40})},
        "spec.postgres.connectionBudget",
        "must be >= 146 for the pods that order and eventCommand may scale to",
    ),
    # keys and lists
    "sale-twice": Wrong({"flashSales": [SALE, SALE]}, "spec.flashSales[1].name", server_path="spec.flashSales[1]"),
    "variable-twice": Wrong(
        order(env=[{"name": "A"}, {"name": "A"}]),
        "spec.services.order.env[1].name",
        server_path="spec.services.order.env[1]",
    ),
    "topic-name": Wrong(
        {"kafka": {"topics": {"overrides": {"a b": {"partitions": 1}}}}},
        "spec.kafka.topics.overrides.a b",
        server_path="spec.kafka.topics.overrides",
    ),
    "no-replicas": Wrong({"flashSales": [{**SALE, "minReplicas": {}}]}, "spec.flashSales[0].minReplicas"),
    "too-many-origins": Wrong({"ingress": {"corsOrigins": ["http://a"] * 33}}, "spec.ingress.corsOrigins"),
    "no-policy": Wrong(
        order(autoscaling={"scaleUp": {"policies": []}}), "spec.services.order.autoscaling.scaleUp.policies"
    ),
    # fields
    "zero-seconds": Wrong({"holds": {"ttlSeconds": 0}}, "spec.holds.ttlSeconds"),
    "too-many-seats": Wrong({"holds": {"maxSeatsPerOrder": 1001}}, "spec.holds.maxSeatsPerOrder"),
    "true-is-no-number": Wrong({"holds": {"maxOpenOrdersPerUser": True}}, "spec.holds.maxOpenOrdersPerUser"),
    "text-is-no-number": Wrong({"postgres": {**POSTGRES, "port": "5432"}}, "spec.postgres.port"),
    "text-is-no-boolean": Wrong({"lag": {"probe": "yes"}}, "spec.lag.probe"),
    "port": Wrong({"postgres": {**POSTGRES, "port": 65536}}, "spec.postgres.port"),
    "no-credentials": Wrong({"postgres": {"host": "db"}}, "spec.postgres.credentialsSecretRef"),
    "host-with-scheme": Wrong({"postgres": {**POSTGRES, "host": "postgres://db"}}, "spec.postgres.host"),
    "broker-without-port": Wrong({"kafka": {"bootstrapServers": "kafka"}}, "spec.kafka.bootstrapServers"),
    "url-without-scheme": Wrong({"connect": {"url": "connect:8083"}}, "spec.connect.url"),
    "url-with-password": Wrong({"connect": {"url": "http://admin:secret@connect:8083"}}, "spec.connect.url"),
    "origin-with-path": Wrong({"ingress": {"corsOrigins": ["https://a.example/p"]}}, "spec.ingress.corsOrigins[0]"),
    "period": Wrong({"ingress": {"rateLimit": {"period": "1 second"}}}, "spec.ingress.rateLimit.period"),
    "period-of-zero": Wrong({"ingress": {"rateLimit": {"period": "0s"}}}, "spec.ingress.rateLimit.period"),
    "quantity": Wrong(
        {"connectors": {"orderOutbox": {"slot": {"retainedBytesAct": "4 Gi"}}}},
        "spec.connectors.orderOutbox.slot.retainedBytesAct",
    ),
    "partitions": Wrong(
        {"kafka": {"topics": {"overrides": {"t": {"partitions": 0}}}}},
        "spec.kafka.topics.overrides.t.partitions",
    ),
    "local-time": Wrong({"flashSales": [{**SALE, "start": "2027-03-01T09:00:00"}]}, "spec.flashSales[0].start"),
    "no-such-day": Wrong({"flashSales": [{**SALE, "start": "2027-02-30T09:00:00Z"}]}, "spec.flashSales[0].start"),
    "deletion-policy": Wrong({"deletionPolicy": "Keep"}, "spec.deletionPolicy"),
    "lost-seat-status": Wrong(
        {"compat": {"lostSeatStatusByClient": {"login": 500}}},
        "spec.compat.lostSeatStatusByClient.login",
    ),
    "zone": Wrong({"timeZone": "+05:30 x"}, "spec.timeZone"),
    "currency": Wrong({"payments": {"currency": "Rs.", "secretRef": {"name": "s"}}}, "spec.payments.currency"),
    "sender": Wrong({"mail": {"host": "smtp", "from": "nobody"}}, "spec.mail.from"),
    "group": Wrong({"holds": {"exemptGroup": "Load"}}, "spec.holds.exemptGroup"),
    "tag": Wrong({"version": ".1"}, "spec.version"),
}


@pytest.fixture(scope="module")
def answers(refused: Refused) -> dict[str, list[str]]:
    """The whole table in one request, as each kubectl takes a second."""
    return refused("create", {name: wrong.sections for name, wrong in WRONG.items()})


@pytest.mark.parametrize("name", sorted(WRONG))
def test_server_and_parser_refuse_the_same_document_at_the_same_field(answers: dict[str, list[str]], name: str) -> None:
    wrong = WRONG[name]
    with pytest.raises(spec.SpecError) as caught:
        spec.parse(platform(name, wrong.sections))
    (fault,) = caught.value.faults
    assert fault.path == wrong.path
    where = wrong.server_path or wrong.path
    told = [text for text in answers.get(name, []) if text.startswith(f"{where}: ")]
    assert told, answers.get(name)
    if wrong.says:
        assert fault.message == wrong.says
        assert any(wrong.says in text for text in told), told


def test_an_unknown_field_is_refused_by_kubectl_as_by_the_parser(cluster: Cluster, namespace: str) -> None:
    for sections, path in (
        ({"colour": "red"}, "spec.colour"),
        ({"services": {"orders": {}}}, "spec.services.orders"),
        ({"images": {"overrides": {"gateway": "x"}}}, "spec.images.overrides.gateway"),
    ):
        document = platform("unknown", sections, namespace)
        with pytest.raises(KubectlError, match=f'unknown field "{re.escape(path)}"'):
            cluster.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(document))
        with pytest.raises(spec.SpecError, match=re.escape(path)):
            spec.parse(document)
