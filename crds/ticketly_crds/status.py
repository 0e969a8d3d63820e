"""The whole vocabulary of ``.status``: conditions, their closed reasons, what is told per service and connector.

Only this module names a condition or a reason. Each condition has its own reasons, so that an alert on a reason never
has to guess which condition it came from. Times are aware UTC instants.

Over 300 lines because the vocabulary is read as one list, and each field of it says what it means.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel


class ConditionType(StrEnum):
    """What is asserted about a platform."""

    READY = "Ready"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    CONNECTORS_READY = "ConnectorsReady"
    TOPICS_READY = "TopicsReady"
    LAG_WITHIN_SLO = "LagWithinSLO"
    PAUSED = "Paused"


class ConditionStatus(StrEnum):
    """``Unknown`` is an answer: whoever could not look says so instead of guessing."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Every reason a condition can have."""

    # Ready
    ALL_READY = "AllReady"
    SERVICES_NOT_READY = "ServicesNotReady"
    INVALID_SPEC = "InvalidSpec"
    INCOMPLETE_SPEC = "IncompleteSpec"
    SECRET_MISSING = "SecretMissing"  # noqa: S105  the name of a reason
    MIGRATION_PENDING = "MigrationPending"
    CONNECTORS_NOT_READY = "ConnectorsNotReady"
    TOPICS_NOT_READY = "TopicsNotReady"
    DELETING = "Deleting"
    # Progressing
    ROLLING_OUT = "RollingOut"
    MIGRATING = "Migrating"
    SETTLED = "Settled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    # Degraded
    NOTHING_DEGRADED = "NothingDegraded"
    MIGRATION_FAILED = "MigrationFailed"
    APPLY_REFUSED = "ApplyRefused"
    CLUSTER_UNREACHABLE = "ClusterUnreachable"
    SERVICES_DEGRADED = "ServicesDegraded"
    # ConnectorsReady
    ALL_RUNNING = "AllRunning"
    CONNECTOR_STARTING = "ConnectorStarting"
    CONNECTOR_HELD = "ConnectorHeld"
    CONNECT_UNREACHABLE = "ConnectUnreachable"
    CONNECT_REFUSED = "ConnectRefused"
    CONNECTOR_RETRYING = "ConnectorRetrying"
    RESTARTS_EXHAUSTED = "RestartsExhausted"
    SLOT_LOST = "SlotLost"
    SLOT_RETAINING = "SlotRetaining"
    SLOT_UNREADABLE = "SlotUnreadable"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    SCHEMA_REFUSED = "SchemaRefused"
    # TopicsReady
    ALL_PRESENT = "AllPresent"
    KAFKA_UNREACHABLE = "KafkaUnreachable"
    TOPIC_REFUSED = "TopicRefused"
    PARTITIONS_NEED_ACKNOWLEDGEMENT = "PartitionsNeedAcknowledgement"
    PARTITIONS_CANNOT_SHRINK = "PartitionsCannotShrink"
    REPLICATION_DIFFERS = "ReplicationDiffers"
    # LagWithinSLO
    WITHIN_SLO = "WithinSLO"
    BEYOND_SLO = "BeyondSLO"
    NO_MEASUREMENT = "NoMeasurement"
    PROBE_DISABLED = "ProbeDisabled"
    # Paused
    PAUSED_BY_ANNOTATION = "PausedByAnnotation"
    NOT_PAUSED = "NotPaused"


REASONS: Final[dict[ConditionType, frozenset[Reason]]] = {
    ConditionType.READY: frozenset(
        {
            Reason.ALL_READY,
            Reason.SERVICES_NOT_READY,
            Reason.INVALID_SPEC,
            Reason.INCOMPLETE_SPEC,
            Reason.SECRET_MISSING,
            Reason.MIGRATION_PENDING,
            Reason.CONNECTORS_NOT_READY,
            Reason.TOPICS_NOT_READY,
            Reason.DELETING,
        }
    ),
    ConditionType.PROGRESSING: frozenset(
        {Reason.ROLLING_OUT, Reason.MIGRATING, Reason.SETTLED, Reason.DEADLINE_EXCEEDED}
    ),
    ConditionType.DEGRADED: frozenset(
        {
            Reason.NOTHING_DEGRADED,
            Reason.MIGRATION_FAILED,
            Reason.APPLY_REFUSED,
            Reason.CLUSTER_UNREACHABLE,
            Reason.SERVICES_DEGRADED,
        }
    ),
    ConditionType.CONNECTORS_READY: frozenset(
        {
            Reason.ALL_RUNNING,
            Reason.CONNECTOR_STARTING,
            Reason.CONNECTOR_HELD,
            Reason.CONNECT_UNREACHABLE,
            Reason.CONNECT_REFUSED,
            Reason.CONNECTOR_RETRYING,
            Reason.RESTARTS_EXHAUSTED,
            Reason.SLOT_LOST,
            Reason.SLOT_RETAINING,
            Reason.SLOT_UNREADABLE,
            Reason.AUTHENTICATION_FAILED,
            Reason.SCHEMA_REFUSED,
        }
    ),
    ConditionType.TOPICS_READY: frozenset(
        {
            Reason.ALL_PRESENT,
            Reason.KAFKA_UNREACHABLE,
            Reason.TOPIC_REFUSED,
            Reason.PARTITIONS_NEED_ACKNOWLEDGEMENT,
            Reason.PARTITIONS_CANNOT_SHRINK,
            Reason.REPLICATION_DIFFERS,
        }
    ),
    ConditionType.LAG_WITHIN_SLO: frozenset(
        {Reason.WITHIN_SLO, Reason.BEYOND_SLO, Reason.NO_MEASUREMENT, Reason.PROBE_DISABLED}
    ),
    ConditionType.PAUSED: frozenset({Reason.PAUSED_BY_ANNOTATION, Reason.NOT_PAUSED}),
}
"""Which reasons belong to which condition; together they are all reasons, and none belongs to two."""

MAX_MESSAGE_CHARS: Final = 1024


class Part(BaseModel):
    """Base of everything in a status: frozen, camelCase on the wire, tolerant of fields from a newer operator."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


class Condition(Part):
    """One assertion about the platform."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    """Why, as one word of a closed list; docs/reference/conditions.md tells what to do about each."""
    message: str = Field(default="", max_length=MAX_MESSAGE_CHARS)
    """Why, for a person."""
    observed_generation: int = Field(default=0, ge=0)
    """metadata.generation that this is about."""
    last_transition_time: datetime
    """When status changed last."""

    @model_validator(mode="after")
    def _reason_belongs(self) -> Self:
        if self.reason not in REASONS[self.type]:
            raise ValueError(f"{self.reason} is no reason of {self.type}")
        return self


class ServicePhase(StrEnum):
    """Where a service stands."""

    PENDING = "Pending"
    MIGRATING = "Migrating"
    ROLLING_OUT = "RollingOut"
    READY = "Ready"
    STUCK = "Stuck"


class ServiceStatus(Part):
    """One service."""

    name: str
    """Name of the service, such as event-command."""
    phase: ServicePhase
    ready_replicas: int = Field(default=0, ge=0)
    """Pods that answer."""
    replicas: int = Field(default=0, ge=0)
    """Pods that shall be."""
    image: str = ""
    """Image that is rolled out."""
    message: str = Field(default="", max_length=MAX_MESSAGE_CHARS)
    """When it is stuck: what the Deployment, the Job or the pod says itself."""


class ConnectorPhase(StrEnum):
    """Where a connector stands; ``Unknown`` when Connect did not answer."""

    RUNNING = "Running"
    STARTING = "Starting"
    PAUSED = "Paused"
    STOPPED = "Stopped"
    RETRYING = "Retrying"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class FailureClass(StrEnum):
    """Why a task failed, which decides what may be done about it. A lost slot is never restarted silently."""

    RETRIABLE = "retriable"
    SLOT_LOST = "slot-lost"
    AUTHENTICATION = "auth"
    SCHEMA = "schema"


class SlotStatus(Part):
    """The replication slot as PostgreSQL sees it."""

    name: str
    """Name of the slot."""
    active: bool
    """Whether the connector reads it."""
    wal_status: str = ""
    """As in pg_replication_slots: reserved, extended, unreserved or lost."""
    retained_bytes: int = Field(default=0, ge=0)
    """Log that is kept for it."""
    confirmed_flush_lsn: str = ""
    """Position up to which the connector has everything."""
    seconds_to_full: int | None = Field(default=None, ge=0)
    """Projection: when the bound of the log is reached at the present pace."""


class ConnectorStatus(Part):
    """One connector."""

    name: str
    """Name of the connector in Kafka Connect."""
    phase: ConnectorPhase
    restarts: int = Field(default=0, ge=0)
    """Restarts of a failed task since the last healthy period."""
    running_since: datetime | None = None
    """Since when it runs without a failure."""
    next_restart_time: datetime | None = None
    """When a failed task is restarted next."""
    failure: FailureClass | None = None
    rebuilding: bool = False
    """A rebuild is under way: new slot, full snapshot."""
    generation: int = Field(default=1, ge=1)
    """Grows with each rebuild."""
    message: str = Field(default="", max_length=MAX_MESSAGE_CHARS)
    """What the connector or its task says."""
    slot: SlotStatus | None = None


class LagStatus(Part):
    """The canary's way from the command database to a reader, over the measured window."""

    p50_ms: float = Field(ge=0)
    """Median, in milliseconds."""
    p99_ms: float = Field(ge=0)
    """99 of 100 are not slower, in milliseconds."""
    measured_at: datetime
    """End of the window."""


class FlashSaleStatus(Part):
    """A flash sale whose minimum replicas are raised right now."""

    name: str
    """Name of the sale in the spec."""
    until: datetime
    """When the minimum is restored."""


class PlatformStatus(Part):
    """What the operator saw last."""

    observed_generation: int = Field(default=0, ge=0)
    """metadata.generation that all of this is about."""
    version: str = ""
    """spec.version of that generation."""
    conditions: tuple[Condition, ...] = ()
    """What is asserted about the platform, one entry for each type."""
    services: tuple[ServiceStatus, ...] = ()
    """The services, one entry each."""
    connectors: tuple[ConnectorStatus, ...] = ()
    """The enabled connectors, one entry each."""
    lag: LagStatus | None = None
    flash_sales: tuple[FlashSaleStatus, ...] = ()
    """Flash sales whose minimum replicas are raised right now."""
    paused: bool = False
    """Whether the annotation ticketly.io/pause is observed."""
    restart_token: str = ""
    """The last ``ticketly.io/restart`` token that was carried out."""

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return the condition of that type, None before it was first set."""
        return next((condition for condition in self.conditions if condition.type is kind), None)
