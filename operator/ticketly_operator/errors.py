"""Errors of the operator: each knows its condition, its reason there, and whether another attempt can help."""

from __future__ import annotations

from ticketly_crds.status import ConditionStatus, ConditionType, Reason
from ticketly_operator.findings import Finding


class OperatorError(Exception):
    """A step could not be carried out; the text is a sentence for a person, without secrets."""

    condition: ConditionType = ConditionType.DEGRADED
    reason: Reason = Reason.CLUSTER_UNREACHABLE
    retry_helps: bool = True

    def finding(self) -> Finding:
        """Say it in the status: what could not be looked at is unknown, what was refused is false (or degraded)."""
        degraded = self.condition is ConditionType.DEGRADED
        status = ConditionStatus.TRUE if degraded else ConditionStatus.UNKNOWN
        if not degraded and not self.retry_helps:
            status = ConditionStatus.FALSE
        return Finding(self.condition, status, self.reason, str(self))


class ClusterUnreachableError(OperatorError):
    """The API server did not answer, or answered that it cannot now."""


class ApplyRefusedError(OperatorError):
    """The API server refused a write: the object is invalid, forbidden, or too large. The same write fails again."""

    reason = Reason.APPLY_REFUSED
    retry_helps = False


class ForbiddenError(ApplyRefusedError):
    """The operator's role lacks a permission; the text names verb and resource."""


class FencedError(OperatorError):
    """This process does not lead (any more), so it must not write."""


class ConnectUnreachableError(OperatorError):
    """Kafka Connect did not answer, or is rebalancing (409), or failed (5xx)."""

    condition = ConditionType.CONNECTORS_READY
    reason = Reason.CONNECT_UNREACHABLE


class ConnectRefusedError(OperatorError):
    """Kafka Connect refused a request (4xx): the configuration is wrong."""

    condition = ConditionType.CONNECTORS_READY
    reason = Reason.CONNECT_REFUSED
    retry_helps = False


class SlotUnreadableError(OperatorError):
    """PostgreSQL did not tell about its replication slots."""

    condition = ConditionType.CONNECTORS_READY
    reason = Reason.SLOT_UNREADABLE


class KafkaUnreachableError(OperatorError):
    """No broker answered."""

    condition = ConditionType.TOPICS_READY
    reason = Reason.KAFKA_UNREACHABLE


class TopicRefusedError(OperatorError):
    """A broker refused to create or change a topic."""

    condition = ConditionType.TOPICS_READY
    reason = Reason.TOPIC_REFUSED
    retry_helps = False
