"""`events`: what was said about a platform, its children and its operator, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ticketly_cli.cluster import statuses
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.kinds import EVENT, PLATFORM
from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, JsonObject, Table, Text, View
from ticketly_crds import names
from ticketly_crds.blueprint import CONTRACT_PORTS

_FOREVER: Final = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class EventList:
    """Data: `events`, oldest first: `time`, `type`, `reason`, `object`, `message`, `count`."""

    events: Sequence[JsonObject]
    now: datetime
    warnings_only: bool

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"events": list(self.events)}

    def to_view(self) -> View:
        if not self.events:
            kind = "warnings" if self.warnings_only else "events"
            return (Text(f"There are no {kind}; a cluster forgets them after about an hour."),)
        rows = [
            (
                statuses.age(each["time"], self.now),
                Cell(each["type"], "warn" if each["type"] == "Warning" else "dim"),
                each["reason"],
                each["object"],
                each["message"] + (f" (x{each['count']})" if each["count"] > 1 else ""),
            )
            for each in self.events
        ]
        return (Table(("ago", "type", "reason", "object", "message"), rows),)


def read(api: Api, platform: JsonObject, now: datetime, *, warnings: bool) -> EventList:
    """The events of a platform and of everything that belongs to it."""
    metadata = platform["metadata"]
    found = api.list(EVENT, metadata["namespace"])
    return EventList(about(found, metadata["name"], warnings=warnings), now, warnings)


def about(found: Iterable[JsonObject], platform: str, *, warnings: bool) -> list[JsonObject]:
    """Those that are about the platform or what it is made of, oldest first. Pure.

    Children are known by their names, because the events of one that is gone are the interesting ones.
    """
    told = [each for each in found if _concerns(each["involvedObject"], platform)]
    shown = [_shown(each) for each in told if not warnings or each.get("type") == "Warning"]
    return sorted(shown, key=lambda each: (each["time"], each["object"], each["reason"]))


def _concerns(involved: dict[str, Any], platform: str) -> bool:
    kind, name = involved.get("kind", ""), involved.get("name", "")
    if kind == PLATFORM.kind:
        return bool(name == platform)
    own = {names.workload(platform, service) for service in CONTRACT_PORTS} | {names.ingress(platform)}
    return any(name == each or name.startswith(f"{each}-") for each in own)


def _shown(event: JsonObject) -> JsonObject:
    involved, series = event["involvedObject"], event.get("series") or {}
    moment = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return {
        "time": _whole_seconds(moment or event.get("firstTimestamp") or event["metadata"].get("creationTimestamp")),
        "type": event.get("type") or "Normal",
        "reason": event.get("reason") or "",
        "object": f"{involved.get('kind', '')}/{involved.get('name', '')}",
        "message": " ".join((event.get("message") or "").split()),
        "count": int(series.get("count") or event.get("count") or 1),
    }


def _whole_seconds(moment: str | None) -> str:
    """Both forms of the API (with and without microseconds) as one, so that they sort."""
    return f"{(moment or _FOREVER)[:19]}Z"
