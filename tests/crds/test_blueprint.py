"""One platform description gives one blueprint, and both places differ only where they must."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from ticketly_crds import names, spec
from ticketly_crds.blueprint import (
    CONTRACT_PORTS,
    Blueprint,
    Embedded,
    IncompletePlatform,
    SecretRef,
    ServicePorts,
    absent_sections,
    blueprint,
    cluster,
    laptop,
    with_embedded,
)
from ticketly_crds.spec import TicketlyPlatform

ALL_SECTIONS = ("postgres", "mongo", "kafka", "connect", "identity", "redis", "mail", "payments")


def changed(platform: TicketlyPlatform, **sections: Any) -> TicketlyPlatform:
    document = platform.model_dump(by_alias=True, mode="json")
    return spec.parse({**document, "spec": {**document["spec"], **sections}})


def env(found: Blueprint, service: str) -> dict[str, str | SecretRef]:
    return {var.name: var.value for var in found.service(service).env}


# Completeness ---------------------------------------------------------------------------------------------------


def test_an_incomplete_platform_is_refused_with_the_paths_it_lacks(local_platform: TicketlyPlatform) -> None:
    with pytest.raises(IncompletePlatform) as caught:
        blueprint(local_platform, cluster(local_platform))
    assert caught.value.missing == (
        "spec.postgres",
        "spec.mongo",
        "spec.connect",
        "spec.identity",
        "spec.kafka.bootstrapServers",
        "spec.ingress.host",
    )


def test_redis_mail_and_payments_may_be_absent_in_a_cluster(cluster_platform: TicketlyPlatform) -> None:
    smaller = changed(cluster_platform, redis=None, mail=None, payments=None)
    found = blueprint(smaller, cluster(smaller))
    assert "TICKETLY_REDIS_URL" not in env(found, "order")
    assert "redis" not in found.service("order").stores
    assert env(found, "order")["TICKETLY_PLATFORM_CURRENCY"] == "LKR"


def test_the_local_sample_embeds_every_store(local_platform: TicketlyPlatform) -> None:
    assert absent_sections(local_platform) == ALL_SECTIONS


def test_embedding_fills_only_what_is_absent(cluster_platform: TicketlyPlatform, embedded: Embedded) -> None:
    assert absent_sections(cluster_platform) == ()
    assert with_embedded(cluster_platform, embedded) == cluster_platform


def test_the_embedded_broker_keeps_the_tuning_but_cannot_replicate(
    local_platform: TicketlyPlatform, embedded: Embedded
) -> None:
    tuned = changed(local_platform, kafka={"replicationFactor": 3, "topics": {"partitions": 5}})
    kafka = with_embedded(tuned, embedded).spec.kafka
    assert kafka is not None
    assert (kafka.bootstrap_servers, kafka.topics.partitions) == (embedded.kafka_bootstrap_servers, 5)
    assert (kafka.replication_factor, kafka.min_insync_replicas) == (1, 1)


def test_a_completed_platform_is_a_valid_document(local_platform: TicketlyPlatform, embedded: Embedded) -> None:
    completed = with_embedded(local_platform, embedded)
    assert spec.load(json.dumps(completed.model_dump(by_alias=True, mode="json"))) == completed


# Services -------------------------------------------------------------------------------------------------------


def test_equal_platforms_give_equal_blueprints(cluster_platform: TicketlyPlatform, in_cluster: Blueprint) -> None:
    shuffled = json.dumps(cluster_platform.model_dump(by_alias=True, mode="json"), sort_keys=True)
    again = spec.load(shuffled)
    assert blueprint(again, cluster(again)) == in_cluster
    assert repr(blueprint(again, cluster(again))) == repr(in_cluster)


def test_ports_and_prefixes_are_those_of_the_contract(on_laptop: Blueprint) -> None:
    assert {
        service.name: (service.public_prefix, service.public_port, service.internal_port)
        for service in on_laptop.services
    } == {
        "event-command": ("/api/event-seating", 8081, 9081),
        "event-query": ("/api/event-query", 8082, 9082),
        "order": ("/api/order", 8084, 9084),
        "scheduler": ("/api/scheduler", 8085, 9085),
        "email": (None, None, 9086),
    }
    assert {(route.prefix, route.port) for route in on_laptop.routes} == {
        ("/api/event-seating", 8081),
        ("/api/event-query", 8082),
        ("/api/order", 8084),
        ("/api/scheduler", 8085),
    }


COMMON = {
    "TICKETLY_LISTEN_HOST",
    "TICKETLY_LISTEN_INTERNAL_PORT",
    "TICKETLY_IDENTITY_ISSUER",
    "TICKETLY_IDENTITY_AUDIENCE",
    "TICKETLY_IDENTITY_CLIENT_ID",
    "TICKETLY_IDENTITY_CLIENT_SECRET",
    "TICKETLY_LOG_LEVEL",
    "TICKETLY_LOG_FORMAT",
}
PUBLIC = {"TICKETLY_LISTEN_PUBLIC_PORT"}
WEB = {
    "TICKETLY_CORS_ORIGINS",
    "TICKETLY_PLATFORM_CURRENCY",
    "TICKETLY_PLATFORM_TIME_ZONE",
    "TICKETLY_PLATFORM_PUBLIC_URL",
}
POSTGRES = {
    f"TICKETLY_POSTGRES_{part}" for part in ("HOST", "PORT", "DATABASE", "USER", "PASSWORD", "SSL_MODE", "POOL_SIZE")
}
KAFKA = {"TICKETLY_KAFKA_BOOTSTRAP_SERVERS"}
REDIS = {"TICKETLY_REDIS_URL"}
EXPECTED_NAMES = {
    "event-command": COMMON
    | PUBLIC
    | WEB
    | POSTGRES
    | KAFKA
    | {
        "TICKETLY_CANARY_ENABLED",
        "TICKETLY_UPLOADS_MAX_BYTES",
        "TICKETLY_UPLOADS_DIRECTORY",
        "TICKETLY_PEERS_ORDER_INTERNAL_URL",
    },
    "event-query": COMMON
    | PUBLIC
    | WEB
    | KAFKA
    | REDIS
    | {
        "TICKETLY_CANARY_ENABLED",
        "TICKETLY_CANARY_WRITER_URL",
        "TICKETLY_MONGO_URI",
        "TICKETLY_MONGO_DATABASE",
    },
    "order": COMMON
    | PUBLIC
    | WEB
    | POSTGRES
    | KAFKA
    | REDIS
    | {
        "TICKETLY_HOLDS_TTL_SECONDS",
        "TICKETLY_HOLDS_PAYMENT_EXTENSION_SECONDS",
        "TICKETLY_HOLDS_MAX_SEATS_PER_ORDER",
        "TICKETLY_HOLDS_MAX_OPEN_ORDERS_PER_USER",
        "TICKETLY_HOLDS_EXEMPT_GROUP",
        "TICKETLY_COMPAT_LOST_SEAT_STATUS_BY_CLIENT",
    },
    "scheduler": COMMON | PUBLIC | {"TICKETLY_CORS_ORIGINS"},
    "email": COMMON,
}


def test_each_service_gets_the_variables_it_needs_and_no_others(on_laptop: Blueprint) -> None:
    assert {service.name: {var.name for var in service.env} for service in on_laptop.services} == EXPECTED_NAMES


def test_databases_and_roles_are_separate(on_laptop: Blueprint) -> None:
    assert [(database.name, database.role, database.password.key) for database in on_laptop.databases] == [
        ("event_service", "ticketly_event_command", "event-command-password"),
        ("order_service", "ticketly_order", "order-password"),
    ]
    assert {service.name for service in on_laptop.services if service.migrates} == {"event-command", "order"}


def test_no_value_is_a_secret(on_laptop: Blueprint, in_cluster: Blueprint) -> None:
    for found in (on_laptop, in_cluster):
        plain = [(var.name, var.value) for service in found.services for var in service.env]
        plain += [item for connector in found.connectors for item in connector.config.items()]
        for name, value in plain:
            if re.search(r"(?i)password|secret|_uri$|redis_url", name):
                assert isinstance(value, SecretRef), name
            elif isinstance(value, str):
                assert not re.search(r"://[^/]*@", value), name


def test_every_secret_is_listed_for_whoever_provides_it(on_laptop: Blueprint) -> None:
    assert {(ref.name, ref.key) for ref in on_laptop.secrets()} == {
        ("ticketly-mongo", "uri"),
        ("ticketly-redis", "url"),
        ("ticketly-postgres", "cdc-password"),
        ("ticketly-postgres", "event-command-password"),
        ("ticketly-postgres", "order-password"),
        ("ticketly-oidc", "email-service-client"),
        ("ticketly-oidc", "event-projection-service-client"),
        ("ticketly-oidc", "events-service"),
        ("ticketly-oidc", "scheduler-service-client"),
        ("ticketly-oidc", "ticket-service-client"),
    }


DIFFERS_BY_PLACE = {
    "TICKETLY_POSTGRES_POOL_SIZE",
    "TICKETLY_LISTEN_HOST",
    "TICKETLY_PLATFORM_PUBLIC_URL",
    "TICKETLY_CANARY_WRITER_URL",
    "TICKETLY_PEERS_ORDER_INTERNAL_URL",
    "TICKETLY_UPLOADS_DIRECTORY",
}


def test_the_same_platform_has_the_same_environment_on_a_laptop_and_in_a_cluster(
    cluster_platform: TicketlyPlatform, in_cluster: Blueprint
) -> None:
    here = blueprint(cluster_platform, laptop("uploads"))
    for service in in_cluster.services:
        ours, theirs = env(here, service.name), env(in_cluster, service.name)
        assert ours.keys() == theirs.keys()
        assert {name for name in ours if ours[name] != theirs[name]} <= DIFFERS_BY_PLACE
    assert here.topics == in_cluster.topics
    assert here.connectors == in_cluster.connectors
    assert here.routes == in_cluster.routes


def test_in_a_cluster_peers_are_named_and_links_lead_to_the_ingress(in_cluster: Blueprint) -> None:
    found = env(in_cluster, "event-command")
    assert found["TICKETLY_PEERS_ORDER_INTERNAL_URL"] == "http://ticketly-order.ticketly.svc:9084"
    assert found["TICKETLY_PLATFORM_PUBLIC_URL"] == "https://api.example.com"
    assert found["TICKETLY_LISTEN_HOST"] == "0.0.0.0"  # noqa: S104  compared, not bound


def test_the_probe_turns_the_canary_on_at_both_ends_and_tells_the_reader_whom_to_ask(
    cluster_platform: TicketlyPlatform, in_cluster: Blueprint
) -> None:
    for service in ("event-command", "event-query"):
        assert env(in_cluster, service)["TICKETLY_CANARY_ENABLED"] == "true"
    assert env(in_cluster, "event-query")["TICKETLY_CANARY_WRITER_URL"] == (
        "http://ticketly-event-command.ticketly.svc:9081"
    )
    assert in_cluster.service("event-query").calls == ("event-command",)
    off = blueprint(changed(cluster_platform, lag={"probe": False}), cluster(cluster_platform))
    for service in ("event-command", "event-query"):
        assert env(off, service)["TICKETLY_CANARY_ENABLED"] == "false"


def test_a_taken_port_moves_one_service_and_its_callers(local_platform: TicketlyPlatform, embedded: Embedded) -> None:
    moved = blueprint(
        with_embedded(local_platform, embedded), laptop("uploads", ports={"order": ServicePorts(18084, 19084)})
    )
    assert env(moved, "event-command")["TICKETLY_PEERS_ORDER_INTERNAL_URL"] == "http://127.0.0.1:19084"
    assert moved.service("order").public_port == 18084
    assert moved.service("event-query").public_port == CONTRACT_PORTS["event-query"].public


def test_additional_variables_are_added_and_win(cluster_platform: TicketlyPlatform) -> None:
    extra = [
        {"name": "TICKETLY_LOG_LEVEL", "value": "debug"},
        {"name": "SENTRY_DSN", "secretRef": {"name": "sentry", "key": "dsn"}},
    ]
    platform = changed(cluster_platform, services={"order": {"env": extra}}, flashSales=[])
    found = env(blueprint(platform, cluster(platform)), "order")
    assert found["TICKETLY_LOG_LEVEL"] == "debug"
    assert found["SENTRY_DSN"] == SecretRef("sentry", "dsn")


def test_images_come_from_the_registry_unless_overridden(cluster_platform: TicketlyPlatform) -> None:
    images = {"registry": "r.example.com/t/", "overrides": {"eventQuery": "r.example.com/q@sha256:ab"}}
    platform = changed(cluster_platform, images=images, version="1.2.3")
    found = blueprint(platform, cluster(platform))
    assert found.service("order").image == "r.example.com/t/order:1.2.3"
    assert found.service("event-query").image == "r.example.com/q@sha256:ab"


def test_client_exceptions_are_written_as_the_order_service_reads_them(cluster_platform: TicketlyPlatform) -> None:
    platform = changed(cluster_platform, compat={"lostSeatStatusByClient": {"z": 409, "login-testing": 400}})
    found = env(blueprint(platform, cluster(platform)), "order")
    assert found["TICKETLY_COMPAT_LOST_SEAT_STATUS_BY_CLIENT"] == "login-testing=400,z=409"


def test_sasl_credentials_are_references(cluster_platform: TicketlyPlatform) -> None:
    kafka = {
        "bootstrapServers": "k:9093",
        "security": {"protocol": "SASL_SSL", "credentialsSecretRef": {"name": "kafka-user"}},
    }
    platform = changed(cluster_platform, kafka=kafka)
    found = env(blueprint(platform, cluster(platform)), "event-query")
    assert found["TICKETLY_KAFKA_SASL_PASSWORD"] == SecretRef("kafka-user", "password")
    assert found["TICKETLY_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"


def test_scaling_defaults_are_the_published_ones(on_laptop: Blueprint) -> None:
    order, query = on_laptop.service("order").scaling, on_laptop.service("event-query").scaling
    assert (order.min, order.max, order.cpu_percent, order.memory_percent) == (2, 15, 70, 80)
    assert (query.min, query.max, query.cpu_percent, query.memory_percent) == (1, 10, 70, None)
    assert (query.up.stabilization_seconds, query.down.stabilization_seconds) == (0, 300)
    assert [(policy.type, policy.value, policy.period_seconds) for policy in query.up.policies] == [
        ("Percent", 100, 15)
    ]


def test_a_flash_sale_has_its_window_in_utc(in_cluster: Blueprint) -> None:
    (sale,) = in_cluster.schedules
    assert sale.raise_at == datetime(2027, 3, 1, 8, 50, tzinfo=UTC)
    assert sale.restore_at == datetime(2027, 3, 1, 10, 0, tzinfo=UTC)
    assert sale.min_replicas == {"event-query": 4, "order": 6}


def test_an_unknown_service_is_a_key_error(on_laptop: Blueprint) -> None:
    with pytest.raises(KeyError):
        on_laptop.service("gateway")
    assert on_laptop.name == "ticketly"
    assert names.workload(on_laptop.name, "order") == "ticketly-order"
