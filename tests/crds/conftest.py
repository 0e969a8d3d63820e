"""The two sample platforms, complete for their place."""

from __future__ import annotations

from importlib import resources

import pytest

from ticketly_crds import spec
from ticketly_crds.blueprint import Blueprint, Embedded, blueprint, cluster, laptop, with_embedded
from ticketly_crds.spec import TicketlyPlatform

EMBEDDED = Embedded(
    postgres_host="127.0.0.1",
    postgres_port=15432,
    kafka_bootstrap_servers="127.0.0.1:19092",
    connect_url="http://127.0.0.1:18083",
    identity_issuer="http://127.0.0.1:18080/realms/event-ticketing",
    mail_host="127.0.0.1",
    mail_port=11025,
)


def sample(name: str) -> TicketlyPlatform:
    return spec.load(resources.files("ticketly_crds").joinpath("samples", name).read_text(encoding="utf-8"))


@pytest.fixture
def local_platform() -> TicketlyPlatform:
    return sample("local.yaml")


@pytest.fixture
def cluster_platform() -> TicketlyPlatform:
    return sample("cluster.yaml")


@pytest.fixture
def embedded() -> Embedded:
    return EMBEDDED


@pytest.fixture
def on_laptop(local_platform: TicketlyPlatform) -> Blueprint:
    return blueprint(with_embedded(local_platform, EMBEDDED), laptop("uploads"))


@pytest.fixture
def in_cluster(cluster_platform: TicketlyPlatform) -> Blueprint:
    return blueprint(cluster_platform, cluster(cluster_platform))
