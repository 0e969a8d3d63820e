"""What `up`, `status`, `doctor` and the others return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ticketly_cli.errors import ExitCode
from ticketly_cli.local.control import ComponentReport, Report
from ticketly_cli.local.state import Addresses
from ticketly_cli.printing import BoardRow
from ticketly_cli.results import Cell, Facts, JsonObject, Table, Text, Tone, View

_TONES: dict[str, Tone] = {
    "healthy": "good",
    "starting": "warn",
    "waiting": "dim",
    "stopped": "dim",
    "stopping": "warn",
    "unhealthy": "bad",
    "failed": "bad",
}
_MIB = 1024 * 1024
_SHORT_REASON_CHARS = 90


def board_rows(report: Report) -> list[BoardRow]:
    """The wanted components as lines of a board."""
    return [
        BoardRow(one.name, state_cell(one), one.seconds_in_state, "" if one.state == "healthy" else one.reason)
        for one in report.components
        if one.wanted
    ]


def state_cell(one: ComponentReport) -> Cell:
    return Cell(one.state, _TONES[one.state])


def memory_text(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / _MIB:.0f} MiB"


def duration_text(seconds: float) -> str:
    """`12 s`, `5 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


@dataclass(frozen=True, slots=True)
class UpResult:
    """A platform that is up. Data: `seconds`, `addresses`, `components`, `notes`, `home`."""

    report: Report
    addresses: Addresses
    seconds: float
    home: str

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "seconds": round(self.seconds, 1),
            "home": self.home,
            "addresses": msgspec.to_builtins(self.addresses),
            "components": [msgspec.to_builtins(one) for one in self.report.components if one.wanted],
            "notes": list(self.report.notes),
        }

    def to_view(self) -> View:
        wanted = {one.name for one in self.report.components if one.wanted}
        pairs = [
            (title, address)
            for name, title, address in (
                ("front-door", "front door", self.addresses.front_door_url),
                ("keycloak", "sign-in", self.addresses.issuer),
                ("mail", "mails", self.addresses.mail_url),
            )
            if name in wanted
        ]
        pairs.append(("state folder", self.home))
        notes = [Text(note, "warn") for note in self.report.notes]
        healthy = f"The platform is up: {len(wanted)} components healthy after {self.seconds:.0f} s."
        return (Text(healthy, "good"), Facts(pairs), *notes)


@dataclass(frozen=True, slots=True)
class StatusResult:
    """Every component. Data: `home`, `healthy`, `memory_bytes`, `components` as in `control.ComponentReport`."""

    report: Report
    home: str

    @property
    def healthy(self) -> bool:
        return all(one.state == "healthy" for one in self.report.components if one.wanted)

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE if self.healthy else ExitCode.UNREACHABLE

    def to_data(self) -> JsonObject:
        return {
            "home": self.home,
            "healthy": self.healthy,
            "memory_bytes": self._memory(),
            "components": [msgspec.to_builtins(one) for one in self.report.components],
            "notes": list(self.report.notes),
        }

    def _memory(self) -> int:
        return sum(one.memory_bytes or 0 for one in self.report.components)

    def to_view(self) -> View:
        columns = ("component", "state", "for", "version", "address", "pid", "memory", "restarts", "last reason")
        rows = [
            (
                one.name,
                state_cell(one),
                duration_text(one.seconds_in_state),
                one.version,
                one.address,
                "" if one.pid is None else str(one.pid),
                memory_text(one.memory_bytes),
                str(one.restarts),
                one.reason[:_SHORT_REASON_CHARS],
            )
            for one in self.report.components
        ]
        notes = [Text(note, "warn") for note in self.report.notes]
        return (Table(columns, rows), Text(f"{memory_text(self._memory())} in all"), *notes)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`. `state` is ok, warning, failed or off (not running)."""

    name: str
    state: str
    detail: str
    address: str = ""
    version: str = ""
    latency_ms: float | None = None
    stand_in: str = ""

    def to_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "detail": self.detail,
            "address": self.address,
            "version": self.version,
            "latency_ms": self.latency_ms,
            "stand_in": self.stand_in,
        }


_CHECK_TONES: dict[str, Tone] = {"ok": "good", "warning": "warn", "failed": "bad", "off": "dim"}


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """Data: `prerequisites` and `components`, each a list of name, state, detail, address, version, latency_ms."""

    prerequisites: Sequence[Check]
    components: Sequence[Check]

    @property
    def exit_code(self) -> int:
        failed = any(check.state == "failed" for check in (*self.prerequisites, *self.components))
        return ExitCode.UNREACHABLE if failed else ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "prerequisites": [check.to_data() for check in self.prerequisites],
            "components": [check.to_data() for check in self.components],
        }

    def to_view(self) -> View:
        first = Table(
            ("prerequisite", "state", "version", "detail"),
            [(c.name, Cell(c.state, _CHECK_TONES[c.state]), c.version, c.detail) for c in self.prerequisites],
        )
        second = Table(
            ("component", "state", "version", "address", "latency", "detail"),
            [
                (
                    c.name,
                    Cell(c.state, _CHECK_TONES[c.state]),
                    c.version,
                    c.address,
                    "" if c.latency_ms is None else f"{c.latency_ms:.0f} ms",
                    c.detail,
                )
                for c in self.components
            ],
        )
        stand_ins = [Text(f"{c.name}: {c.stand_in}", "warn") for c in self.components if c.stand_in]
        return (first, Text(""), second, *([Text("Stand-ins:", "strong"), *stand_ins] if stand_ins else []))


@dataclass(frozen=True, slots=True)
class LogLines:
    """The end of a log. Data: `component`, `lines`."""

    component: str
    lines: Sequence[str]

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"component": self.component, "lines": list(self.lines)}

    def to_view(self) -> View:
        return tuple(Text(line) for line in self.lines)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token; the table view is the bare token, for `$(ticketly token USER)`."""

    token: str
    expires_in_seconds: int
    user: str
    client: str

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.expires_in_seconds,
            "user": self.user,
            "client": self.client,
        }

    def to_view(self) -> View:
        return (Text(self.token),)
