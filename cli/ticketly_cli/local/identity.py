"""Which process a recorded process id means.

A process id alone is reused by the system; together with the start time and the boot it was taken in it is not.
Nothing is signalled by id unless the identity still matches.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

_START_TIME_FIELD = 19
_STATE_FIELD = 0
_GROUP_FIELD = 2
"""Positions in /proc/<pid>/stat behind the command's closing parenthesis (see proc(5))."""


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process of this boot. `started_ticks` is its start time in clock ticks since the boot."""

    pid: int
    started_ticks: int
    boot: str


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _fields(pid: int) -> list[str] | None:
    """State and what follows it in the process's stat line; None when there is no such process."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return line.rpartition(")")[2].split()


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a running process; None when it is gone or only waits to be reaped."""
    fields = _fields(pid)
    if fields is None or fields[_STATE_FIELD] in "ZX":
        return None
    return ProcessIdentity(pid=pid, started_ticks=int(fields[_START_TIME_FIELD]), boot=boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """True while that very process runs."""
    return identify(identity.pid) == identity


def group_members(group: int) -> list[int]:
    """Process ids in a process group, without those that only wait to be reaped."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        fields = _fields(int(entry.name))
        if fields is not None and fields[_STATE_FIELD] not in "ZX" and int(fields[_GROUP_FIELD]) == group:
            members.append(int(entry.name))
    return members
