"""The capture half: topics first (a connector waits silently for a missing one), then connectors and slots.

Kafka, Connect and PostgreSQL fail separately, and each failure is its own finding: a broker that is down must not hide
that a slot is about to fill the database's disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from ticketly_crds import names
from ticketly_crds.blueprint import Connector
from ticketly_crds.spec import TicketlyPlatform
from ticketly_crds.status import (
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    Reason,
    ServicePhase,
)
from ticketly_operator.agenda import Key
from ticketly_operator.desired.connectors import configuration
from ticketly_operator.errors import OperatorError
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import Secret
from ticketly_operator.plan.connectors import ConnectorPlan, Pace, plan_connector
from ticketly_operator.plan.slots import Reading, SlotVerdict, judge_slot
from ticketly_operator.plan.topics import acknowledged, all_present, plan_topics
from ticketly_operator.reconcile.platform import Report, View
from ticketly_operator.reconcile.ports import Brokers, Cluster, Connect, Databases


class Clients(Protocol):
    """Makes the clients of one platform's outside systems. Credentials come from its Secrets."""

    def connect(self, platform: TicketlyPlatform) -> AbstractAsyncContextManager[Connect]:
        """Return Kafka Connect."""

    def brokers(self, platform: TicketlyPlatform, credentials: Secret | None) -> Brokers:
        """Return Kafka."""

    def databases(self, platform: TicketlyPlatform, credentials: Secret | None) -> Databases:
        """Return PostgreSQL as the capture role."""


@dataclass(slots=True)
class _Memory:
    """What is only worth remembering while this process lives: when topics were looked at, and trends."""

    topics_at: datetime | None = None
    topics_generation: int = -1
    topics: tuple[Finding, ...] = ()
    readings: dict[str, Reading] = field(default_factory=dict)


class Capture:
    """The step. ``restarted`` is told namespace, platform and connector of every restart, for metrics."""

    def __init__(
        self,
        cluster: Cluster,
        clients: Clients,
        pace: Pace,
        topics_every: timedelta,
        restarted: Callable[[str, str, str], None],
    ) -> None:
        """Keep the collaborators."""
        self._cluster = cluster
        self._clients = clients
        self._pace = pace
        self._topics_every = topics_every
        self._restarted = restarted
        self._memories: dict[Key, _Memory] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a platform that is gone."""
        self._memories.pop(key, None)

    async def __call__(self, view: View) -> Report:
        """Look at topics and connectors, do what is missing unless paused, report."""
        memory = self._memories.setdefault((view.platform.metadata.namespace, view.platform.name), _Memory())
        kafka_secret, postgres_secret = await self._credentials(view)
        notices: list[Notice] = []
        topics = await self._topics(view, memory, kafka_secret, notices)
        databases = self._clients.databases(view.platform, postgres_secret)
        connectors: list[ConnectorStatus] = []
        found: list[Finding] = []
        failed = any(finding.status is ConditionStatus.UNKNOWN for finding in topics)
        if not view.blueprint.connectors:
            message = "no connector is enabled"
            found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.TRUE, Reason.ALL_RUNNING, message))
        async with self._clients.connect(view.platform) as connect:
            for wanted in view.blueprint.connectors:
                try:
                    status = await self._connector(view, wanted, connect, databases, memory, found, notices)
                except OperatorError as error:
                    found.append(error.finding())
                    failed = failed or error.retry_helps
                    last = _last(view, wanted)
                    status = last.model_copy(update={"phase": ConnectorPhase.UNKNOWN, "message": str(error)[:1024]})
                connectors.append(status)
        return Report(findings=(*topics, *found), notices=tuple(notices), connectors=tuple(connectors), failed=failed)

    async def _credentials(self, view: View) -> tuple[Secret | None, Secret | None]:
        spec, namespace = view.platform.spec, view.platform.metadata.namespace
        kafka = spec.kafka.security.credentials_secret_ref if spec.kafka is not None else None
        postgres = spec.postgres.credentials_secret_ref if spec.postgres is not None else None

        async def read(name: str | None) -> Secret | None:
            return await self._cluster.secret(namespace, name) if name else None

        return await read(kafka.name if kafka else None), await read(postgres.name if postgres else None)

    async def _topics(
        self, view: View, memory: _Memory, credentials: Secret | None, notices: list[Notice]
    ) -> tuple[Finding, ...]:
        generation = int(view.manifest["metadata"].get("generation", 0))
        agreed = view.platform.metadata.annotations.get(names.PARTITIONS_ANNOTATION, "")
        fresh = memory.topics_at is not None and view.now - memory.topics_at < self._topics_every
        well = all(finding.status is ConditionStatus.TRUE for finding in memory.topics)
        if fresh and well and memory.topics_generation == generation:
            return memory.topics
        brokers = self._clients.brokers(view.platform, credentials)
        try:
            seen = await brokers.topics([topic.name for topic in view.blueprint.topics])
            plan = plan_topics(view.blueprint.topics, seen, acknowledged(agreed), view.platform.name)
            if not view.paused:
                if plan.create:
                    await brokers.create(plan.create)
                for topic in plan.grow:
                    await brokers.grow(topic.name, topic.partitions)
                for topic in plan.configure:
                    await brokers.configure(topic.name, topic.config)
                notices += plan.notices
            found = plan.findings or (all_present(),)
            if view.paused and plan.create:
                message = f"paused; missing: {', '.join(topic.name for topic in plan.create)}"[:1024]
                found = (Finding(ConditionType.TOPICS_READY, ConditionStatus.FALSE, Reason.TOPIC_REFUSED, message),)
        except OperatorError as error:
            found = (error.finding(),)
        memory.topics_at, memory.topics_generation, memory.topics = view.now, generation, found
        return found

    async def _connector(
        self,
        view: View,
        wanted: Connector,
        connect: Connect,
        databases: Databases,
        memory: _Memory,
        found: list[Finding],
        notices: list[Notice],
    ) -> ConnectorStatus:
        seen = await connect.connector(wanted.name)
        if seen is None and not _migrated(view, wanted):
            text = f"{wanted.name} waits for the migration that makes its publication"
            reason = Reason.CONNECTOR_STARTING
            found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, reason, text))
            return ConnectorStatus(name=wanted.name, phase=ConnectorPhase.STARTING, message=text)
        verdict = await self._slot(view, wanted, connect, databases, memory, found) if seen else SlotVerdict(None)
        last = _last(view, wanted)
        rebuild = wanted.guard.policy == "rebuild" and wanted.state == "running"
        if seen and not view.paused and (last.rebuilding or (rebuild and (verdict.lost or verdict.act))):
            return await self._rebuild(wanted, seen.state, last, connect, databases, found, notices)
        secrets_path = view.platform.spec.connect.secrets_path if view.platform.spec.connect else ""
        config = configuration(wanted, secrets_path)
        plan = plan_connector(wanted, config, seen, last, self._pace, view.now, verdict.status, verdict.lost)
        found += [plan.finding, *verdict.findings]
        notices += verdict.notices
        if view.paused:
            return plan.status.model_copy(update={"restarts": last.restarts})
        notices += plan.notices
        await self._carry_out(view, wanted, config, plan, connect)
        if plan.act == "none" and verdict.act and wanted.guard.policy == "restart":
            return await self._unblock(view, wanted, plan.status, connect, notices)
        return plan.status

    async def _slot(
        self,
        view: View,
        wanted: Connector,
        connect: Connect,
        databases: Databases,
        memory: _Memory,
        found: list[Finding],
    ) -> SlotVerdict:
        try:
            seen, offsets = await asyncio.gather(
                databases.slot(wanted.database, wanted.slot), connect.offsets(wanted.name)
            )
        except OperatorError as error:
            found.append(error.finding())
            return SlotVerdict(_last(view, wanted).slot)
        verdict = judge_slot(wanted, seen, offsets, memory.readings.get(wanted.slot), view.now)
        if seen is not None:
            memory.readings[wanted.slot] = Reading(view.now, seen.retained_bytes)
        return verdict

    async def _carry_out(
        self, view: View, wanted: Connector, config: dict[str, str], plan: ConnectorPlan, connect: Connect
    ) -> None:
        if plan.act == "put":
            await connect.put(wanted.name, config)
        elif plan.act == "state":
            await connect.set_state(wanted.name, wanted.state)
        elif plan.act == "restart":
            await connect.restart_failed(wanted.name)
            self._restarted(view.platform.metadata.namespace, view.platform.name, wanted.name)

    async def _unblock(
        self, view: View, wanted: Connector, status: ConnectorStatus, connect: Connect, notices: list[Notice]
    ) -> ConnectorStatus:
        """Pause and resume a connector that says it runs and holds back the log: its task connects anew."""
        if status.restarts >= wanted.max_restarts:
            return status
        await connect.set_state(wanted.name, "paused")
        await connect.set_state(wanted.name, "running")
        self._restarted(view.platform.metadata.namespace, view.platform.name, wanted.name)
        notices.append(Notice("ConnectorRestarted", f"connector {wanted.name}: its slot holds back log", "Warning"))
        return status.model_copy(update={"restarts": status.restarts + 1, "running_since": None})

    async def _rebuild(
        self,
        wanted: Connector,
        state: str,
        last: ConnectorStatus,
        connect: Connect,
        databases: Databases,
        found: list[Finding],
        notices: list[Notice],
    ) -> ConnectorStatus:
        """Take the next safe step to a new slot and a full snapshot; cut off anywhere, the next one goes on.

        The connector is stopped first, and only while it is stopped are offsets and slot removed: a running one would
        write its offsets again. The generation counts once, when all is done.
        """
        text = f"{wanted.name} is rebuilt: new slot, full snapshot, generation {last.generation + 1}"
        reason = Reason.CONNECTOR_STARTING
        found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, reason, text))
        if state != "STOPPED":
            await connect.set_state(wanted.name, "stopped")
            notices.append(Notice("ConnectorRebuild", text, "Warning"))
            return last.model_copy(update={"rebuilding": True, "phase": ConnectorPhase.STOPPED, "message": text})
        await connect.delete_offsets(wanted.name)
        await databases.drop_slot(wanted.database, wanted.slot)
        await connect.set_state(wanted.name, "running")
        return ConnectorStatus(name=wanted.name, phase=ConnectorPhase.STARTING, generation=last.generation + 1)


def _last(view: View, wanted: Connector) -> ConnectorStatus:
    for status in view.previous.connectors:
        if status.name == wanted.name:
            return status
    return ConnectorStatus(name=wanted.name, phase=ConnectorPhase.UNKNOWN)


def _migrated(view: View, wanted: Connector) -> bool:
    """Tell whether the service that owns the connector's database has been brought up once."""
    owner = next((each.service for each in view.blueprint.databases if each.name == wanted.database), None)
    waiting = (ServicePhase.PENDING, ServicePhase.MIGRATING)
    return not any(
        status.name == owner and (status.phase in waiting or status.message.startswith("migration "))
        for status in view.previous.services
    ) and bool(view.previous.services)
