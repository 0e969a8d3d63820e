"""Platforms on a real API server: what is told, what is put back, what is left alone, and what is survived."""

from __future__ import annotations

import json
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ticketly_crds.status import REASONS, ConditionType
from ticketly_lab import sample
from ticketly_lab.cluster import KubectlError
from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes

SHARED = "shared"
"""A platform of all tests here; they leave it as it was."""


def template_of(deployment):
    return deployment["spec"]["template"]


def image_of(deployment):
    return template_of(deployment)["spec"]["containers"][0]["image"]


def named(objects, name):
    """The one of that name, and the others."""
    (found,) = [each for each in objects if each["metadata"]["name"] == name]
    return found, [each for each in objects if each is not found]


def several_reconciles(site):
    """Long enough for every platform of the site to have its turn a few times."""
    before = reconciles(site)
    known = site.operator.metrics()["ticketly_operator_platforms"]
    eventually(lambda: reconciles(site) >= before + 3 * known + 3, "several reconciles")


def reconciles(site):
    return site.operator.metrics().get('ticketly_operator_reconciles_total{outcome="ok"}', 0)


def labels_of(platform):
    return f"app.kubernetes.io/instance={platform.name}"


def test_a_platform_becomes_ready_and_says_everything_about_its_present_generation(site):
    platform = site.applied()
    site.cluster.kubectl(
        "wait", "--for=condition=Ready", f"tkp/{platform.name}", f"--namespace={site.namespace}", "--timeout=90s"
    )
    found = platform.get()
    told = {condition["type"]: condition for condition in found["status"]["conditions"]}
    assert set(told) == {kind.value for kind in ConditionType}
    for kind, condition in told.items():
        assert condition["reason"] in {reason.value for reason in REASONS[ConditionType(kind)]}
        assert (
            condition["observedGeneration"] == found["metadata"]["generation"] == found["status"]["observedGeneration"]
        )
    assert {service["phase"] for service in found["status"]["services"]} == {"Ready"}
    assert len(found["status"]["services"]) == 5
    pods = site.cluster.list("pods", site.namespace, labels_of(platform))
    # the namespace refuses every pod that is not restricted: five of services, two of migrations
    assert len([pod for pod in pods if pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"]) == 5
    assert len([pod for pod in pods if pod["metadata"]["ownerReferences"][0]["kind"] == "Job"]) == 2


def test_a_field_that_somebody_changed_is_put_back_and_told_with_field_and_manager(site):
    platform = site.ready(SHARED)
    wanted = image_of(platform.child("deployment", "email"))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "email", "image": "evil:1"}]}}}}
    name = f"{platform.name}-email"
    options = [f"--namespace={site.namespace}", "--field-manager=mallory", f"--patch={json.dumps(patch)}"]
    site.cluster.kubectl("patch", "deployment", name, *options)
    eventually(lambda: image_of(platform.child("deployment", "email")) == wanted, "the image is put back")
    sentence = f"Deployment {name}: mallory changed spec.template.spec.containers[email].image: evil:1 -> {wanted}"
    eventually(lambda: sentence in platform.events("DriftReverted"), "an event")
    metrics = site.operator.metrics()
    assert metrics['ticketly_operator_drift_total{kind="Deployment",manager="mallory"}'] == 1
    eventually(lambda: platform.condition("Degraded").get("message") == f"put back: {sentence}", "the message")
    assert platform.condition("Degraded")["status"] == "False"
    assert sentence in site.log()


def test_what_others_add_to_managed_objects_stays(site):
    platform = site.ready(SHARED)
    name, namespace = f"{platform.name}-email", f"--namespace={site.namespace}"
    site.cluster.kubectl("annotate", "deployment", name, namespace, "example.com/owner=mallory")
    site.cluster.kubectl("label", "service", name, namespace, "example.com/tier=gold")
    several_reconciles(site)
    assert platform.child("deployment", "email")["metadata"]["annotations"]["example.com/owner"] == "mallory"
    assert platform.child("service", "email")["metadata"]["labels"]["example.com/tier"] == "gold"
    # a change of the platform applies the object anew, and still only its own fields
    platform.change(version="0.1.1")
    eventually(lambda: image_of(platform.child("deployment", "email")).endswith(":0.1.1"), "the new image")
    assert platform.child("deployment", "email")["metadata"]["annotations"]["example.com/owner"] == "mallory"


def test_another_controller_that_takes_a_field_by_force_is_overruled_and_named(site):
    platform = site.ready(SHARED)
    name = f"{platform.name}-order"
    other = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": site.namespace},
        "spec": {"maxReplicas": 99},
    }
    options = ["apply", "--server-side", "--force-conflicts", "--field-manager=greedy", "-f", "-"]
    site.cluster.kubectl(*options, input=json.dumps(other))
    sentence = f"HorizontalPodAutoscaler {name}: greedy changed spec.maxReplicas: 99 -> 15"
    eventually(lambda: sentence in platform.events("DriftReverted"), "an event")
    assert platform.child("hpa", "order")["spec"]["maxReplicas"] == 15


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("deployment", "scheduler"),
        ("service", "order"),
        ("configmap", "order-settings"),
        ("networkpolicy", "default-deny"),
    ],
)
def test_a_managed_object_that_was_deleted_comes_back(site, kind, part):
    platform = site.ready(SHARED)
    uid = platform.child(kind, part)["metadata"]["uid"]
    site.cluster.kubectl("delete", kind, f"{platform.name}-{part}", f"--namespace={site.namespace}")
    eventually(lambda: platform.child(kind, part).get("metadata", {}).get("uid", uid) != uid, f"{kind} comes back")
    platform.until_ready()


def test_while_paused_nothing_is_changed_and_changes_catch_up_afterwards(site):
    platform = site.ready(SHARED)
    platform.annotate(pause="true")
    eventually(lambda: platform.status().get("paused"), "the pause is echoed")
    platform.until("Paused", "PausedByAnnotation")
    platform.change(version="0.1.2")
    name = f"{platform.name}-scheduler"
    site.cluster.kubectl("scale", "deployment", name, f"--namespace={site.namespace}", "--replicas=3")
    site.cluster.kubectl("delete", "service", name, f"--namespace={site.namespace}")
    platform.until("Paused", "PausedByAnnotation")
    time.sleep(5)  # more than two intervals in which nothing may happen
    assert image_of(platform.child("deployment", "email")).endswith(":0.1.0")
    assert platform.child("service", "scheduler") == {}
    assert site.operator.metrics()["ticketly_operator_paused"] == 1
    platform.annotate(pause=None)
    eventually(lambda: image_of(platform.child("deployment", "email")).endswith(":0.1.2"), "the change catches up")
    platform.until_ready()
    assert platform.child("service", "scheduler")
    assert not platform.status()["paused"]
    platform.until("Paused", "NotPaused")


def test_a_restart_token_rolls_every_pod_once_and_is_echoed(site):
    platform = site.ready(SHARED)
    old = {pod["metadata"]["uid"] for pod in site.cluster.list("pods", site.namespace, labels_of(platform))}
    platform.annotate(restart="monday")
    eventually(lambda: platform.status().get("restartToken") == "monday", "the token is echoed")
    eventually(
        lambda: all(
            pod["metadata"]["uid"] not in old
            for pod in site.cluster.list("pods", site.namespace, f"{labels_of(platform)},app.kubernetes.io/component")
            if pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
        ),
        "new pods",
    )
    platform.until_ready()
    generation = platform.child("deployment", "order")["metadata"]["generation"]
    platform.annotate(restart="monday", other="x")
    several_reconciles(site)
    assert platform.child("deployment", "order")["metadata"]["generation"] == generation


def test_a_missing_secret_is_named_and_its_arrival_is_enough(site):
    # named like no Secret of the other platforms here
    changes = site.spec(identity={"clientSecretsRef": {"name": "late"}})
    platform = site.platform()
    document = sample.platform(platform.name, site.namespace, **changes)
    late, others = named(sample.secrets(document), "late")
    site.cluster.apply(*others, document)
    message = platform.until("Ready", "SecretMissing")["message"]
    assert message.startswith("Secret late does not exist")
    (key, *rest) = late["data"]
    site.cluster.apply({**late, "data": {other: late["data"][other] for other in rest}})
    eventually(lambda: f"Secret late lacks the key {key}" in platform.condition("Ready")["message"], "the key is named")
    assert platform.child("deployment", "email") == {}
    site.cluster.apply(late)
    platform.until_ready()


def test_a_secret_s_new_content_rolls_the_pods_that_read_it_and_a_touched_label_does_not(site):
    platform = site.platform()
    changes = site.spec(mongo={"uriSecretRef": {"name": "rotating"}})
    platform.apply(**changes).until_ready()
    before = template_of(platform.child("deployment", "event-query"))
    other = template_of(platform.child("deployment", "email"))
    site.cluster.kubectl("label", "secret", "rotating", f"--namespace={site.namespace}", "touched=yes")
    several_reconciles(site)
    assert template_of(platform.child("deployment", "event-query")) == before
    rotating, _ = named(sample.secrets(sample.platform(platform.name, site.namespace, **changes), "new"), "rotating")
    site.cluster.apply(rotating)
    eventually(lambda: template_of(platform.child("deployment", "event-query")) != before, "the pods roll")
    assert template_of(platform.child("deployment", "email")) == other


def test_a_description_that_only_the_operator_can_refuse_is_told_and_what_runs_goes_on(site):
    platform = site.ready()
    generation = platform.child("deployment", "order")["metadata"]["generation"]
    platform.change(version="9.9.9", mongo=None)
    assert platform.until("Ready", "IncompleteSpec")["message"] == "a cluster needs: spec.mongo"
    assert platform.child("deployment", "order")["metadata"]["generation"] == generation
    assert platform.child("deployment", "order")["status"]["readyReplicas"] == 1
    platform.change(version="0.1.0", mongo={"uriSecretRef": {"name": "ticketly-mongo"}})
    platform.until_ready()


def test_a_fault_that_an_older_definition_lets_pass_is_told_with_its_path_and_what_runs_goes_on(site, control_plane):
    platform = site.ready(SHARED)
    generation = platform.child("deployment", "order")["metadata"]["generation"]
    where = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/timeZone/pattern"
    definition = json.loads(control_plane.kubectl("get", "crd", "ticketlyplatforms.ticketly.io", "--output=json"))
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    change_definition(control_plane, {"op": "remove", "path": where})
    try:
        eventually(lambda: accepted(platform, timeZone="not a zone!"), "the older definition")
        message = platform.until("Ready", "InvalidSpec")["message"]
        assert message == "spec.timeZone: must be an IANA time zone such as Asia/Colombo or UTC"
        assert platform.child("deployment", "order")["metadata"]["generation"] == generation
        assert platform.child("deployment", "order")["status"]["readyReplicas"] == 1
        platform.change(timeZone="Asia/Colombo")
        platform.until_ready()
    finally:
        change_definition(control_plane, {"op": "add", "path": where, "value": schema["timeZone"]["pattern"]})


def change_definition(control_plane, operation):
    options = ["--type=json", f"--patch={json.dumps([operation])}"]
    control_plane.kubectl("patch", "crd", "ticketlyplatforms.ticketly.io", *options)


def accepted(platform, **changes):
    """Whether the server takes the change; it learns of a definition a moment later."""
    try:
        platform.change(**changes)
    except KubectlError:
        return False
    return True


def test_a_spec_that_breaks_a_rule_is_refused_by_the_server_with_the_rule_s_words(site):
    platform = site.ready(SHARED)
    with pytest.raises(KubectlError, match=r"spec\.services\.order\.autoscaling"):
        platform.change(services={"order": {"autoscaling": {"min": 9, "max": 3}}})
    with pytest.raises(KubectlError, match=r"(?i)currency"):
        platform.change(payments={"currency": "EUR"})
    with pytest.raises(KubectlError, match=r"Too long: may not be more than 40"):
        site.platform("l" * 41).apply(with_secrets=False, **site.spec())


def test_an_object_of_that_name_that_somebody_else_made_is_left_alone(site):
    platform = site.platform()
    name = f"{platform.name}-order"
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": site.namespace},
        "spec": {"ports": [{"port": 1}], "selector": {"app": "theirs"}},
    }
    site.cluster.apply(theirs, manager="somebody")
    platform.apply(**site.spec())
    message = platform.until("Degraded", "ApplyRefused")["message"]
    assert message == f"Service {name} exists and is not this platform's: rename or remove it"
    eventually(lambda: platform.service("email").get("phase") == "Ready", "the rest is made all the same")
    assert platform.child("service", "order")["spec"]["selector"] == {"app": "theirs"}
    # labels alone do not make it ours
    labels = platform.child("service", "email")["metadata"]["labels"] | {"app.kubernetes.io/component": "order"}
    options = [f"--namespace={site.namespace}", *(f"{key}={value}" for key, value in labels.items())]
    site.cluster.kubectl("label", "service", name, "--overwrite", *options)
    several_reconciles(site)
    assert platform.child("service", "order")["spec"]["selector"] == {"app": "theirs"}
    site.cluster.kubectl("delete", "service", name, f"--namespace={site.namespace}")
    platform.until("Degraded", "NothingDegraded")
    assert platform.child("service", "order")["spec"]["selector"]["app.kubernetes.io/instance"] == platform.name


def test_a_status_written_by_an_older_version_or_by_nonsense_is_written_anew_once(site):
    platform = site.platform()
    platform.apply(**site.spec()).until_ready()
    nonsense = {
        "status": {
            "restartToken": "kept",
            "services": [{"name": "order", "phase": "Dancing", "image": "x"}, {"name": "gone", "phase": "Ready"}],
            "connectors": [{"name": "ticketly-event-tables", "phase": "Singing"}],
            "conditions": [
                {
                    "type": kind,
                    "status": "True",
                    "reason": "FromAnotherTime",
                    "message": "",
                    "observedGeneration": 1,
                    "lastTransitionTime": "2020-01-01T00:00:00Z",
                }
                for kind in ("Ready", "Sparkling")
            ],
        }
    }
    site.cluster.kubectl("annotate", "tkp", platform.name, f"--namespace={site.namespace}", "ticketly.io/pause=true")
    options = [f"--namespace={site.namespace}", "--subresource=status", "--type=merge"]
    site.cluster.kubectl("patch", "tkp", platform.name, *options, f"--patch={json.dumps(nonsense)}")
    site.cluster.kubectl("annotate", "tkp", platform.name, f"--namespace={site.namespace}", "ticketly.io/pause-")
    platform.until_ready()

    def told_anew():
        # the operator may have looked in the middle of the pause, and then writes its end, too
        return platform.service("order").get("phase") == "Ready" and not platform.status().get("paused")

    eventually(told_anew, "the services are told anew")
    version = platform.get()["metadata"]["resourceVersion"]
    several_reconciles(site)
    assert platform.get()["metadata"]["resourceVersion"] == version


def test_a_platform_made_again_under_its_name_is_a_new_one_that_takes_over_what_was_left(site):
    platform = site.ready()
    old = platform.get()["metadata"]["uid"]
    pods = {pod["metadata"]["uid"] for pod in site.cluster.list("pods", site.namespace, labels_of(platform))}
    platform.delete("--cascade=orphan")
    platform.apply(**site.spec()).until_ready()
    new = platform.get()["metadata"]["uid"]
    assert new != old
    for kind, part in (("deployment", "order"), ("service", "order"), ("configmap", "order-settings")):
        assert [owner["uid"] for owner in platform.child(kind, part)["metadata"]["ownerReferences"]] == [new]
    # nothing stopped selling meanwhile
    running = {pod["metadata"]["uid"] for pod in site.cluster.list("pods", site.namespace, labels_of(platform))}
    assert len(pods & running) >= 5
    # and without orphans everything is made anew
    platform.delete("--cascade=background")
    platform.apply(**site.spec())
    newest = platform.get()["metadata"]["uid"]
    eventually(
        lambda: (
            [
                owner["uid"]
                for owner in platform.child("deployment", "order").get("metadata", {}).get("ownerReferences", ())
            ]
            == [newest]
        ),
        "the deployment of the newest platform",
    )
    platform.until_ready()


def test_the_longest_allowed_name_works(site):
    platform = site.ready("l" + "o" * 38 + "g")
    assert len(platform.name) == 40
    children = [
        child
        for kind in ("deployments", "services", "jobs")
        for child in site.cluster.list(kind, site.namespace, labels_of(platform))
    ]
    assert len(children) >= 12
    assert all(len(child["metadata"]["name"]) <= 63 for child in children)


def test_what_prometheus_is_told(site):
    platform = site.ready(SHARED)
    text = "".join(f"{series} {value}\n" for series, value in site.operator.metrics().items())
    found = {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
    assert found["ticketly_operator_reconcile_duration_seconds_count"] > 0
    assert found["ticketly_operator_leader"] == 1
    assert found["ticketly_operator_platforms"] >= 1
    assert 0 <= found["ticketly_operator_watch_age_seconds"] < 60
    assert "ticketly_operator_queue_depth" in found
    where = f'namespace="{site.namespace}",platform="{platform.name}"'
    assert site.operator.metrics()[f'ticketly_operator_condition{{{where},status="True",type="Ready"}}'] == 1
    gone = site.ready()
    gone.delete()
    eventually(lambda: not any(f'platform="{gone.name}"' in s for s in site.operator.metrics()), "its series end")
