"""The sample platform on a real control plane with real stores: applied, ready, and ready again after every fault."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pytest
import yaml

from ticketly_crds import names, spec
from ticketly_lab import arrivals
from ticketly_lab.adaptation import Addresses, adapted
from ticketly_lab.children import run_apart
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.demo import secret
from ticketly_lab.operator_process import OperatorProcess
from ticketly_lab.stores import CONNECT, KAFKA, POSTGRES, Stores
from ticketly_operator.desired.installation import NAME as OPERATOR
from ticketly_operator.desired.installation import Installation, manifests

WAIT_SECONDS = 240


def sample() -> dict[str, Any]:
    text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {*before, *after}:
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif before != after:
        yield path


def test_the_sample_is_adapted_in_nothing_but_its_stores() -> None:
    stores = Addresses("127.0.0.1", 5, "127.0.0.1:6", "http://127.0.0.1:7", "/secrets")
    before = sample()
    after = adapted(before, stores)
    assert before == sample(), "the sample itself is left alone"
    assert set(differences(before, after)) == {
        ".spec.postgres.host",
        ".spec.postgres.port",
        ".spec.postgres.sslMode",
        ".spec.kafka.bootstrapServers",
        ".spec.kafka.replicationFactor",
        ".spec.kafka.minInsyncReplicas",
        ".spec.connect.url",
        ".spec.connect.secretsPath",
    }
    assert spec.parse(after).name == "ticketly"


@dataclass(frozen=True)
class Running:
    """The platform of the sample, its operator, and what it stands on."""

    plane: ControlPlane
    stores: Stores
    operator: OperatorProcess

    def status(self) -> dict[str, Any]:
        found = self.plane.get("ticketlyplatform", "ticketly", "ticketly")
        assert found is not None
        status: dict[str, Any] = found["status"]
        return status

    def wait(self, condition: str) -> str:
        """What `kubectl wait` prints; raises when it is not met in time."""
        return self.plane.kubectl(
            "wait",
            f"--for=condition={condition}",
            "ticketlyplatform/ticketly",
            "--namespace=ticketly",
            f"--timeout={WAIT_SECONDS}s",
            timeout_seconds=WAIT_SECONDS + 30,
        )

    def captures(self) -> None:
        """Both connectors deliver."""
        run_apart(arrivals.row(self.stores, WAIT_SECONDS))
        run_apart(arrivals.message(self.stores, WAIT_SECONDS))

    def connect(self, method: str, path: str) -> None:
        request = urllib.request.Request(self.stores.addresses.connect_url + path, method=method)  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - ours
            return


@contextmanager
def kubelet(operator: OperatorProcess) -> Iterator[None]:
    """Starts the operator anew whenever it has ended: without an API server it ends when its Lease has run out."""
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(0.5):
            if operator.exit_code() is not None:
                operator.start()

    keeper = threading.Thread(target=keep, name="kubelet")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


@pytest.fixture(scope="module")
def running(control_plane: ControlPlane, stores: Stores) -> Iterator[Running]:
    document = adapted(sample(), stores.addresses)
    platform = spec.parse(document)
    namespace = platform.metadata.namespace
    installation = Installation(namespace="ticketly-system", watch_namespace=namespace)
    control_plane.kubectl("create", "namespace", namespace)
    control_plane.apply(*manifests(installation))
    for name, content in stores.secrets(platform).items():
        control_plane.apply(secret(namespace, name, content))
        stores.mount(name, content)
    account = control_plane.kubeconfig_for(OPERATOR, installation.namespace)
    settings = {"scope_namespace": namespace}
    try:
        with OperatorProcess(control_plane, installation.namespace, settings=settings, kubeconfig=account) as operator:
            control_plane.kubectl("apply", "--filename=-", input=json.dumps(document))
            with kubelet(operator):
                yield Running(control_plane, stores, operator)
    finally:
        stores.revive()
        for name in (namespace, installation.namespace):
            control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.kubernetes
@pytest.mark.timeout(1200)
def test_the_sample_becomes_ready_and_says_so(running: Running) -> None:
    assert "condition met" in running.wait("Ready")
    status = running.status()
    assert {service["phase"] for service in status["services"]} == {"Ready"}
    assert {(each["name"], each["phase"]) for each in status["connectors"]} == {
        (names.EVENT_CONNECTOR, "Running"),
        (names.OUTBOX_CONNECTOR, "Running"),
    }


@pytest.mark.kubernetes
@pytest.mark.timeout(1200)
def test_rows_and_messages_arrive_through_the_operators_connectors(running: Running) -> None:
    running.wait("Ready")
    running.captures()


def kill_connect(running: Running) -> None:
    running.stores.kill(CONNECT)
    running.wait("ConnectorsReady=Unknown")
    running.stores.start_part(CONNECT)


def restart_kafka(running: Running) -> None:
    running.stores.kill(KAFKA)
    running.stores.start_part(KAFKA)


def restart_postgres_twice(running: Running) -> None:
    running.stores.restart(POSTGRES)
    running.stores.kill(POSTGRES)
    running.stores.start_part(POSTGRES)


def restart_the_api_server(running: Running) -> None:
    running.plane.restart_apiserver()


def delete_a_connector(running: Running) -> None:
    running.connect("DELETE", f"/connectors/{names.EVENT_CONNECTOR}")


@pytest.mark.kubernetes
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "fault",
    [kill_connect, restart_kafka, restart_postgres_twice, restart_the_api_server, delete_a_connector],
    ids=lambda fault: fault.__name__,
)
def test_it_becomes_ready_again_without_a_hand(running: Running, fault: Any) -> None:
    running.wait("Ready")
    fault(running)
    running.captures()
    assert "condition met" in running.wait("Ready")
    assert {each["phase"] for each in running.status()["connectors"]} == {"Running"}
