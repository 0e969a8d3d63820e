"""Deletion under Delete takes everything outside along, in order and in bounded time; under Retain nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ticketly_crds import names
from ticketly_crds.status import ConnectorPhase
from ticketly_lab.stores import CONNECT, KAFKA, POSTGRES
from ticketly_operator.clients.kafka import Access, KafkaBrokers

from .conftest import CONNECTORS, TERMS, eventually

pytestmark = pytest.mark.timeout(1200)
"""Several waits for real parts in each, and the first test starts them."""


async def topics(bench):
    async with KafkaBrokers(Access(bench.stores.addresses.bootstrap_servers), 20) as brokers:
        return await brokers.topics([topic.name for topic in bench.blueprint.topics])


def deleted(bench):
    bench.api.manifest["metadata"]["deletionTimestamp"] = bench.now.isoformat()


def held(bench):
    return names.FINALIZER in bench.api.manifest["metadata"].get("finalizers", ())


async def gone(bench):
    """Reconcile until the finalizer is away."""

    async def look():
        await bench.step()
        return not held(bench)

    await eventually(look, "the platform may go")


@pytest.fixture
async def deletable(bench):
    bench.spec["deletionPolicy"] = "Delete"
    await bench.until_running()
    assert held(bench)
    return bench


async def test_connectors_with_their_offsets_slots_and_topics_go_in_this_order(deletable):
    bench = deletable
    await bench.arrived(await bench.add_organization())
    bench.front.seen.clear()
    deleted(bench)
    await gone(bench)
    for name, slot in CONNECTORS:
        assert await bench.connect("GET", f"/connectors/{name}") is None
        assert await bench.slot(slot) is None
        writes = [(method, path) for method, path in bench.front.seen if method != "GET" and name in path]
        assert writes == [
            ("PUT", f"/connectors/{name}/stop"),
            ("DELETE", f"/connectors/{name}/offsets"),
            ("DELETE", f"/connectors/{name}"),
        ]

    async def none():
        return not await topics(bench)

    await eventually(none, "topics are gone")


async def test_a_platform_made_again_after_its_deletion_captures_everything_anew(deletable):
    bench = deletable
    organization = await bench.add_organization()
    await bench.arrived(organization)
    deleted(bench)
    await gone(bench)
    del bench.api.manifest["metadata"]["deletionTimestamp"], bench.api.manifest["status"]
    bench.forget()
    await bench.until_running()
    assert (await bench.arrived(organization))["op"] == "r"


async def test_under_retain_nothing_is_touched(bench):
    await bench.until_running()
    before = await topics(bench)
    bench.front.seen.clear()
    deleted(bench)
    await bench.step()
    assert not held(bench)
    assert bench.front.seen == {}
    assert (await bench.slot())["active"]
    assert await topics(bench) == before


async def test_a_connector_that_is_being_restarted_goes_as_well(deletable):
    bench = deletable
    for name, _ in CONNECTORS:
        await bench.connect("POST", f"/connectors/{name}/restart?includeTasks=true")
    deleted(bench)
    await gone(bench)
    for name, slot in CONNECTORS:
        assert await bench.connect("GET", f"/connectors/{name}") is None
        assert await bench.slot(slot) is None


@pytest.mark.parametrize(
    ("part", "left"),
    [(CONNECT, names.EVENT_CONNECTOR), (KAFKA, "topics"), (POSTGRES, names.EVENT_SLOT)],
)
async def test_what_cannot_be_removed_is_named_and_holds_the_platform_only_for_its_time(deletable, part, left):
    bench = deletable
    bench.stores.kill(part)
    deleted(bench)
    outcome = await bench.step()
    assert outcome.failed
    assert held(bench)
    assert left in bench.told("RemovalPending")[-1]
    bench.moved += TERMS.deletion_timeout + timedelta(seconds=1)
    await bench.step()
    assert not held(bench)
    assert bench.told("RemovalGivenUp"), "the events before name what is left"


async def test_what_was_away_for_a_while_is_removed_when_it_is_back(deletable):
    bench = deletable
    bench.stores.kill(CONNECT)
    deleted(bench)
    await bench.step()
    assert held(bench)
    bench.stores.start_part(CONNECT)
    await gone(bench)
    assert bench.told("RemovalGivenUp") == []
    for name, slot in CONNECTORS:
        assert await bench.connect("GET", f"/connectors/{name}") is None
        assert await bench.slot(slot) is None


async def test_a_failed_connector_goes_as_well(deletable):
    bench = deletable
    await bench.drop_slot(names.EVENT_SLOT)
    await bench.until(lambda: bench.connector().phase is ConnectorPhase.FAILED, "it fails")
    deleted(bench)
    await gone(bench)
    assert await bench.connect("GET", f"/connectors/{names.EVENT_CONNECTOR}") is None
