"""Topics on a real broker: corrected, grown on somebody's word, never shrunk, and told when it cannot be done."""

from __future__ import annotations

import contextlib

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from ticketly_crds import names
from ticketly_crds.spec import SpecError, parse
from ticketly_crds.status import ConditionStatus, ConditionType, Reason
from ticketly_lab.stores import KAFKA
from ticketly_operator.clients.kafka import Access, KafkaBrokers

from .conftest import delete_topics, eventually

pytestmark = pytest.mark.timeout(1200)
"""Several waits for real parts in each, and the first test starts them."""

READY = ConditionType.TOPICS_READY
SEATS = names.SEATS_STATUS_TOPIC
TIERS = names.table_topic("tiers")


@contextlib.asynccontextmanager
async def admin_of(bench):
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.stores.addresses.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def seen(bench, *topics):
    async with KafkaBrokers(Access(bench.stores.addresses.bootstrap_servers), 20) as brokers:
        return await brokers.topics(topics)


@pytest.fixture(autouse=True)
async def no_topics(bench):
    """Topics are the matter here, connectors are not."""
    for connector in bench.spec["connectors"].values():
        connector["enabled"] = False
    await delete_topics(bench)
    yield
    # the next test's connectors want them as they should be
    await delete_topics(bench)


async def present(bench):
    await bench.until(lambda: bench.condition(READY).reason is Reason.ALL_PRESENT, "all topics")


async def test_every_topic_of_the_blueprint_is_made_with_its_settings(bench):
    await present(bench)
    wanted = {topic.name: topic for topic in bench.blueprint.topics}

    async def as_wanted():
        found = await seen(bench, *wanted)
        return len(found) == len(wanted) and all(
            (topic.partitions, topic.replication_factor, dict(topic.config))
            == (found[name].partitions, found[name].replication_factor, dict(found[name].config))
            for name, topic in wanted.items()
        )

    await eventually(as_wanted, "brokers tell what was made")


async def test_a_topic_made_by_hand_with_wrong_settings_is_corrected_and_told(bench):
    async with admin_of(bench) as admin:
        wrong = {"cleanup.policy": "delete", "retention.ms": "1000"}
        await admin.create_topics([NewTopic(TIERS, 2, 1, topic_configs=wrong)])
    await present(bench)
    (told,) = bench.told("TopicCorrected")
    assert TIERS in told
    assert "cleanup.policy: delete -> compact" in told
    assert "retention.ms: 1000 -> default" in told

    async def corrected():
        config = (await seen(bench, TIERS))[TIERS].config
        return config["cleanup.policy"] == "compact" and "retention.ms" not in config

    await eventually(corrected, "the topic's own settings")


async def test_a_keyed_topic_grows_only_on_somebodys_word_and_never_shrinks(bench):
    await present(bench)
    bench.change()["kafka"]["topics"]["overrides"] = {SEATS: {"partitions": 5}}
    await bench.step()
    condition = bench.condition(READY)
    assert (condition.status, condition.reason) == (ConditionStatus.FALSE, Reason.PARTITIONS_NEED_ACKNOWLEDGEMENT)
    assert f"{names.PARTITIONS_ANNOTATION}={SEATS}=5" in condition.message
    assert (await seen(bench, SEATS))[SEATS].partitions == 2
    bench.api.manifest["metadata"]["annotations"] = {names.PARTITIONS_ANNOTATION: f"{SEATS}=5"}
    await present(bench)
    assert bench.told("TopicGrown") == [f"topic {SEATS}: 2 -> 5 partitions"]

    async def grown():
        return (await seen(bench, SEATS))[SEATS].partitions == 5

    await eventually(grown, "five partitions")
    bench.change()["kafka"]["topics"]["overrides"] = {SEATS: {"partitions": 3}}
    await bench.step()
    assert bench.condition(READY).reason is Reason.PARTITIONS_CANNOT_SHRINK
    assert await grown()


async def test_a_topic_larger_than_wanted_is_left_alone_and_told(bench):
    await present(bench)
    async with admin_of(bench) as admin:
        await admin.create_partitions({TIERS: NewPartitions(4)})

    async def larger():
        return (await seen(bench, TIERS))[TIERS].partitions == 4

    await eventually(larger, "the broker says so itself")
    bench.later(minutes=2)
    await bench.until_reason(Reason.PARTITIONS_CANNOT_SHRINK, READY)
    assert f"{TIERS} has 4, wanted 2" in bench.condition(READY).message


async def test_another_replication_is_told_and_not_changed(bench):
    await present(bench)
    bench.change()["kafka"]["replicationFactor"] = 3
    await bench.until_reason(Reason.REPLICATION_DIFFERS, READY)
    assert "has 1, wanted 3" in bench.condition(READY).message
    assert (await seen(bench, TIERS))[TIERS].replication_factor == 1


async def test_what_the_broker_refuses_does_not_hold_back_the_rest(bench):
    await present(bench)
    async with admin_of(bench) as admin:
        await admin.delete_topics([TIERS])
    bench.change()["kafka"]["replicationFactor"] = 3
    bench.spec["kafka"]["topics"]["overrides"] = {SEATS: {"partitions": 4}}
    bench.api.manifest["metadata"]["annotations"] = {names.PARTITIONS_ANNOTATION: f"{SEATS}=4"}

    async def refused():
        await bench.step()
        return bench.condition(READY).reason is Reason.TOPIC_REFUSED

    await eventually(refused, "one broker cannot hold three replicas")
    assert TIERS in bench.condition(READY).message

    async def grown():
        return (await seen(bench, SEATS))[SEATS].partitions == 4

    await eventually(grown, "the other topic has grown all the same")


async def test_a_topic_deleted_behind_its_back_is_made_again(bench):
    await present(bench)
    async with admin_of(bench) as admin:
        await admin.delete_topics([TIERS])
    bench.later(minutes=2)

    async def back():
        await bench.step()
        return TIERS in await seen(bench, TIERS)

    await eventually(back, "the topic")


async def test_a_broker_that_is_away_is_told_and_its_topics_are_made_when_it_is_back(bench):
    bench.stores.kill(KAFKA)
    outcome = await bench.step()
    assert outcome.failed
    condition = bench.condition(READY)
    assert (condition.status, condition.reason) == (ConditionStatus.UNKNOWN, Reason.KAFKA_UNREACHABLE)
    bench.stores.start_part(KAFKA)
    await present(bench)


async def test_a_broker_that_stands_still_while_topics_are_made_is_given_up_in_time(bench):
    bench.stores.pause(KAFKA)
    try:
        await bench.step()
        assert bench.condition(READY).reason is Reason.KAFKA_UNREACHABLE
    finally:
        bench.stores.resume(KAFKA)
    await present(bench)


async def test_at_rest_the_broker_is_asked_once_a_minute_and_at_once_after_a_change(bench):
    await present(bench)
    bench.stores.pause(KAFKA)
    try:
        await bench.step()
        assert bench.condition(READY).reason is Reason.ALL_PRESENT, "it was not asked"
    finally:
        bench.stores.resume(KAFKA)
    bench.change()["kafka"]["topics"]["overrides"] = {"ticketly.seats.statsu": {"partitions": 4}}
    await bench.step()
    assert bench.condition(READY).reason is Reason.TOPIC_REFUSED
    assert bench.condition(READY).message.endswith("ticketly.seats.statsu")


@pytest.mark.parametrize(
    ("kafka", "field"),
    [
        ({"minInsyncReplicas": 2}, r"spec\.kafka\.minInsyncReplicas: must be <= replicationFactor \(1\)"),
        ({"topics": {"overrides": {SEATS: {"partitions": 4, "cleanup.policy": "delete"}}}}, "cleanup.policy"),
        ({"topics": {"overrides": {SEATS: {"partitions": 4, "retention.ms": "1"}}}}, "retention.ms"),
    ],
)
async def test_what_a_platform_may_not_say_about_topics_is_refused_before_anything_is_done(bench, kafka, field):
    document = {key: value for key, value in bench.api.manifest.items() if key != "status"}
    document["spec"]["kafka"].update(kafka)
    with pytest.raises(SpecError, match=field):
        parse(document)
    await bench.step()
    assert bench.condition(ConditionType.READY).reason is Reason.INVALID_SPEC
    assert await seen(bench, SEATS) == {}
