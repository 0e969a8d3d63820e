"""plan, apply, diff, status, events, suspend, resume, reconcile, restart on a real API server, with a real operator."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from ticketly_cli.cluster import planning
from ticketly_cli.cluster.connection import Api
from ticketly_crds import names
from ticketly_operator.clients.kubernetes import ApiServer, KubernetesCluster

pytestmark = pytest.mark.kubernetes


def test_plan_of_a_new_platform_lists_every_object_and_changes_nothing(person):
    code, plan = person.plan(person.platform())
    assert code == 2
    first = plan["objects"][0]
    assert (first["kind"], first["name"], first["action"]) == ("TicketlyPlatform", "ticketly", "create")
    kinds = {each["kind"] for each in plan["objects"]}
    assert {"Deployment", "Service", "HorizontalPodAutoscaler", "NetworkPolicy", "Job", "Ingress"} <= kinds
    assert plan["counts"]["create"] == len(plan["objects"])
    assert any("Missing Secrets: " in note and "ticketly-postgres" in note for note in plan["notes"])
    assert person.cluster.get("ticketlyplatform", "ticketly", person.namespace) is None
    assert person.deployments() == []


def test_a_platform_is_applied_and_its_drift_is_shown_with_field_and_manager(person, monkeypatch):
    content, there = person.platform(), ("-n", person.namespace)
    person.give_secrets(content)
    with person.operator():
        code, out, err = person.apply(content)
        assert code == 0, err
        assert f"{person.namespace}/ticketly is applied." in out
        assert "to create" in err
        person.settle()
        assert person.plan(content)[0] == 0, "plan and operator agree"
        code, _, err = person("suspend", *there)
        assert code == 0, err
        assert person.data("status", *there)[1]["paused"] is True

    listed = Api.list

    def scaled_meanwhile(api, kind, *arguments):
        found = listed(api, kind, *arguments)
        if kind.kind == "Deployment":
            person.kubectl("scale", "deployment/ticketly-order", "--replicas=3")
        return found

    with monkeypatch.context() as during:
        during.setattr(Api, "list", scaled_meanwhile)
        assert person.diff()[1]["objects"] == [], "what an autoscaler does while we look is no change of ours"

    image = "order=evil.example.com/order:1"
    person.kubectl("set", "image", "deployment/ticketly-order", image, "--field-manager=mallory")
    person.kubectl("delete", "service", "ticketly-email")
    code, plan = person.diff()
    assert code == 2
    changed = {(each["kind"], each["name"]): each for each in plan["objects"]}
    assert set(changed) == {("Deployment", "ticketly-order"), ("Service", "ticketly-email")}
    assert changed["Deployment", "ticketly-order"]["fields"] == [
        {
            "field": "spec.template.spec.containers[order].image",
            "before": "evil.example.com/order:1",
            "after": "registry.example.com/ticketly/order:0.1.0",
            "manager": "mallory",
            "conflict": False,
        }
    ]
    assert changed["Service", "ticketly-email"]["action"] == "create"
    assert any("suspended" in note for note in plan["notes"])
    assert "set by mallory" in person("diff", *there)[1]

    with person.operator():
        code, _, err = person("resume", *there)
        assert code == 0, err
        person.settle()

    def told() -> list[dict[str, str]]:
        events = person.data("events", "--warnings", *there)[1]["events"]
        assert all(each["type"] == "Warning" for each in events)
        return [each for each in events if each["reason"] == "DriftReverted"]

    assert "mallory" in person.until(told, "the operator tells of the drift")[0]["message"]
    assert "DriftReverted" in person("events", *there)[1]


def test_plan_of_a_changed_file_names_fields_migrations_and_what_goes(person):
    content = person.platform()
    person.give_secrets(content)
    with person.operator():
        assert person.apply(content)[0] == 0
        person.settle()
        assert person("suspend", "-n", person.namespace)[0] == 0
    content["spec"]["version"] = "0.2.0"
    content["spec"]["ingress"] |= {"enabled": False, "publicUrl": "https://api.example.com"}
    content["spec"]["services"]["eventCommand"]["autoscaling"] = {"min": 1, "max": 1}
    code, plan = person.plan(content)
    assert code == 2
    objects = {(each["kind"], each["name"]): each for each in plan["objects"]}
    own = {each["field"]: each for each in objects["TicketlyPlatform", "ticketly"]["fields"]}
    assert (own["spec.version"]["before"], own["spec.version"]["after"]) == ("0.1.0", "0.2.0")
    order = {each["field"]: each["after"] for each in objects["Deployment", "ticketly-order"]["fields"]}
    assert order["spec.template.spec.containers[order].image"] == "registry.example.com/ticketly/order:0.2.0"
    deleted = {key for key, each in objects.items() if each["action"] == "delete"}
    assert {
        ("Ingress", "ticketly-public"),
        ("HorizontalPodAutoscaler", "ticketly-event-command"),
        ("PodDisruptionBudget", "ticketly-event-command"),
    } <= deleted
    assert {kind for (kind, _), each in objects.items() if each["action"] == "create"} == {"Job"}
    assert sum(kind == "Job" for kind, _ in deleted) == 2, "the earlier migrations go"
    assert person.live()["spec"]["version"] == "0.1.0"


def test_fields_of_another_manager_are_conflicts_until_they_are_taken_over(person):
    content = person.platform()
    assert person.apply(content)[0] == 0
    patch = '{"spec": {"version": "0.5.0"}}'
    person.kubectl("patch", "tkp", "ticketly", "--type=merge", "--field-manager=dashboard", f"--patch={patch}")
    content["spec"]["version"] = "0.6.0"
    code, plan = person.plan(content)
    (field,) = [each for each in plan["objects"][0]["fields"] if each["conflict"]]
    assert code == 2
    assert (field["field"], field["manager"], field["before"]) == ("spec.version", "dashboard", "0.5.0")
    code, out, err = person.apply(content)
    assert (code, out) == (1, "")
    assert "spec.version (set by dashboard)" in err
    assert "--force-conflicts" in err
    assert person.live()["spec"]["version"] == "0.5.0"
    assert person.apply(content, "--force-conflicts")[0] == 0
    assert person.live()["spec"]["version"] == "0.6.0"
    code, again = person.data("apply", "-f", person.write(content))
    assert (code, again["changed"]) == (0, False), "a second apply changes nothing"


def test_an_object_of_somebody_else_is_refused_not_overwritten(person):
    metadata = {"name": "ticketly-order-settings", "namespace": person.namespace}
    person.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"MINE": "1"}})
    (refused,) = [each for each in person.plan(person.platform())[1]["objects"] if each["action"] == "refused"]
    assert refused["name"] == "ticketly-order-settings"
    assert "not this platform's" in refused["reason"]


def test_waiting_ends_with_the_condition_that_explains_why_not(person):
    with person.operator():
        code, out, err = person.apply(person.platform(), "--wait", "--timeout", "20")
    assert (code, out) == (1, "")
    assert "SecretMissing" in err
    assert "ticketly-postgres" in err
    code, status = person.data("status", "-n", person.namespace)
    assert (code, status["ready"]) == (0, False), "looking at it is no failure"
    assert person("status", "-n", person.namespace, "--check")[0] == 1
    assert "not ready: SecretMissing" in person("status", "-n", person.namespace)[1]


def test_waiting_ends_at_once_when_no_waiting_helps(person):
    assert person.apply(person.platform())[0] == 0
    _say_ready(person, "False", "InvalidSpec", "spec.holds.ttlSeconds: must be >= 30")
    began = time.monotonic()
    code, _, err = person("status", "-n", person.namespace, "--wait", "--timeout", "600")
    assert code == 1
    assert "spec.holds.ttlSeconds: must be >= 30" in err
    assert time.monotonic() - began < 300


def test_waiting_ends_when_it_is_ready(person):
    content = person.platform()
    assert person.apply(content)[0] == 0
    _say_ready(person, "True", "AllReady", "every service is ready")
    code, result = person.data("apply", "-f", person.write(content), "--wait", "--timeout", "60")
    assert (code, result["ready"]) == (0, True)
    code, status = person.data("status", "-n", person.namespace, "--wait", "--check")
    assert (code, status["ready"]) == (0, True)
    assert status["conditions"][0]["last_transition_time"] == "2026-11-26T05:00:00Z"
    assert status["lag"] == {"p50_ms": 21.5, "p99_ms": 83, "measured_at": "2026-11-26T05:00:00Z"}
    shown = person("status", "-n", person.namespace)[1]
    assert "p50 22 ms, p99 83 ms" in shown
    assert "spring until" in shown
    assert "700 MiB (nobody reads)" in shown


def _say_ready(person, status, reason, message):
    """What an operator would write."""
    generation = person.live()["metadata"]["generation"]
    condition = {
        "type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": generation,
        "lastTransitionTime": "2026-11-26T05:00:00Z",
    }  # fmt: skip
    slot = {"name": "ticketly_order_outbox", "active": False, "walStatus": "reserved", "retainedBytes": 734_003_200}
    content = {
        "observedGeneration": generation,
        "conditions": [condition],
        "lag": {"p50Ms": 21.5, "p99Ms": 83, "measuredAt": "2026-11-26T05:00:00Z"},
        "flashSales": [{"name": "spring", "until": "2027-03-01T10:00:00Z"}],
        "connectors": [{"name": "ticketly-order-outbox", "phase": "Retrying", "restarts": 2, "slot": slot}],
    }
    patch = json.dumps({"status": content})
    person.kubectl("patch", "tkp", "ticketly", "--subresource=status", "--type=merge", f"--patch={patch}")


def test_suspend_without_an_operator_says_that_nobody_answered(person):
    assert person.apply(person.platform())[0] == 0
    code, _, err = person("suspend", "-n", person.namespace, "--timeout", "1")
    assert code == 1
    assert "the operator did not answer within 1 s" in err
    assert person.live()["metadata"]["annotations"] == {names.PAUSE_ANNOTATION: "true"}


def test_restart_and_reconcile_reach_the_operator(person):
    content, there = person.platform(), ("-n", person.namespace)
    person.give_secrets(content)
    with person.operator() as running:
        assert person.apply(content)[0] == 0
        person.settle()
        code, told = person.data("restart", "all", *there)
        assert code == 0

        def restarted() -> bool:
            pods = [each["spec"]["template"]["metadata"]["annotations"] for each in person.deployments()]
            return all(each.get(names.RESTARTED_ANNOTATION) == told["restart_token"] for each in pods)

        person.until(restarted, "every service rolls")
        assert person("restart", "order", *there)[0] == 0
        order = person.live("deployment", "ticketly-order")["spec"]["template"]["metadata"]["annotations"]
        assert "kubectl.kubernetes.io/restartedAt" in order
        person.settle()
        again = person.live("deployment", "ticketly-order")["spec"]["template"]["metadata"]["annotations"]
        assert again == order, "the operator leaves the restart of one service alone"
        before = _reconciles(running)
        assert person("reconcile", *there)[0] == 0
        person.until(lambda: _reconciles(running) > before, "it looked")
    code, _, err = person("restart", "nothing", *there)
    assert code == 3
    assert "order" in err


def _reconciles(running):
    counted = running.metrics().items()
    return sum(value for name, value in counted if name.startswith("ticketly_operator_reconciles_total"))


def test_what_is_not_there_is_named_with_what_is(person):
    there = ("-n", person.namespace)
    code, _, err = person("status", *there)
    assert code == 4
    assert f"There is no platform in namespace {person.namespace}." in err
    assert person.apply(person.platform("one"))[0] == 0
    code, _, err = person("diff", *there, "--platform", "two")
    assert code == 4
    assert f"--namespace {person.namespace} --platform one" in err
    assert person.apply(person.platform("two"))[0] == 0
    code, _, err = person("events", *there)
    assert code == 3
    assert "one, two" in err
    assert person("events", *there, "--platform", "two")[0] == 0


def test_what_only_the_api_server_refuses_is_a_bad_file_too(person):
    content = person.platform()
    assert person.apply(content)[0] == 0
    content["spec"]["payments"]["currency"] = "EUR"
    code, _, err = person.apply(content)
    assert code == 3
    assert "currency" in err


def test_a_missing_namespace_is_said_and_made_on_request(person):
    other = f"{person.namespace}-x"
    file = person.write(person.document(other))
    code, _, err = person("plan", "-f", file)
    assert code == 4
    assert f"kubectl create namespace {other}" in err
    try:
        assert person("apply", "-f", file, "--create-namespace")[0] == 0
    finally:
        person.cluster.kubectl("delete", "namespace", other, "--wait=false", "--ignore-not-found")
    code, _, err = person("plan", "-f", file, "-n", person.namespace)
    assert code == 3
    assert other in err


def test_a_user_without_rights_is_told_verb_and_resource(person):
    code, out, err = person.somebody("nobody")("status")
    assert (code, out) == (4, "")
    assert "You may not list ticketlyplatforms.ticketly.io" in err
    assert "kubectl auth can-i list ticketlyplatforms.ticketly.io" in err


def test_without_rights_on_secrets_a_plan_still_agrees_with_what_runs(person):
    content = person.platform()
    person.give_secrets(content)
    with person.operator():
        assert person.apply(content)[0] == 0
        person.settle()
    reader = person.somebody("reader")
    groups = ["", "apps", "batch", "autoscaling", "policy", "networking.k8s.io"]
    managed = ["deployments", "jobs", "services", "serviceaccounts", "configmaps", "horizontalpodautoscalers"]
    managed += ["poddisruptionbudgets", "networkpolicies", "ingresses"]
    rules = [
        {"apiGroups": groups, "resources": managed, "verbs": ["get", "list", "patch"]},
        {"apiGroups": ["ticketly.io"], "resources": ["ticketlyplatforms"], "verbs": ["get", "list"]},
    ]
    api, metadata = "rbac.authorization.k8s.io", {"name": "reader", "namespace": person.namespace}
    person.cluster.apply(
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{api}/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )  # fmt: skip
    code, plan = reader.data("diff", "--operator-namespace", person.namespace)
    assert (code, plan["objects"]) == (0, [])
    assert any("Secrets may not be read" in note for note in plan["notes"])


def test_the_version_of_a_secret_is_what_the_operator_makes_of_it(person, monkeypatch):
    person.give_secrets(person.platform())
    monkeypatch.setenv("KUBECONFIG", str(person.cluster.kubeconfig))

    async def asked() -> str:
        async with ApiServer() as server:
            there = KubernetesCluster(
                server, scope=person.namespace, may_write=lambda: False, wrote=lambda *_: None,
                monotonic=time.monotonic, reporter="test",
            )  # fmt: skip
            found = await there.secret(person.namespace, "ticketly-postgres")
            assert found is not None
            return found.version

    assert planning.secret_version(person.live("secret", "ticketly-postgres")) == asyncio.run(asked())
