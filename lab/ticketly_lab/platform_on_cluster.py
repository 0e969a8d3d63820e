"""A TicketlyPlatform on a cluster, looked at and changed as a person would: through kubectl."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ticketly_lab import sample
from ticketly_lab.cluster import Cluster

TIMEOUT_SECONDS = 90.0
_PAUSE_SECONDS = 0.25

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], what: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Found:
    """The first true answer of `look`. Raises TimeoutError naming `what` and the last answer."""
    deadline = time.monotonic() + timeout_seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_seconds:g} s; last seen: {found!r}")
        time.sleep(_PAUSE_SECONDS)
    return found


class PlatformOnCluster:
    """One platform by name. Nothing is applied by making it."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name

    def apply(self, *, with_secrets: bool = True, **changes: Any) -> PlatformOnCluster:
        """The sample with `changes` (see `sample.platform`), its Secrets first. Raises KubectlError when refused.

        Fields that `change` set go back to what is applied.
        """
        document = sample.platform(self.name, self.namespace, **changes)
        self.cluster.apply(*(sample.secrets(document) if with_secrets else ()), document, force=True)
        return self

    def change(self, **changes: Any) -> None:
        """Merge members into its spec. Raises KubectlError when refused."""
        patch = json.dumps({"spec": changes})
        self.cluster.kubectl("patch", "tkp", self.name, self._in, "--type=merge", f"--patch={patch}")

    def annotate(self, **annotations: str | None) -> None:
        """Set annotations `ticketly.io/<name>`; None takes one away."""
        values = [
            f"ticketly.io/{name}-" if value is None else f"ticketly.io/{name}={value}"
            for name, value in annotations.items()
        ]
        self.cluster.kubectl("annotate", "tkp", self.name, self._in, "--overwrite", *values)

    def delete(self, *options: str) -> None:
        self.cluster.kubectl("delete", "tkp", self.name, self._in, *options)

    def get(self) -> dict[str, Any]:
        """The object; empty when there is none."""
        return self.cluster.get("tkp", self.name, self.namespace) or {}

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get().get("status", {})
        return found

    def condition(self, kind: str) -> dict[str, Any]:
        """One condition; empty before it is told."""
        return _by(self.status().get("conditions", ()), "type", kind)

    def service(self, name: str) -> dict[str, Any]:
        """The status of one service (`event-query`); empty before it is told."""
        return _by(self.status().get("services", ()), "name", name)

    def child(self, kind: str, name: str) -> dict[str, Any]:
        """A live object by the part of its name that follows the platform's (`order`); empty when there is none."""
        return self.cluster.get(kind, f"{self.name}-{name}", self.namespace) or {}

    def events(self, reason: str) -> list[str]:
        """Messages of the events on it with that reason."""
        selector = f"involvedObject.name={self.name},reason={reason}"
        text = self.cluster.kubectl("get", "events", self._in, f"--field-selector={selector}", "--output=json")
        return [event["message"] for event in json.loads(text)["items"]]

    def until(self, kind: str, reason: str, timeout_seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        """Wait until a condition has that reason for the present generation; returns it."""

        def look() -> dict[str, Any]:
            found = self.get()
            told = _by(found.get("status", {}).get("conditions", ()), "type", kind)
            seen.update(told)
            current = told.get("observedGeneration") == found["metadata"]["generation"]
            return told if current and told.get("reason") == reason else {}

        seen: dict[str, Any] = {}
        try:
            return eventually(look, f"{kind} of {self.name} with reason {reason}", timeout_seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it says {seen}") from None

    def until_ready(self, timeout_seconds: float = TIMEOUT_SECONDS) -> PlatformOnCluster:
        self.until("Ready", "AllReady", timeout_seconds)
        return self

    @property
    def _in(self) -> str:
        return f"--namespace={self.namespace}"


def _by(items: Any, key: str, value: str) -> dict[str, Any]:
    return next((dict(item) for item in items if isinstance(item, Mapping) and item.get(key) == value), {})
