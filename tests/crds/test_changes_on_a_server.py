"""An API server refuses the changes of a platform that would break what exists, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("known_to_kubectl")]

POSTGRES = {"host": "db", "credentialsSecretRef": {"name": "pg"}}
Refused = Callable[[str, dict[str, dict[str, Any]]], dict[str, list[str]]]
Stored = Callable[[dict[str, dict[str, Any]]], None]


@dataclass(frozen=True)
class Change:
    """From `old` to `new`; `told` is what the server says, empty when it shall accept."""

    old: dict[str, Any]
    new: dict[str, Any]
    told: str = ""


def paid(currency: str | None = None) -> dict[str, Any]:
    return {"payments": {"secretRef": {"name": "s"}, **({"currency": currency} if currency else {})}}


def topics(partitions: int | None = None, **overrides: int) -> dict[str, Any]:
    named = {
        "seats": "ticketly.seats.status",
        "dead": "ticketly.seats.status.DLT",
        "canary": "dbz.ticketly.public.lag_canary",
    }
    chosen: dict[str, Any] = {"overrides": {named[key]: {"partitions": count} for key, count in overrides.items()}}
    if partitions:
        chosen["partitions"] = partitions
    return {"kafka": {"topics": chosen}}


NEVER = "partitions never shrink"
CHANGES = {
    "currency-changes": Change(
        paid("USD"), paid("EUR"), "spec.payments.currency: Forbidden: cannot change, prices are in USD"
    ),
    "currency-by-default-changes": Change(paid(), paid("EUR"), "cannot change, prices are in LKR"),
    "currency-by-adding-payments": Change({}, paid("EUR"), "cannot change, prices are in LKR"),
    "currency-by-removing-payments": Change(paid("EUR"), {}, "cannot change, prices are in EUR"),
    "payments-added-with-the-same-currency": Change({}, paid("LKR")),
    "payments-removed-with-the-same-currency": Change(paid(), {}),
    "payments-moved": Change(paid("EUR"), {"payments": {"secretRef": {"name": "other"}, "currency": "EUR"}}),
    "fewer-partitions": Change(
        topics(12), topics(11), f"spec.kafka.topics.partitions: Forbidden: must be >= 12, {NEVER}"
    ),
    "fewer-than-the-default": Change(topics(), topics(6), f"must be >= 12, {NEVER}"),
    "back-to-the-default": Change(topics(24), topics(), f"must be >= 24, {NEVER}"),
    "more-partitions": Change(topics(12), topics(24)),
    "override-shrinks": Change(
        topics(12, seats=24),
        topics(12, seats=23),
        f"spec.kafka.topics.overrides[ticketly.seats.status].partitions: Forbidden: must be >= 24, {NEVER}",
    ),
    "override-grows": Change(topics(12, seats=24), topics(12, seats=48)),
    "override-removed": Change(
        topics(12, seats=24), topics(12), "spec.kafka.topics.overrides: Forbidden: an override cannot be removed"
    ),
    "override-removed-as-all-grow": Change(topics(12, seats=24), topics(24)),
    "override-below-the-rest-removed": Change(topics(12, seats=6), topics(12)),
    "new-override-shrinks": Change(
        topics(12), topics(12, seats=6), "a new override cannot give its topic fewer partitions"
    ),
    "new-override-grows": Change(topics(12), topics(12, seats=24)),
    "dead-letters-have-one": Change(topics(12), topics(12, dead=3)),
    "dead-letters-shrink": Change(topics(12, dead=3), topics(12), "an override cannot be removed"),
    "canary-shrinks": Change(topics(12, canary=2), topics(12), "an override cannot be removed"),
    "kafka-added": Change({}, topics(3)),
    "kafka-removed": Change(topics(12), {}, "spec.kafka: Forbidden: cannot be removed, its topics exist"),
    "brokers-move": Change(
        {"kafka": {"bootstrapServers": "a:9092"}},
        {"kafka": {"bootstrapServers": "b:9092", "topics": {"partitions": 12}}},
    ),
    "null-is-absent": Change({}, {"kafka": None, "payments": None, "redis": None}),
    "null-removes-kafka": Change(topics(12), {"kafka": None}, "spec.kafka: Forbidden: cannot be removed"),
    "null-removes-payments": Change(paid("EUR"), {"payments": None}, "cannot change, prices are in EUR"),
    "kafka-after-null": Change({"kafka": None}, topics(3)),
    "anything-else": Change({}, {"version": "1.2.3", "holds": {"ttlSeconds": 60}, "postgres": POSTGRES}),
}


@pytest.fixture(scope="module")
def change_answers(refused: Refused, stored: Stored) -> dict[str, list[str]]:
    stored({name: change.old for name, change in CHANGES.items()})
    return refused("replace", {name: change.new for name, change in CHANGES.items()})


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_is_refused_exactly_when_it_would_break_what_exists(
    change_answers: dict[str, list[str]], name: str
) -> None:
    change, told = CHANGES[name], change_answers.get(name, [])
    if change.told:
        assert len(told) == 1, told
        assert change.told in told[0]
    else:
        assert told == []
