"""The topics of one platform: compared with the blueprint once in a while, corrected over one connection."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta

from ticketly_crds import names
from ticketly_crds.status import ConditionStatus, ConditionType, Reason
from ticketly_operator.errors import OperatorError, TopicRefusedError
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import Secret
from ticketly_operator.plan.topics import TopicPlan, acknowledged, all_present, plan_topics
from ticketly_operator.reconcile.outside import Clients
from ticketly_operator.reconcile.platform import View
from ticketly_operator.reconcile.ports import Brokers


class Topics:
    """Remembers only what the last look found, and when."""

    def __init__(self, clients: Clients, every: timedelta) -> None:
        """``every``: how long a good look is good for; a change of the platform and a bad one end it at once."""
        self._clients = clients
        self._every = every
        self._at: datetime | None = None
        self._looked_with: tuple[object, ...] = ()
        self._found: tuple[Finding, ...] = ()

    async def __call__(self, view: View, credentials: Secret | None, notices: list[Notice]) -> tuple[Finding, ...]:
        """Look and correct, unless paused. What goes wrong is a finding."""
        agreed = view.platform.metadata.annotations.get(names.PARTITIONS_ANNOTATION, "")
        looking_with = (int(view.manifest["metadata"].get("generation", 0)), agreed, view.paused)
        fresh = self._at is not None and view.now - self._at < self._every
        well = all(finding.status is ConditionStatus.TRUE for finding in self._found)
        if fresh and well and self._looked_with == looking_with:
            return self._found
        try:
            async with self._clients.brokers(view.platform, credentials) as brokers:
                found = await self._round(view, agreed, brokers, notices)
        except OperatorError as error:
            found = (error.finding(),)
        self._at, self._looked_with, self._found = view.now, looking_with, found
        return found

    async def _round(self, view: View, agreed: str, brokers: Brokers, notices: list[Notice]) -> tuple[Finding, ...]:
        seen = await brokers.topics([topic.name for topic in view.blueprint.topics])
        named = view.platform.spec.kafka.topics.overrides if view.platform.spec.kafka else ()
        plan = plan_topics(view.blueprint.topics, seen, acknowledged(agreed), view.platform.name, named)
        if view.paused:
            return plan.findings or _missing(plan) or (all_present(),)
        refused = await _carry_out(plan, brokers)
        if not refused:
            notices += plan.notices
        return (*refused, *plan.findings) or (all_present(),)


async def _carry_out(plan: TopicPlan, brokers: Brokers) -> tuple[Finding, ...]:
    """Do everything that is planned; what the broker refuses of it is returned."""
    refused: list[Finding] = []

    async def attempt(change: Awaitable[None]) -> None:
        try:
            await change
        except TopicRefusedError as error:
            refused.append(error.finding())

    if plan.create:
        await attempt(brokers.create(plan.create))
    if plan.grow:
        await attempt(brokers.grow({topic.name: topic.partitions for topic in plan.grow}))
    if plan.configure:
        await attempt(brokers.configure({topic.name: topic.config for topic in plan.configure}))
    return tuple(refused)


def _missing(plan: TopicPlan) -> tuple[Finding, ...]:
    if not plan.create:
        return ()
    message = f"paused; missing: {', '.join(topic.name for topic in plan.create)}"[:1024]
    return (Finding(ConditionType.TOPICS_READY, ConditionStatus.FALSE, Reason.TOPIC_REFUSED, message),)
