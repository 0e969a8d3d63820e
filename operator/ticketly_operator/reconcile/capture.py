"""The capture half: topics first (a connector waits silently for a missing one), then connectors and slots.

Kafka, Connect and PostgreSQL fail separately, and each failure is its own finding: a broker or a Connect that is down
must not hide that a slot is about to fill the database's disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ticketly_crds.blueprint import Connector
from ticketly_crds.status import (
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    FailureClass,
    Reason,
    ServicePhase,
)
from ticketly_operator.agenda import Key
from ticketly_operator.desired.connectors import configuration, generation_of
from ticketly_operator.errors import ConnectRefusedError, OperatorError
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import Secret, SeenConnector
from ticketly_operator.plan.connectors import ConnectorPlan, Pace, plan_connector, refused
from ticketly_operator.plan.slots import Reading, SlotVerdict, judge_slot
from ticketly_operator.reconcile.outside import Clients, credentials
from ticketly_operator.reconcile.platform import Report, View
from ticketly_operator.reconcile.ports import Cluster, Connect, Databases
from ticketly_operator.reconcile.topics import Topics

_MENDED_FOR: Final = timedelta(minutes=5)
"""Within it a changed Secret has reached every Connect worker: kubelets bring mounted ones up to date once a minute."""


@dataclass(slots=True)
class _Memory:
    """What is only worth remembering while this process lives: trends, and when credentials changed."""

    topics: Topics
    readings: dict[str, Reading] = field(default_factory=dict)
    credentials: str | None = None
    mended_at: datetime | None = None
    unread: dict[str, datetime] = field(default_factory=dict)
    """Since when nobody reads from a slot."""
    forgiven: set[str] = field(default_factory=set)
    """Connectors that have got their restarts back since the credentials changed."""


@dataclass(slots=True)
class _Turn:
    """What one look at the connectors works with and has found so far."""

    view: View
    connect: Connect
    databases: Databases
    memory: _Memory
    mended: bool
    found: list[Finding] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def last(self, wanted: Connector) -> ConnectorStatus:
        for status in self.view.previous.connectors:
            if status.name == wanted.name:
                return status
        return ConnectorStatus(name=wanted.name, phase=ConnectorPhase.UNKNOWN)

    def config(self, wanted: Connector, generation: int) -> dict[str, str]:
        connect = self.view.platform.spec.connect
        return configuration(wanted, connect.secrets_path if connect else "", generation)

    def starting(self, text: str) -> None:
        reason = Reason.CONNECTOR_STARTING
        self.found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, reason, text))


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
        key = (view.platform.metadata.namespace, view.platform.name)
        memory = self._memories.setdefault(key, _Memory(Topics(self._clients, self._topics_every)))
        secrets = await credentials(self._cluster, view.platform)
        notices: list[Notice] = []
        topics = await memory.topics(view, secrets.kafka, notices)
        failed = any(finding.status is ConditionStatus.UNKNOWN for finding in topics)
        mended = _mended(memory, secrets.postgres, view.now)
        databases = self._clients.databases(view.platform, secrets.postgres)
        connectors: list[ConnectorStatus] = []
        async with self._clients.connect(view.platform) as connect:
            turn = _Turn(view, connect, databases, memory, mended, notices=notices)
            for wanted in view.blueprint.connectors:
                try:
                    status = await self._connector(turn, wanted)
                except OperatorError as error:
                    turn.found.append(error.finding())
                    failed = failed or error.retry_helps
                    unknown = {"phase": ConnectorPhase.UNKNOWN, "message": str(error)[:1024]}
                    status = turn.last(wanted).model_copy(update=unknown)
                connectors.append(status)
        if not connectors:
            message = "no connector is enabled"
            reason = Reason.ALL_RUNNING
            turn.found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.TRUE, reason, message))
        # the first reason of a condition holds, and one that is as wanted must not hide a neighbour's trouble
        turn.found.sort(key=lambda finding: finding.reason is Reason.CONNECTOR_HELD)
        return Report((*topics, *turn.found), tuple(notices), connectors=tuple(connectors), failed=failed)

    async def _connector(self, turn: _Turn, wanted: Connector) -> ConnectorStatus:
        try:
            seen = await turn.connect.connector(wanted.name)
        except OperatorError:
            # whoever holds back the log fills the disk, also while Connect is away
            verdict = await self._slot(turn, wanted, offsets_known=False)
            turn.found += verdict.findings
            if verdict.lost:
                reason = Reason.SLOT_LOST
                turn.found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, reason, verdict.lost))
            turn.notices += verdict.notices
            raise
        if seen is None and not _migrated(turn.view, wanted):
            text = f"{wanted.name} waits for the migration that makes its publication"
            turn.starting(text)
            return ConnectorStatus(name=wanted.name, phase=ConnectorPhase.STARTING, message=text)
        verdict = await self._slot(turn, wanted, offsets_known=True) if seen else SlotVerdict(None)
        last = turn.last(wanted)
        # the generation is also in the connector, so that a status that got lost does not turn back time
        generation = last.generation
        if seen is not None and not last.rebuilding:
            # a rebuild that was cut off may have announced its generation there already; it counts once
            generation = max(generation, generation_of(seen.config))
        last = last.model_copy(update={"generation": generation})
        if turn.mended and last.failure is FailureClass.AUTHENTICATION and wanted.name not in turn.memory.forgiven:
            last = last.model_copy(update={"restarts": 0, "next_restart_time": None})
        rebuild = wanted.guard.policy == "rebuild" and wanted.state == "running"
        if seen and not turn.view.paused and (last.rebuilding or (rebuild and (verdict.lost or verdict.act))):
            return await self._rebuild(turn, wanted, seen, last)
        config = turn.config(wanted, generation)
        plan = plan_connector(
            wanted,
            config,
            seen,
            last,
            self._pace,
            turn.view.now,
            verdict.status,
            verdict.lost,
            mended=turn.mended,
            unread_since=turn.memory.unread.get(wanted.slot),
        )
        turn.notices += verdict.notices
        if turn.view.paused:
            turn.found += [plan.finding, *verdict.findings]
            return plan.status.model_copy(update={"restarts": last.restarts})
        try:
            await self._carry_out(turn, wanted, config, plan)
        except ConnectRefusedError as error:
            plan = refused(wanted, plan.status, seen, str(error))
        turn.memory.forgiven.add(wanted.name)
        turn.found += [plan.finding, *verdict.findings]
        turn.notices += plan.notices
        if plan.act == "none" and verdict.act and wanted.guard.policy == "restart":
            return await self._unblock(turn, wanted, plan.status)
        return plan.status

    async def _slot(self, turn: _Turn, wanted: Connector, *, offsets_known: bool) -> SlotVerdict:
        """Look at the slot first and at the offsets afterwards, in the opposite order of their being written."""
        memory, now = turn.memory, turn.view.now
        try:
            seen = await turn.databases.look(wanted.database, wanted.slot, wanted.publication)
            offsets = await turn.connect.offsets(wanted.name) if offsets_known else None
        except OperatorError as error:
            turn.found.append(error.finding())
            return SlotVerdict(turn.last(wanted).slot)
        if not seen.published:
            text = f"publication {wanted.publication} does not exist in {wanted.database}: nothing is captured"
            reason = Reason.SCHEMA_REFUSED
            turn.found.append(Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, reason, text))
        verdict = judge_slot(wanted, seen, offsets, memory.readings.get(wanted.slot), now)
        if verdict.unread:
            memory.unread.setdefault(wanted.slot, now)
        else:
            memory.unread.pop(wanted.slot, None)
        if seen.slot is not None and not verdict.lost:
            memory.readings[wanted.slot] = Reading(now, seen.slot.retained_bytes, seen.system)
        return verdict

    async def _carry_out(self, turn: _Turn, wanted: Connector, config: dict[str, str], plan: ConnectorPlan) -> None:
        if plan.act == "put":
            await turn.connect.put(wanted.name, config)
        elif plan.act == "state":
            await turn.connect.set_state(wanted.name, wanted.state)
        elif plan.act == "restart":
            await self._restart(turn, wanted)

    async def _unblock(self, turn: _Turn, wanted: Connector, status: ConnectorStatus) -> ConnectorStatus:
        """Restart a connector that says it runs and holds back the log: its task connects anew."""
        if status.restarts >= wanted.max_restarts:
            return status
        await self._restart(turn, wanted)
        text = f"connector {wanted.name}: its slot holds back log"
        turn.notices.append(Notice("ConnectorRestarted", text, "Warning"))
        return status.model_copy(update={"restarts": status.restarts + 1, "running_since": None})

    async def _rebuild(
        self, turn: _Turn, wanted: Connector, seen: SeenConnector, last: ConnectorStatus
    ) -> ConnectorStatus:
        """Take the next safe step to a new slot and a full snapshot; cut off anywhere, the next one goes on.

        The connector is stopped first, and only while it is stopped are offsets and slot removed: a running one would
        write its offsets again. The generation counts once, when all is done; the records of the snapshot carry it.
        """
        generation = last.generation + 1
        text = f"{wanted.name} is rebuilt: new slot, full snapshot, generation {generation}"
        turn.starting(text)
        if seen.state != "STOPPED" or seen.tasks:
            await turn.connect.set_state(wanted.name, "stopped")
            turn.notices.append(Notice("ConnectorRebuild", text, "Warning"))
            return last.model_copy(update={"rebuilding": True, "phase": ConnectorPhase.STOPPED, "message": text})
        await turn.connect.delete_offsets(wanted.name)
        await turn.databases.drop_slot(wanted.database, wanted.slot)
        await turn.connect.put(wanted.name, turn.config(wanted, generation))
        await turn.connect.set_state(wanted.name, "running")
        turn.memory.readings.pop(wanted.slot, None)
        return ConnectorStatus(name=wanted.name, phase=ConnectorPhase.STARTING, generation=generation)

    async def _restart(self, turn: _Turn, wanted: Connector) -> None:
        await turn.connect.restart(wanted.name)
        turn.memory.unread.pop(wanted.slot, None)
        self._restarted(turn.view.platform.metadata.namespace, turn.view.platform.name, wanted.name)


def _mended(memory: _Memory, secret: Secret | None, now: datetime) -> bool:
    """Tell whether the database's credentials have changed a moment ago."""
    version = secret.version if secret else ""
    if memory.credentials is not None and memory.credentials != version:
        memory.mended_at, memory.forgiven = now, set()
    memory.credentials = version
    return memory.mended_at is not None and now - memory.mended_at < _MENDED_FOR


def _migrated(view: View, wanted: Connector) -> bool:
    """Tell whether the service that owns the connector's database has been brought up once."""
    owner = next((each.service for each in view.blueprint.databases if each.name == wanted.database), None)
    waiting = (ServicePhase.PENDING, ServicePhase.MIGRATING)
    return not any(
        status.name == owner and (status.phase in waiting or status.message.startswith("migration "))
        for status in view.previous.services
    ) and bool(view.previous.services)
