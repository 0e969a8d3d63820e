"""The lab on a running control plane: what is real behaves as Kubernetes does, what is played does as it is told."""

from __future__ import annotations

import pytest

from ticketly_cli.local.identity import is_alive
from ticketly_lab.cluster import KubectlError
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes


def deployment(name, namespace, image="shop/web:1", replicas=1):
    labels = {"app": name}
    container = {"name": "web", "image": image, "resources": {"requests": {"cpu": "100m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def job(name, namespace, image):
    pod = {"restartPolicy": "Never", "containers": [{"name": "work", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def waiting_reason(plane, namespace, selector):
    pods = plane.list("pods", namespace, selector)
    statuses = [status for pod in pods for status in pod.get("status", {}).get("containerStatuses", ())]
    return next((status["state"].get("waiting", {}).get("reason") for status in statuses), None)


def test_a_deployment_rolls_out_on_played_nodes_and_is_collected_with_its_owner(control_plane, namespace):
    control_plane.apply(deployment("web", namespace, replicas=3))
    where = f"--namespace={namespace}"
    control_plane.kubectl("rollout", "status", "deployment/web", where, "--timeout=60s")
    pods = control_plane.list("pods", namespace, "app=web")
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    owner = control_plane.get("deployment", "web", namespace)["metadata"]["uid"]
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner}
    metadata = {"name": "child", "namespace": namespace, "ownerReferences": [reference]}
    control_plane.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    control_plane.kubectl("delete", "deployment", "web", where)
    eventually(lambda: not control_plane.list("pods", namespace, "app=web"), "the pods are collected")
    eventually(lambda: control_plane.get("configmap", "child", namespace) is None, "the child is collected")


@pytest.mark.parametrize(
    ("image", "reason"), [("shop/never-ready:1", "ImagePullBackOff"), ("shop/crashes:1", "CrashLoopBackOff")]
)
def test_the_image_s_name_decides_what_is_wrong_with_a_pod(control_plane, namespace, image, reason):
    control_plane.apply(deployment("web", namespace, image))
    eventually(lambda: waiting_reason(control_plane, namespace, "app=web") == reason, reason)
    assert control_plane.get("deployment", "web", namespace)["status"].get("readyReplicas", 0) == 0


def test_a_job_ends_well_unless_its_image_says_otherwise(control_plane, namespace):
    control_plane.apply(job("good", namespace, "shop/work:1"), job("bad", namespace, "shop/fails:1"))
    where = [f"--namespace={namespace}", "--timeout=60s"]
    control_plane.kubectl("wait", "--for=condition=Complete", "job/good", *where)
    control_plane.kubectl("wait", "--for=condition=Failed", "job/bad", *where)


def test_pods_become_unready_and_ready_again_on_request(control_plane, namespace):
    control_plane.apply(deployment("web", namespace))
    where = [f"--namespace={namespace}", "--timeout=60s"]
    control_plane.kubectl("rollout", "status", "deployment/web", *where)
    assert len(control_plane.make_pods_unready(namespace, "app=web")) == 1
    control_plane.kubectl("wait", "--for=condition=Available=False", "deployment/web", *where)
    control_plane.make_pods_ready(namespace, "app=web")
    control_plane.kubectl("wait", "--for=condition=Available", "deployment/web", *where)


def test_the_real_autoscaler_follows_the_usage_that_is_played(control_plane, namespace):
    control_plane.apply(deployment("web", namespace))
    where = f"--namespace={namespace}"
    control_plane.kubectl("rollout", "status", "deployment/web", where, "--timeout=60s")
    control_plane.kubectl("autoscale", "deployment", "web", where, "--min=1", "--max=4", "--cpu=50%")
    control_plane.set_usage(namespace, "app=web", cpu="150m")
    eventually(lambda: control_plane.get("deployment", "web", namespace)["spec"]["replicas"] == 3, "three pods")


def test_an_account_may_do_what_it_was_granted_and_the_log_names_it(control_plane, namespace):
    where = f"--namespace={namespace}"
    control_plane.kubectl("create", "serviceaccount", "reader", where)
    control_plane.kubectl("create", "role", "reader", where, "--verb=get,list", "--resource=configmaps")
    control_plane.kubectl(
        "create", "rolebinding", "reader", where, "--role=reader", f"--serviceaccount={namespace}:reader"
    )
    access = control_plane.kubeconfig_for("reader", namespace)
    position = control_plane.audit_position()
    control_plane.kubectl("get", "configmaps", where, kubeconfig=access)
    with pytest.raises(KubectlError, match="cannot create resource"):
        control_plane.kubectl("create", "configmap", "mine", where, kubeconfig=access)
    user = f"system:serviceaccount:{namespace}:reader"
    wanted = {("list", "configmaps", 200), ("create", "configmaps", 403)}

    def seen():
        return {(r.verb, r.resource, r.code) for r in control_plane.requests(position) if r.user == user}

    eventually(lambda: wanted <= seen(), "both requests are in the log")


def test_a_platform_s_kind_is_served_with_its_short_name(control_plane, namespace):
    text = control_plane.kubectl("explain", "tkp.spec.holds.ttlSeconds")
    assert "TicketlyPlatform" in text
    assert control_plane.list("tkp", namespace) == []


def test_a_restarted_api_server_has_kept_everything(control_plane, namespace):
    control_plane.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": namespace}})
    control_plane.stop_apiserver()
    with pytest.raises(KubectlError, match="refused"):
        control_plane.kubectl("get", "configmap", "kept", f"--namespace={namespace}")
    control_plane.start_apiserver()
    assert control_plane.get("configmap", "kept", namespace) is not None
    # the controllers found it again
    control_plane.apply(deployment("web", namespace))
    control_plane.kubectl("rollout", "status", "deployment/web", f"--namespace={namespace}", "--timeout=90s")


def test_a_paused_api_server_answers_nothing_and_goes_on_afterwards(control_plane, namespace):
    control_plane.pause_apiserver()
    try:
        with pytest.raises(KubectlError):
            control_plane.kubectl("get", "namespace", namespace, "--request-timeout=2s")
    finally:
        control_plane.resume_apiserver()
    assert control_plane.kubectl("get", "namespace", namespace, "--output=name").strip() == f"namespace/{namespace}"


def test_a_second_control_plane_beside_it_does_not_meet_it(control_plane, namespace, tmp_path):
    with ControlPlane.start(tmp_path / "second", nodes=0, say=lambda _: None) as second:
        assert second.url != control_plane.url
        with pytest.raises(KubectlError, match="not found"):
            second.kubectl("get", "namespace", namespace)
        with pytest.raises(KubectlError, match=r"(?i)unauthorized|logged in|certificate"):
            second.kubectl("get", "namespaces", f"--server={second.url}", kubeconfig=control_plane.kubeconfig)
        processes = [second.children.identity(name) for name in second.children.names()]
    assert len(processes) == 5
    assert not any(is_alive(process) for process in processes)
