"""Connectors on a real Kafka Connect with Debezium: made once, put back, restarted with patience, told by cause."""

from __future__ import annotations

import pytest

from ticketly_crds import names
from ticketly_crds.status import ConditionStatus, ConditionType, ConnectorPhase, FailureClass, Reason
from ticketly_lab.stores import CONNECT

pytestmark = pytest.mark.timeout(1200)
"""Several waits for real parts in each, and the first test starts them."""

TABLES, OUTBOX = names.EVENT_CONNECTOR, names.OUTBOX_CONNECTOR
READY = ConditionType.CONNECTORS_READY
CONFIGS = {("PUT", f"/connectors/{name}/config"): 1 for name in (TABLES, OUTBOX)}


async def test_connectors_are_put_once_rows_and_messages_arrive_and_at_rest_nothing_is_written(bench):
    await bench.until_running()
    assert bench.front.writes() == CONFIGS
    row = await bench.arrived(await bench.add_organization())
    assert row["after"]["name"] == "Harbour"
    assert row["headers"] == {}, "the first generation says nothing"
    key = await bench.add_message("seats.status", '{"a": [1, "b"]}')
    message = await bench.message(names.SEATS_STATUS_TOPIC, key)
    assert message.value == b'{"a": [1, "b"]}'
    bench.front.seen.clear()
    bench.api.reads.clear()
    for _ in range(5):
        await bench.step()
    assert bench.front.writes() == {}
    assert set(bench.api.reads.values()) == {5}, "each Secret is read once a round"


async def test_a_configuration_changed_by_hand_is_put_back_once(bench):
    await bench.until_running()
    config = await bench.connect("GET", f"/connectors/{TABLES}/config")
    await bench.connect("PUT", f"/connectors/{TABLES}/config", {**config, "poll.interval.ms": "900", "extra": "1"})
    bench.front.seen.clear()
    await bench.until_running()
    for _ in range(3):
        await bench.step()
    assert bench.front.writes() == {("PUT", f"/connectors/{TABLES}/config"): 1}
    assert await bench.connect("GET", f"/connectors/{TABLES}/config") == config
    assert "extra, poll.interval.ms" in bench.told("ConnectorApplied")[-1]


async def test_a_changed_description_is_put_once(bench):
    await bench.until_running()
    bench.change()["connectors"]["eventTables"]["heartbeatSeconds"] = 2
    bench.front.seen.clear()
    await bench.step()
    await bench.until_running()
    assert bench.front.writes() == {("PUT", f"/connectors/{TABLES}/config"): 1}


async def test_a_connector_is_held_as_the_description_says_and_brought_back(bench):
    await bench.until_running()
    for state, phase in (("paused", ConnectorPhase.PAUSED), ("stopped", ConnectorPhase.STOPPED)):
        bench.change()["connectors"]["eventTables"]["state"] = state
        await bench.until_reason(Reason.CONNECTOR_HELD)
        assert bench.connector().phase is phase
        assert (await bench.connect("GET", f"/connectors/{TABLES}/status"))["connector"]["state"] == state.upper()
        assert bench.condition(ConditionType.READY).status is ConditionStatus.TRUE, "readers wait, sales go on"
    organization = await bench.add_organization()
    bench.change()["connectors"]["eventTables"]["state"] = "running"
    await bench.until_running()
    await bench.arrived(organization)
    await bench.connect("PUT", f"/connectors/{TABLES}/pause")
    await bench.until(lambda: bench.told("ConnectorState")[-1].endswith("is paused, wanted running"), "it is resumed")
    await bench.until_running()


async def test_a_connector_that_is_held_does_not_hide_that_its_neighbour_is_not_read(bench):
    bench.change()["connectors"]["eventTables"]["state"] = "paused"
    await bench.until_reason(Reason.CONNECTOR_HELD)
    await bench.connect("PUT", f"/connectors/{OUTBOX}/stop")
    await bench.until_idle(names.OUTBOX_SLOT)
    await bench.drop_slot(names.OUTBOX_SLOT)
    await bench.until_reason(Reason.SLOT_LOST)
    assert bench.condition(ConditionType.READY).status is ConditionStatus.FALSE


async def test_a_connector_deleted_behind_its_back_is_made_again_and_misses_nothing(bench):
    await bench.until_running()
    await bench.connect("DELETE", f"/connectors/{TABLES}")
    organization = await bench.add_organization()
    await bench.until(lambda: "is missing" in bench.told("ConnectorApplied")[-1], "it is made again")
    await bench.until_running()
    await bench.arrived(organization)
    assert bench.restarted == {}


async def test_a_deleted_connector_whose_slot_went_as_well_is_not_taken_for_well(bench):
    await bench.until_running()
    await bench.arrived(await bench.add_organization())
    await bench.connect("DELETE", f"/connectors/{TABLES}")
    await bench.drop_slot(names.EVENT_SLOT)
    await bench.until_reason(Reason.SLOT_LOST)
    assert bench.restarted == {}


async def test_a_task_that_loses_its_connection_comes_back_by_itself(bench):
    await bench.until_running()
    await bench.arrived(await bench.add_organization())
    query = "select pg_terminate_backend(active_pid) from pg_replication_slots where active"
    assert len(await bench.sql("postgres", query)) == 2
    organization = await bench.add_organization()
    await bench.arrived(organization)
    await bench.until_running()
    assert bench.restarted == {}


async def test_failed_tasks_are_restarted_later_and_later_until_the_budget_is_used_up_and_get_it_back(bench):
    bench.change()["connectors"]["eventTables"]["maxRestarts"] = 2
    bench.spec["connectors"]["orderOutbox"]["enabled"] = False
    # what Debezium takes for passing it repeats by itself for ever; this it does not know
    await bench.sql("postgres", f"alter role {names.CDC_ROLE} set dynamic_library_path = '/nowhere'")
    await bench.until(lambda: bench.front.writes(), "it is put")
    assert 'could not access file "pgoutput"' in await bench.until_failed()
    await bench.until(lambda: bench.restarted[TABLES] == 1, "the first restart, at once")
    await bench.until_failed()
    for _ in range(3):
        await bench.step()
    assert (bench.restarted[TABLES], bench.connector().failure) == (1, FailureClass.RETRIABLE)
    assert bench.connector().next_restart_time is not None
    bench.forget()
    bench.later(minutes=2, seconds=5)
    await bench.until(lambda: bench.restarted[TABLES] == 2, "the second restart, two minutes later")
    await bench.until_failed()
    await bench.until_reason(Reason.RESTARTS_EXHAUSTED)
    bench.later(days=1)
    await bench.step()
    assert bench.restarted[TABLES] == 2
    await bench.sql("postgres", f"alter role {names.CDC_ROLE} reset dynamic_library_path")
    await bench.connect("POST", f"/connectors/{TABLES}/restart?includeTasks=true&onlyFailed=true")
    await bench.until(lambda: bench.condition(READY).status is ConditionStatus.TRUE, "a person's restart helps")
    assert bench.connector().restarts == 2
    bench.later(minutes=31)
    await bench.step()
    assert bench.connector().restarts == 0


async def test_a_task_that_says_that_it_runs_and_does_not_is_seen_through(bench):
    await bench.until_running()
    await bench.arrived(await bench.add_organization())
    # Debezium repeats a start that is refused like this for ever, and the task is RUNNING all the time
    await bench.sql("postgres", f"alter role {names.CDC_ROLE} connection limit 0")
    await bench.connect("POST", f"/connectors/{TABLES}/restart?includeTasks=true")
    await bench.until_idle()
    await bench.until_reason(Reason.SLOT_UNREADABLE)
    assert (await bench.task())["state"] == "RUNNING"
    await bench.sql("postgres", f"alter role {names.CDC_ROLE} connection limit -1")
    await bench.until_running()
    assert bench.restarted == {}


async def test_a_rotated_password_is_taken_up_and_a_wrong_one_is_told(bench):
    await bench.until_running()
    right = bench.api.secrets["ticketly-postgres"]
    wrong = {**right, names.CDC_PASSWORD_KEY: "wrong"}
    bench.stores.mount("ticketly-postgres", wrong)
    await bench.connect("POST", f"/connectors/{TABLES}/restart?includeTasks=true")
    trace = await bench.until_failed()
    assert "password authentication failed" in trace
    await bench.until(lambda: bench.restarted[TABLES] == 1, "one attempt at once")
    await bench.until_failed()
    await bench.until_reason(Reason.AUTHENTICATION_FAILED)
    bench.later(minutes=50)
    await bench.step()
    assert (bench.restarted[TABLES], bench.connector().failure) == (1, FailureClass.AUTHENTICATION)
    assert "wrong" not in bench.condition(READY).message
    # somebody writes the Secret; the workers see it a moment later
    bench.stores.mount("ticketly-postgres", right)
    bench.api.secrets["ticketly-postgres"] = {**right, "note": "rotated"}
    await bench.until_running()
    assert bench.restarted[TABLES] == 2


async def test_secrets_that_the_workers_do_not_have_yet_are_waited_for(bench):
    bench.stores.mount("ticketly-postgres", None)
    await bench.until_reason(Reason.AUTHENTICATION_FAILED)
    assert bench.connector().phase is ConnectorPhase.FAILED
    assert bench.told("ConnectorApplied") == [], "nothing was applied"
    bench.stores.mount("ticketly-postgres", bench.api.secrets["ticketly-postgres"])
    await bench.until_running()


async def test_a_role_that_may_not_read_the_log_is_told_as_a_matter_of_access(bench):
    await bench.sql("postgres", f"alter role {names.CDC_ROLE} noreplication")
    try:
        await bench.until_reason(Reason.AUTHENTICATION_FAILED)
        assert "permission denied to start WAL sender" in await bench.until_failed()
        await bench.step()
    finally:
        await bench.sql("postgres", f"alter role {names.CDC_ROLE} replication")
    await bench.until_running_again()


async def test_a_publication_that_is_gone_is_told_also_while_the_task_says_that_it_runs(bench):
    await bench.until_running()
    await bench.sql(names.EVENT_DATABASE, f"alter publication {names.EVENT_PUBLICATION} rename to elsewhere")
    try:
        assert (await bench.task())["state"] == "RUNNING"
        await bench.until_reason(Reason.SCHEMA_REFUSED)
        assert names.EVENT_PUBLICATION in bench.condition(READY).message
        await bench.connect("POST", f"/connectors/{TABLES}/restart?includeTasks=true")
        assert "Publication autocreation is disabled" in await bench.until_failed()
        await bench.until(lambda: bench.connector().failure is FailureClass.SCHEMA, "the class of the failure")
        await bench.until_failed()
        await bench.step()
    finally:
        await bench.sql(names.EVENT_DATABASE, f"alter publication elsewhere rename to {names.EVENT_PUBLICATION}")
    await bench.until_running_again()


@pytest.mark.parametrize("answer", [409, 500, 0], ids=["rebalancing", "broken", "hanging"])
async def test_a_connect_that_cannot_now_is_told_and_taken_up_again(bench, answer):
    await bench.until_running()
    bench.front.answer = lambda method, path: answer
    outcome = await bench.step()
    assert outcome.failed, "looked at again soon, with back-off"
    condition = bench.condition(READY)
    assert (condition.status, condition.reason) == (ConditionStatus.UNKNOWN, Reason.CONNECT_UNREACHABLE)
    assert bench.connector().phase is ConnectorPhase.UNKNOWN
    bench.front.answer = lambda method, path: None
    bench.front.seen.clear()
    await bench.until_running()
    assert bench.front.writes() == {}


async def test_a_connect_that_hangs_while_it_is_written_to_leaves_one_connector(bench):
    await bench.step()
    await bench.until_running()
    bench.front.answer = lambda method, path: 0 if method == "PUT" else None
    bench.change()["connectors"]["eventTables"]["heartbeatSeconds"] = 3
    outcome = await bench.step()
    assert outcome.failed
    bench.front.answer = lambda method, path: None
    await bench.step()
    await bench.until_running()
    config = await bench.connect("GET", f"/connectors/{TABLES}/config")
    assert config["heartbeat.interval.ms"] == "3000"


async def test_a_killed_connect_comes_back_with_its_connectors(bench):
    await bench.until_running()
    await bench.arrived(await bench.add_organization())
    bench.stores.kill(CONNECT)
    await bench.until_reason(Reason.CONNECT_UNREACHABLE)
    organization = await bench.add_organization()
    bench.front.seen.clear()
    bench.stores.start_part(CONNECT)
    await bench.until_running()
    await bench.arrived(organization)
    assert bench.front.writes() == {}
