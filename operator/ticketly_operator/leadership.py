"""One leader by a Lease. The loser does nothing; a leader that cannot renew stops writing before anybody may follow.

Whether somebody else's Lease has run out is judged by how long *this* process has seen it unchanged on its own clock,
never by comparing the times written in it: clocks of machines differ. The resource version decides who wins a race.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

from ticketly_crds import kinds
from ticketly_operator.errors import OperatorError

_log = logging.getLogger(__name__)
_MICROSECONDS: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class Requests(Protocol):
    """What is needed of the API server."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        verb: str,
        resource: str,
        body: object = None,
        params: Mapping[str, str] | None = None,
        missing_is_none: bool = False,
    ) -> Any:
        """Make one request; raise OperatorError when it fails."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Times in seconds; see ``settings.Lease``."""

    duration: float
    renew_deadline: float


class Leadership:
    """This process's view of the Lease. ``attempt`` is called again and again; ``leads`` is the fence."""

    def __init__(
        self,
        requests: Requests,
        *,
        namespace: str,
        name: str,
        identity: str,
        terms: Terms,
        monotonic: Callable[[], float],
    ) -> None:
        """Nothing is requested yet. ``identity`` must be unique among operators."""
        self._requests = requests
        self._path = kinds.LEASE.path(namespace, name)
        self._collection = kinds.LEASE.path(namespace)
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._terms = terms
        self._monotonic = monotonic
        self._renewed_at: float | None = None
        self._seen: tuple[str, float] | None = None
        self._free_at: float | None = None
        self.answered_at: float = monotonic()
        """When the API server last answered about the Lease."""

    def leads(self) -> bool:
        """Tell whether this process may write now."""
        return self._renewed_at is not None and self._monotonic() - self._renewed_at < self._terms.renew_deadline

    def seconds_to_free(self) -> float | None:
        """Return how long until the Lease of somebody else runs out as seen from here, None when nobody's is known."""
        return None if self._free_at is None else max(0.0, self._free_at - self._monotonic())

    async def attempt(self) -> bool:
        """Take or renew the Lease; return whether this process leads. Raises nothing: not knowing is not leading."""
        # the fence counts from before the request: the answer may be late, the Lease starts when the server writes it
        asked_at = self._monotonic()
        try:
            held = await self._step(asked_at)
        except OperatorError as error:
            _log.warning("lease %s/%s: %s", self._namespace, self._name, error)
            return self.leads()
        self.answered_at = self._monotonic()
        if held == "mine":
            self._renewed_at = asked_at
        elif held == "theirs":
            self._renewed_at = None
        return self.leads()

    async def release(self) -> None:
        """Let the successor start at once instead of waiting for the Lease to run out.

        Nothing is tried when the Lease could not be renewed in time: it runs out anyway, and the server may be silent.
        """
        leading, self._renewed_at = self.leads(), None
        if not leading:
            return
        try:
            lease = await self._read()
            if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                await self._write(lease, holder="", taken=False)
        except OperatorError as error:
            _log.warning("lease %s/%s was not released: %s", self._namespace, self._name, error)

    async def _step(self, now: float) -> Literal["mine", "theirs"]:
        lease = await self._read()
        self._free_at = None
        if lease is None:
            return await self._create()
        holder = lease["spec"].get("holderIdentity") or ""
        if holder == self._identity:
            return await self._write(lease, holder=self._identity, taken=False)
        version = lease["metadata"]["resourceVersion"]
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        # the holder's own duration counts: it may have been started with longer terms than ours
        duration = float(lease["spec"].get("leaseDurationSeconds") or self._terms.duration)
        if holder and now - self._seen[1] < duration:
            self._free_at = self._seen[1] + duration
            return "theirs"
        return await self._write(lease, holder=self._identity, taken=True)

    async def _read(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = await self._requests.request(
            "GET", self._path, verb="get", resource=f"{kinds.LEASE.resource} {self._name}", missing_is_none=True
        )
        return found

    async def _create(self) -> Literal["mine", "theirs"]:
        now = datetime.now(UTC).strftime(_MICROSECONDS)
        body = {
            "apiVersion": kinds.LEASE.api_version,
            "kind": kinds.LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": round(self._terms.duration),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
        await self._requests.request("POST", self._collection, verb="create", resource=kinds.LEASE.resource, body=body)
        return "mine"

    async def _write(self, lease: dict[str, Any], *, holder: str, taken: bool) -> Literal["mine", "theirs"]:
        """Replace the Lease as it was read: a conflict means that somebody else was faster."""
        now = datetime.now(UTC).strftime(_MICROSECONDS)
        spec = {
            **lease["spec"],
            "holderIdentity": holder,
            "leaseDurationSeconds": round(self._terms.duration),
            "renewTime": now,
        }
        if taken:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        await self._requests.request(
            "PUT",
            self._path,
            verb="update",
            resource=f"{kinds.LEASE.resource} {self._name}",
            body={**lease, "spec": spec},
        )
        return "mine"
