"""What the chart and the plain YAML contain is accepted by an API server that takes nothing on trust."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
import yaml

from ticketly_crds.blueprint import blueprint
from ticketly_crds.blueprint import cluster as cluster_placement
from ticketly_crds.spec import parse
from ticketly_operator.desired import Surroundings, desired
from ticketly_operator.desired.installation import NAME, Installation, manifests

pytestmark = pytest.mark.kubernetes

ROOT = Path(__file__).resolve().parents[2]
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
STRICT = (
    "apply",
    "--server-side",
    "--dry-run=server",
    "--validate=strict",
    "--force-conflicts",
    "--field-manager=test",
    "--filename=-",
)


@pytest.fixture
def restricted(cluster, namespace):
    """A namespace that admits no pod with more rights than it needs."""
    cluster.kubectl("label", "namespace", namespace, RESTRICTED)
    return namespace


def strictly(cluster, objects):
    """Send all of it without keeping it; what kubectl prints for each object."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    return cluster.kubectl(*STRICT, input=text).splitlines()


def pods_of(objects):
    """What the controllers will make: admission looks at pods, workloads only get a warning."""
    for each in objects:
        if each["kind"] in {"Deployment", "Job"}:
            template = each["spec"]["template"]
            metadata = {"name": f"{each['metadata']['name']}-tried"[:63], "namespace": each["metadata"]["namespace"]}
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**template["metadata"], **metadata},
                "spec": {**template["spec"], "serviceAccountName": "default"},
            }


def moved(objects, namespace):
    """The same objects in another namespace; the definition stays what it is."""
    return json.loads(json.dumps(objects).replace('"ticketly-system"', json.dumps(namespace)))


def test_the_plain_yaml_is_accepted_to_the_last_field(cluster, restricted):
    text = (ROOT / "operator/install/ticketly-operator.yaml").read_text(encoding="utf-8")
    objects = moved(list(yaml.safe_load_all(text)), restricted)
    assert len(strictly(cluster, objects)) == len(objects)
    (pod,) = pods_of(objects)
    assert strictly(cluster, [pod]) == [f"pod/{NAME}-tried serverside-applied (server dry run)"]


@pytest.mark.parametrize("watched", [False, True], ids=["everywhere", "one namespace"])
def test_the_chart_is_accepted_to_the_last_field(cluster, restricted, helm, watched):
    settings = ["--set", f"watchNamespace={restricted}"] if watched else []
    done = helm("template", "it", str(ROOT / "operator/chart"), f"--namespace={restricted}", *settings)
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert len(strictly(cluster, objects)) == len(objects)


def test_the_operator_s_deployment_gets_its_two_pods_in_a_restricted_namespace(cluster, restricted):
    objects = [each for each in manifests(Installation(namespace=restricted)) if each["kind"] != "Namespace"]
    cluster.apply(*objects)
    # a refused pod would leave the roll-out unfinished
    cluster.kubectl("rollout", "status", f"--namespace={restricted}", f"deployment/{NAME}", "--timeout=90s")
    pods = cluster.list("pods", restricted, f"app.kubernetes.io/name={NAME}")
    assert len(pods) == 2
    for pod in pods:
        mounted = [each["mountPath"] for each in pod["spec"]["containers"][0]["volumeMounts"]]
        assert mounted.count("/var/run/secrets/kubernetes.io/serviceaccount") == 1


def sample_objects(namespace):
    text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    document["metadata"] |= {"namespace": namespace, "uid": "0a0a0a0a-0000-4000-8000-000000000000", "generation": 1}
    platform = parse(document)
    around = Surroundings(datetime(2026, 11, 22, tzinfo=UTC), "ticketly-system", 45, 600, 600)
    return desired(platform, blueprint(platform, cluster_placement(platform)), around).all()


def test_every_pod_of_a_platform_is_admitted_in_a_restricted_namespace(cluster, restricted):
    objects = sample_objects(restricted)
    pods = list(pods_of(objects))
    assert len(pods) == 7, "five services, two migrations"
    assert len(strictly(cluster, pods)) == 7
    assert len(strictly(cluster, objects)) == len(objects)


def test_the_restricted_namespace_does_refuse_a_pod_that_asks_for_more(cluster, restricted):
    """Else the tests above would prove nothing."""
    (pod,) = pods_of(moved(list(manifests(Installation())), restricted))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Exception, match="violates PodSecurity"):
        strictly(cluster, [pod])
