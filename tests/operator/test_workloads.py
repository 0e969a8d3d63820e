"""Secrets first, migrations before deployments, one refusal stops nothing, and a second run does nothing."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ticketly_crds import names
from ticketly_crds.blueprint import blueprint, cluster
from ticketly_crds.spec import parse
from ticketly_crds.status import ConditionType, PlatformStatus, Reason, ServicePhase
from ticketly_operator.errors import ApplyRefusedError
from ticketly_operator.observed import Secret
from ticketly_operator.reconcile.platform import View
from ticketly_operator.reconcile.workloads import Limits, Workloads

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits("ticketly-system", 45, 600, 600)


class Cluster:
    """Objects by identity; every write is counted. Pods and controllers are played by ``settle``."""

    def __init__(self, view):
        self.objects = {}
        self.writes = Counter()
        self.refuse = set()
        self.handed_over = []
        refs = view.blueprint.secrets()
        self.secrets = {ref.name: {r.key: b"x" for r in refs if r.name == ref.name} for ref in refs}

    @staticmethod
    def key(manifest):
        return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]

    async def secret(self, namespace, name):
        found = self.secrets.get(name)
        return None if found is None else Secret(name, "v1", found)

    async def optional_kinds(self):
        return frozenset()

    async def children(self, namespace, platform):
        return [copy.deepcopy(each) for each in self.objects.values() if "labels" in each["metadata"]]

    async def object(self, manifest):
        return copy.deepcopy(self.objects.get(self.key(manifest)))

    async def pods(self, namespace, platform):
        return []

    async def apply(self, manifest):
        name = manifest["metadata"]["name"]
        if name in self.refuse:
            raise ApplyRefusedError(f"patch {manifest['kind']} {name}: invalid")
        self.writes[manifest["kind"]] += 1
        live = {**self.objects.get(self.key(manifest), {}), **copy.deepcopy(manifest)}
        live["metadata"] = {**live["metadata"], "uid": name, "generation": 1}
        self.objects[self.key(manifest)] = live
        return copy.deepcopy(live)

    async def hand_over(self, fields):
        self.handed_over.append(fields)

    async def delete(self, manifest):
        self.writes["delete " + manifest["kind"]] += 1
        del self.objects[self.key(manifest)]

    def of_kind(self, kind):
        return {name: each for (_, found, name), each in self.objects.items() if found == kind}

    def settle(self, *, failing=()):
        """Jobs end, deployments get their pods."""
        for name, job in self.of_kind("Job").items():
            kind = "Failed" if any(part in name for part in failing) else "Complete"
            condition = {"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "exit code 1"}
            job["status"] = {"conditions": [condition]}
        for deployment in self.of_kind("Deployment").values():
            deployment["spec"]["replicas"] = 2
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
            deployment["status"] = {"observedGeneration": 1, **counts}


def look(*, paused=False, restart_token="", **spec):
    document = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
    document["metadata"]["uid"] = "u-1"
    document["spec"].update(spec)
    platform = parse(document)
    found = blueprint(platform, cluster(platform))
    return View(document, platform, found, PlatformStatus(), datetime(2026, 11, 22, tzinfo=UTC), paused, restart_token)


@pytest.fixture
def drifted():
    return []


@pytest.fixture
def start(drifted):
    def make(view):
        api = Cluster(view)
        return api, Workloads(api, LIMITS, lambda kind, manager: drifted.append((kind, manager)))

    return make


def phases(report):
    return {service.name: service.phase for service in report.services}


def reasons(report, kind):
    return [finding.reason for finding in report.findings if finding.condition is kind]


async def until_ready(api, work, view):
    await work(view)
    api.settle()
    await work(view)
    api.settle()
    return await work(view)


async def test_a_service_with_a_database_waits_for_its_migration_and_the_others_do_not(start):
    view = look()
    api, work = start(view)
    report = await work(view)
    assert set(api.of_kind("Deployment")) == {"ticketly-event-query", "ticketly-scheduler", "ticketly-email"}
    assert len(api.of_kind("Job")) == 2
    assert phases(report)["order"] is ServicePhase.MIGRATING
    api.settle()
    await work(view)
    assert len(api.of_kind("Deployment")) == 5
    api.settle()
    report = await work(view)
    assert set(phases(report).values()) == {ServicePhase.READY}
    assert reasons(report, ConditionType.READY) == [Reason.ALL_READY]


async def test_a_second_run_writes_nothing(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    api.writes.clear()
    for _ in range(50):
        await work(view)
    assert api.writes == Counter()


async def test_an_autoscalers_count_survives(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    api.of_kind("Deployment")["ticketly-order"]["spec"]["replicas"] = 7
    for _ in range(50):
        await work(view)
    assert api.of_kind("Deployment")["ticketly-order"]["spec"]["replicas"] == 7


async def test_a_failed_migration_is_told_in_its_own_words_and_what_runs_goes_on(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    newer = look(version="9.9.9")
    await work(newer)
    api.settle(failing=["order"])
    report = await work(newer)
    image = api.of_kind("Deployment")["ticketly-order"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(":0.1.0")
    assert reasons(report, ConditionType.DEGRADED) == [Reason.MIGRATION_FAILED]
    assert "BackoffLimitExceeded: exit code 1" in next(s.message for s in report.services if s.name == "order")
    assert phases(report)["event-query"] is not ServicePhase.STUCK


async def test_a_finished_migration_that_somebody_deleted_is_not_run_again(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    for key in [key for key in api.objects if key[1] == "Job"]:
        del api.objects[key]
    report = await work(view)
    assert api.of_kind("Job") == {}
    assert set(phases(report).values()) == {ServicePhase.READY}


async def test_an_earlier_migration_goes_once_the_new_one_is_done(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    old = set(api.of_kind("Job"))
    newer = look(version="9.9.9")
    await work(newer)
    assert old < set(api.of_kind("Job"))
    # one that never came to an end is in the way as well
    for job in old:
        del api.of_kind("Job")[job]["status"]
    await work(newer)
    for name, job in api.of_kind("Job").items():
        if name not in old:
            job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    await work(newer)
    await work(newer)
    assert not old & set(api.of_kind("Job"))


@pytest.mark.parametrize("case", ["secret", "key"])
async def test_without_its_secrets_nothing_is_touched_and_the_missing_one_is_named(start, case):
    view = look()
    api, work = start(view)
    if case == "secret":
        del api.secrets["ticketly-postgres"]
    else:
        del api.secrets["ticketly-postgres"]["order-password"]
    report = await work(view)
    assert api.writes == Counter()
    told = next(finding for finding in report.findings if finding.reason is Reason.SECRET_MISSING)
    assert "ticketly-postgres" in told.message
    assert ("order-password" in told.message) == (case == "key")


async def test_one_refused_object_is_told_and_stops_no_other(start):
    view = look()
    api, work = start(view)
    api.refuse = {"ticketly-event-query-settings"}
    report = await work(view)
    assert reasons(report, ConditionType.DEGRADED) == [Reason.APPLY_REFUSED]
    assert len(api.of_kind("ConfigMap")) == 4
    assert len(api.of_kind("Service")) == 5


async def test_an_object_of_somebody_else_is_not_overwritten(start):
    view = look()
    api, work = start(view)
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ticketly-order", "uid": "x"}, "spec": {}}
    api.objects["v1", "Service", "ticketly-order"] = theirs
    report = await work(view)
    assert api.objects["v1", "Service", "ticketly-order"] is theirs
    told = [finding.message for finding in report.findings if finding.reason is Reason.APPLY_REFUSED]
    assert told == ["Service ticketly-order exists and is not this platform's: rename or remove it"]


async def test_labels_alone_do_not_make_somebody_else_s_object_ours(start):
    view = look()
    api, work = start(view)
    await work(view)
    theirs = copy.deepcopy(api.objects["v1", "Service", "ticketly-order"])
    theirs["metadata"].update(annotations={}, ownerReferences=[])
    api.objects["v1", "Service", "ticketly-order"] = copy.deepcopy(theirs)
    report = await work(view)
    assert api.objects["v1", "Service", "ticketly-order"] == theirs
    assert reasons(report, ConditionType.DEGRADED) == [Reason.APPLY_REFUSED]


async def test_what_an_earlier_platform_of_the_name_left_behind_is_taken_over(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    for each in api.objects.values():
        each["metadata"]["ownerReferences"] = []
        each["metadata"]["annotations"][names.APPLIED_ANNOTATION] = "with another uid"
    report = await work(view)
    assert report.notices == ()
    assert reasons(report, ConditionType.DEGRADED) == []
    for each in api.of_kind("Deployment").values():
        assert [owner["uid"] for owner in each["metadata"]["ownerReferences"]] == ["u-1"]


async def test_the_number_of_pods_is_handed_over_to_an_autoscaler_before_it_is_let_go(start):
    view = look(flashSales=[], services={"order": {"autoscaling": {"min": 4, "max": 4}}})
    api, work = start(view)
    await until_ready(api, work, view)
    order = api.of_kind("Deployment")["ticketly-order"]
    order["spec"]["replicas"] = 4
    fields = {"f:spec": {"f:replicas": {}}}
    order["metadata"]["managedFields"] = [{"manager": "ticketly-operator", "time": "t", "fieldsV1": fields}]
    await work(look(flashSales=[], services={"order": {"autoscaling": {"min": 2, "max": 9}}}))
    assert [handed["spec"] for handed in api.handed_over] == [{"replicas": 4}]


async def test_a_new_deployment_is_not_ready_before_its_autoscaler_raised_it_to_the_minimum(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    order = api.of_kind("Deployment")["ticketly-order"]
    for number, phase in ((1, ServicePhase.ROLLING_OUT), (2, ServicePhase.READY), (7, ServicePhase.READY)):
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), number)
        order["spec"]["replicas"], order["status"] = number, {"observedGeneration": 1, **counts}
        assert phases(await work(view))["order"] is phase


async def test_a_service_scaled_to_nothing_is_not_ready_and_the_way_out_is_told(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    order = api.of_kind("Deployment")["ticketly-order"]
    order["spec"]["replicas"], order["status"] = 0, {"observedGeneration": 1}
    report = await work(view)
    (status,) = [service for service in report.services if service.name == "order"]
    assert status.phase is ServicePhase.PENDING
    assert "scale it to 1" in status.message


async def test_drift_is_put_back_told_and_counted(start, drifted):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    api.of_kind("Service")["ticketly-order"]["spec"]["type"] = "NodePort"
    report = await work(view)
    assert api.of_kind("Service")["ticketly-order"]["spec"]["type"] == "ClusterIP"
    assert drifted == [("Service", "unknown")]
    assert [notice.reason for notice in report.notices] == ["DriftReverted"]
    told = next(finding for finding in report.findings if finding.condition is ConditionType.DEGRADED)
    assert (told.reason, told.message) == (
        Reason.NOTHING_DEGRADED,
        "put back: Service ticketly-order: unknown changed spec.type: NodePort -> ClusterIP",
    )


async def test_paused_means_looking_and_telling_only(start, drifted):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    api.of_kind("Service")["ticketly-order"]["spec"]["type"] = "NodePort"
    api.writes.clear()
    report = await work(look(paused=True, version="9.9.9"))
    assert (api.writes, drifted) == (Counter(), [])
    assert len(report.services) == 5


async def test_what_is_no_longer_wanted_goes(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    await work(look(ingress={"enabled": False, "host": "api.example.com"}))
    assert api.of_kind("Ingress") == {}


async def test_a_restart_token_rolls_every_service_without_a_migration(start):
    view = look()
    api, work = start(view)
    await until_ready(api, work, view)
    jobs = set(api.of_kind("Job"))
    api.writes.clear()
    await work(look(restart_token="again"))
    assert api.writes == Counter({"Deployment": 5})
    assert set(api.of_kind("Job")) == jobs
