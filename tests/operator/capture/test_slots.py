"""The slot guardian on a real PostgreSQL: gaps are seen whatever the task says, and a rebuild leaves none."""

from __future__ import annotations

import asyncio
import json

import pytest

from ticketly_crds import names
from ticketly_crds.status import ConditionType, ConnectorPhase, Reason
from ticketly_lab.stores import CONNECT, POSTGRES

pytestmark = pytest.mark.timeout(1200)
"""Several waits for real parts in each, and the first test starts them."""

TABLES, SLOT = names.EVENT_CONNECTOR, names.EVENT_SLOT
READY = ConditionType.CONNECTORS_READY


async def running(bench):
    """Both connectors run, and one row has gone all the way."""
    await bench.until_running()
    organization = await bench.add_organization()
    await bench.arrived(organization)
    return organization


async def stopped(bench):
    """As Connect leaves a connector that a person stopped: no task, offsets stored, nobody reads the slot."""
    bench.change()["connectors"]["eventTables"]["state"] = "stopped"
    await bench.until_reason(Reason.CONNECTOR_HELD)
    await bench.until_idle()


def policy(bench, chosen, **limits):
    described = bench.change()["connectors"]["eventTables"]
    described["slot"] = {**described.get("slot", {}), "policy": chosen, **limits}


async def never_restarted(bench):
    """Two days of looking: nothing is restarted, and the condition goes on saying why."""
    for _ in range(4):
        bench.later(hours=12)
        await bench.step()
        assert (bench.condition(READY).reason, bench.connector().phase) == (Reason.SLOT_LOST, ConnectorPhase.FAILED)
    assert bench.restarted == {}


async def rebuilt(bench, generation=2):
    """The policy brings it back; everything in the database is in the log afterwards."""
    policy(bench, "rebuild")
    await bench.until(lambda: bench.connector().generation == generation, "a new generation")
    await bench.until_running()
    assert bench.connector().generation == generation
    assert not bench.connector().rebuilding
    assert len([told for told in bench.told("ConnectorRebuild") if told.startswith(TABLES)]) == generation - 1
    after = await bench.add_organization("after")
    assert (await bench.arrived(after))["headers"] == {"generation": str(generation)}


async def test_a_slot_dropped_while_it_is_read_is_lost_and_a_rebuild_leaves_no_gap(bench):
    kept, removed = await running(bench), await bench.add_organization("removed")
    await bench.arrived(removed)
    await bench.drop_slot(SLOT)
    await bench.until_reason(Reason.SLOT_LOST)
    assert "no longer available on the server" in await bench.until_failed()
    await never_restarted(bench)
    missed = await bench.add_organization("missed")
    await bench.sql(names.EVENT_DATABASE, "delete from organizations where id = $1::uuid", removed)
    assert missed not in await bench.rows("organizations")
    await rebuilt(bench)
    # the snapshot of the second generation names every row that is there, and no other: what it leaves out was deleted
    present = {
        str(row["id"]): row["name"]
        for row in await bench.sql(names.EVENT_DATABASE, "select id, name from organizations")
    }
    second = {}
    for record in await bench.records(names.table_topic("organizations")):
        if dict(record.headers).get("generation") == b"2":
            second[json.loads(record.key)["id"]] = json.loads(record.value)
    assert {key: value["after"]["name"] for key, value in second.items()} == present
    assert second[missed]["op"] == "r"
    assert {kept, missed} <= set(second)
    assert removed not in second
    assert any(value["source"]["snapshot"] in ("last", "last_in_data_collection") for value in second.values())
    # a later operator without any status goes on with the same generation
    bench.forget()
    del bench.api.manifest["status"]
    bench.front.seen.clear()
    await bench.until_running()
    assert bench.connector().generation == 2
    assert bench.front.writes() == {}


@pytest.mark.parametrize("made_anew", [False, True], ids=["dropped", "dropped and made anew"])
async def test_a_slot_that_is_another_one_after_a_stop_is_lost(bench, made_anew):
    await running(bench)
    await stopped(bench)
    await bench.drop_slot(SLOT)
    missed = await bench.add_organization("missed")
    if made_anew:
        query = "select pg_create_logical_replication_slot($1, 'pgoutput')"
        await bench.sql(names.EVENT_DATABASE, query, SLOT)
    bench.change()["connectors"]["eventTables"]["state"] = "running"
    await bench.until_reason(Reason.SLOT_LOST)
    await never_restarted(bench)
    await rebuilt(bench)
    await bench.arrived(missed)


async def test_log_that_is_held_back_is_warned_about_and_acted_upon_at_the_limit(bench):
    policy(bench, "alert", retainedBytesWarn="20Mi", retainedBytesAct="60Mi")
    await running(bench)
    await bench.stores_setting(max_slot_wal_keep_size="512MB")
    try:
        await bench.until_running()
        await stopped(bench)
        await bench.write_log(32)
        await bench.until_reason(Reason.SLOT_RETAINING)
        assert "more than 20 MiB" in bench.condition(READY).message
        await bench.write_log(48)
        bench.later(seconds=10)
        await bench.until(lambda: "more than 60 MiB" in bench.condition(READY).message, "the second limit")
        slot = bench.connector().slot
        assert (slot.active, slot.retained_bytes > 60 * 2**20) == (False, True)
        assert any(", full in " in message for message in bench.told("SlotRetaining"))
        assert slot.seconds_to_full is None or slot.seconds_to_full >= 0
        assert bench.restarted == {}, "policy alert"
        bench.change()["connectors"]["eventTables"]["state"] = "running"
        await bench.until_running()
        assert bench.connector().slot.retained_bytes < 60 * 2**20
    finally:
        await bench.stores_setting(max_slot_wal_keep_size="-1")


async def test_policy_restart_connects_anew_and_stops_doing_so_when_it_does_not_help(bench):
    await running(bench)
    bench.stores.pause(CONNECT)
    try:
        await bench.write_log(24)
    finally:
        bench.stores.resume(CONNECT)
    # a transaction that stays open keeps the slot where it is, however often the connector comes anew
    connection = await bench.stores.sql(names.EVENT_DATABASE)
    try:
        await connection.execute("begin; select pg_current_xact_id()")
        policy(bench, "restart", retainedBytesWarn="8Mi", retainedBytesAct="16Mi")
        bench.spec["connectors"]["eventTables"]["maxRestarts"] = 2
        await bench.write_log(24)
        await bench.until(lambda: bench.restarted[TABLES] == 2, "as often as the budget allows")
        await bench.until_reason(Reason.SLOT_RETAINING)
        for _ in range(3):
            await bench.step()
        assert bench.restarted[TABLES] == 2
    finally:
        await connection.execute("rollback")
        await connection.close()
    await bench.until_running()


async def test_log_that_the_server_took_away_is_a_gap_also_while_the_connector_says_that_it_runs(bench):
    await running(bench)
    await bench.stores_setting(max_slot_wal_keep_size="32MB")
    try:
        await bench.until_running()
        await stopped(bench)

        async def lost():
            await bench.write_log(24)
            return (await bench.slot())["wal_status"] == "lost"

        for _ in range(10):
            if await lost():
                break
        missed = await bench.add_organization("missed")
        bench.change()["connectors"]["eventTables"]["state"] = "running"
        await bench.until_reason(Reason.SLOT_LOST)
        assert "removed by the server's limit" in bench.condition(READY).message
        await never_restarted(bench)
        # as much log may have cost the neighbour its slot, too
        bench.spec["connectors"]["orderOutbox"]["slot"] = {"policy": "rebuild"}
        await rebuilt(bench)
        await bench.arrived(missed)
    finally:
        await bench.stores_setting(max_slot_wal_keep_size="-1")


async def test_a_rebuild_that_was_cut_off_anywhere_is_finished_by_the_next_operator(bench):
    await running(bench)
    await bench.drop_slot(SLOT)
    await bench.until_reason(Reason.SLOT_LOST)
    policy(bench, "rebuild")
    wrong = {"DELETE", "PUT"}
    for number in range(12):
        # each attempt gets one write further than the one before
        allowed = number
        counted = 0

        def answer(method, path, limit=allowed):
            nonlocal counted
            if method in wrong and TABLES in path:
                counted += 1
                return None if counted <= limit else 500
            return None

        bench.front.answer = answer
        bench.forget()
        await bench.step()
        await asyncio.sleep(0.3)
        if bench.connector().generation == 2:
            break
    bench.front.answer = lambda method, path: None
    await bench.until_running()
    assert bench.connector().generation == 2
    await bench.arrived(await bench.add_organization())


async def test_two_restarts_of_postgresql_lose_nothing_and_alarm_nobody_for_long(bench):
    await running(bench)
    expected = []
    for number in range(2):
        expected.append(await bench.add_organization(f"before {number}"))
        await asyncio.to_thread(bench.stores.kill if number else bench.stores.stop, POSTGRES)
        await bench.until_reason(Reason.SLOT_UNREADABLE)
        await asyncio.to_thread(bench.stores.start_part, POSTGRES)
        expected.append(await bench.add_organization(f"after {number}"))
        await bench.until_running()
    for organization in expected:
        await bench.arrived(organization)
    assert bench.restarted == {}
    assert bench.told("SlotLost") == []


async def test_another_database_server_in_the_place_of_the_old_one_is_told_and_captured_anew(bench):
    await running(bench)
    await bench.write_log(8)
    await asyncio.to_thread(bench.stores.new_database_cluster)
    missed = await bench.add_organization("of the new server")
    await bench.until_reason(Reason.SLOT_LOST)
    # somebody makes the slot there by hand, at a position that says nothing about the old log
    await bench.drop_slot(SLOT)
    await bench.sql(names.EVENT_DATABASE, "select pg_create_logical_replication_slot($1, 'pgoutput')", SLOT)
    await bench.step()
    assert "is another one" in bench.condition(READY).message
    await never_restarted(bench)
    bench.spec["connectors"]["orderOutbox"]["slot"] = {"policy": "rebuild"}
    await rebuilt(bench)
    await bench.arrived(missed)


async def test_a_slot_is_watched_also_while_connect_is_away(bench):
    policy(bench, "alert", retainedBytesWarn="8Mi", retainedBytesAct="1Gi")
    await running(bench)
    bench.stores.kill(CONNECT)
    await bench.write_log(24)
    await bench.until(lambda: bench.told("SlotRetaining"), "a warning although Connect is away")
    assert bench.condition(READY).reason is Reason.SLOT_RETAINING, "the worst of what was found"
