"""The operator's installation: pods that the strictest namespace admits, settings that the operator knows."""

from __future__ import annotations

from importlib import metadata

import pytest

from ticketly_crds import names
from ticketly_operator.desired.installation import NAME, VERSION, Installation, manifests, selector
from ticketly_operator.settings import OperatorSettings

DEFAULT = manifests(Installation())


def one(kind, made=DEFAULT, name=NAME):
    (found,) = [each for each in made if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pod(made=DEFAULT):
    return one("Deployment", made)["spec"]["template"]["spec"]


def environment(made=DEFAULT):
    return {entry["name"]: entry.get("value") for entry in pod(made)["containers"][0]["env"]}


def test_what_others_refer_to_comes_before_them():
    order = [each["kind"] for each in DEFAULT]
    assert order[0] == "Namespace"
    assert order[-1] == "Deployment"
    assert order.index("ServiceAccount") < order.index("ClusterRole") < order.index("ClusterRoleBinding")


def test_every_namespaced_object_is_in_the_installation_s_namespace():
    made = manifests(Installation(namespace="elsewhere"))
    cluster_wide = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
    assert {each["metadata"].get("namespace") for each in made if each["kind"] not in cluster_wide} == {"elsewhere"}
    assert all("namespace" not in each["metadata"] for each in made if each["kind"] in cluster_wide)
    subjects = [subject for each in made for subject in each.get("subjects", ())]
    assert {subject["namespace"] for subject in subjects} == {"elsewhere"}


def test_its_objects_are_not_taken_for_objects_of_a_platform():
    """The operator watches what says that it manages it, and deletes what no platform wants."""
    for each in DEFAULT:
        assert names.MANAGED_BY_LABEL not in each["metadata"]["labels"]
        assert each["metadata"]["labels"][names.INSTANCE_LABEL] == NAME


def test_services_policies_and_budgets_select_the_operator_s_pods():
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert selector().items() <= labels.items()
    assert one("Deployment")["spec"]["selector"] == {"matchLabels": selector()}
    assert one("PodDisruptionBudget")["spec"]["selector"] == {"matchLabels": selector()}
    assert one("NetworkPolicy")["spec"]["podSelector"] == {"matchLabels": selector()}
    assert one("Service", name=f"{NAME}-metrics")["spec"]["selector"] == selector()


def test_the_token_lives_an_hour_and_is_mounted_where_clients_look_for_it():
    assert one("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod()["automountServiceAccountToken"] is False
    (volume,) = [each for each in pod()["volumes"] if "projected" in each]
    token, authority, namespace = volume["projected"]["sources"]
    assert token["serviceAccountToken"]["expirationSeconds"] == 3600
    assert authority["configMap"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    mounts = {each["name"]: each["mountPath"] for each in pod()["containers"][0]["volumeMounts"]}
    assert mounts[volume["name"]] == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_the_operator_understands_every_setting_it_is_given(monkeypatch):
    wanted = Installation(
        watch_namespace="shop", log_level="debug", settings={"TICKETLY_OPERATOR_LOG_FORMAT": "console"}
    )
    given = environment(manifests(wanted))
    assert given.pop("POD_NAMESPACE") is None
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = OperatorSettings()
    assert found.scope.namespace == "shop"
    assert found.lease.name == NAME
    assert (found.log.level, found.log.format) == ("debug", "console")
    (port,) = pod()["containers"][0]["ports"]
    assert found.listen.port == port["containerPort"]
    for name in given:
        group, _, field = name.removeprefix("TICKETLY_OPERATOR_").lower().partition("_")
        assert hasattr(getattr(found, group), field), name


def test_one_replica_has_no_budget_because_it_would_block_every_drain():
    made = manifests(Installation(replicas=1))
    assert not [each for each in made if each["kind"] == "PodDisruptionBudget"]


def test_a_cluster_without_network_policies_gets_none():
    assert not [each for each in manifests(Installation(network_policy=False)) if each["kind"] == "NetworkPolicy"]


def test_the_version_is_that_of_the_package():
    assert metadata.version("ticketly-operator") == VERSION
    assert Installation().image.endswith(f":{VERSION}")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"namespace": ""}, "namespace: '' is not a name"),
        ({"namespace": "Bad_Name"}, "namespace: 'Bad_Name' is not a name"),
        ({"watch_namespace": "a" * 64}, "watch_namespace: 'aaa"),
        ({"egress_ports": ()}, "egress_ports: must not be empty"),
        ({"egress_ports": (443, 70000)}, "egress_ports: 70000 is not a port"),
        ({"replicas": 0, "log_level": "loud"}, "replicas: .*; log_level: "),
        ({"image": ""}, "image: must not be empty"),
        ({"replicas": 0}, "replicas: must be >= 1, is 0"),
        ({"pull_policy": "Sometimes"}, "pull_policy: must be Always, IfNotPresent or Never"),
        ({"log_level": "loud"}, "log_level: must be debug, info, warning or error"),
        ({"settings": {"PATH": "/"}}, "settings: PATH does not begin with TICKETLY_OPERATOR_"),
        (
            {"settings": {"TICKETLY_OPERATOR_LEASE_NAME": "other"}},
            "settings: TICKETLY_OPERATOR_LEASE_NAME follows from the installation",
        ),
    ],
)
def test_what_could_not_work_is_refused_with_the_field_s_name(fields, told):
    with pytest.raises(ValueError, match=told):
        Installation(**fields)


def test_two_equal_installations_make_equal_objects_and_share_nothing():
    first, second = manifests(Installation()), manifests(Installation())
    assert first == second
    first[-1]["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "9"
    assert manifests(Installation()) == second
