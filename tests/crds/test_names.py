"""Names fit their limits, are valid where they are used, and stay distinct."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from ticketly_crds import names
from ticketly_crds.blueprint import CONTRACT_PORTS

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
platforms = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
services = st.sampled_from(sorted(CONTRACT_PORTS))


@given(platforms, services, st.from_regex(r"[a-f0-9]{8}", fullmatch=True))
def test_object_names_are_dns_labels_within_63_characters(platform: str, service: str, digest: str) -> None:
    found = [
        names.workload(platform, service),
        names.settings_map(platform, service),
        names.migration_job(platform, service, digest),
        names.ingress(platform),
        names.middleware(platform, "rate-limit"),
        names.monitor(platform),
        names.default_deny_policy(platform),
        names.lease(platform),
        names.secret(platform, "postgres"),
    ]
    assert all(DNS_LABEL.fullmatch(name) and len(name) <= 63 for name in found)
    assert len(set(found)) == len(found)


@given(platforms, platforms, services, services)
def test_different_workloads_never_share_a_name_by_shortening(a: str, b: str, one: str, other: str) -> None:
    whole_one, whole_other = f"{a}-{one}", f"{b}-{other}"
    assume(whole_one != whole_other)
    assert names.workload(a, one) != names.workload(b, other)


def test_a_short_name_is_left_alone_and_a_long_one_ends_in_a_stable_hash() -> None:
    assert names.workload("ticketly", "order") == "ticketly-order"
    assert names.shortened("a" * 60, "order") == "a" * 54 + "-" + "e0e07f1e"
    assert len(names.shortened("a" * 60, "order")) == 63


@given(st.text(max_size=200))
def test_label_values_are_valid_whatever_they_are_made_of(text: str) -> None:
    found = names.label_value(text)
    assert LABEL_VALUE.fullmatch(found)
    assert len(found) <= 63
    assert found == names.label_value(text)


def test_a_selector_names_nothing_that_changes() -> None:
    selector = names.selector("ticketly", "order")
    assert selector.items() <= names.labels("ticketly", "order", "1.2.3").items()
    assert names.VERSION_LABEL not in selector


def test_wire_names_are_those_of_the_contract() -> None:
    assert names.table_topic("session_seats") == "dbz.ticketly.public.session_seats"
    assert names.dead_letter_topic("ticketly.seats.status") == "ticketly.seats.status.DLT"
    assert names.heartbeat_topic("dbz.ticketly") == "__debezium-heartbeat.dbz.ticketly"
    assert names.password_key("order") == "order-password"
    assert names.database_role("event-command") == "ticketly_event_command"
    assert (names.EVENT_CONNECTOR, names.EVENT_SLOT) == ("ticketly-event-tables", "ticketly_event_tables")
    assert (names.OUTBOX_CONNECTOR, names.OUTBOX_SLOT) == ("ticketly-order-outbox", "ticketly_order_outbox")
    assert all(
        re.fullmatch(r"[a-z0-9_]{1,63}", name)
        for name in (names.EVENT_SLOT, names.OUTBOX_SLOT, names.EVENT_PUBLICATION, names.OUTBOX_PUBLICATION)
    )
