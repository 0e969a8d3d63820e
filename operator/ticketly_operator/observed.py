"""What was seen outside: connectors, topics, slots, secrets, the canary's figures. Plain values, no I/O."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret's content. ``version`` changes whenever the content does and tells nothing about it."""

    name: str
    version: str
    data: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def decoded(cls, name: str, version: str, encoded: Mapping[str, str]) -> Self:
        """Return a Secret from the base64 texts of the API."""
        return cls(name, version, {key: base64.b64decode(value) for key, value in encoded.items()})


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A connector's task: ``state`` as Connect says it (RUNNING, FAILED, ...), ``trace`` empty unless failed."""

    id: int
    state: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class SeenConnector:
    """A connector as Connect knows it; ``config`` without the member ``name`` that Connect adds."""

    name: str
    config: Mapping[str, str] = field(repr=False)
    state: str
    tasks: tuple[SeenTask, ...]
    trace: str = ""


@dataclass(frozen=True, slots=True)
class SeenTopic:
    """A topic: ``config`` has only what was set on the topic itself."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SeenSlot:
    """A replication slot. LSNs as integers; ``safe_wal_bytes`` None when the log kept for slots is unbounded."""

    name: str
    active: bool
    wal_status: str
    restart_lsn: int | None
    confirmed_flush_lsn: int | None
    current_lsn: int
    safe_wal_bytes: int | None

    @property
    def retained_bytes(self) -> int:
        """Log that the server keeps because of this slot."""
        return 0 if self.restart_lsn is None else max(0, self.current_lsn - self.restart_lsn)


@dataclass(frozen=True, slots=True)
class SeenDatabase:
    """A captured database. ``system``: identifies the server's data, another one has a log of its own.

    ``published``: the publication that says which tables are captured is there. ``slot`` None: there is none.
    """

    system: int
    published: bool
    slot: SeenSlot | None


@dataclass(frozen=True, slots=True)
class LagReading:
    """One pod's canary histogram since it started: cumulative counts by upper bound in seconds, and what is pending.

    ``pending_seconds`` is the age of the oldest canary on its way, 0 when none is, None when the pod cannot tell.
    """

    pod: str
    buckets: Mapping[float, float]
    pending_seconds: float | None
