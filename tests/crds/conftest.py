"""The two sample platforms, complete for their place, and an API server's answers to documents."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import pytest

from ticketly_crds import spec
from ticketly_crds.blueprint import Blueprint, Embedded, blueprint, cluster, laptop, with_embedded
from ticketly_crds.spec import TicketlyPlatform
from ticketly_lab.cluster import Cluster, KubectlError

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


def document(name: str, sections: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
    head = {"apiVersion": "ticketly.io/v1alpha1", "kind": "TicketlyPlatform"}
    return {**head, "metadata": {"name": name, "namespace": namespace}, "spec": sections}


def as_list(objects: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def refusals(cluster: Cluster, verb: str, objects: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What the server says about each object it refuses, `path: message`; nothing is stored."""
    said = ""
    try:
        # kubectl's own check would stop at the first object
        cluster.kubectl(verb, "--dry-run=server", "--validate=ignore", "-f", "-", input=as_list(objects))
    except KubectlError as error:
        said = str(error)
    found: dict[str, list[str]] = {}
    for part in re.split(r"^(?=The TicketlyPlatform|Error from server|kubectl )", said, flags=re.MULTILINE):
        answer = re.search(r"TicketlyPlatform(?:\.ticketly\.io)? \"(\S+)\" is invalid: (.*)", part, re.DOTALL)
        if answer is None:
            assert not part.strip(), said
            continue
        name, told = answer.groups()
        # several faults stand in lines of their own, or in brackets when kubectl prints several objects
        lines = re.split(r"\n\* |, (?=(?:<nil>|spec|metadata)[.:])", told.strip().removeprefix("* ").strip("[]"))
        found[name] = [line.strip() for line in lines if not line.startswith("<nil>: ")]
    return found


@pytest.fixture(scope="module")
def known_to_kubectl(cluster: Cluster) -> Cluster:
    """The cluster; kubectl remembers what kinds there are from before ours was added, so it is made to look again."""
    cluster.kubectl(
        "wait", "--for=condition=Established", "customresourcedefinition/ticketlyplatforms.ticketly.io", "--timeout=60s"
    )
    until = time.monotonic() + 60
    while "tkp" not in cluster.kubectl("api-resources", "--api-group=ticketly.io", "--cached=false"):
        assert time.monotonic() < until
        time.sleep(0.2)
    return cluster


Documents = dict[str, dict[str, Any]]
Refused = Callable[[str, Documents], dict[str, list[str]]]


@pytest.fixture(scope="module")
def refused(known_to_kubectl: Cluster) -> Refused:
    """`refused("create", {name: spec})` gives what the server says about each it refuses; nothing is stored."""

    def ask(verb: str, specs: Documents) -> dict[str, list[str]]:
        return refusals(known_to_kubectl, verb, [document(name, sections) for name, sections in specs.items()])

    return ask


@pytest.fixture(scope="module")
def stored(known_to_kubectl: Cluster) -> Iterator[Callable[[Documents], None]]:
    """`stored({name: spec})` makes platforms in the namespace default; they are removed at the end."""
    made: list[dict[str, Any]] = []

    def make(specs: Documents) -> None:
        made.extend(document(name, sections) for name, sections in specs.items())
        known_to_kubectl.kubectl("create", "-f", "-", input=as_list(made))

    yield make
    known_to_kubectl.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", input=as_list(made))
