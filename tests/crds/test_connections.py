"""The pools of all pods there can be fit into the budget, whatever the autoscaler does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_common.settings import Postgres as PostgresSettings
from ticketly_crds import connections, spec
from ticketly_crds.blueprint import Blueprint, Embedded, blueprint, cluster, laptop, with_embedded
from ticketly_crds.blueprint.services import KINDS
from ticketly_crds.connections import BudgetTooSmall, held, pools, scaled
from ticketly_crds.spec import TicketlyPlatform

replicas = st.integers(1, 100)


def platform(**sections: Any) -> TicketlyPlatform:
    postgres = {"host": "db", "credentialsSecretRef": {"name": "pg"}, **sections.pop("postgres", {})}
    head = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform", "metadata": {"name": "ticketly"}}
    return spec.parse({**head, "spec": {"postgres": postgres, **sections}})


def pool_size(found: Blueprint, service: str) -> int:
    return int(str({var.name: var.value for var in found.service(service).env}["TICKETLY_POSTGRES_POOL_SIZE"]))


def test_the_services_with_a_database_are_those_that_get_connections() -> None:
    assert {kind.key for kind in KINDS if kind.database} == {client.key for client in connections.CLIENTS}


@given(budget=st.integers(1, 20_000), order=replicas, event_command=replicas)
def test_the_sum_never_exceeds_the_budget_and_what_is_left_is_less_than_one_more_for_each_pod(
    budget: int, order: int, event_command: int
) -> None:
    pods = scaled({"order": order, "eventCommand": event_command})
    least = held(pods, {"order": 2, "eventCommand": 2})
    if budget < least:
        with pytest.raises(BudgetTooSmall, match=f"must be >= {least}"):
            pools(budget, pods)
        return
    sizes = pools(budget, pods)
    total = connections.RESERVED
    total += (order + 2) * (sizes["order"] + 1)
    total += (event_command + 2) * sizes["eventCommand"]
    assert total == held(pods, sizes) <= budget
    assert 2 <= sizes["eventCommand"] <= sizes["order"] <= 8
    if set(sizes.values()) != {8}:
        assert budget - total < max(order, event_command) + 2


@given(budget=st.integers(1, 5_000), more=st.integers(1, 500), order=replicas, event_command=replicas)
def test_a_larger_budget_never_makes_a_pool_smaller(budget: int, more: int, order: int, event_command: int) -> None:
    pods = scaled({"order": order, "eventCommand": event_command})
    try:
        before = pools(budget, pods)
    except BudgetTooSmall:
        return
    after = pools(budget + more, pods)
    assert all(after[service] >= size for service, size in before.items())


def test_the_defaults_fit_into_postgresql_s_default_of_100_connections() -> None:
    found = platform().spec
    assert found.postgres is not None
    assert found.postgres.connection_budget == 90
    assert pools(90, found.pods_at_most()) == {"order": 3, "eventCommand": 2}


def test_a_budget_that_is_too_small_is_a_fault_with_its_path_and_what_would_do() -> None:
    with pytest.raises(spec.SpecError) as caught:
        platform(services={"order": {"autoscaling": {"max": 40}}})
    assert str(caught.value) == (
        "spec.postgres.connectionBudget: must be >= 146 for the pods that order and eventCommand may scale to"
    )
    fits = {"postgres": {"connectionBudget": 146}, "services": {"order": {"autoscaling": {"max": 40}}}}
    assert pools(146, platform(**fits).spec.pods_at_most()) == {"order": 2, "eventCommand": 2}


def test_in_a_cluster_pods_get_what_the_budget_allows(cluster_platform: TicketlyPlatform) -> None:
    assert cluster_platform.spec.postgres is not None
    found = blueprint(cluster_platform, cluster(cluster_platform))
    assert (pool_size(found, "order"), pool_size(found, "event-command")) == (7, 4)
    richer = cluster_platform.spec.postgres.model_copy(update={"connection_budget": 400})
    grown = cluster_platform.model_copy(update={"spec": cluster_platform.spec.model_copy(update={"postgres": richer})})
    found = blueprint(grown, cluster(grown))
    assert (pool_size(found, "order"), pool_size(found, "event-command")) == (8, 8)


def test_on_a_laptop_the_one_process_of_each_service_has_the_largest_pool(on_laptop: Blueprint) -> None:
    assert (pool_size(on_laptop, "order"), pool_size(on_laptop, "event-command")) == (8, 8)


def test_a_pool_the_blueprint_gives_is_one_the_services_accept(on_laptop: Blueprint) -> None:
    for size in (connections.LEAST_POOL, connections.LARGEST_POOL):
        settings = PostgresSettings(host="db", database="d", user="u", password="p", pool_size=size)
        assert settings.pool_size == size


def test_a_variable_of_the_person_s_own_wins(local_platform: TicketlyPlatform, embedded: Embedded) -> None:
    document = local_platform.model_dump(by_alias=True, mode="json")
    document["spec"]["services"]["order"]["env"] = [{"name": "TICKETLY_POSTGRES_POOL_SIZE", "value": "20"}]
    chosen = with_embedded(spec.parse(document), embedded)
    assert pool_size(blueprint(chosen, laptop("uploads")), "order") == 20


def test_placements_differ_in_whether_services_are_scaled(cluster_platform: TicketlyPlatform) -> None:
    in_cluster = cluster(cluster_platform)
    assert in_cluster.autoscaled
    assert not laptop("uploads").autoscaled
    alone = blueprint(cluster_platform, replace(in_cluster, autoscaled=False))
    assert pool_size(alone, "order") == 8
