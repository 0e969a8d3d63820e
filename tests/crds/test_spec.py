"""A platform file is read strictly, and whatever is wrong with it is named at once with its path."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ticketly_crds import spec
from ticketly_crds.quantities import parse_bytes, parse_duration_ms, parse_quantity

HEAD = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform", "metadata": {"name": "ticketly"}}
SALE = {"name": "spring", "start": "2027-03-01T09:00:00Z", "minReplicas": {"order": 6}}
POSTGRES = {"host": "db", "credentialsSecretRef": {"name": "pg"}}


def platform(**sections: Any) -> spec.TicketlyPlatform:
    return spec.parse({**HEAD, "spec": sections})


def faults(**sections: Any) -> list[str]:
    with pytest.raises(spec.SpecError) as caught:
        platform(**sections)
    assert str(caught.value) == "\n".join(str(fault) for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


def test_defaults_are_the_promised_ones() -> None:
    found = platform().spec
    assert found.model_dump(by_alias=True, mode="json") == {
        "version": "0.1.0",
        "timeZone": "Asia/Colombo",
        "log": {"level": "info", "format": "json"},
        "images": {"registry": "ticketly", "pullPolicy": "IfNotPresent", "pullSecrets": [], "overrides": {}},
        "ingress": {
            "enabled": True,
            "className": "traefik",
            "host": "",
            "tlsSecretName": "",
            "publicUrl": "",
            "corsOrigins": [],
            "rateLimit": {"average": 100, "burst": 200, "period": "1s"},
        },
        "identity": None,
        "postgres": None,
        "mongo": None,
        "redis": None,
        "kafka": None,
        "connect": None,
        "payments": None,
        "mail": None,
        "connectors": {
            name: {
                "enabled": True,
                "state": "running",
                "heartbeatSeconds": 10,
                "maxRestarts": 7,
                "slot": {"retainedBytesWarn": "1Gi", "retainedBytesAct": "4Gi", "policy": "alert"},
            }
            for name in ("eventTables", "orderOutbox")
        },
        "objectStorage": {"mode": "filesystem", "bucket": "", "claimName": ""},
        "scheduling": {"mode": "postgres", "aws": None},
        "holds": {
            "ttlSeconds": 300,
            "paymentExtensionSeconds": 300,
            "maxSeatsPerOrder": 10,
            "maxOpenOrdersPerUser": 3,
            "exemptGroup": "",
        },
        "uploads": {"maxBytes": 52_428_800},
        "rateLimits": {
            "perClient": {"average": 20, "burst": 40, "periodSeconds": 1},
            "paymentLane": {"average": 10, "burst": 20, "periodSeconds": 1},
        },
        "compat": {"lostSeatStatusByClient": {}},
        "services": {
            "eventCommand": service(1, 2),
            "eventQuery": service(1, 10),
            "order": service(2, 15, memory=80),
            "scheduler": service(1, 3),
            "email": service(1, 3),
        },
        "lag": {"sloSeconds": 2, "probe": True},
        "telemetry": {"otlpEndpoint": "", "samplingRatio": 0.01},
        "flashSales": [],
        "deletionPolicy": "Retain",
    }
    assert found.currency == "LKR"


def service(least: int, most: int, memory: int | None = None) -> dict[str, Any]:
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    return {
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": None, "memory": "512Mi"}},
        "autoscaling": {
            "min": least,
            "max": most,
            "cpu": 70,
            "memory": memory,
            "scaleUp": {"stabilizationSeconds": 0, "policies": policies},
            "scaleDown": {"stabilizationSeconds": 300, "policies": policies},
        },
        "env": [],
    }


def test_defaults_of_the_store_sections_are_the_promised_ones() -> None:
    found = platform(
        identity={"issuer": "https://auth.example.com/realms/e", "clientSecretsRef": {"name": "oidc"}},
        postgres=POSTGRES,
        mongo={"uriSecretRef": {"name": "mongo"}},
        redis={"urlSecretRef": {"name": "redis"}},
        kafka={"bootstrapServers": "kafka:9092"},
        payments={"secretRef": {"name": "stripe"}},
        mail={"host": "smtp", "from": "a@b.example"},
    ).spec.model_dump(by_alias=True, mode="json")
    assert found["identity"]["audience"] == "ticketly-api"
    assert found["identity"]["jwksUrl"] == ""
    assert (found["postgres"]["port"], found["postgres"]["sslMode"]) == (5432, "verify-full")
    assert found["mongo"] == {"uriSecretRef": {"name": "mongo", "key": "uri"}, "database": "event-seating"}
    assert found["redis"] == {"urlSecretRef": {"name": "redis", "key": "url"}}
    assert (found["kafka"]["replicationFactor"], found["kafka"]["minInsyncReplicas"]) == (3, 2)
    assert found["kafka"]["topics"] == {"partitions": 12, "overrides": {}}
    assert found["kafka"]["security"]["protocol"] == "PLAINTEXT"
    assert (found["payments"]["provider"], found["payments"]["currency"]) == ("stripe", "LKR")
    assert (found["mail"]["port"], found["mail"]["security"], found["mail"]["from"]) == (587, "starttls", "a@b.example")


def test_default_release_is_the_version_of_the_package() -> None:
    assert metadata.version("ticketly-crds") == spec.DEFAULT_RELEASE


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"services": {"order": {"autoscaling": {"max": 1}}}},
            "spec.services.order.autoscaling.max: must be >= min (2)",
        ),
        (
            {"services": {"order": {"autoscaling": {"min": 20}}}},
            "spec.services.order.autoscaling.max: must be >= min (20)",
        ),
        ({"services": {"orders": {}}}, "spec.services.orders: unknown field"),
        ({"holds": {"ttl_seconds": 1}}, "spec.holds.ttl_seconds: unknown field"),
        ({"holds": {"ttlSeconds": 0}}, "spec.holds.ttlSeconds: must be >= 1"),
        ({"holds": {"maxSeatsPerOrder": 1001}}, "spec.holds.maxSeatsPerOrder: must be <= 1000"),
        ({"holds": {"maxOpenOrdersPerUser": True}}, "spec.holds.maxOpenOrdersPerUser: must be a valid integer"),
        ({"postgres": {**POSTGRES, "port": "5432"}}, "spec.postgres.port: must be a valid integer"),
        ({"postgres": {**POSTGRES, "port": 65536}}, "spec.postgres.port: must be <= 65535"),
        ({"postgres": {"host": "db"}}, "spec.postgres.credentialsSecretRef: required"),
        (
            {"postgres": {**POSTGRES, "host": "postgres://db"}},
            "spec.postgres.host: must be a host name in lower case or an IPv4 address, without scheme and port",
        ),
        (
            {"kafka": {"bootstrapServers": "kafka"}},
            "spec.kafka.bootstrapServers: must be host:port, several separated by commas",
        ),
        ({"kafka": {"replicationFactor": 1}}, "spec.kafka.minInsyncReplicas: must be <= replicationFactor (1)"),
        (
            {"kafka": {"security": {"protocol": "SASL_SSL"}}},
            "spec.kafka.security.credentialsSecretRef: required with protocol SASL_SSL",
        ),
        (
            {"kafka": {"topics": {"overrides": {"t": {"partitions": 0}}}}},
            "spec.kafka.topics.overrides.t.partitions: must be >= 1",
        ),
        (
            {"connectors": {"eventTables": {"slot": {"retainedBytesWarn": "5Gi"}}}},
            "spec.connectors.eventTables.slot.retainedBytesAct: must be >= retainedBytesWarn (5Gi)",
        ),
        (
            {"connectors": {"orderOutbox": {"slot": {"retainedBytesAct": "4 Gi"}}}},
            "spec.connectors.orderOutbox.slot.retainedBytesAct: must be a quantity such as 512Mi, 1Gi or 250m",
        ),
        ({"connect": {"url": "connect:8083"}}, "spec.connect.url: must be an http or https URL"),
        (
            {"connect": {"url": "http://admin:secret@connect:8083"}},
            "spec.connect.url: must not contain credentials: use a secret reference",
        ),
        (
            {"ingress": {"corsOrigins": ["https://a.example", "https://a.example/path"]}},
            "spec.ingress.corsOrigins[1]: must be an origin: scheme, host and port without a path",
        ),
        (
            {"ingress": {"rateLimit": {"period": "1 second"}}},
            "spec.ingress.rateLimit.period: must be a duration such as 500ms, 1s, 5m or 2h",
        ),
        (
            {"ingress": {"rateLimit": {"period": "0s"}}},
            "spec.ingress.rateLimit.period: must be longer than zero",
        ),
        ({"objectStorage": {"mode": "s3"}}, "spec.objectStorage.bucket: required with mode s3"),
        ({"scheduling": {"mode": "aws"}}, "spec.scheduling.aws: required with mode aws"),
        (
            {"services": {"email": {"resources": {"requests": {"memory": "1Gi"}}}}},
            "spec.services.email.resources.limits: memory must be >= requests.memory (1Gi)",
        ),
        (
            {"services": {"order": {"env": [{"name": "A", "value": "x", "secretRef": {"name": "s"}}]}}},
            "spec.services.order.env[0].secretRef: must not stand beside value",
        ),
        (
            {"flashSales": [SALE, {**SALE, "start": "2027-04-01T09:00:00Z"}]},
            "spec.flashSales[1].name: must be distinct, spring is flashSales[0]",
        ),
        (
            {"flashSales": [{**SALE, "minReplicas": {"order": 16}}]},
            "spec.flashSales[0].minReplicas.order: must be <= services.order.autoscaling.max (15)",
        ),
        (
            {"flashSales": [{**SALE, "start": "2027-03-01T09:00:00"}]},
            "spec.flashSales[0].start: must carry a time zone, such as 2027-03-01T09:00:00Z",
        ),
        ({"deletionPolicy": "Keep"}, "spec.deletionPolicy: must be 'Retain' or 'Delete'"),
        (
            {"images": {"overrides": {"gateway": "x"}}},
            "spec.images.overrides.gateway: must be 'eventCommand', 'eventQuery', 'order', 'scheduler' or 'email'",
        ),
        (
            {"compat": {"lostSeatStatusByClient": {"login-testing": 500}}},
            "spec.compat.lostSeatStatusByClient.login-testing: must be 400 or 409",
        ),
        ({"timeZone": "+05:30"}, "spec.timeZone: must be an IANA time zone such as Asia/Colombo or UTC"),
    ],
)
def test_a_fault_is_named_with_its_path(sections: dict[str, Any], expected: str) -> None:
    assert faults(**sections) == [expected]


def test_all_faults_are_listed_at_once() -> None:
    assert faults(
        colour="red",
        lag={"probe": "yes"},
        services={"order": {"autoscaling": {"max": 1}}, "eventQuery": {"autoscaling": {"min": 0}}},
    ) == [
        "spec.services.eventQuery.autoscaling.min: must be >= 1",
        "spec.services.order.autoscaling.max: must be >= min (2)",
        "spec.lag.probe: must be a valid boolean",
        "spec.colour: unknown field",
    ]


def test_the_head_of_the_document_is_checked() -> None:
    with pytest.raises(spec.SpecError) as caught:
        spec.parse({"apiVersion": "ticketly.io/v1", "metadata": {"name": "Ticketly"}, "extra": 1})
    assert [str(fault) for fault in caught.value.faults] == [
        "apiVersion: must be 'ticketly.io/v1alpha1'",
        "kind: required",
        "metadata.name: must match ^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "extra: unknown field",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a mapping"),
        ("- 1", "must be a mapping"),
        ("a: [", "not one YAML document"),
        ("a: 1\na: 2\n", "key 'a' repeated"),
        ("a: 1\n---\nb: 2\n", "not one YAML document"),
        ("!!python/object:os.system {}", "not one YAML document"),
        ("spec: .nan", "not representable as JSON"),
        ("x" * 1_000_001, "longer than"),
    ],
)
def test_text_that_is_no_platform_gets_one_sentence(text: str, message: str) -> None:
    with pytest.raises(spec.SpecError, match=message) as caught:
        spec.load(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_crash(text: str) -> None:
    with pytest.raises(spec.SpecError):
        spec.load(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(field.alias or "" for field in spec.Spec.model_fields.values())), json_values)
def test_no_section_content_makes_the_parser_crash(section: str, value: Any) -> None:
    found: tuple[spec.Fault, ...] = ()
    try:
        platform(**{section: value})
    except spec.SpecError as error:
        found = error.faults
    assert all(fault.path.startswith(f"spec.{section}") for fault in found)


def test_what_the_api_server_adds_is_passed_over() -> None:
    document = {
        **HEAD,
        "metadata": {"name": "ticketly", "uid": "u", "generation": 3, "managedFields": [], "resourceVersion": "7"},
        "status": {"conditions": []},
    }
    found = spec.parse(document)
    assert (found.name, found.metadata.uid, found.metadata.generation) == ("ticketly", "u", 3)
    assert found.metadata.namespace == "default"


def test_a_platform_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        platform().spec.holds.ttl_seconds = 1  # type: ignore[misc]


def test_an_instant_may_stand_unquoted_and_becomes_utc() -> None:
    text = yaml.safe_dump(HEAD) + (
        "spec: {flashSales: [{name: spring, start: 2027-03-01T14:30:00+05:30, minReplicas: {order: 6}}]}"
    )
    assert spec.load(text).spec.flash_sales[0].start == datetime(2027, 3, 1, 9, tzinfo=UTC)


def test_a_parsed_platform_survives_a_round_trip() -> None:
    for name in ("local.yaml", "cluster.yaml"):
        text = resources.files("ticketly_crds").joinpath("samples", name).read_text(encoding="utf-8")
        once = spec.load(text)
        assert spec.load(json.dumps(once.model_dump(by_alias=True, mode="json"))) == once


@pytest.mark.parametrize(
    ("text", "value"),
    [("1Gi", 1_073_741_824), ("512Mi", 536_870_912), ("1.5Ki", 1536), ("2k", 2000), ("7", 7)],
)
def test_byte_quantities_are_read_as_kubernetes_reads_them(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1gi", "-1Gi", "1e3", "1 Gi", "0x1", "1Kii", "\u0661Gi"])
def test_other_quantities_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


def test_a_fraction_of_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_bytes("250m")


def test_durations_are_milliseconds() -> None:
    assert [parse_duration_ms(text) for text in ("250ms", "1s", "5m", "2h", "1d")] == [
        250,
        1_000,
        300_000,
        7_200_000,
        86_400_000,
    ]


def test_a_path_is_read_as_a_file_and_a_missing_one_says_so(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(json.dumps(HEAD), encoding="utf-8")
    assert spec.load(file) == platform()
    with pytest.raises(FileNotFoundError):
        spec.load(tmp_path / "absent.yaml")
