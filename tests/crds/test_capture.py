"""Topics and connectors: all of the contract's topics exist, and every topic a connector writes is among them."""

from __future__ import annotations

import re

import pytest

from ticketly_crds import spec
from ticketly_crds.blueprint import Blueprint, Embedded, SecretRef, blueprint, laptop, with_embedded
from ticketly_crds.spec import TicketlyPlatform

DAY_MS = 86_400_000
TABLES = {
    f"dbz.ticketly.public.{table}"
    for table in (
        "events",
        "event_sessions",
        "session_seating_maps",
        "organizations",
        "categories",
        "event_cover_photos",
        "tiers",
        "discounts",
        "discount_tiers",
        "discount_sessions",
        "session_seats",
        "organization_members",
        "organization_member_roles",
    )
}
ORDERS = {"ticketly.order.created", "ticketly.order.updated", "ticketly.order.canceled", "ticketly.seats.status"}
PULSES = {
    "dbz.ticketly.public.debezium_heartbeat",
    "dbz.ticketly.public.lag_canary",
    "__debezium-heartbeat.dbz.ticketly",
    "__debezium-heartbeat.dbz.ticketly_order",
    "dbz.ticketly_order.public.debezium_heartbeat",
}
NOTIFICATIONS = "ticketly.notifications"


def test_every_topic_of_the_contract_is_present_and_no_other(on_laptop: Blueprint) -> None:
    consumed = TABLES | ORDERS | {NOTIFICATIONS}
    expected = consumed | PULSES | {f"{name}.DLT" for name in consumed}
    found = [topic.name for topic in on_laptop.topics]
    assert set(found) == expected
    assert found == sorted(found)


def test_topics_are_kept_as_the_contract_says(on_laptop: Blueprint) -> None:
    for topic in on_laptop.topics:
        policy, kept = topic.config["cleanup.policy"], topic.config.get("retention.ms")
        if topic.name in TABLES:
            assert policy == "compact"
            assert kept is None
        elif topic.name in ORDERS:
            assert (policy, kept, topic.config["retention.bytes"]) == ("delete", "-1", "-1")
        elif topic.name == NOTIFICATIONS:
            assert (policy, kept) == ("delete", str(14 * DAY_MS))
        elif topic.name in PULSES:
            assert (policy, kept) == ("delete", str(DAY_MS))
        else:
            assert (policy, kept) == ("delete", str(30 * DAY_MS))


def test_keyed_topics_have_the_platform_s_partitions_and_the_rest_one(in_cluster: Blueprint) -> None:
    partitions = {topic.name: topic.partitions for topic in in_cluster.topics}
    assert partitions["ticketly.seats.status"] == 24
    assert {partitions[name] for name in (TABLES | ORDERS | {NOTIFICATIONS}) - {"ticketly.seats.status"}} == {12}
    assert {partitions[name] for name in PULSES} == {1}
    assert partitions["ticketly.seats.status.DLT"] == 1
    assert {(topic.replication_factor, topic.config["min.insync.replicas"]) for topic in in_cluster.topics} == {
        (3, "2")
    }


def test_the_local_sample_has_three_partitions(on_laptop: Blueprint) -> None:
    assert {topic.partitions for topic in on_laptop.topics if topic.keyed} == {3}


def test_every_topic_that_a_connector_writes_exists(on_laptop: Blueprint) -> None:
    known = {topic.name for topic in on_laptop.topics}
    for connector in on_laptop.connectors:
        assert set(connector.topics) <= known
    tables, outbox = on_laptop.connectors
    captured = {f"dbz.ticketly.{table}" for table in str(tables.config["table.include.list"]).split(",")}
    assert captured | {"__debezium-heartbeat.dbz.ticketly"} == set(tables.topics)
    assert set(outbox.topics) >= ORDERS | {NOTIFICATIONS}


def test_the_connectors_have_the_agreed_names(on_laptop: Blueprint) -> None:
    assert [
        (found.name, found.slot, found.publication, found.database, found.config["topic.prefix"])
        for found in on_laptop.connectors
    ] == [
        ("ticketly-event-tables", "ticketly_event_tables", "ticketly_tables", "event_service", "dbz.ticketly"),
        ("ticketly-order-outbox", "ticketly_order_outbox", "ticketly_outbox", "order_service", "dbz.ticketly_order"),
    ]
    for found in on_laptop.connectors:
        assert found.config["slot.name"] == found.slot
        assert found.config["publication.name"] == found.publication
        assert found.config["database.dbname"] == found.database
        assert found.config["database.password"] == SecretRef("ticketly-postgres", "cdc-password")
        assert found.config["publication.autocreate.mode"] == "disabled"
        assert found.config["tombstones.on.delete"] == "false"


def test_the_router_touches_the_outbox_table_and_lets_heartbeats_pass(on_laptop: Blueprint) -> None:
    config = on_laptop.connectors[1].config
    pattern = str(config["predicates.isOutbox.pattern"])
    assert re.fullmatch(pattern, "dbz.ticketly_order.public.outbox")
    for passing in (
        "__debezium-heartbeat.dbz.ticketly_order",
        "dbz.ticketly_order.public.debezium_heartbeat",
        "dbz.ticketly_orderXpublic.outbox",
    ):
        assert not re.fullmatch(pattern, passing)
    assert config["transforms.outbox.predicate"] == config["predicates"] == "isOutbox"


@pytest.mark.parametrize(("state", "seconds"), [("paused", 10), ("stopped", 3)])
def test_state_heartbeat_and_guard_come_from_the_platform(
    local_platform: TicketlyPlatform, embedded: Embedded, state: str, seconds: int
) -> None:
    document = local_platform.model_dump(by_alias=True, mode="json")
    document["spec"]["connectors"] = {
        "eventTables": {"enabled": False},
        "orderOutbox": {
            "state": state,
            "heartbeatSeconds": seconds,
            "maxRestarts": 2,
            "slot": {"retainedBytesWarn": "1Mi", "retainedBytesAct": "2Mi", "policy": "rebuild"},
        },
    }
    platform = with_embedded(spec.parse(document), embedded)
    (outbox,) = blueprint(platform, laptop("uploads")).connectors
    assert (outbox.name, outbox.state, outbox.max_restarts) == ("ticketly-order-outbox", state, 2)
    assert outbox.config["heartbeat.interval.ms"] == str(seconds * 1000)
    assert (outbox.guard.warn_bytes, outbox.guard.act_bytes, outbox.guard.policy) == (1_048_576, 2_097_152, "rebuild")
