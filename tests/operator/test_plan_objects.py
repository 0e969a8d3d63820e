"""The plan is empty against the server's echo, names the one field that differs, and touches nothing of others."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ticketly_crds import names
from ticketly_crds.blueprint import blueprint, cluster
from ticketly_crds.spec import parse
from ticketly_operator.desired import Surroundings, desired
from ticketly_operator.plan.difference import differences, manager_of
from ticketly_operator.plan.objects import Create, Delete, Noop, Patch, may_take, plan_objects, plan_one

ROOT = Path(__file__).resolve().parents[2]


@cache
def everything():
    document = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
    document["metadata"]["uid"] = "u-1"
    platform = parse(document)
    around = Surroundings(datetime(2026, 11, 22, tzinfo=UTC), "system", 45, 600, 600)
    return desired(platform, blueprint(platform, cluster(platform)), around).all()


def wanted(kind, name="ticketly-order"):
    return copy.deepcopy(next(e for e in everything() if e["kind"] == kind and e["metadata"]["name"] == name))


def echo(manifest):
    """What a server makes of it: metadata of its own, defaults beside and inside what was given, other spelling."""
    live = copy.deepcopy(manifest)
    live["metadata"].update(uid="x", resourceVersion="7", generation=1, creationTimestamp="2026-11-22T00:00:00Z")
    live["status"] = {"anything": 1}

    def fill(value):
        if isinstance(value, dict):
            for each in value.values():
                fill(each)
            value["serverDefault"] = "added"
        elif isinstance(value, list):
            for each in value:
                fill(each)

    fill(live.get("spec", {}))
    return live


def test_the_servers_echo_needs_nothing():
    for each in everything():
        assert isinstance(plan_one(each, echo(each)), Noop), each["kind"]


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from leaves(below, (*path, index))
    else:
        yield path


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_edit_of_a_wanted_field_is_one_patch_that_names_it(data):
    manifest = data.draw(st.sampled_from(everything()))
    live = echo(manifest)
    own = {member: value for member, value in manifest.items() if member not in ("apiVersion", "kind")}
    path = data.draw(st.sampled_from(list(leaves(own))))
    holder = live
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "somebody's"
    action = plan_one(manifest, live)
    assert isinstance(action, Patch)
    if path != ("metadata", "annotations", names.APPLIED_ANNOTATION):
        assert action.drift
        named = [step for step in path if isinstance(step, str)]
        assert named[0] in action.reason


def test_a_changed_wish_is_told_with_both_values_and_is_no_drift():
    old, new = wanted("Deployment"), wanted("Deployment")
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "r/order:2"
    new["metadata"]["annotations"][names.APPLIED_ANNOTATION] = "other"
    action = plan_one(new, echo(old))
    assert isinstance(action, Patch)
    assert action.drift == ()
    image = old["spec"]["template"]["spec"]["containers"][0]["image"]
    assert action.reason == f"spec.template.spec.containers[order].image: {image} -> r/order:2"


def test_a_field_that_is_no_longer_wanted_is_dropped_by_a_patch():
    old = wanted("HorizontalPodAutoscaler")
    new = copy.deepcopy(old)
    del new["spec"]["metrics"][1]
    new["metadata"]["annotations"][names.APPLIED_ANNOTATION] = "other"
    assert isinstance(plan_one(new, echo(old)), Patch)


def test_a_quantity_in_other_words_is_the_same():
    manifest = wanted("Deployment")
    live = echo(manifest)
    live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "0.5", "memory": "402653184"}
    assert differences(manifest, live) == ()


def test_drift_is_told_with_the_manager_that_owns_the_field_now():
    manifest = wanted("HorizontalPodAutoscaler")
    live = echo(manifest)
    live["spec"]["maxReplicas"] = 99
    live["metadata"]["managedFields"] = [
        {"manager": names.FIELD_MANAGER, "time": "2026-11-22T00:00:00Z", "fieldsV1": {"f:spec": {"f:minReplicas": {}}}},
        {"manager": "kubectl-edit", "time": "2026-11-22T01:00:00Z", "fieldsV1": {"f:spec": {"f:maxReplicas": {}}}},
    ]
    action = plan_one(manifest, live)
    assert isinstance(action, Patch)
    (drift,) = action.drift
    assert str(drift) == "HorizontalPodAutoscaler ticketly-order: kubectl-edit changed spec.maxReplicas: 99 -> 15"


def test_the_manager_of_an_item_of_a_list_is_found_by_its_key():
    live = {
        "metadata": {
            "managedFields": [
                {
                    "manager": "meddler",
                    "fieldsV1": {"f:spec": {"f:containers": {'k:{"name":"order"}': {"f:image": {}}}}},
                }
            ]
        }
    }
    assert manager_of(live, ("spec", "containers", (("name", "order"),), "image")) == "meddler"
    assert manager_of(live, ("data",)) == "unknown"


def test_what_others_own_is_left_alone():
    manifest = wanted("Deployment")
    live = echo(manifest)
    live["spec"]["replicas"] = 7
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3"
    live["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "mesh"})
    assert isinstance(plan_one(manifest, live), Noop)


def test_a_missing_object_is_created_and_an_unwanted_one_of_ours_deleted():
    manifest, extra = wanted("Service"), wanted("Service", "ticketly-email")
    actions = plan_objects([manifest], [echo(extra)], "u-1")
    assert [type(action) for action in actions] == [Create, Delete]


@pytest.mark.parametrize("case", ["somebody else's", "a job", "going already"])
def test_what_is_not_ours_to_delete_stays(case):
    live = echo(wanted("Service"))
    if case == "somebody else's":
        live["metadata"]["ownerReferences"][0]["uid"] = "u-2"
    elif case == "a job":
        live["kind"] = "Job"
    else:
        live["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    assert plan_objects([], [live], "u-1") == ()


# What an earlier platform of that name left behind --------------------------------------------------------------------


def left_behind(**owner):
    live = echo(wanted("Service"))
    live["metadata"]["ownerReferences"] = [owner] if owner else []
    return live


EARLIER = {"kind": "TicketlyPlatform", "name": "ticketly", "uid": "u-0", "controller": True}


@pytest.mark.parametrize("owner", [{}, EARLIER, {"kind": "Node", "uid": "x"}])
def test_what_an_earlier_platform_of_that_name_left_behind_may_be_taken(owner):
    assert may_take(left_behind(**owner), "ticketly", "u-1")


@pytest.mark.parametrize("case", ["never applied", "another platform's", "another controller's", "relabelled"])
def test_what_is_not_clearly_left_behind_may_not_be_taken(case):
    live = left_behind()
    if case == "never applied":
        del live["metadata"]["annotations"]
    elif case == "another platform's":
        live = left_behind(kind="TicketlyPlatform", name="other", uid="u-2", controller=True)
    elif case == "another controller's":
        live = left_behind(kind="ReplicaSet", name="ticketly", uid="u-3", controller=True)
    else:
        live["metadata"]["labels"][names.INSTANCE_LABEL] = "other"
    assert not may_take(live, "ticketly", "u-1")


# An autoscaler takes over ---------------------------------------------------------------------------------------------


def fixed(replicas, manager="ticketly-operator"):
    live = echo(wanted("Deployment"))
    live["spec"]["replicas"] = replicas
    fields = {"f:spec": {"f:replicas": {}}}
    live["metadata"]["managedFields"] = [{"manager": manager, "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}]
    return live


def test_the_number_of_pods_is_handed_over_when_it_is_no_longer_ours_to_say():
    autoscaled = wanted("Deployment")
    autoscaled["spec"].pop("replicas", None)
    autoscaled["metadata"]["annotations"]["changed"] = "yes"
    action = plan_one(autoscaled, fixed(7))
    assert action.handover["spec"] == {"replicas": 7}
    assert action.handover["metadata"] == {key: autoscaled["metadata"][key] for key in ("name", "namespace")}
    assert plan_one(autoscaled, fixed(7, "kube-controller-manager")).handover is None
    autoscaled["spec"]["replicas"] = 3
    assert plan_one(autoscaled, fixed(7)).handover is None
