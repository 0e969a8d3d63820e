"""What is built from a platform: complete, restricted, only owned fields, and the same each time."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ticketly_crds import kinds, names
from ticketly_crds.blueprint import blueprint, cluster
from ticketly_crds.spec import parse
from ticketly_operator.desired import Surroundings, desired
from ticketly_operator.desired.scaling import minimum

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AROUND = Surroundings(
    now=NOW,
    operator_namespace="ticketly-system",
    termination_grace_seconds=45,
    migration_deadline_seconds=600,
    rollout_deadline_seconds=600,
    optional_kinds=frozenset(kind.qualified for kind in kinds.OPTIONAL),
    secret_versions={"ticketly-postgres": "v1"},
)


def platform(**spec):
    document = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
    document["metadata"]["uid"] = "u-1"
    document["spec"].update(spec)
    return parse(document)


def build(around=AROUND, **spec):
    described = platform(**spec)
    return desired(described, blueprint(described, cluster(described)), around)


def changed(**members):
    return Surroundings(**{**{name: getattr(AROUND, name) for name in AROUND.__dataclass_fields__}, **members})


def of_kind(found, kind):
    return [each for each in found.all() if each["kind"] == kind]


def test_every_service_gets_its_objects():
    found = build()
    counts = {kind: len(of_kind(found, kind)) for kind in sorted({each["kind"] for each in found.all()})}
    assert counts == {
        "ConfigMap": 5,
        "Deployment": 5,
        "HorizontalPodAutoscaler": 5,
        "Ingress": 2,
        "Job": 2,
        "Middleware": 2,
        "NetworkPolicy": 6,
        "PodDisruptionBudget": 3,
        "PrometheusRule": 1,
        "Service": 5,
        "ServiceAccount": 5,
        "ServiceMonitor": 1,
    }


def test_all_objects_are_of_kinds_the_operator_manages_and_carry_owner_labels_and_checksum():
    for each in build().all():
        kinds.of(each)
        metadata = each["metadata"]
        assert [owner["uid"] for owner in metadata["ownerReferences"]] == ["u-1"]
        assert metadata["labels"][names.MANAGED_BY_LABEL] == names.FIELD_MANAGER
        assert metadata["labels"][names.INSTANCE_LABEL] == "ticketly"
        assert re.fullmatch(r"[0-9a-f]{16}", metadata["annotations"][names.APPLIED_ANNOTATION])
        assert "status" not in each
        assert len(metadata["name"]) <= 63


def test_names_are_distinct_within_their_kind_also_for_the_longest_platform_name():
    document = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
    document["metadata"] = {"name": "p" * 40, "namespace": "n" * 63, "uid": "u-1"}
    described = parse(document)
    found = desired(described, blueprint(described, cluster(described)), AROUND).all()
    identities = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(identities)) == len(identities)
    assert max(len(name) for _, name in identities) <= 63


def test_the_same_platform_gives_the_same_objects():
    assert build() == build()


def test_pods_fit_the_restricted_standard_and_hold_no_token():
    found = build()
    for each in (*of_kind(found, "Deployment"), *of_kind(found, "Job")):
        pod = each["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_no_secret_stands_in_any_object():
    text = yaml.safe_dump_all(build().all())
    assert "secretKeyRef" in text
    for config in of_kind(build(), "ConfigMap"):
        assert not [key for key in config["data"] if key.endswith(("PASSWORD", "SECRET", "URI", "REDIS_URL"))]


def test_a_deployment_counts_its_pods_only_where_no_autoscaler_does():
    fixed = {"order": {"autoscaling": {"min": 3, "max": 3}}}
    found = build(services=fixed, flashSales=[])
    by_name = {each["metadata"]["name"]: each for each in of_kind(found, "Deployment")}
    assert by_name["ticketly-order"]["spec"]["replicas"] == 3
    assert "replicas" not in by_name["ticketly-event-query"]["spec"]
    assert "ticketly-order" not in {each["metadata"]["name"] for each in of_kind(found, "HorizontalPodAutoscaler")}


def template(found, service="order"):
    return found.deployments[service]["spec"]["template"]


@pytest.mark.parametrize(
    ("around", "spec"),
    [
        (AROUND, {"holds": {"ttlSeconds": 120}}),
        (changed(secret_versions={"ticketly-postgres": "v2"}), {}),
        (changed(restart_token="again"), {}),
    ],
    ids=["a setting", "a rotated secret", "a wish"],
)
def test_pods_roll_when_what_they_read_has_changed(around, spec):
    assert template(build(around, **spec)) != template(build())


def test_pods_do_not_roll_for_what_they_do_not_read():
    assert template(build(changed(secret_versions={"other": "v9"}))) == template(build(changed(secret_versions={})))
    assert template(build(holds={"ttlSeconds": 120}), "email") == template(build(), "email")


def test_a_migration_is_named_after_what_it_runs_and_its_deployment_remembers_it():
    first, second = build(), build(version="9.9.9")
    assert set(first.migrations) == {"event-command", "order"}
    names_of = [found.migrations["order"]["metadata"]["name"] for found in (first, second)]
    assert names_of[0] != names_of[1]
    for found, name in zip((first, second), names_of, strict=True):
        assert name.endswith(found.deployments["order"]["metadata"]["annotations"][names.MIGRATION_ANNOTATION])
    assert names.MIGRATION_ANNOTATION not in first.deployments["email"]["metadata"]["annotations"]


def test_a_new_password_needs_no_migration():
    rotated = build(changed(secret_versions={"ticketly-postgres": "v2"}))
    assert rotated.migrations == build().migrations


def test_a_service_does_not_send_requests_to_a_migration():
    found = build()
    for service, job in found.migrations.items():
        selector = next(
            each["spec"]["selector"] for each in of_kind(found, "Service") if each["metadata"]["name"].endswith(service)
        )
        assert not selector.items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_only_public_prefixes_are_at_the_edge_and_only_on_public_ports():
    paths = {
        path["path"]: path["backend"]["service"]["port"]["name"]
        for ingress in of_kind(build(), "Ingress")
        for path in ingress["spec"]["rules"][0]["http"]["paths"]
    }
    assert paths == dict.fromkeys(["/api/event-query", "/api/order", "/api/scheduler", "/api/event-seating"], "public")


def test_no_buffering_sits_on_a_route_that_streams():
    for ingress in of_kind(build(), "Ingress"):
        chain = ingress["metadata"]["annotations"].get("traefik.ingress.kubernetes.io/router.middlewares", "")
        paths = [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]]
        assert ("body-limit" in chain) == (paths == ["/api/event-seating"])


def test_without_the_optional_kinds_none_of_their_objects_is_made():
    found = build(changed(optional_kinds=frozenset()))
    assert {each["kind"] for each in found.all()} & {"Middleware", "ServiceMonitor", "PrometheusRule"} == set()
    for ingress in of_kind(found, "Ingress"):
        assert set(ingress["metadata"]["annotations"]) == {names.APPLIED_ANNOTATION}


def test_internal_ports_are_open_to_callers_metrics_and_the_operator_only():
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(build(), "NetworkPolicy")}
    internal, public = policies["ticketly-order"]["ingress"]
    assert [rule["port"] for rule in internal["ports"]] == [9084]
    assert {"podSelector": {"matchLabels": names.selector("ticketly", "event-command")}} in internal["from"]
    assert {"namespaceSelector": {}} not in internal["from"]
    assert [rule["port"] for rule in public["ports"]] == [8084]
    assert policies["ticketly-default-deny"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policies["ticketly-default-deny"]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [("08:49:59", 2), ("08:50:00", 6), ("09:59:59", 6), ("10:00:00", 2)],
)
def test_a_flash_sale_raises_the_minimum_and_lets_it_go_whatever_happened_between(moment, expected):
    described = platform()
    found = blueprint(described, cluster(described))
    now = datetime.fromisoformat(f"2027-03-01T{moment}+00:00")
    assert minimum(found, found.service("order"), now) == expected
    scaler = next(
        each
        for each in of_kind(build(changed(now=now)), "HorizontalPodAutoscaler")
        if each["metadata"]["name"] == "ticketly-order"
    )
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (expected, 15)


def test_the_largest_of_overlapping_sales_holds():
    sale = {"name": "a", "start": "2027-03-01T09:00:00Z", "minReplicas": {"order": 6}}
    described = platform(flashSales=[sale, {**sale, "name": "b", "minReplicas": {"order": 9}}])
    found = blueprint(described, cluster(described))
    assert minimum(found, found.service("order"), datetime(2027, 3, 1, 9, 1, tzinfo=UTC)) == 9


def test_building_changes_nothing_it_was_given():
    described = platform()
    before = copy.deepcopy(described)
    desired(described, blueprint(described, cluster(described)), changed(now=NOW + timedelta(days=1)))
    assert described == before
