"""What a schema cannot say, in the API server's expression language (CEL), with the parser's words.

A rule stands at the innermost object that knows all it compares. ``at`` names the field a fault is reported for, below
that object. Rules with ``oldSelf`` are checked when a platform changes, never when it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ticketly_crds import connections, names
from ticketly_crds.blueprint.topics import PULSE_TABLES
from ticketly_crds.sections import DEFAULT_CURRENCY

SERVICES: Final = ("eventCommand", "eventQuery", "order", "scheduler", "email")
CONNECTORS: Final = ("eventTables", "orderOutbox")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``message`` has a ``%d`` or ``%s`` for each expression of ``shows``."""

    path: str
    rule: str
    message: str
    shows: tuple[str, ...] = ()
    at: str = ""
    reason: str = "FieldValueInvalid"

    def wire(self) -> dict[str, Any]:
        """Return the entry of ``x-kubernetes-validations``."""
        found: dict[str, Any] = {"rule": self.rule}
        if self.shows:
            # format, as the cost of string(number) is estimated without a bound and refused
            found["messageExpression"] = f"'{self.message}'.format([{', '.join(self.shows)}])"
        else:
            found["message"] = self.message
        if self.at:
            found["fieldPath"] = self.at
        found["reason"] = self.reason
        return found


def _currency(platform: str) -> str:
    return f"(has({platform}.payments) ? {platform}.payments.currency : '{DEFAULT_CURRENCY}')"


_UNKEYED: Final = (
    *(names.table_topic(table) for table in PULSE_TABLES),
    names.outbox_heartbeat_table_topic(),
    names.heartbeat_topic(names.EVENT_TOPIC_PREFIX),
    names.heartbeat_topic(names.OUTBOX_TOPIC_PREFIX),
)
_IS_UNKEYED: Final = f"(topic.endsWith('{names.DEAD_LETTER_SUFFIX}') || topic in {list(_UNKEYED)!r})"
"""Topics that have one partition each when no override says otherwise."""


def rules() -> Iterator[Rule]:
    """Yield all rules."""
    yield from _whole()
    yield from _kafka()
    yield from _services()
    for connector in CONNECTORS:
        path = f"spec.connectors.{connector}.slot"
        for field in ("retainedBytesWarn", "retainedBytesAct"):
            yield Rule(f"{path}.{field}", "quantity(self).isInteger()", "must be a whole number of bytes")
        yield Rule(
            path,
            "quantity(self.retainedBytesAct).compareTo(quantity(self.retainedBytesWarn)) >= 0",
            "must be >= retainedBytesWarn (%s)",
            ("self.retainedBytesWarn",),
            at=".retainedBytesAct",
        )
    yield Rule(
        "spec.objectStorage",
        "self.mode != 's3' || self.bucket != ''",
        "required with mode s3",
        at=".bucket",
        reason="FieldValueRequired",
    )
    yield Rule(
        "spec.scheduling",
        "self.mode != 'aws' || has(self.aws)",
        "required with mode aws",
        at=".aws",
        reason="FieldValueRequired",
    )


def _whole() -> Iterator[Rule]:
    yield Rule(
        "spec",
        f"{_currency('self')} == {_currency('oldSelf')}",
        "cannot change, prices are in %s",
        (_currency("oldSelf"),),
        at=".payments.currency",
        reason="FieldValueForbidden",
    )
    yield Rule(
        "spec",
        "has(self.kafka) || !has(oldSelf.kafka)",
        "cannot be removed, its topics exist",
        at=".kafka",
        reason="FieldValueForbidden",
    )
    least = str(connections.RESERVED)
    for client in connections.CLIENTS:
        pods = f"(self.services.{client.key}.autoscaling.max + {connections.ROLLING_PODS})"
        least += f" + {pods} * {connections.LEAST_POOL + client.beside_pool}"
    yield Rule(
        "spec",
        f"!has(self.services) || !has(self.postgres) || self.postgres.connectionBudget >= {least}",
        "must be >= %d for the pods that order and eventCommand may scale to",
        (least,),
        at=".postgres.connectionBudget",
    )
    for service in SERVICES:
        most = f"self.services.{service}.autoscaling.max"
        yield Rule(
            "spec",
            # the API server checks the default of spec, {}, before it fills in what is below
            f"!has(self.services) || self.flashSales.all(sale,"
            f" !has(sale.minReplicas.{service}) || sale.minReplicas.{service} <= {most})",
            f"minReplicas.{service} must be <= services.{service}.autoscaling.max (%d)",
            (most,),
            at=".flashSales",
        )


def _kafka() -> Iterator[Rule]:
    yield Rule(
        "spec.kafka",
        "self.minInsyncReplicas <= self.replicationFactor",
        "must be <= replicationFactor (%d)",
        ("self.replicationFactor",),
        at=".minInsyncReplicas",
    )
    yield Rule(
        "spec.kafka.security",
        "!self.protocol.startsWith('SASL') || has(self.credentialsSecretRef)",
        "required with protocol %s",
        ("self.protocol",),
        at=".credentialsSecretRef",
        reason="FieldValueRequired",
    )
    yield Rule(
        "spec.kafka.topics",
        "self.partitions >= oldSelf.partitions",
        "must be >= %d, partitions never shrink",
        ("oldSelf.partitions",),
        at=".partitions",
        reason="FieldValueForbidden",
    )
    yield Rule(
        "spec.kafka.topics.overrides.*.partitions",
        "self >= oldSelf",
        "must be >= %d, partitions never shrink",
        ("oldSelf",),
        reason="FieldValueForbidden",
    )
    yield Rule(
        "spec.kafka.topics",
        "oldSelf.overrides.all(topic, topic in self.overrides"
        f" || oldSelf.overrides[topic].partitions <= ({_IS_UNKEYED} ? 1 : self.partitions))",
        "an override cannot be removed when that leaves its topic fewer partitions",
        at=".overrides",
        reason="FieldValueForbidden",
    )
    yield Rule(
        "spec.kafka.topics",
        "self.overrides.all(topic, topic in oldSelf.overrides"
        f" || self.overrides[topic].partitions >= ({_IS_UNKEYED} ? 1 : oldSelf.partitions))",
        "a new override cannot give its topic fewer partitions than it has",
        at=".overrides",
        reason="FieldValueForbidden",
    )


def _services() -> Iterator[Rule]:
    for service in SERVICES:
        path = f"spec.services.{service}"
        yield Rule(
            f"{path}.autoscaling",
            "self.min <= self.max",
            "must be >= min (%d)",
            ("self.min",),
            at=".max",
        )
        for unit in ("cpu", "memory"):
            least, most = f"self.requests.{unit}", f"self.limits.{unit}"
            yield Rule(
                f"{path}.resources",
                f"!has({least}) || !has({most}) || quantity({most}).compareTo(quantity({least})) >= 0",
                f"{unit} must be >= requests.{unit} (%s)",
                (least,),
                at=".limits",
            )
        yield Rule(
            f"{path}.env[*]",
            "!has(self.secretRef) || self.value == ''",
            "must not stand beside value",
            at=".secretRef",
        )
