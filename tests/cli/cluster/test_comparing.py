"""The differ: what it says is exactly what differs."""

from __future__ import annotations

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketly_cli.cluster import comparing
from ticketly_cli.cluster.changes import FieldChange, ObjectChange, Plan, shown_pair

anything = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with control planes and brokers."""

NAMES = st.sampled_from(["a", "b", "name", "type", "ports", "containers", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("xyz", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


@anything
@given(OBJECTS)
def test_equal_documents_do_not_differ(document):
    assert comparing.changes(document, copy.deepcopy(document)) == ()


@anything
@given(OBJECTS, OBJECTS)
def test_different_documents_differ_and_no_difference_is_empty(before, after):
    found = comparing.changes(before, after)
    for each in found:
        alike = type(each.found) is type(each.wanted) and each.found == each.wanted
        assert not alike or each.found is None
    if _normal(before) != _normal(after):
        assert found


@anything
@given(OBJECTS, OBJECTS)
def test_the_way_back_is_the_same_with_values_swapped(before, after):
    there = {(each.path, repr(each.found), repr(each.wanted)) for each in comparing.changes(before, after)}
    back = {(each.path, repr(each.wanted), repr(each.found)) for each in comparing.changes(after, before)}
    assert there == back


@anything
@given(OBJECTS, NAMES, st.integers(10, 20))
def test_a_changed_member_is_the_one_difference(document, name, value):
    document = {**document, name: 1}
    (found,) = comparing.changes(document, {**document, name: value})
    assert (found.field, found.found, found.wanted) == (name, 1, value)


def _normal(value):
    """True and 1 are equal in Python and different in JSON."""
    return repr(value) if not isinstance(value, dict) else {key: _normal(inner) for key, inner in value.items()}


def test_items_of_lists_are_matched_by_what_identifies_them():
    before = {"containers": [{"name": "order", "image": "a"}, {"name": "proxy", "image": "p"}]}
    after = {"containers": [{"name": "proxy", "image": "p"}, {"name": "order", "image": "b"}]}
    (found,) = comparing.changes(before, after)
    assert found.field == "containers[order].image"
    ports = [{"containerPort": 1, "protocol": "TCP"}], [{"containerPort": 2, "protocol": "TCP"}]
    fields = {each.field for each in comparing.changes({"ports": ports[0]}, {"ports": ports[1]})}
    assert fields == {
        "ports[1,TCP].containerPort", "ports[1,TCP].protocol", "ports[2,TCP].containerPort", "ports[2,TCP].protocol",
    }  # fmt: skip


def test_what_the_server_keeps_for_itself_is_no_difference():
    live = {
        "metadata": {"name": "a", "resourceVersion": "1", "managedFields": [1]},
        "status": {"x": 1},
        "spec": {"n": 1},
    }
    result = {"metadata": {"name": "a", "resourceVersion": "2", "generation": 2}, "spec": {"n": 1}}
    assert comparing.object_changes(live, result) == ()


@anything
@given(st.text(max_size=80), st.text(max_size=80))
def test_values_that_differ_look_different_wherever_they_differ(one, other):
    before, after = shown_pair(f"prefix/{one}", f"prefix/{other}")
    assert len(before) <= 33
    assert len(after) <= 33
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is not None:
        assert before != after


def test_a_change_that_many_objects_share_stands_once_unless_somebody_else_made_it():
    def label(name, manager="ticketly-operator"):
        return ObjectChange("Service", name, "update", (FieldChange("metadata.labels.v", "1", "2", manager),))

    plan = Plan("ticketly", "shop", "lab", (*(label(f"s{n}") for n in range(5)), label("edited", "mallory")))
    (table, *_) = plan.to_view()
    texts = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in table.rows]
    assert ["update", "5 objects", ""] in texts
    assert ["update", "Service edited", ""] in texts
    assert ["", "  label v", "1 -> 2, set by mallory"] in texts
    assert not any("s1" in row[1] for row in texts)
    assert len(plan.to_data()["objects"]) == 6
    assert plan.exit_code == 2
    everything = Plan("ticketly", "shop", "lab", plan.objects, verbose=True).to_view()[0]
    assert sum(row[1] == "  label v" for row in everything.rows) == 6


def test_a_plan_without_changes_says_so_and_exits_with_zero():
    plan = Plan("ticketly", "shop", "lab", (ObjectChange("Service", "a", "none"),))
    assert plan.exit_code == 0
    assert plan.to_data()["differences"] is False
    assert plan.summary == "No difference: all 1 objects of shop/ticketly are as wanted."
