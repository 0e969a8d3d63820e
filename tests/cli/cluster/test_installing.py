"""install, uninstall and crd upgrade on a control plane of their own, which knows nothing of us at the beginning."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ticketly_cli.cluster import definition
from ticketly_crds import names
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.operator_process import OperatorProcess

pytestmark = pytest.mark.kubernetes

NAMESPACE = "ticketly-system"
DEFINITION = "ticketlyplatforms.ticketly.io"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane.start(nodes=1) as found:
        yield found


@pytest.fixture
def person(command_line, plane, tmp_path):
    """Everything of ours is gone again afterwards."""
    command_line.kubeconfig = plane.kubeconfig
    yield command_line
    found = json.loads(plane.kubectl("get", "tkp", "-A", "-o", "json"))["items"] if _known(plane) else []
    approved = [f"--allow-delete={each['metadata']['namespace']}/{each['metadata']['name']}" for each in found]
    command_line.succeeds("uninstall", "--crd", "--yes", "--timeout", "1", *approved)


def _known(plane) -> bool:
    return plane.get("customresourcedefinition", DEFINITION) is not None


@pytest.fixture
def shop(plane) -> str:
    if plane.get("namespace", "shop") is None:
        plane.kubectl("create", "namespace", "shop")
    return "shop"


def test_installing_twice_changes_nothing_the_second_time(person, plane):
    code, first = person.data("install", "--dry-run")
    assert code == 0
    assert {each["change"] for each in first["objects"]} == {"created"}
    assert not _known(plane), "a dry run stores nothing"
    person.succeeds("install")
    deployment = plane.get("deployment", "ticketly-operator", NAMESPACE)
    assert deployment is not None
    assert deployment["status"]["availableReplicas"] == 2
    managers = {each["manager"] for each in deployment["metadata"]["managedFields"] if each["operation"] == "Apply"}
    assert managers == {"ticketly-cli"}
    code, second = person.data("install")
    assert code == 0
    assert {each["change"] for each in second["objects"]} == {"unchanged"}
    again = plane.get("deployment", "ticketly-operator", NAMESPACE)
    assert again is not None
    assert again["metadata"]["resourceVersion"] == deployment["metadata"]["resourceVersion"]


def test_installing_for_one_namespace_takes_the_cluster_wide_rights_away(person, plane, shop):
    person.succeeds("install")
    assert plane.get("clusterrole", "ticketly-operator") is not None
    code, told = person.data("install", "--watch-namespace", shop)
    assert code == 0
    assert {"kind": "ClusterRole", "name": "ticketly-operator", "change": "removed"} in told["objects"]
    assert plane.get("clusterrole", "ticketly-operator") is None
    assert plane.get("role", "ticketly-operator", shop) is not None


def test_a_second_operator_for_the_same_platforms_is_refused(person, plane):
    person.succeeds("install")
    code, _, err = person("install", "--namespace", "elsewhere")
    assert code == 1
    assert f"There is an operator in namespace {NAMESPACE} already" in err
    assert plane.get("namespace", "elsewhere") is None


def test_an_operator_that_does_not_come_up_shows_its_pods_own_words(person, plane):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": NAMESPACE}}
    if plane.get("namespace", NAMESPACE) is None:
        plane.kubectl("create", "namespace", NAMESPACE)
    plane.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    try:
        code, out, err = person("install", "--timeout", "15")
    finally:
        plane.kubectl("-n", NAMESPACE, "delete", "resourcequota", "none")
    assert (code, out) == (1, "")
    assert "exceeded quota: none" in err
    person.succeeds("install")


def test_bad_wishes_are_refused_before_anything_happens(person, plane):
    code, _, err = person("install", "--log-level", "loud")
    assert code == 3
    assert "log_level: must be debug, info, warning or error" in err
    code, _, err = person("install", "--watch-namespace", "absent")
    assert code == 4
    assert "Namespace absent does not exist" in err
    assert not _known(plane)


def test_the_definition_is_compared_upgraded_and_never_downgraded(person, plane, shop):
    code, report = person.data("crd", "upgrade", "--check")
    assert (code, report["installed"], report["differences"]) == (2, False, True)
    person.succeeds("crd", "upgrade")
    code, report = person.data("crd", "upgrade", "--check")
    assert (code, report["changes"]) == (0, [])

    older = copy.deepcopy(definition.ours())
    spec = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["surplus"] = {"type": "string"}
    del spec["properties"]["timeZone"]
    spec["properties"]["connect"]["properties"]["secretsPath"]["maxLength"] = 999
    plane.apply(older, manager="ticketly-cli")
    code, report = person.data("crd", "upgrade", "--check")
    changes = {each["path"]: each for each in report["changes"]}
    assert (code, report["breaking"]) == (2, True)
    assert changes["v1alpha1.spec.surplus"] == {
        "path": "v1alpha1.spec.surplus", "change": "field removed", "breaking": True,
    }  # fmt: skip
    assert changes["v1alpha1.spec.timeZone"]["breaking"] is False
    tightened = changes["v1alpha1.spec.connect.secretsPath.maxLength"]
    assert (tightened["change"], tightened["breaking"]) == ("999 -> 256", True)
    code, _, err = person("install")
    assert code == 1
    assert "ticketly crd upgrade --check" in err
    code, _, err = person("crd", "upgrade")
    assert code == 3, "nobody can be asked"
    assert "--yes" in err
    assert person("crd", "upgrade", answers="no\n")[0] == 1
    code, report = person.data("crd", "upgrade", "--yes")
    assert (code, report["applied"]) == (0, True)
    assert person("crd", "upgrade", "--check")[0] == 0

    newer = copy.deepcopy(definition.ours())
    later = copy.deepcopy(newer["spec"]["versions"][0])
    newer["spec"]["versions"][0]["storage"] = False
    newer["spec"]["versions"].append(later | {"name": "v1beta1"})
    plane.apply(newer, manager="ticketly-cli")
    for command in (("crd", "upgrade", "--check"), ("crd", "upgrade", "--yes"), ("install",)):
        code, _, err = person(*command)
        assert code == 1
        assert "stored as v1beta1" in err


def test_uninstalling_with_a_platform_left_explains_and_frees_it(person, plane, shop):
    person.succeeds("install")
    content = person.document(shop, deletionPolicy="Delete")
    assert person("apply", "-f", person.write(content))[0] == 0
    with OperatorProcess(plane, NAMESPACE, kubeconfig=plane.kubeconfig_for("ticketly-operator", NAMESPACE)):
        person.until(lambda: _finalizers(plane, shop) == [names.FINALIZER], "the operator holds the platform")
    code, _, err = person("uninstall")
    assert code == 3, "nobody can be asked"
    assert "shop/ticketly" in err
    assert plane.get("deployment", "ticketly-operator", NAMESPACE) is not None
    assert person("uninstall", answers="no\n")[0] == 1
    code, out, err = person("uninstall", answers="yes\n")
    assert code == 0, err
    assert "run on, without anybody who looks after them: shop/ticketly" in out
    assert _finalizers(plane, shop) == []
    assert plane.get("deployment", "ticketly-operator", NAMESPACE) is None
    assert plane.get("clusterrole", "ticketly-operator") is None
    assert _known(plane)
    plane.kubectl("-n", shop, "delete", "tkp", "ticketly", "--timeout=30s")
    code, again = person.data("uninstall", "--yes")
    assert (code, again["removed"]) == (0, [])


def test_removing_the_definition_asks_for_each_platform_by_name(person, plane, shop):
    person.succeeds("crd", "upgrade")
    content = person.document(shop)
    content["metadata"]["finalizers"] = [names.FINALIZER]
    plane.apply(content, manager="ticketly-cli")
    code, _, err = person("uninstall", "--crd", "--yes")
    assert code == 1
    assert "--allow-delete shop/ticketly" in err
    assert person("uninstall", "--crd", answers="ticketly\n")[0] == 1, "the whole name is asked for"
    assert plane.get("tkp", "ticketly", shop) is not None
    code, out, _ = person("uninstall", "--crd", "--timeout", "1", answers="shop/ticketly\n")
    assert code == 0
    assert "The topics, connectors and replication slots of shop/ticketly" in out
    assert not _known(plane)
    code, told = person.data("uninstall", "--crd", "--yes")
    assert (code, told["removed"], told["platforms_deleted"]) == (0, [], [])


def _finalizers(plane, namespace):
    return (plane.get("tkp", "ticketly", namespace) or {}).get("metadata", {}).get("finalizers", [])


def test_our_definition_is_the_file_that_is_applied_by_hand():
    path = Path(definition.__file__).parents[3] / "crds" / "ticketly_crds" / "ticketlyplatform.yaml"
    assert yaml.safe_load(path.read_text()) == definition.ours()
