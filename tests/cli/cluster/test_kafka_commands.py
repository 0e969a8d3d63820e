"""kafka topics, lag and peek on a real broker; the rest of a platform on this machine."""

from __future__ import annotations

import json
import tarfile
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata

from ticketly_cli.cluster.positions import by_projection
from ticketly_crds import names
from ticketly_lab.children import run_apart


@pytest.fixture
def topic(kafka_server) -> str:
    """Three partitions, 30 records, the odd ones with a header; the last one is bytes."""
    name = f"test.{uuid.uuid4().hex[:8]}"

    async def fill() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, 3, 1, topic_configs={"cleanup.policy": "compact"})])
        finally:
            await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap_servers)
        await producer.start()
        try:
            for number in range(30):
                value = json.dumps({"number": number}).encode() if number < 29 else b"\xff\x00\x1b"
                headers = [("id", f"event-{number}".encode())] if number % 2 else []
                moment = 1_764_136_800_000 + number
                await producer.send_and_wait(
                    name, value, key=f"k{number}".encode(), partition=number % 3, headers=headers, timestamp_ms=moment
                )
        finally:
            await producer.stop()

    run_apart(fill())
    return name


@pytest.fixture
def kafka(command_line, kafka_server):
    def ask(*arguments: str):
        return command_line.data("kafka", *arguments, "--bootstrap-servers", kafka_server.bootstrap_servers)

    return ask


def test_topics_are_listed_with_partitions_settings_and_offsets(kafka, topic):
    code, told = kafka("topics")
    found = next(each for each in told["topics"] if each["name"] == topic)
    assert (code, told["compared"]) == (0, False)
    assert (found["partitions"], found["replication_factor"], found["offsets"]) == (3, 1, 30)
    assert found["config"] == {"cleanup.policy": "compact"}


def test_topics_are_compared_with_a_platform_file(command_line, kafka_server, topic):
    file = command_line.write(command_line.document())
    servers = ("--bootstrap-servers", kafka_server.bootstrap_servers)
    code, told = command_line.data("kafka", "topics", "-f", file, *servers)
    found = {each["name"]: each for each in told["topics"]}
    assert (code, told["compared"]) == (0, True)
    assert found[topic]["in_blueprint"] is False
    # other tests may have made some of them on this broker
    there = {each["name"] for each in command_line.data("kafka", "topics", *servers)[1]["topics"]}
    missing = {name for name, each in found.items() if each["missing"]}
    assert missing == set(found) - there
    assert missing
    assert min(missing) in command_line("kafka", "topics", "-f", file, *servers)[1]


def test_the_newest_records_of_all_partitions_are_shown_in_order(kafka, topic):
    code, told = kafka("peek", topic, "--last", "4")
    records = told["records"]
    assert code == 0
    assert [each["value"] for each in records[:3]] == [{"number": number} for number in (26, 27, 28)]
    assert records[3]["value_format"] == "hex"
    assert [each["id"] for each in records] == [None, "event-27", None, "event-29"]
    assert records[0]["key"] == "k26"
    assert len(kafka("peek", topic, "--last", "1000")[1]["records"]) == 30
    one = kafka("peek", topic, "--last", "2", "--partition", "1")[1]["records"]
    assert [each["value"]["number"] for each in one] == [25, 28]


def test_looking_at_records_joins_no_group(kafka, topic):
    before = {each["name"] for each in kafka("lag")[1]["readers"]}
    kafka("peek", topic)
    assert {each["name"] for each in kafka("lag")[1]["readers"]} == before


@pytest.mark.parametrize(("more", "what"), [((), "topic absent"), (("--partition", "9"), "partition 9 of topic")])
def test_a_topic_or_partition_that_is_not_there_is_named(command_line, kafka_server, topic, more, what):
    name = "absent" if not more else topic
    code, _, err = command_line("kafka", "peek", name, *more, "--bootstrap-servers", kafka_server.bootstrap_servers)
    assert code == 3
    assert f"There is no {what}" in err


def test_the_lag_of_a_group_is_what_it_has_not_committed(kafka, kafka_server, topic):
    group = f"group-{uuid.uuid4().hex[:6]}"

    async def commit() -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka_server.bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,  # else stopping commits where it stands: the end, of every partition
        )
        await consumer.start()
        try:
            parts = [TopicPartition(topic, number) for number in range(3)]
            consumer.assign(parts)
            await consumer.commit({parts[0]: OffsetAndMetadata(10, ""), parts[1]: OffsetAndMetadata(3, "")})
        finally:
            await consumer.stop()

    run_apart(commit())
    reader = next(each for each in kafka("lag")[1]["readers"] if each["name"] == group)
    assert (reader["lag"], reader["positions_in"], reader["kind"]) == (7, "Kafka", "group")
    assert reader["topics"] == [{"topic": topic, "partitions": 2, "lag": 7, "worst_partition": 1}]


# --- the platform on this machine ------------------------------------------------------------------------------------


@pytest.fixture
def here(platform, command_line, monkeypatch):
    monkeypatch.setenv("TICKETLY_HOME", str(platform.home))
    return command_line


@pytest.mark.stack
def test_a_platform_here_has_the_topics_it_wants_and_connectors_that_run(here):
    code, told = here.data("kafka", "topics")
    assert code == 0
    assert told["compared"]
    assert [each for each in told["topics"] if each["in_blueprint"] and each["differences"]] == []
    code, told = here.data("connectors")
    assert code == 0
    assert {each["name"] for each in told["connectors"]} == {names.EVENT_CONNECTOR, names.OUTBOX_CONNECTOR}
    assert told["missing"] == []
    for connector in told["connectors"]:
        assert connector["state"] == "RUNNING"
        assert [task["state"] for task in connector["tasks"]] == ["RUNNING"]
        assert connector["slot"]["active"] is True


@pytest.mark.stack
def test_the_lag_of_projections_is_read_from_the_stores_they_fill(here):
    def asked() -> dict[str, dict[str, object]]:
        readers = here.data("kafka", "lag")[1]["readers"]
        return {each["name"]: each for each in readers if each["kind"] == "projection" and not each["problem"]}

    found = here.until(lambda: asked() if len(asked()) >= 3 else {}, "both stores answer")
    assert found["order-catalogue"]["positions_in"] == "PostgreSQL order_service, table catalogue.positions"
    assert found["event-query-tables"]["positions_in"] == "MongoDB, collection positions"
    here.until(lambda: all(each["lag"] == 0 for each in asked().values()), "they catch up")


def test_positions_in_documents_are_read_by_projection_topic_and_partition():
    documents = [{"_id": "tables|dbz.a|3", "next": 7}, {"_id": "tables|dbz.a|0", "next": 1}]
    found = by_projection(documents)
    assert found == {"event-query-tables": {("dbz.a", 3): 7, ("dbz.a", 0): 1}, "event-query-seat-states": {}}


@pytest.mark.stack
def test_a_report_from_this_machine_holds_no_password_of_the_platform(here, platform, tmp_path):
    target = tmp_path / "here.tar.gz"
    code, told = here.data("report", "--to", str(target))
    assert code == 0
    with tarfile.open(target) as archive:
        content = "\n".join(archive.extractfile(member).read().decode() for member in archive.getmembers())
    parts = {each["name"] for each in told["parts"]}
    assert {"status.json", "doctor.json", "platform.yaml", "logs/order.log", "logs/kafka.log"} <= parts
    passwords = {database.password for database in platform.databases.values()}
    passwords |= {login.password for login in platform.users.values()} | set(platform.client_secrets.values())
    passwords.add(platform.superuser.password)
    assert not [each for each in passwords if each in content]


def test_a_report_without_a_platform_says_what_is_missing(command_line, tmp_path):
    target = tmp_path / "empty.tar.gz"
    code, told = command_line.data("report", "--to", str(target))
    assert code == 0
    assert "status.json" in {each["name"] for each in told["missing"]}
    assert "machine.json" in {each["name"] for each in told["parts"]}
