"""A release on a real API server: installed, upgraded, uninstalled; the definition and the platforms stay."""

from __future__ import annotations

import json
import time
from importlib import resources
from pathlib import Path

import pytest
import yaml

from ticketly_crds import kinds
from ticketly_operator.desired.installation import NAME

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]

CHART = str(Path(__file__).resolve().parents[2] / "operator" / "chart")


@pytest.fixture
def release(cluster, namespace, helm):
    """Helm for one release in this test's namespace, which looks after that namespace only."""

    def run(command, *arguments):
        options = [f"--namespace={namespace}", f"--kubeconfig={cluster.kubeconfig}"]
        return helm(command, NAME, *arguments, *options)

    yield run
    run("uninstall", "--ignore-not-found")


def sample(namespace):
    text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
    platform = yaml.safe_load(text)
    platform["metadata"]["namespace"] = namespace
    return platform


def test_a_definition_that_somebody_else_installed_is_not_taken_unasked(release, namespace):
    done = release("install", CHART, "--set", f"watchNamespace={namespace}")
    assert done.returncode != 0
    assert kinds.PLATFORM.resource in done.stderr


def test_a_release_comes_changes_and_goes_and_platforms_stay(cluster, namespace, release):
    here = ["--set", f"watchNamespace={namespace}"]
    done = release("install", CHART, *here, "--take-ownership", "--wait", "--timeout=120s")
    assert done.returncode == 0, done.stderr
    assert f"looks after platforms in namespace {namespace}." in " ".join(done.stdout.split())
    deployment = cluster.get("deployment", NAME, namespace)
    assert deployment["status"]["readyReplicas"] == 2
    cluster.apply(sample(namespace))

    done = release("upgrade", CHART, "--reuse-values", "--set", "replicas=1", "--wait", "--timeout=120s")
    assert done.returncode == 0, done.stderr
    assert cluster.get("deployment", NAME, namespace)["spec"]["replicas"] == 1
    assert cluster.get("poddisruptionbudget", NAME, namespace) is None
    assert cluster.get("role", NAME, namespace) is not None

    done = release("uninstall", "--wait", "--timeout=120s")
    assert done.returncode == 0, done.stderr
    end = time.monotonic() + 60
    while cluster.get("deployment", NAME, namespace) is not None and time.monotonic() < end:
        time.sleep(0.2)
    assert cluster.get("deployment", NAME, namespace) is None
    assert cluster.get("serviceaccount", NAME, namespace) is None
    assert cluster.get(kinds.PLATFORM.resource, "ticketly", namespace) is not None
    definition = json.loads(cluster.kubectl("get", "crd", kinds.PLATFORM.resource, "--output=json"))
    # the next test of this session finds the definition as it was
    annotations = [name for name in definition["metadata"].get("annotations", {}) if "helm.sh" in name]
    assert "helm.sh/resource-policy" in annotations
    cluster.kubectl("annotate", "crd", kinds.PLATFORM.resource, *(f"{name}-" for name in annotations))
    cluster.kubectl("label", "crd", kinds.PLATFORM.resource, "app.kubernetes.io/managed-by-")
