"""What a reconcile needs from the outside. Adapters stand in ``clients``; fakes for tests in ``clients.fakes``.

Every method may raise the ``errors`` named in its adapter; none retries by itself, the level-based loop does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from ticketly_crds.blueprint import Topic
from ticketly_operator.desired.model import Manifest
from ticketly_operator.errors import ForbiddenError
from ticketly_operator.findings import Notice
from ticketly_operator.observed import LagReading, Secret, SeenConnector, SeenDatabase, SeenTopic


class Cluster(Protocol):
    """The API server. Raises ClusterUnreachableError, ApplyRefusedError, ForbiddenError, FencedError (writes)."""

    async def platforms(self) -> Sequence[Manifest]:
        """Return all platforms in scope."""

    async def platform(self, namespace: str, name: str) -> Manifest | None:
        """Return one platform, None when there is none."""

    async def children(self, namespace: str, platform: str) -> Sequence[Manifest]:
        """Return all objects of managed kinds that carry the platform's labels, with their managed fields."""

    async def object(self, manifest: Manifest) -> Manifest | None:
        """Return the live object of that kind and name, whoever made it, None when there is none."""

    async def pods(self, namespace: str, platform: str) -> Sequence[Manifest]:
        """Return the pods of the platform's services and migrations."""

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """Return a Secret, None when there is none."""

    async def optional_kinds(self) -> frozenset[str]:
        """Return which optional kinds are served, as ``Kind.group``."""

    async def forbidden_watches(self) -> Sequence[ForbiddenError]:
        """Return what the API server said about each watch that the operator may not keep."""

    async def apply(self, manifest: Manifest) -> Manifest:
        """Apply server-side with the one field manager, taking over fields that others changed; return the result."""

    async def hand_over(self, fields: Manifest) -> None:
        """Let another manager own these fields of an object with their present values, so that they outlast ours."""

    async def delete(self, manifest: Manifest) -> None:
        """Delete an object with exactly the observed uid; that it is gone already is fine."""

    async def write_status(self, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        """Replace the platform's status."""

    async def set_finalizer(self, namespace: str, name: str, *, present: bool) -> None:
        """Add or remove the operator's finalizer; that the platform is gone is fine."""

    async def tell(self, platform: Manifest, notice: Notice) -> None:
        """Write an event on the platform; failure is logged, never raised."""


class Connect(Protocol):
    """Kafka Connect's REST interface. Raises ConnectUnreachableError (no answer, 409, 5xx), ConnectRefusedError."""

    async def connector(self, name: str) -> SeenConnector | None:
        """Return a connector, None when Connect has none of that name."""

    async def put(self, name: str, config: Mapping[str, str]) -> None:
        """Create or replace the configuration."""

    async def set_state(self, name: str, state: Literal["running", "paused", "stopped"]) -> None:
        """Resume, pause or stop."""

    async def restart(self, name: str) -> None:
        """Restart the connector and its tasks, whatever state they are in."""

    async def delete(self, name: str) -> None:
        """Delete; that it is gone already is fine. Offsets survive."""

    async def offsets(self, name: str) -> Mapping[str, Any] | None:
        """Return the stored source offset (Debezium: ``lsn``, ``lsn_commit``, ...), None when nothing is stored."""

    async def delete_offsets(self, name: str) -> None:
        """Forget the stored offsets; the connector must be stopped."""


class Brokers(Protocol):
    """Kafka's admin interface. Raises KafkaUnreachableError, TopicRefusedError that names what was refused.

    What is not refused is done, whatever becomes of its neighbours.
    """

    async def topics(self, names: Sequence[str]) -> Mapping[str, SeenTopic]:
        """Return those of the topics that exist."""

    async def create(self, topics: Sequence[Topic]) -> None:
        """Create; that one exists already is fine (the next comparison sees it)."""

    async def grow(self, partitions: Mapping[str, int]) -> None:
        """Raise the number of partitions, by topic."""

    async def configure(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        """Set the topics' own configuration, by topic, to exactly this."""

    async def delete(self, names: Sequence[str]) -> None:
        """Delete; that one is gone already is fine."""


class Databases(Protocol):
    """PostgreSQL, as the capture role. Raises SlotUnreadableError."""

    async def look(self, database: str, slot: str, publication: str) -> SeenDatabase:
        """Return what capture of a database stands on."""

    async def drop_slot(self, database: str, name: str) -> None:
        """Drop an inactive slot; that it is gone already is fine."""


class Lag(Protocol):
    """The canary's figures. Raises nothing: a pod that does not answer is left out."""

    async def readings(self, pods: Mapping[str, str], port: int) -> Sequence[LagReading]:
        """``pods``: address by name. Read each pod's metrics at the port."""
