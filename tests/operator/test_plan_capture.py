"""Topics, connectors and slots: what is decided from what is seen, moment by moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from ticketly_crds.blueprint import SecretRef, Topic, blueprint, cluster
from ticketly_crds.spec import parse
from ticketly_crds.status import ConditionStatus, ConnectorPhase, ConnectorStatus, FailureClass, Reason
from ticketly_operator.desired.connectors import configuration, generation_of
from ticketly_operator.observed import SeenConnector, SeenDatabase, SeenSlot, SeenTask, SeenTopic
from ticketly_operator.plan.connectors import Pace, cause, classify, plan_connector, refused, wait_before
from ticketly_operator.plan.slots import Reading, judge_slot, lsn_text, seconds_to_full
from ticketly_operator.plan.topics import acknowledged, plan_topics

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PACE = Pace(backoff_cap=timedelta(minutes=60), healthy_reset=timedelta(minutes=30))
TRACE = (
    "org.apache.kafka.connect.errors.ConnectException: stopped\n\tat x\nCaused by: java.io.EOFException: gone\n\tat y"
)


def sample(**spec):
    document = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
    document["spec"].update(spec)
    platform = parse(document)
    return blueprint(platform, cluster(platform))


WANTED = sample().connectors[0]
CONFIG = configuration(WANTED, "/secrets")

# --- topics -----------------------------------------------------------------------------------------------------------

KEYED = Topic("keyed", 12, 3, {"cleanup.policy": "compact"}, keyed=True)
PLAIN = Topic("plain", 2, 3, {}, keyed=False)


def seen_as(topic, **members):
    values = {
        "name": topic.name,
        "partitions": topic.partitions,
        "replication_factor": topic.replication_factor,
        "config": dict(topic.config),
    }
    return {topic.name: SeenTopic(**{**values, **members})}


def test_topics_as_wanted_need_nothing():
    plan = plan_topics([KEYED, PLAIN], {**seen_as(KEYED), **seen_as(PLAIN)}, {}, "p")
    assert (plan.create, plan.grow, plan.configure, plan.findings, plan.notices) == ((), (), (), (), ())


def test_missing_topics_are_created():
    assert plan_topics([KEYED, PLAIN], seen_as(PLAIN), {}, "p").create == (KEYED,)


def test_an_unkeyed_topic_grows_and_a_keyed_one_only_on_somebodys_word():
    seen = {**seen_as(KEYED, partitions=6), **seen_as(PLAIN, partitions=1)}
    plan = plan_topics([KEYED, PLAIN], seen, {}, "p")
    assert plan.grow == (PLAIN,)
    (finding,) = plan.findings
    assert finding.reason is Reason.PARTITIONS_NEED_ACKNOWLEDGEMENT
    assert "ticketly.io/acknowledge-partitions=keyed=12" in finding.message
    agreed = plan_topics([KEYED, PLAIN], seen, acknowledged("other=3, keyed=12"), "p")
    assert (agreed.grow, agreed.findings) == ((KEYED, PLAIN), ())


def test_a_setting_for_a_topic_that_no_platform_has_is_refused():
    plan = plan_topics([KEYED], seen_as(KEYED), {}, "p", ["keyed", "typo"])
    (finding,) = plan.findings
    assert (finding.reason, "typo" in finding.message, "keyed" in finding.message) == (
        Reason.TOPIC_REFUSED,
        True,
        False,
    )


def test_a_word_for_another_count_does_not_hold():
    assert plan_topics([KEYED], seen_as(KEYED, partitions=6), {"keyed": 24}, "p").grow == ()


def test_nothing_shrinks_and_replication_is_only_reported():
    plan = plan_topics([KEYED], seen_as(KEYED, partitions=24, replication_factor=1), {}, "p")
    assert (plan.create, plan.grow, plan.configure) == ((), (), ())
    assert [finding.reason for finding in plan.findings] == [
        Reason.PARTITIONS_CANNOT_SHRINK,
        Reason.REPLICATION_DIFFERS,
    ]


def test_settings_made_by_hand_are_put_back_and_told():
    plan = plan_topics([KEYED], seen_as(KEYED, config={"cleanup.policy": "delete", "retention.ms": "1"}), {}, "p")
    assert plan.configure == (KEYED,)
    assert plan.notices[0].message == "topic keyed: cleanup.policy: delete -> compact, retention.ms: 1 -> default"


@pytest.mark.parametrize("text", ["", "nonsense", "a=", "=3", "a=x", "a=٣", ",,,"])
def test_a_word_that_says_nothing_is_no_word(text):
    assert acknowledged(text) in ({}, {"": 3})


# --- connectors -------------------------------------------------------------------------------------------------------


def connector(state="RUNNING", *tasks, config=None):
    return SeenConnector(WANTED.name, CONFIG if config is None else config, state, tasks)


def decide(seen, previous=None, *, wanted=WANTED, now=NOW, lost="", **more):
    return plan_connector(wanted, CONFIG, seen, previous, PACE, now, None, lost, **more)


RUNNING = SeenTask(0, "RUNNING")
FAILED = SeenTask(0, "FAILED", TRACE)


def test_passwords_stay_references():
    secrets = [key for key, value in WANTED.config.items() if isinstance(value, SecretRef)]
    assert secrets == ["database.password"]
    assert CONFIG["database.password"] == "${directory:/secrets/ticketly-postgres:cdc-password}"


def test_a_missing_connector_and_a_differing_one_are_put_and_an_equal_one_is_left_alone():
    assert decide(None).act == "put"
    assert decide(connector("RUNNING", RUNNING, config={**CONFIG, "poll.interval.ms": "9"})).act == "put"
    plan = decide(connector("RUNNING", RUNNING))
    assert (plan.act, plan.finding.status, plan.status.phase) == ("none", ConditionStatus.TRUE, ConnectorPhase.RUNNING)


def test_a_differing_configuration_is_told_by_name_never_by_value():
    plan = decide(connector("RUNNING", RUNNING, config={**CONFIG, "database.password": "hunter2"}))
    assert "database.password" in plan.notices[0].message
    assert "hunter2" not in repr(plan)


@pytest.mark.parametrize(
    ("wanted", "state", "act"),
    [("running", "PAUSED", "state"), ("paused", "RUNNING", "state"), ("paused", "PAUSED", "none")],
)
def test_the_wanted_state_is_brought_about(wanted, state, act):
    key = {"eventTables": {"state": wanted}}
    described = sample(connectors=key).connectors[0]
    plan = decide(connector(state, RUNNING), wanted=described)
    assert plan.act == act
    if act == "none":
        assert plan.finding.reason is Reason.CONNECTOR_HELD


def test_a_failed_task_is_restarted_at_once_then_later_and_later_until_the_budget_is_used_up():
    status, now, restarts = None, NOW, []
    for _ in range(WANTED.max_restarts):
        plan = decide(connector("RUNNING", FAILED), status, now=now)
        if plan.act == "none":
            assert plan.status.next_restart_time is not None
            now = plan.status.next_restart_time
            plan = decide(connector("RUNNING", FAILED), plan.status, now=now)
        assert plan.act == "restart"
        restarts.append((now - NOW).total_seconds() / 60)
        status = plan.status
    waits = [after - before for before, after in pairwise(restarts)]
    assert waits == [2, 6, 12, 20, 30, 42]
    plan = decide(connector("RUNNING", FAILED), status, now=now + timedelta(days=1))
    assert (plan.act, plan.finding.reason) == ("none", Reason.RESTARTS_EXHAUSTED)


def test_waits_are_capped():
    assert [wait_before(n, timedelta(minutes=60)).total_seconds() / 60 for n in (0, 1, 7, 8, 100)] == [0, 2, 56, 60, 60]


def test_counting_goes_on_after_an_operators_restart():
    plan = decide(connector("RUNNING", FAILED), ConnectorStatus(name="c", phase=ConnectorPhase.UNKNOWN, restarts=3))
    stored = ConnectorStatus.model_validate_json(plan.status.model_dump_json())
    assert decide(connector("RUNNING", FAILED), stored, now=NOW + timedelta(minutes=11)).act == "none"
    assert decide(connector("RUNNING", FAILED), stored, now=NOW + timedelta(minutes=12)).act == "restart"


def test_a_healthy_period_gives_the_budget_back():
    before = ConnectorStatus(name=WANTED.name, phase=ConnectorPhase.RETRYING, restarts=5)
    first = decide(connector("RUNNING", RUNNING), before)
    assert (first.status.restarts, first.status.running_since) == (5, NOW)
    almost = decide(connector("RUNNING", RUNNING), first.status, now=NOW + timedelta(minutes=29, seconds=59))
    assert almost.status.restarts == 5
    assert decide(connector("RUNNING", RUNNING), almost.status, now=NOW + timedelta(minutes=30)).status.restarts == 0


def test_a_task_that_says_that_it_runs_over_a_slot_that_nobody_reads_is_restarted_in_the_end():
    first = decide(connector("RUNNING", RUNNING), unread_since=NOW)
    assert (first.act, first.finding.reason) == ("none", Reason.CONNECTOR_STARTING)
    late = NOW + timedelta(minutes=5)
    second = decide(connector("RUNNING", RUNNING), first.status, now=late, unread_since=NOW)
    assert (second.act, second.finding.reason, second.status.restarts) == ("restart", Reason.CONNECTOR_RETRYING, 1)
    third = decide(connector("RUNNING", RUNNING), second.status, now=late, unread_since=NOW)
    assert (third.act, third.status.next_restart_time) == ("none", late + timedelta(minutes=2))


def test_running_at_rest_changes_nothing_in_the_status():
    first = decide(connector("RUNNING", RUNNING)).status
    assert decide(connector("RUNNING", RUNNING), first, now=NOW + timedelta(minutes=5)).status == first


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ("The db history ... is no longer available on the server. Reconfigure the connector", FailureClass.SLOT_LOST),
        (
            'Caused by: ERROR: can no longer get changes from replication slot "ticketly_event_tables"',
            FailureClass.SLOT_LOST,
        ),
        ('FATAL: password authentication failed for user "ticketly_cdc"', FailureClass.AUTHENTICATION),
        ('ERROR: publication "ticketly_tables" does not exist', FailureClass.SCHEMA),
        (
            "Publication autocreation is disabled, please create one and restart the connector.",
            FailureClass.SCHEMA,
        ),
        ("FATAL: permission denied to start WAL sender", FailureClass.AUTHENTICATION),
        (
            "Couldn't obtain encoding for database event_service\nCaused by: java.net.ConnectException: refused",
            FailureClass.RETRIABLE,
        ),
        ("java.net.ConnectException: Connection refused", FailureClass.RETRIABLE),
        ("something nobody has seen before", FailureClass.RETRIABLE),
    ],
)
def test_why_a_task_failed_is_read_from_its_trace(trace, expected):
    assert classify(trace) is expected


def test_the_innermost_cause_is_told():
    assert cause(TRACE) == "java.io.EOFException: gone"
    assert cause("") == ""


def test_the_readers_state_is_left_out_of_a_cause():
    trace = (
        "io.debezium.DebeziumException: The connector is trying to read change stream starting at PostgresOffsetContext"
        " [a=b[c], d=[e, f]], but this is no longer available on the server. Reconfigure the connector.\n\tat x"
    )
    assert cause(trace).endswith(
        "at its stored position, but this is no longer available on the server. Reconfigure the connector."
    )


def test_a_lost_slot_is_never_restarted_whether_the_task_says_so_or_not():
    lost = SeenTask(0, "FAILED", "... is no longer available on the server ...")
    for seen, verdict in ((connector("RUNNING", lost), ""), (connector("RUNNING", RUNNING), "slot is gone")):
        status = None
        for hour in range(48):
            plan = decide(seen, status, now=NOW + timedelta(hours=hour), lost=verdict)
            assert (plan.act, plan.finding.reason) == ("none", Reason.SLOT_LOST)
            status = plan.status


def test_a_refused_login_is_tried_once_at_once_and_then_waits_the_longest():
    refused = SeenTask(0, "FAILED", "FATAL: password authentication failed")
    first = decide(connector("RUNNING", refused))
    assert (first.act, first.finding.reason) == ("restart", Reason.AUTHENTICATION_FAILED)
    second = decide(connector("RUNNING", refused), first.status)
    assert (second.act, second.status.next_restart_time) == ("none", NOW + timedelta(minutes=60))
    assert decide(connector("RUNNING", refused, config={}), second.status).act == "put"


def test_a_refused_login_is_tried_soon_after_somebody_changed_the_credentials():
    refused = SeenTask(0, "FAILED", "FATAL: password authentication failed")
    first = decide(connector("RUNNING", refused), mended=True)
    second = decide(connector("RUNNING", refused), first.status, mended=True)
    assert (first.act, second.status.next_restart_time) == ("restart", NOW + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "Error while validating connector config: FATAL: password authentication failed",
            Reason.AUTHENTICATION_FAILED,
        ),
        ("Unknown configuration", Reason.CONNECT_REFUSED),
    ],
)
def test_a_refusal_by_connect_is_told_by_its_cause_and_what_runs_goes_on(said, reason):
    running = ConnectorStatus(name=WANTED.name, phase=ConnectorPhase.STARTING, restarts=3)
    plan = refused(WANTED, running, connector("RUNNING", RUNNING), said)
    assert (plan.act, plan.finding.reason, plan.status.phase) == ("none", reason, ConnectorPhase.RUNNING)
    assert refused(WANTED, running, None, said).status.phase is ConnectorPhase.FAILED


def test_from_the_second_generation_on_every_record_carries_it():
    assert generation_of(configuration(WANTED, "/secrets")) == 1
    assert "transforms" not in configuration(WANTED, "/secrets")
    tables, outbox = sample().connectors
    for wanted, transforms in ((tables, "generation"), (outbox, "outbox,generation")):
        config = configuration(wanted, "/secrets", 3)
        assert (config["transforms"], generation_of(config)) == (transforms, 3)
        assert generation_of({**config, "transforms.generation.value.literal": "nonsense"}) == 1


# --- slots ------------------------------------------------------------------------------------------------------------

MIB = 1024 * 1024


def slot(**members):
    values = {
        "name": WANTED.slot,
        "active": True,
        "wal_status": "reserved",
        "restart_lsn": 1000,
        "confirmed_flush_lsn": 1000,
        "current_lsn": 2000,
        "safe_wal_bytes": None,
    }
    return SeenSlot(**{**values, **members})


SYSTEM = 7_000_000_000_000_000_000


def judge(seen, offsets=None, before=None, *, system=SYSTEM):
    return judge_slot(WANTED, SeenDatabase(system, published=True, slot=seen), offsets, before, NOW)


def test_a_slot_that_is_well_is_only_shown():
    verdict = judge(slot(), {"lsn_commit": 1500})
    assert (verdict.lost, verdict.act, verdict.findings) == ("", False, ())
    assert verdict.status.retained_bytes == 1000


@pytest.mark.parametrize(
    ("seen", "offsets"),
    [
        (None, {"lsn": 5}),
        (slot(wal_status="lost"), {"lsn": 1500}),
        (slot(confirmed_flush_lsn=1600), {"lsn_commit": 1500}),
        (slot(), {"lsn": 2001}),
    ],
    ids=["gone", "its log was removed", "made anew behind the connector's back", "of a server that is behind"],
)
def test_a_gap_is_seen_whatever_the_task_says(seen, offsets):
    assert judge(seen, offsets).lost


def test_a_slot_is_unread_only_after_the_snapshot():
    idle = slot(active=False)
    assert judge(idle, {"lsn": 1500}).unread
    assert not judge(idle, {"lsn": 1500, "snapshot": "INITIAL"}).unread
    assert not judge(idle, None).unread
    assert not judge(slot(), {"lsn": 1500}).unread


def test_another_server_in_the_place_of_the_old_one_has_another_log():
    before = Reading(NOW - timedelta(seconds=10), 100, SYSTEM)
    assert "new identity" in judge(slot(), {"lsn": 1500}, before, system=SYSTEM + 1).lost
    assert judge(slot(), {"lsn": 1500}, before).lost == ""
    assert judge(slot(), None, before, system=SYSTEM + 1).lost == "", "nothing was read yet that could be missing"


def test_a_connector_confirms_within_a_transaction_beyond_its_last_commit():
    offsets = {"lsn_proc": 1700, "lsn_commit": 1500, "lsn": 1700}
    assert judge(slot(confirmed_flush_lsn=1700), offsets).lost == ""
    assert judge(slot(confirmed_flush_lsn=1701), offsets).lost


def test_before_the_first_start_there_is_no_slot_and_nothing_is_lost():
    assert judge(None).lost == ""


def test_retained_log_is_told_at_the_warning_and_acted_upon_at_the_limit():
    warn = judge(slot(current_lsn=1000 + 1024 * MIB))
    act = judge(slot(current_lsn=1000 + 4096 * MIB))
    assert (warn.act, act.act) == (False, True)
    assert [verdict.findings[0].reason for verdict in (warn, act)] == [Reason.SLOT_RETAINING] * 2
    assert judge(slot(current_lsn=999 + 1024 * MIB)).findings == ()


def test_the_time_to_full_is_projected_from_two_looks():
    before = Reading(NOW - timedelta(seconds=10), 100, SYSTEM)
    seen = slot(current_lsn=1000 + 200, safe_wal_bytes=500)
    assert seconds_to_full(seen, before, NOW) == 50
    assert seconds_to_full(seen, None, NOW) is None
    assert seconds_to_full(seen, Reading(NOW, 100, SYSTEM), NOW) is None
    assert seconds_to_full(slot(current_lsn=1050, safe_wal_bytes=500), before, NOW) is None


def test_positions_are_written_as_postgresql_writes_them():
    assert lsn_text(0x16_B374D848) == "16/B374D848"
