"""The two capture connectors: table rows of the event database, outbox events of the order database.

Both use publications and heartbeat tables that migrations make, and slots that Debezium makes itself, so that the
snapshot and the stream join without a gap. Passwords are references.
"""

from __future__ import annotations

import re
from typing import Final

from ticketly_crds import names
from ticketly_crds.blueprint.model import Connector, SecretRef, SlotGuard
from ticketly_crds.blueprint.topics import FACT_TABLES, ORDER_TOPICS, PULSE_TABLES
from ticketly_crds.quantities import parse_bytes
from ticketly_crds.sections import ConnectorSpec, Postgres
from ticketly_crds.spec import TicketlyPlatform

_JSON_CONVERTER: Final = "org.apache.kafka.connect.json.JsonConverter"
_STRING_CONVERTER: Final = "org.apache.kafka.connect.storage.StringConverter"
_HEARTBEAT_QUERY: Final = (
    "INSERT INTO public.debezium_heartbeat (id, ts) VALUES (1, now()) ON CONFLICT (id) DO UPDATE SET ts = excluded.ts"
)


def connectors(platform: TicketlyPlatform, postgres: Postgres) -> tuple[Connector, ...]:
    """Return the enabled connectors of a platform."""
    wanted = platform.spec.connectors
    found = []
    if wanted.event_tables.enabled:
        found.append(_event_tables(postgres, wanted.event_tables))
    if wanted.order_outbox.enabled:
        found.append(_order_outbox(postgres, wanted.order_outbox))
    return tuple(found)


def _event_tables(postgres: Postgres, wanted: ConnectorSpec) -> Connector:
    tables = (*FACT_TABLES, *PULSE_TABLES)
    config = {
        **_capture(postgres, wanted, names.EVENT_DATABASE, names.EVENT_TOPIC_PREFIX),
        "slot.name": names.EVENT_SLOT,
        "publication.name": names.EVENT_PUBLICATION,
        "table.include.list": ",".join(f"public.{table}" for table in tables),
        "key.converter": _JSON_CONVERTER,
        "key.converter.schemas.enable": "false",
        "value.converter": _JSON_CONVERTER,
        "value.converter.schemas.enable": "false",
    }
    topics = (*(names.table_topic(table) for table in tables), names.heartbeat_topic(names.EVENT_TOPIC_PREFIX))
    return Connector(
        name=names.EVENT_CONNECTOR,
        config=config,
        slot=names.EVENT_SLOT,
        publication=names.EVENT_PUBLICATION,
        database=names.EVENT_DATABASE,
        state=wanted.state,
        max_restarts=wanted.max_restarts,
        guard=_guard(wanted),
        topics=topics,
    )


def _order_outbox(postgres: Postgres, wanted: ConnectorSpec) -> Connector:
    raw_topic = f"{names.OUTBOX_TOPIC_PREFIX}.{names.OUTBOX_TABLE}"
    config = {
        **_capture(postgres, wanted, names.ORDER_DATABASE, names.OUTBOX_TOPIC_PREFIX),
        "slot.name": names.OUTBOX_SLOT,
        "publication.name": names.OUTBOX_PUBLICATION,
        "table.include.list": f"{names.OUTBOX_TABLE},{names.HEARTBEAT_TABLE}",
        # the payload is text and must arrive byte for byte; heartbeats become readable text that nobody parses
        "key.converter": _STRING_CONVERTER,
        "value.converter": _STRING_CONVERTER,
        "transforms": "outbox",
        "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
        # without the predicate the router would stop the task at the first heartbeat
        "transforms.outbox.predicate": "isOutbox",
        "predicates": "isOutbox",
        "predicates.isOutbox.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.isOutbox.pattern": re.escape(raw_topic),
        "transforms.outbox.route.by.field": "aggregatetype",
        "transforms.outbox.route.topic.replacement": "ticketly.${routedByValue}",
        "transforms.outbox.table.field.event.id": "id",
        "transforms.outbox.table.field.event.key": "aggregateid",
        "transforms.outbox.table.field.event.payload": "payload",
        "transforms.outbox.table.expand.json.payload": "false",
        "transforms.outbox.table.fields.additional.placement": (
            "type:header:type,occurred_at:header:occurredAt,traceparent:header:traceparent"
        ),
        "transforms.outbox.table.op.invalid.behavior": "warn",
    }
    topics = (
        *ORDER_TOPICS,
        names.NOTIFICATIONS_TOPIC,
        names.outbox_heartbeat_table_topic(),
        names.heartbeat_topic(names.OUTBOX_TOPIC_PREFIX),
    )
    return Connector(
        name=names.OUTBOX_CONNECTOR,
        config=config,
        slot=names.OUTBOX_SLOT,
        publication=names.OUTBOX_PUBLICATION,
        database=names.ORDER_DATABASE,
        state=wanted.state,
        max_restarts=wanted.max_restarts,
        guard=_guard(wanted),
        topics=topics,
    )


def _capture(postgres: Postgres, wanted: ConnectorSpec, database: str, topic_prefix: str) -> dict[str, str | SecretRef]:
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": postgres.host,
        "database.port": str(postgres.port),
        "database.dbname": database,
        "database.user": names.CDC_ROLE,
        "database.password": SecretRef(postgres.credentials_secret_ref.name, names.CDC_PASSWORD_KEY),
        "database.sslmode": postgres.ssl_mode,
        "topic.prefix": topic_prefix,
        "plugin.name": "pgoutput",
        "publication.autocreate.mode": "disabled",
        "slot.drop.on.stop": "false",
        "snapshot.mode": "initial",
        "tombstones.on.delete": "false",
        # four headers of run context on every record, which nobody reads
        "extended.headers.enabled": "false",
        "decimal.handling.mode": "string",
        "time.precision.mode": "isostring",
        "heartbeat.interval.ms": str(wanted.heartbeat_seconds * 1000),
        "heartbeat.action.query": _HEARTBEAT_QUERY,
        "topic.heartbeat.prefix": names.HEARTBEAT_TOPIC_PREFIX,
        # commit to consumer in about 20 ms instead of 600; 5 ms would cost a third of a core in idle Connect
        "poll.interval.ms": "25",
        "producer.override.linger.ms": "0",
        "producer.override.acks": "all",
        "status.update.interval.ms": "1000",
        "retriable.restart.connector.wait.ms": "1000",
        "slot.max.retries": "60",
        "slot.retry.delay.ms": "1000",
        "errors.max.retries": "-1",
    }


def _guard(wanted: ConnectorSpec) -> SlotGuard:
    slot = wanted.slot
    return SlotGuard(parse_bytes(slot.retained_bytes_warn), parse_bytes(slot.retained_bytes_act), slot.policy)
