"""What people and programs see of a cluster: statuses, events, topics, lag, records, connectors, redacted text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.cluster import (
    connector_views,
    eventlog,
    lag_views,
    operators,
    peeking,
    podlogs,
    redaction,
    rollouts,
    statuses,
    topic_views,
)
from ticketly_cli.cluster.brokers import Group, SeenRecord, Topic
from ticketly_cli.cluster.connector_views import Connector, ConnectorList, Slot, Task
from ticketly_cli.cluster.lag_views import LagReport, Projection
from ticketly_cli.cluster.peeking import Peek
from ticketly_cli.cluster.reporting import tidy, tidy_platform
from ticketly_cli.cluster.statuses import ClusterStatus
from ticketly_cli.results import Cell, Facts, Table
from ticketly_crds.blueprint import Topic as WantedTopic
from ticketly_operator.desired import installation
from ticketly_operator.settings import OperatorSettings

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def text_of(view) -> str:
    """Everything a view says, a line for each row."""
    lines = []
    for part in view:
        if isinstance(part, Table):
            lines += [" | ".join(each.text if isinstance(each, Cell) else each for each in row) for row in part.rows]
        elif isinstance(part, Facts):
            lines += [f"{name}: {each.text if isinstance(each, Cell) else each}" for name, each in part.pairs]
        else:
            lines.append(part.text)
    return "\n".join(lines)


# --- the two sets of defaults ---------------------------------------------------------------------------------------


def test_the_operator_is_looked_for_where_it_is_installed():
    assert installation.NAME == operators.DEPLOYMENT_NAME
    assert installation.Installation().namespace == operators.DEFAULT_NAMESPACE
    assert dict(part.split("=") for part in operators.SELECTOR.split(",")) == installation.selector()


def test_the_usual_limits_are_the_defaults_of_the_operators_settings():
    usual, rollout = operators.Limits(), OperatorSettings().rollout
    assert usual.termination_grace_seconds == rollout.termination_grace_seconds
    assert usual.migration_deadline_seconds == rollout.migration_deadline_seconds
    assert usual.rollout_deadline_seconds == rollout.deadline_seconds


def test_an_operators_settings_are_read_from_its_deployment():
    variables = {
        "TICKETLY_OPERATOR_SCOPE_NAMESPACE": "shop",
        "TICKETLY_OPERATOR_ROLLOUT_DEADLINE_SECONDS": "90",
        "TICKETLY_OPERATOR_ROLLOUT_MIGRATION_DEADLINE_SECONDS": "30.0",
        "TICKETLY_OPERATOR_ROLLOUT_TERMINATION_GRACE_SECONDS": "not a number",
    }
    env = [{"name": name, "value": value} for name, value in variables.items()]
    container = {"image": "i", "env": [*env, {"name": "POD_NAMESPACE", "valueFrom": {}}]}
    spec = {"replicas": 2, "template": {"spec": {"containers": [container]}}}
    found = operators.described({"metadata": {"namespace": "ops"}, "spec": spec, "status": {"readyReplicas": 1}})
    assert found.limits == operators.Limits(45, 30, 90)
    assert (found.sees("shop"), found.sees("other"), found.ready_replicas) == (True, False, 1)


# --- status ----------------------------------------------------------------------------------------------------------


def condition(kind, status, reason="R", message="", generation=3):
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation,
        "lastTransitionTime": (NOW - timedelta(minutes=5)).isoformat(),
    }  # fmt: skip


def platform(*conditions, generation=3, **status):
    metadata = {"name": "ticketly", "namespace": "shop", "generation": generation}
    return {"metadata": metadata, "status": {"observedGeneration": 3, "conditions": list(conditions), **status}}


def test_ready_counts_only_for_the_description_as_it_is_now():
    assert statuses.is_ready(platform(condition("Ready", "True")))
    assert not statuses.is_ready(platform(condition("Ready", "True"), generation=4))
    assert not statuses.is_ready({"metadata": {"name": "a", "namespace": "b", "generation": 1}})
    assert statuses.hopeless(platform(condition("Ready", "False", "InvalidSpec")))
    assert not statuses.hopeless(platform(condition("Ready", "False", "InvalidSpec"), generation=4))
    assert not statuses.hopeless(platform(condition("Ready", "False", "SecretMissing")))


def test_why_it_is_not_ready_names_what_else_is_wrong():
    found = platform(
        condition("Ready", "False", "TopicsNotReady", "no broker"),
        condition("Degraded", "True", "ServicesDegraded"),
        condition("Paused", "False", "NotPaused"),
    )
    assert statuses.why_not_ready(found) == "TopicsNotReady: no broker; Degraded=True ServicesDegraded"


def test_a_status_of_a_newer_operator_is_still_shown():
    found = platform(
        condition("Ready", "False", "ReasonOfTheFuture"), condition("FutureType", "True"), novelty={"aB": 1}
    )
    status = ClusterStatus(found, None, "lab", NOW)
    assert "ReasonOfTheFuture" in text_of(status.to_view())
    assert status.to_data()["conditions"][1]["type"] == "FutureType"


def test_a_status_shows_services_connectors_and_who_is_missing():
    found = platform(
        condition("Ready", "False", "ServicesNotReady"),
        services=[
            {"name": "order", "phase": "Stuck", "readyReplicas": 1, "replicas": 2, "image": "r/order:1",
             "message": "x"},
        ],
        connectors=[
            {"name": "outbox", "phase": "Retrying", "restarts": 3, "message": "m",
             "nextRestartTime": (NOW + timedelta(minutes=12)).isoformat(),
             "slot": {"name": "s", "active": True, "retainedBytes": 5 * 1024**3, "secondsToFull": 7200}},
        ],
    )  # fmt: skip
    status = ClusterStatus(found, None, "lab", NOW, must_be_ready=True)
    shown = text_of(status.to_view())
    assert "nobody acts on this platform" in shown
    assert "order | Stuck | 1/2 | order:1 | x" in shown
    assert "outbox | Retrying | 3 | in 12 min | 5.0 GiB | full in 2 h | m" in shown
    assert status.exit_code == 1
    data = status.to_data()
    assert data["services"][0]["ready_replicas"] == 1
    assert data["connectors"][0]["slot"]["seconds_to_full"] == 7200
    json.dumps(data)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (20 * 1024**2, "20 MiB"), (3 * 1024**3, "3.0 GiB")],
)
def test_sizes(count, text):
    assert statuses.size(count) == text


# --- events and roll-outs --------------------------------------------------------------------------------------------


def event(kind, name, when, **more):
    return {
        "involvedObject": {"kind": kind, "name": name},
        "lastTimestamp": when,
        "metadata": {},
        "reason": "R",
        **more,
    }


def test_events_of_the_platform_and_its_children_come_in_order_those_of_others_do_not():
    found = [
        event("Pod", "ticketly-order-7d9-x", "2026-11-26T05:00:02Z"),
        event("TicketlyPlatform", "ticketly", None, eventTime="2026-11-26T05:00:01.123456Z", type="Warning",
              message="a\nb"),
        event("Pod", "shop-order-1", "2026-11-26T05:00:00Z"),
        event("TicketlyPlatform", "other", "2026-11-26T05:00:00Z"),
        event("HorizontalPodAutoscaler", "ticketly-order", "2026-11-26T05:00:00Z", series={"count": 7}),
    ]  # fmt: skip
    told = eventlog.about(found, "ticketly", warnings=False)
    assert [each["object"] for each in told] == [
        "HorizontalPodAutoscaler/ticketly-order", "TicketlyPlatform/ticketly", "Pod/ticketly-order-7d9-x",
    ]  # fmt: skip
    assert told[0]["count"] == 7
    assert told[1]["message"] == "a b"
    assert [each["object"] for each in eventlog.about(found, "ticketly", warnings=True)] == [
        "TicketlyPlatform/ticketly"
    ]
    assert "There are no warnings" in text_of(eventlog.EventList([], NOW, warnings_only=True).to_view())


def test_a_pod_says_why_it_does_not_start():
    pods = [
        {"metadata": {"name": "a"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}]}},
        {"metadata": {"name": "b"}, "status": {"containerStatuses": [
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}},
        {"metadata": {"name": "c"}, "status": {"containerStatuses": [
            {"state": {"waiting": {"reason": "ContainerCreating"}},
             "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}},
    ]  # fmt: skip
    assert rollouts.complaints(pods) == [
        "a: Unschedulable: no node", "b: ImagePullBackOff: no such image", "c: ended with OOMKilled (exit code 137)",
    ]  # fmt: skip


def test_a_rollout_is_over_when_every_pod_is_new_and_available():
    done = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    base = {"metadata": {"generation": 2}, "spec": {"replicas": 2}}
    assert rollouts.rolled_out({**base, "status": done})
    for change in ({"observedGeneration": 1}, {"replicas": 3}, {"updatedReplicas": 1}, {"availableReplicas": 1}):
        assert not rollouts.rolled_out({**base, "status": {**done, **change}})


def test_log_lines_carry_their_pod_and_missing_logs_are_said():
    logs = podlogs.PodLogs(
        "order", [{"name": "a", "lines": ["x"]}, {"name": "b", "lines": [], "problem": "no kubelet"}]
    )
    assert text_of(logs.to_view()) == "a  x\nb  no log: no kubelet"
    assert logs.exit_code == 0
    assert podlogs.PodLogs("order", [{"name": "b", "lines": [], "problem": "p"}]).exit_code == 4


# --- Kafka -----------------------------------------------------------------------------------------------------------


def test_topics_are_shown_beside_what_the_platform_wants():
    seen = [
        Topic("a", 3, 1, 0, {"cleanup.policy": "delete", "retention.ms": "5"}),
        Topic("b", 12, 3, 2, {"cleanup.policy": "compact"}),
        Topic("strange", 1, 1, 0, {}),
    ]
    wanted = [
        WantedTopic("a", 12, 3, {"cleanup.policy": "compact"}, keyed=True),
        WantedTopic("b", 12, 3, {"cleanup.policy": "compact"}, keyed=True),
        WantedTopic("c", 1, 3, {}, keyed=False),
    ]
    rows = topic_views.compare(seen, {("a", 0): (5, 10), ("a", 1): (0, 4)}, wanted)
    assert [(row.name, row.missing, row.known) for row in rows] == [
        ("a", False, True), ("b", False, True), ("c", True, True), ("strange", False, False),
    ]  # fmt: skip
    assert rows[0].records == 9
    assert rows[0].differs == (
        "partitions 3, wanted 12", "replicas 1, wanted 3", "cleanup.policy delete, wanted compact",
        "retention.ms 5, wanted default",
    )  # fmt: skip
    assert rows[1].differs == ("2 partitions lack replicas",)
    found = topic_views.TopicList(rows, compared=True, bootstrap_servers="k:9092")
    assert "4 topics, 3 not as wanted, 1 not of the platform." in text_of(found.to_view())
    alone = topic_views.TopicList(topic_views.compare(seen, {}, None), compared=False, bootstrap_servers="k:9092")
    assert "nothing to compare with" in text_of(alone.to_view())


def test_lag_is_the_distance_to_the_end_of_what_is_still_there():
    offsets = {("t", 0): (0, 100), ("t", 1): (50, 60), ("u", 0): (0, 5)}
    groups = [Group("g", "Stable", 2, {("t", 0): 90, ("t", 1): 10, ("u", 0): 9}), Group("idle", "Stable", 1, {})]
    projections = [
        Projection("p", "MongoDB", {("t", 0): 100}),
        Projection("q", "PostgreSQL", None, "ConnectionRefusedError"),
    ]
    readers = [*lag_views.of_projections(projections, offsets), *lag_views.of_groups(groups, offsets)]
    assert [each.lag for each in readers] == [0, None, 20, 0]
    (t, u) = readers[2].topics
    assert (t.lag, t.worst_partition, u.lag, u.worst_partition) == (20, 0, 0, None)
    shown = text_of(LagReport(readers).to_view())
    assert "q | projection |  | unknown | PostgreSQL | ConnectionRefusedError" in shown
    assert "nothing is committed" in shown
    assert "Nobody has read anything yet." in text_of(LagReport([]).to_view())


def record(value, key=None, headers=(), offset=0):
    return SeenRecord(0, offset, 1_764_136_800_000, key, value, headers)


@pytest.mark.parametrize(
    ("value", "shown", "kind"),
    [
        (b'{"a": 1}', {"a": 1}, "json"),
        (b"plain text", "plain text", "text"),
        (b"zwei\nZeilen", "zwei\nZeilen", "text"),
        (b"\xff\x00", "ff 00", "hex"),
        (b"\x1b[2J", "1b 5b 32 4a", "hex"),
        (b"NaN", "NaN", "text"),
        (b"", "", "text"),
        (None, None, "null"),
    ],
)
def test_values_are_decoded_as_far_as_they_can_be(value, shown, kind):
    told = peeking.described(record(value))
    assert (told["value"], told["value_format"]) == (shown, kind)
    assert told["time"] == "2025-11-26T06:00:00.000Z"


def test_a_record_shows_key_headers_and_the_id_of_its_event():
    found = Peek("t", [record(b'{"a": [1]}', b"order-1", (("id", b"e-1"), ("type", b"made"), ("raw", b"\xff")), 7)])
    assert found.to_data()["records"][0]["id"] == "e-1"
    shown = text_of(found.to_view())
    assert "t[0] offset 7  2025-11-26T06:00:00.000Z  id e-1" in shown
    assert "key      order-1" in shown
    assert "header   raw: ff" in shown
    assert '"a": [' in shown
    assert "(null: a tombstone)" in text_of(Peek("t", [record(None)]).to_view())


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60) | st.none(), st.binary(max_size=20) | st.none(), st.text(max_size=5))
def test_no_record_can_steer_the_terminal(value, key, header):
    found = Peek("t", [record(value, key, ((header, value),))])
    shown = text_of(found.to_view())
    assert not [mark for mark in shown if (ord(mark) < 32 and mark not in "\n\t") or 127 <= ord(mark) < 160]
    json.dumps(found.to_data())


def test_a_json_text_with_escapes_in_it_cannot_steer_the_terminal_either():
    shown = text_of(Peek("t", [record(json.dumps("\x1b[2J\x9b").encode())]).to_view())
    assert "\x1b" not in shown
    assert "\x9b" not in shown


# --- connectors ------------------------------------------------------------------------------------------------------

TRACE = """org.apache.kafka.connect.errors.ConnectException: An exception occurred
\tat io.debezium.Thing.run(Thing.java:1)
Caused by: org.postgresql.util.PSQLException: FATAL: cannot log in at postgresql://cdc:canary-1@db:5432/order
\tat more"""


def test_connectors_show_the_cause_in_one_line_without_a_login():
    seen = [Connector("outbox", "RUNNING", tasks=(Task(0, "FAILED", "w", TRACE),), slot_name="s")]
    told = [{"name": "outbox", "phase": "Retrying", "restarts": 2, "nextRestartTime": "2026-11-26T07:00:00Z"}]
    complete = connector_views.completed(seen, {"s": Slot("s", False, "reserved", 2048)}, told)
    found = ConnectorList(complete, ["tables"], "http://connect:8083")
    shown = text_of(found.to_view())
    assert "outbox |  | running | 2.0 KiB (nobody reads) | 2 | " in shown
    assert " | task 0 | failed |  |  | org.postgresql.util.PSQLException: FATAL: cannot log in" in shown
    assert "tables |  | missing" in shown
    assert "canary" not in shown + json.dumps(found.to_data())


def test_without_connect_the_operators_word_is_shown():
    slot = {"name": "s", "active": True, "walStatus": "lost", "retainedBytes": 1}
    told = [{"name": "outbox", "phase": "Failed", "message": "slot lost", "slot": slot}]
    (found,) = connector_views.from_status(told)
    assert (found.state, found.slot.wal_status, found.restarts) == ("FAILED", "lost", 0)
    assert "outbox |  | failed | lost | 0 | slot lost" in text_of(ConnectorList([found], [], "u").to_view())


# --- redaction -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://order:canary-1@db:5432/order",
        "mongodb+srv://canary-1:x@host/",
        "redis://:canary-1@cache",
        "postgres://order:p@canary-1@db/order",
        '{"line": "{\\"password\\": \\"canary-1\\"}"}',
        "password=a,canary-1;canary-1",
        "Authorization: Bearer canary-1canary-1",
        '{"Authorization": "Basic canary-1canary-1=="}',
        "password=canary-1 user=a",
        "password = canary-1",
        '{"dbPassword": "canary-1 with \\"quotes\\" and more canary-1", "a": 1}',
        "{'client_secret': 'canary-1'}",
        "TICKETLY_POSTGRES_PASSWORD=canary-1",
        "api-key: canary-1",
        "token: canary-1,",
        "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\ncanary-1 and the log was cut",
        "sk_live_canary1canary1 canary"[:23],
        "jwt eyJcanary1canary1.canary1canary1.canary1",
    ],
)
def test_credentials_in_text_are_masked(text):
    assert "canary" not in redaction.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://order.shop.svc:9084/readyz",
        "Secret ticketly-postgres does not exist",
        "the token was refused",
        '{"secretName": "api-tls"}',
        "credentialsSecretRef:\n  name: ticketly-postgres",
    ],
)
def test_what_is_no_credential_stays(text):
    assert redaction.redact_tree({"text": text})["text"] == text


def test_trees_are_masked_by_name_and_references_stay():
    tree = {
        "password": "canary-1",
        "secretName": "tls",
        "secretKeyRef": {"name": "a", "key": "password"},
        "n": [1, None],
    }
    assert redaction.redact_tree(tree) == {
        "password": "[redacted]", "secretName": "tls", "secretKeyRef": {"name": "a", "key": "password"}, "n": [1, None],
    }  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=6, max_size=30))
def test_the_value_of_any_variable_that_is_not_ours_is_left_out(value):
    secret = f"canary{value}"
    env = [
        {"name": "FOREIGN", "value": secret},
        {"name": "TICKETLY_STORE_URI", "value": secret},
        {"name": "TICKETLY_CUSTOM", "value": secret},
        {"name": "TICKETLY_PORT", "value": "8080"},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    own = frozenset({"TICKETLY_CUSTOM"})
    cleaned = tidy({"kind": "Pod", "spec": {"containers": [{"env": env}]}}, own)
    assert secret not in json.dumps(cleaned)
    assert cleaned["spec"]["containers"][0]["env"][3:] == env[3:]
    settings_map = tidy({"kind": "ConfigMap", "data": {each["name"]: each.get("value", "") for each in env}}, own)
    assert secret not in json.dumps(settings_map)
    assert settings_map["data"]["TICKETLY_PORT"] == "8080"


def test_values_that_a_platform_gives_to_variables_are_left_out_whatever_they_are_called():
    env = [{"name": "TICKETLY_PORT", "value": "canary-1"}]
    spec = {"services": {"order": {"env": env}, "email": {"autoscaling": {}}}}
    assert "canary" not in json.dumps(tidy_platform({"kind": "TicketlyPlatform", "spec": spec}))
