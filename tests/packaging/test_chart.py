"""The chart, the plain YAML and `ticketly install` give the same objects: compared as Helm itself renders them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from ticketly_lab.packaging import values
from ticketly_lab.packaging.__main__ import definition, differing
from ticketly_operator.desired.installation import Installation, manifests

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "operator" / "chart"
KEEP = {"helm.sh/resource-policy": "keep"}


def identity(each):
    return each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]


def by_identity(objects):
    found = {identity(each): each for each in objects}
    assert len(found) == len(objects)
    return found


def rendered(helm, tmp_path, given, namespace="ticketly-system"):
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    done = helm("template", "any-name", str(CHART), f"--namespace={namespace}", f"--values={tmp_path / 'values.yaml'}")
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def merged(defaults, given):
    """As Helm does it: maps are merged, at every depth."""
    found = copy.deepcopy(defaults)
    for name, value in given.items():
        found[name] = merged(found.get(name, {}), value) if isinstance(value, dict) else value
    return found


def test_every_written_file_is_as_its_source_says():
    """Else: python -m ticketly_lab.packaging"""
    assert sorted(differing()) == []


def test_the_plain_yaml_is_the_definition_and_the_default_installation():
    text = (ROOT / "operator/install/ticketly-operator.yaml").read_text(encoding="utf-8")
    assert list(yaml.safe_load_all(text)) == [definition(), *manifests(Installation())]


VALUES = [
    {},
    {"replicas": 1, "logLevel": "debug", "networkPolicy": {"enabled": False}},
    {"image": {"repository": "r.example.com:5000/o", "tag": "2.0.0", "pullPolicy": "Always"}},
    {"image": {"digest": "sha256:" + "a" * 64}, "imagePullSecrets": [{"name": "one"}, {"name": "two"}]},
    {"monitoring": {"enabled": True}},
    {"watchNamespace": "shop", "networkPolicy": {"egressPorts": [6443, 19092]}},
    {
        "settings": {"TICKETLY_OPERATOR_LOG_FORMAT": "console", "TICKETLY_OPERATOR_KAFKA_POLL_SECONDS": "30"},
        "nodeSelector": {"kubernetes.io/arch": "amd64", "pool": "true"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    },
]


@pytest.mark.parametrize("given", VALUES, ids=[",".join(given) or "defaults" for given in VALUES])
def test_values_make_the_objects_that_the_same_installation_makes(helm, tmp_path, given):
    made = rendered(helm, tmp_path, given)
    wanted = manifests(values.installation(merged(values.defaults(), given), "ticketly-system"))
    kept = definition()
    kept = {
        **kept,
        "metadata": {**kept["metadata"], "annotations": {**kept["metadata"].get("annotations", {}), **KEEP}},
    }
    # Helm keeps its own record in the namespace, so the namespace is there before the chart
    without_namespace = [each for each in wanted if each["kind"] != "Namespace"]
    assert by_identity(made) == by_identity([kept, *without_namespace])


def test_the_defaults_are_the_default_installation():
    assert values.installation(values.defaults(), Installation().namespace) == Installation()
    assert yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")) == values.defaults()


def test_a_release_elsewhere_is_there_with_everything(helm, tmp_path):
    made = rendered(helm, tmp_path, {}, namespace="elsewhere")
    assert {each["metadata"]["namespace"] for each in made if "namespace" in each["metadata"]} == {"elsewhere"}
    assert "ticketly-system" not in json.dumps(made)


def test_the_definition_can_be_left_to_somebody_else(helm, tmp_path):
    kinds = {each["kind"] for each in rendered(helm, tmp_path, {"crds": {"install": False}})}
    assert "CustomResourceDefinition" not in kinds
    assert "Deployment" in kinds


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("replica=3", "replica"),
        ("replicas=0", "/replicas"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("image.digest=latest", "/image/digest"),
        ("logLevel=loud", "/logLevel"),
        ("watchNamespace=Shop", "/watchNamespace"),
        ("settings.PATH=x", "PATH"),
        ("networkPolicy.egressPorts={70000}", "/networkPolicy/egressPorts/0"),
    ],
)
def test_a_value_that_could_not_work_is_refused_with_its_name(helm, setting, told):
    done = helm("template", "it", str(CHART), "--set", setting)
    assert done.returncode != 0
    assert told in done.stderr


def test_helm_finds_nothing_to_complain_about(helm):
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout
    assert "[WARNING]" not in done.stdout
