"""What the operator sends to the API server and what it makes of the answers, without one."""

from __future__ import annotations

import base64

import pytest

from ticketly_operator.clients.kubernetes import KubernetesCluster
from ticketly_operator.errors import FencedError
from ticketly_operator.findings import Notice

PLATFORM = {"metadata": {"name": "shop", "namespace": "ns", "uid": "u-1", "resourceVersion": "7"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop-order", "namespace": "ns", "uid": "d-1"},
    "spec": {"replicas": 4},
}


class Server:
    """Answers GETs from a table; remembers everything."""

    def __init__(self, **found):
        self.found = found
        self.sent = []

    async def request(self, method, path, **about):
        self.sent.append((method, path, about))
        return self.found.get(path.rpartition("/")[2], {})

    def writes(self):
        return [sent for sent in self.sent if sent[0] != "GET"]


class World:
    def __init__(self, **found):
        self.server = Server(**found)
        self.leads = True
        self.now = 1000.0
        self.wrote = []
        self.cluster = KubernetesCluster(
            self.server,
            scope="",
            may_write=lambda: self.leads,
            wrote=lambda kind, verb: self.wrote.append((kind, verb)),
            monotonic=lambda: self.now,
            reporter="pod-1",
        )


def secret(content="x", **metadata):
    data = {"uri": base64.b64encode(content.encode()).decode()}
    return {"metadata": {"name": "mongo", "uid": "s-1", "resourceVersion": "1", **metadata}, "data": data}


async def version(found):
    return (await World(mongo=found).cluster.secret("ns", "mongo")).version


async def test_a_secret_s_version_follows_its_content_and_nothing_else():
    first = await version(secret())
    assert await version(secret(resourceVersion="2", labels={"touched": "yes"})) == first
    assert await version(secret("y")) != first
    # the same content in another Secret: whoever sees versions cannot tell that passwords are equal
    assert await version(secret(uid="s-2")) != first


async def test_a_status_is_replaced_as_a_whole():
    world = World()
    await world.cluster.write_status("ns", "shop", {"version": "1"})
    ((method, path, about),) = world.server.writes()
    assert (method, path) == ("PATCH", "/apis/ticketly.io/v1alpha1/namespaces/ns/ticketlyplatforms/shop/status")
    assert about["body"] == [{"op": "add", "path": "/status", "value": {"version": "1"}}]
    assert about["content_type"] == "application/json-patch+json"


async def test_fields_are_handed_over_to_another_manager():
    world = World()
    await world.cluster.hand_over(DEPLOYMENT)
    ((_, _, about),) = world.server.writes()
    assert about["body"] == DEPLOYMENT
    assert about["params"]["fieldManager"] == "ticketly-operator-handover"
    assert world.wrote == [("Deployment", "handover")]


async def test_which_optional_kinds_there_are_is_asked_once_a_minute():
    world = World(v1={"resources": [{"name": "servicemonitors", "kind": "ServiceMonitor"}]})
    for _ in range(3):
        assert await world.cluster.optional_kinds() == {"ServiceMonitor.monitoring.coreos.com"}
    asked = len(world.server.sent)
    world.server.found = {}
    world.now += 59
    assert await world.cluster.optional_kinds()
    assert len(world.server.sent) == asked
    world.now += 2
    assert await world.cluster.optional_kinds() == frozenset()


async def test_every_write_is_refused_when_the_fence_is_closed():
    world = World(shop={"metadata": {**PLATFORM["metadata"], "finalizers": []}})
    world.leads = False
    for write in (
        world.cluster.apply(DEPLOYMENT),
        world.cluster.hand_over(DEPLOYMENT),
        world.cluster.delete(DEPLOYMENT),
        world.cluster.write_status("ns", "shop", {}),
        world.cluster.set_finalizer("ns", "shop", present=True),
    ):
        with pytest.raises(FencedError):
            await write
    await world.cluster.tell(PLATFORM, Notice("DriftReverted", "x"))
    assert world.server.writes() == []
    assert world.wrote == []
    # what could not be told is told later
    world.leads = True
    await world.cluster.tell(PLATFORM, Notice("DriftReverted", "x"))
    assert world.wrote == [("Event", "create")]


async def test_equal_events_are_told_once_an_hour():
    world = World()
    for _ in range(3):
        await world.cluster.tell(PLATFORM, Notice("DriftReverted", "x"))
    await world.cluster.tell(PLATFORM, Notice("DriftReverted", "y"))
    assert len(world.server.writes()) == 2
    world.now += 3601
    await world.cluster.tell(PLATFORM, Notice("DriftReverted", "x"))
    assert len(world.server.writes()) == 3
