"""A real API server accepts the definition, fills in the parser's defaults and refuses what the parser refuses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest
import yaml

from ticketly_crds import spec
from ticketly_crds.status import (
    REASONS,
    Condition,
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    FailureClass,
    FlashSaleStatus,
    LagStatus,
    PlatformStatus,
    ServicePhase,
    ServiceStatus,
    SlotStatus,
)
from ticketly_lab.cluster import Cluster, KubectlError

pytestmark = pytest.mark.kubernetes

DEFINITION = "customresourcedefinition/ticketlyplatforms.ticketly.io"
HEAD = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform"}
POSTGRES = {"host": "db", "credentialsSecretRef": {"name": "pg"}}
IDENTITY = {"issuer": "https://auth.example.com/realms/e", "clientSecretsRef": {"name": "oidc"}}
SALE = {"name": "spring", "start": "2027-03-01T09:00:00Z", "minReplicas": {"order": 6}}
SASL = {"protocol": "SASL_SSL"}
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def platform(name: str, sections: Mapping[str, Any] | None = None, namespace: str = "default") -> dict[str, Any]:
    return {**HEAD, "metadata": {"name": name, "namespace": namespace}, "spec": dict(sections or {})}


def as_list(objects: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def refused(cluster: Cluster, verb: str, objects: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What the server says about each object it refuses, `path: message`; nothing is stored."""
    said = ""
    try:
        # kubectl's own check would stop at the first object
        cluster.kubectl(verb, "--dry-run=server", "--validate=ignore", "-f", "-", input=as_list(objects))
    except KubectlError as error:
        said = str(error)
    found: dict[str, list[str]] = {}
    for part in re.split(r"^(?=The TicketlyPlatform|Error from server|kubectl )", said, flags=re.MULTILINE):
        answer = re.search(r"TicketlyPlatform(?:\.ticketly\.io)? \"(\S+)\" is invalid: (.*)", part, re.DOTALL)
        if answer is None:
            assert not part.strip(), said
            continue
        name, told = answer.groups()
        # several faults stand in lines of their own, or in brackets when kubectl prints several objects
        lines = re.split(r"\n\* |, (?=(?:<nil>|spec|metadata)[.:])", told.strip().removeprefix("* ").strip("[]"))
        found[name] = [line.strip() for line in lines if not line.startswith("<nil>: ")]
    return found


@pytest.fixture(scope="module", autouse=True)
def discovered(cluster: Cluster) -> None:
    """kubectl remembers what kinds there are from before ours was added."""
    cluster.kubectl("wait", "--for=condition=Established", DEFINITION, "--timeout=60s")
    until = time.monotonic() + 60
    while "tkp" not in cluster.kubectl("api-resources", "--api-group=ticketly.io", "--cached=false"):
        assert time.monotonic() < until
        time.sleep(0.2)


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


def test_a_name_at_the_limit_is_accepted_and_one_beyond_refused(cluster: Cluster, namespace: str) -> None:
    longest = "a" + "-b" * 19 + "c"
    assert len(longest) == 40
    assert refused(cluster, "create", [platform(longest, {}, namespace)]) == {}
    for name in (longest + "d", "1a", "a.b"):
        (told,) = refused(cluster, "create", [platform(name, {}, namespace)])[name]
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
def answers(cluster: Cluster) -> dict[str, list[str]]:
    """The whole table in one request, as each kubectl takes a second."""
    return refused(cluster, "create", [platform(name, wrong.sections) for name, wrong in WRONG.items()])


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


# Changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """From `old` to `new`; `told` is what the server says, empty when it shall accept."""

    old: dict[str, Any]
    new: dict[str, Any]
    told: str = ""


def paid(currency: str | None = None) -> dict[str, Any]:
    return {"payments": {"secretRef": {"name": "s"}, **({"currency": currency} if currency else {})}}


def topics(partitions: int | None = None, **overrides: int) -> dict[str, Any]:
    named = {
        "seats": "ticketly.seats.status",
        "dead": "ticketly.seats.status.DLT",
        "canary": "dbz.ticketly.public.lag_canary",
    }
    chosen: dict[str, Any] = {"overrides": {named[key]: {"partitions": count} for key, count in overrides.items()}}
    if partitions:
        chosen["partitions"] = partitions
    return {"kafka": {"topics": chosen}}


NEVER = "partitions never shrink"
CHANGES = {
    "currency-changes": Change(
        paid("USD"), paid("EUR"), "spec.payments.currency: Forbidden: cannot change, prices are in USD"
    ),
    "currency-by-default-changes": Change(paid(), paid("EUR"), "cannot change, prices are in LKR"),
    "currency-by-adding-payments": Change({}, paid("EUR"), "cannot change, prices are in LKR"),
    "currency-by-removing-payments": Change(paid("EUR"), {}, "cannot change, prices are in EUR"),
    "payments-added-with-the-same-currency": Change({}, paid("LKR")),
    "payments-removed-with-the-same-currency": Change(paid(), {}),
    "payments-moved": Change(paid("EUR"), {"payments": {"secretRef": {"name": "other"}, "currency": "EUR"}}),
    "fewer-partitions": Change(
        topics(12), topics(11), f"spec.kafka.topics.partitions: Forbidden: must be >= 12, {NEVER}"
    ),
    "fewer-than-the-default": Change(topics(), topics(6), f"must be >= 12, {NEVER}"),
    "back-to-the-default": Change(topics(24), topics(), f"must be >= 24, {NEVER}"),
    "more-partitions": Change(topics(12), topics(24)),
    "override-shrinks": Change(
        topics(12, seats=24),
        topics(12, seats=23),
        f"spec.kafka.topics.overrides[ticketly.seats.status].partitions: Forbidden: must be >= 24, {NEVER}",
    ),
    "override-grows": Change(topics(12, seats=24), topics(12, seats=48)),
    "override-removed": Change(
        topics(12, seats=24), topics(12), "spec.kafka.topics.overrides: Forbidden: an override cannot be removed"
    ),
    "override-removed-as-all-grow": Change(topics(12, seats=24), topics(24)),
    "override-below-the-rest-removed": Change(topics(12, seats=6), topics(12)),
    "new-override-shrinks": Change(
        topics(12), topics(12, seats=6), "a new override cannot give its topic fewer partitions"
    ),
    "new-override-grows": Change(topics(12), topics(12, seats=24)),
    "dead-letters-have-one": Change(topics(12), topics(12, dead=3)),
    "dead-letters-shrink": Change(topics(12, dead=3), topics(12), "an override cannot be removed"),
    "canary-shrinks": Change(topics(12, canary=2), topics(12), "an override cannot be removed"),
    "kafka-added": Change({}, topics(3)),
    "kafka-removed": Change(topics(12), {}, "spec.kafka: Forbidden: cannot be removed, its topics exist"),
    "brokers-move": Change(
        {"kafka": {"bootstrapServers": "a:9092"}},
        {"kafka": {"bootstrapServers": "b:9092", "topics": {"partitions": 12}}},
    ),
    "null-is-absent": Change({}, {"kafka": None, "payments": None, "redis": None}),
    "null-removes-kafka": Change(topics(12), {"kafka": None}, "spec.kafka: Forbidden: cannot be removed"),
    "null-removes-payments": Change(paid("EUR"), {"payments": None}, "cannot change, prices are in EUR"),
    "kafka-after-null": Change({"kafka": None}, topics(3)),
    "anything-else": Change({}, {"version": "1.2.3", "holds": {"ttlSeconds": 60}, "postgres": POSTGRES}),
}


@pytest.fixture(scope="module")
def change_answers(cluster: Cluster) -> dict[str, list[str]]:
    old = [platform(name, change.old) for name, change in CHANGES.items()]
    cluster.kubectl("create", "-f", "-", input=as_list(old))
    found = refused(cluster, "replace", [platform(name, change.new) for name, change in CHANGES.items()])
    cluster.kubectl("delete", "--wait=false", "-f", "-", input=as_list(old))
    return found


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_is_refused_exactly_when_it_would_break_what_exists(
    change_answers: dict[str, list[str]], name: str
) -> None:
    change, told = CHANGES[name], change_answers.get(name, [])
    if change.told:
        assert len(told) == 1, told
        assert change.told in told[0]
    else:
        assert told == []


# Status -----------------------------------------------------------------------------------------------------------


def statuses() -> list[PlatformStatus]:
    """Statuses that have every value of the vocabulary between them."""
    rounds = max(len(reasons) for reasons in REASONS.values())
    phases, service_phases, failures = list(ConnectorPhase), list(ServicePhase), [None, *FailureClass]
    return [
        PlatformStatus(
            observed_generation=turn,
            version="0.1.0",
            conditions=tuple(
                Condition(
                    type=kind,
                    status=list(ConditionStatus)[turn % 3],
                    reason=sorted(REASONS[kind])[turn % len(REASONS[kind])],
                    message="m" * 1024,
                    observed_generation=turn,
                    last_transition_time=NOON,
                )
                for kind in ConditionType
            ),
            services=(ServiceStatus(name="order", phase=service_phases[turn % len(service_phases)], replicas=2),),
            connectors=(
                ConnectorStatus(
                    name="c",
                    phase=phases[turn % len(phases)],
                    failure=failures[turn % len(failures)],
                    running_since=NOON if turn % 2 else None,
                    slot=SlotStatus(name="s", active=True, retained_bytes=2**40, seconds_to_full=9),
                ),
            ),
            lag=LagStatus(p50_ms=12.5, p99_ms=80.0, measured_at=NOON),
            flash_sales=(FlashSaleStatus(name="spring", until=NOON),),
            paused=bool(turn % 2),
            restart_token="token",
        )
        for turn in range(rounds)
    ]


def set_status(cluster: Cluster, document: dict[str, Any], *found: Mapping[str, Any]) -> None:
    """Write the statuses one after the other, whole."""
    objects = as_list([{**document, "status": dict(one)} for one in found])
    cluster.kubectl("replace", "--subresource=status", "-f", "-", input=objects)


@pytest.fixture
def made(cluster: Cluster, namespace: str) -> dict[str, Any]:
    document = platform("ticketly", {}, namespace)
    cluster.apply(document)
    return document


def test_every_word_of_the_status_is_accepted_and_read_back_as_written(
    cluster: Cluster, namespace: str, made: dict[str, Any]
) -> None:
    written = statuses()
    set_status(cluster, made, *(one.model_dump(mode="json", by_alias=True) for one in written))
    stored = cluster.get("tkp", "ticketly", namespace)
    assert stored is not None
    assert PlatformStatus.model_validate(stored["status"]) == written[-1]
    # nothing is filled in or dropped, so an operator that compares does not write again
    bare = written[0].model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    for one in (written[0].model_dump(mode="json", by_alias=True), bare):
        set_status(cluster, made, one)
        stored = cluster.get("tkp", "ticketly", namespace)
        assert stored is not None
        assert stored["status"] == one


def test_a_status_of_a_newer_operator_is_kept(cluster: Cluster, namespace: str, made: dict[str, Any]) -> None:
    newer = {
        "conditions": [
            {
                "type": "Sharded",
                "status": "True",
                "reason": "NewReason",
                "message": "",
                "lastTransitionTime": "2027-03-01T12:00:00Z",
            }
        ],
        "services": [{"name": "order", "phase": "Hibernating", "shards": [1, 2]}],
        "connectors": [{"name": "c", "phase": "Dreaming", "failure": "cosmic", "slot": {"name": "s", "depth": 1.5}}],
        "topics": {"count": 7},
    }
    set_status(cluster, made, newer)
    stored = cluster.get("tkp", "ticketly", namespace)
    assert stored is not None
    assert stored["status"] == newer


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ({"conditions": [{"type": "Ready", "status": "Maybe"}]}, "status.conditions[0].status"),
        ({"conditions": [{"type": "Ready"}]}, "status.conditions[0].status"),
        (
            {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "noon"}]},
            "status.conditions[0].lastTransitionTime",
        ),
        ({"conditions": [{"type": "Ready", "status": "True"}] * 2}, "status.conditions[1]"),
        ({"observedGeneration": "4"}, "status.observedGeneration"),
    ],
)
def test_a_status_that_kubernetes_tools_cannot_read_is_refused(
    cluster: Cluster, made: dict[str, Any], status: dict[str, Any], path: str
) -> None:
    with pytest.raises(KubectlError, match=re.escape(path)):
        set_status(cluster, made, status)


def test_a_status_is_written_beside_the_spec_only(cluster: Cluster, namespace: str) -> None:
    document = {**platform("ticketly", {}, namespace), "status": {"version": "9"}}
    cluster.kubectl("create", "-f", "-", input=json.dumps(document))
    set_status(cluster, {**document, "spec": {"version": "8.8.8"}}, {"version": "7"})
    stored = cluster.get("tkp", "ticketly", namespace)
    assert stored is not None
    assert (stored["spec"]["version"], stored["status"], stored["metadata"]["generation"]) == (
        spec.DEFAULT_RELEASE,
        {"version": "7"},
        1,
    )


def test_columns_show_what_a_person_asks_first(cluster: Cluster, namespace: str, made: dict[str, Any]) -> None:
    ready = {"type": "Ready", "status": "True", "reason": "AllReady", "message": "every service is ready"}
    others = [
        {"type": "ConnectorsReady", "status": "False", "reason": "SlotLost"},
        {"type": "LagWithinSLO", "status": "Unknown", "reason": "NoMeasurement"},
        {"type": "Progressing", "status": "False", "reason": "Settled"},
    ]
    lag = {"p50Ms": 12.5, "p99Ms": 80.5, "measuredAt": "2027-03-01T12:00:00Z"}
    set_status(cluster, made, {"version": "0.1.0", "conditions": [ready, *others], "lag": lag})
    head, row = cluster.kubectl("get", "tkp", f"--namespace={namespace}").splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "VERSION", "CONNECTORS", "LAG", "AGE"]
    assert row.split()[:6] == ["ticketly", "True", "AllReady", "0.1.0", "False", "Unknown"]
    wide = cluster.kubectl("get", "ticketly", f"--namespace={namespace}", "--output=wide")
    assert re.search(r"PROGRESSING\s+DEGRADED\s+TOPICS\s+PAUSED\s+LAG P99 MS\s+MESSAGE", wide)
    assert re.search(r"False\s+80.5\s+every service is ready", wide)
    cluster.kubectl("wait", "--for=condition=Ready", "tkp/ticketly", f"--namespace={namespace}", "--timeout=10s")
