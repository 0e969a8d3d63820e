"""Settings of the operator process: each with its unit, its default and what happens when it is changed.

They tune how the operator works; what it builds stands in the platform resource. Values come from environment
variables ``TICKETLY_OPERATOR_<GROUP>_<NAME>`` (``TICKETLY_OPERATOR_LEASE_DURATION_SECONDS`` ->
``lease.duration_seconds``). There are no secrets among them. The defaults are promised by a test.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _at_least(value: float, info: ValidationInfo, other: str) -> float:
    least = info.data.get(other)
    if least is not None and value < least:
        raise ValueError(f"must be >= {other} ({least:g})")
    return value


class Group(BaseModel):
    """A frozen group of settings; a misspelt name is a fault, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Scope(Group):
    """What the operator looks at."""

    namespace: str = ""
    """Namespace of platforms, secrets and workloads. Empty: all namespaces, which needs a ClusterRole."""


class Reconcile(Group):
    """How often and how patiently platforms are brought to their description."""

    interval_seconds: float = Field(default=30, gt=0, le=3600)
    """Time between two full re-renders of one platform. Shorter finds drift earlier and reads the API more often."""

    debounce_seconds: float = Field(default=0.5, ge=0, le=60)
    """Events within this time become one reconcile. 0: one for each event."""

    timeout_seconds: float = Field(default=120, gt=0, le=3600)
    """A reconcile that takes longer is given up and repeated, so that one hanging call cannot hold a platform."""

    error_backoff_first_seconds: float = Field(default=1, gt=0, le=600)
    """Wait after the first failure in a row; it doubles with each further one."""

    error_backoff_max_seconds: float = Field(default=300, gt=0, le=86_400)
    """Longest wait between two attempts, if the interval is longer still. Larger is kinder to a broken dependency."""

    concurrency: int = Field(default=4, ge=1, le=64)
    """Platforms reconciled at the same time."""

    @field_validator("error_backoff_max_seconds")
    @classmethod
    def _max_not_below_first(cls, value: float, info: ValidationInfo) -> float:
        return _at_least(value, info, "error_backoff_first_seconds")


class Rollout(Group):
    """When waiting becomes a fault."""

    deadline_seconds: float = Field(default=600, gt=0, le=86_400)
    """A roll-out without progress for this long is reported as stuck. It is not undone."""

    migration_deadline_seconds: float = Field(default=600, gt=0, le=86_400)
    """Time a migration Job gets. Past it the Job ends as failed and the new version does not roll out."""

    termination_grace_seconds: int = Field(default=45, ge=15, le=600)
    """Time a pod gets to stop. Below the services' drain time (10 s) streams are cut instead of closed."""


class Connectors(Group):
    """Restarting failed connector tasks: after the n-th failure wait n^2 + n minutes, at most the cap."""

    poll_seconds: float = Field(default=10, gt=0, le=600)
    """Time between two looks at Connect. Longer means that a failed task stays failed longer."""

    backoff_cap_minutes: float = Field(default=60, gt=0, le=1440)
    """Longest wait before a restart."""

    healthy_reset_minutes: float = Field(default=30, gt=0, le=1440)
    """A task that ran this long gets its whole restart budget back."""

    request_timeout_seconds: float = Field(default=10, gt=0, le=120)
    """Time for one answer of Connect. It rebalances for seconds after a change: too short looks like an outage."""


class Slots(Group):
    """Watching replication slots."""

    poll_seconds: float = Field(default=30, gt=0, le=3600)
    """Time between two looks at ``pg_replication_slots``; the projection of time-to-full needs two of them."""

    connect_timeout_seconds: float = Field(default=5, gt=0, le=60)
    """Time to reach PostgreSQL. Past it the slot is unreadable, which is reported, never taken for healthy."""

    statement_timeout_seconds: float = Field(default=5, gt=0, le=60)
    """Time for one query."""


class Kafka(Group):
    """Talking to the brokers."""

    request_timeout_seconds: float = Field(default=15, gt=0, le=120)
    """Time for one answer of a broker."""

    poll_seconds: float = Field(default=60, gt=0, le=3600)
    """Time between two comparisons of topics with the blueprint."""


class Watch(Group):
    """Noticing that the API server went silent."""

    server_timeout_seconds: int = Field(default=300, ge=10, le=3600)
    """The API server ends each watch after this time, so that a dead connection cannot last."""

    inactivity_timeout_seconds: float = Field(default=70, gt=0, le=3600)
    """A watch without an event or bookmark for this long is opened anew. Bookmarks come about once a minute."""

    liveness_timeout_seconds: float = Field(default=150, gt=0, le=7200)
    """Without any event or bookmark for this long liveness fails and the process is restarted."""

    @field_validator("liveness_timeout_seconds")
    @classmethod
    def _liveness_after_reconnect(cls, value: float, info: ValidationInfo) -> float:
        return _at_least(value, info, "inactivity_timeout_seconds")


class Lease(Group):
    """Who leads. The loser does nothing."""

    name: str = Field(default="ticketly-operator", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    """Name of the Lease. Two operators with different names would both write."""

    namespace: str = ""
    """Where the Lease is. Empty: the pod's own namespace."""

    duration_seconds: float = Field(default=12, ge=2, le=600)
    """After this time without renewal somebody else takes over. Longer: longer without an operator after a crash."""

    renew_deadline_seconds: float = Field(default=8, ge=1, le=600)
    """A leader that could not renew for this long stops writing. It must be well below the duration."""

    retry_seconds: float = Field(default=2, gt=0, le=60)
    """Time between two attempts to take or renew the Lease: one write to the API server each while leading."""

    @field_validator("renew_deadline_seconds")
    @classmethod
    def _fenced_before_takeover(cls, value: float, info: ValidationInfo) -> float:
        duration = info.data.get("duration_seconds")
        if duration is not None and value >= duration:
            raise ValueError(f"must be < duration_seconds ({duration:g})")
        return value


class Status(Group):
    """How chatty the status is."""

    lag_refresh_minutes: float = Field(default=15, gt=0, le=1440)
    """At rest the measured lag is written this often. Its condition is written at once when it changes."""

    lag_window_seconds: float = Field(default=300, gt=0, le=3600)
    """Percentiles of the lag are taken over this time. Shorter reacts faster and flickers more."""


class Lag(Group):
    """Asking the readers' pods for the canary's figures."""

    connect_timeout_seconds: float = Field(default=0.5, gt=0, le=30)
    """Time to reach a pod. Pods are near; longer only makes a reconcile wait for those that are not there."""

    request_timeout_seconds: float = Field(default=2, gt=0, le=60)
    """Time for one pod's whole answer. One that takes longer is left out of this look."""

    concurrency: int = Field(default=8, ge=1, le=64)
    """Pods of one platform that are asked at the same time."""


class Deletion(Group):
    """Bounds of the finalizer."""

    timeout_seconds: float = Field(default=120, gt=0, le=3600)
    """After this time the finalizer goes even if topics, connectors or slots could not: an event names them."""


class Listen(Group):
    """Where probes and metrics are served."""

    host: str = "0.0.0.0"  # noqa: S104  a pod's own network, closed by its policy
    """Interface."""

    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes any free port, which nothing but a test can find."""


class Log(Group):
    """What is written to standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """``debug`` shows every comparison with its result."""

    format: Literal["json", "console"] = "json"
    """``json`` for machines, ``console`` for a person."""


class OperatorSettings(BaseSettings):
    """Everything the operator process can be told."""

    model_config = SettingsConfigDict(
        env_prefix="TICKETLY_OPERATOR_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
    )

    scope: Scope = Scope()
    reconcile: Reconcile = Reconcile()
    rollout: Rollout = Rollout()
    connectors: Connectors = Connectors()
    slots: Slots = Slots()
    kafka: Kafka = Kafka()
    watch: Watch = Watch()
    lease: Lease = Lease()
    status: Status = Status()
    lag: Lag = Lag()
    deletion: Deletion = Deletion()
    listen: Listen = Listen()
    log: Log = Log()


class SettingsError(Exception):
    """The environment is wrong; the text names each variable, never a value."""


def load() -> OperatorSettings:
    """Read settings from the environment; raise SettingsError naming the variables at fault."""
    try:
        return OperatorSettings()
    except ValidationError as error:
        faults = "; ".join(
            "TICKETLY_OPERATOR_" + "_".join(str(part) for part in fault["loc"]).upper() + f": {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(faults) from None
