"""What the supervisor knows about a part of the platform: how to start it and how to tell that it works.

A component is a value made by one function per kind (`components/*.py`); the supervisor treats all alike.
"""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ticketly_cli.local.os_user import OsUser

Step = Callable[[], Awaitable[object]]


async def nothing() -> None:
    """The step of a component that has nothing to do there."""


def no_preparation() -> None:
    """The preparation of a component that needs none."""


def fingerprint(*content: object) -> str:
    """A digest of JSON-like content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


class UnhealthyError(Exception):
    """A component does not work (yet); the message says what was seen, without a secret in it."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A command to keep running. `argv` never holds a secret: anybody on the machine can read it."""

    argv: tuple[str, ...]
    folder: Path
    """Working directory; must exist when the process starts."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to a minimal environment; the caller's own variables are not handed down."""
    stop_signal: int = signal.SIGTERM
    stop_timeout_seconds: float = 15.0
    """After this the whole process group is killed."""
    os_user: OsUser | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One part. Order of a start: needs healthy, `prepare`, the process, `probe` until it passes, `settle`, healthy."""

    name: str
    needs: frozenset[str]
    """Components that must be healthy before this one starts."""
    version: str
    address: str
    probe: Step = field(repr=False)
    """Raises UnhealthyError, OSError or TimeoutError while the component does not work."""
    process: ProcessSpec | None = None
    """None for a part that is only data inside another one, such as the connectors."""
    prepare: Callable[[], None] = field(default=no_preparation, repr=False)
    """Before every start of the process, in a thread: folders, configuration, first-time set-up. Can be repeated."""
    settle: Step = field(default=nothing, repr=False)
    """After the first successful probe of every start: roles, topics, what others rely on. Can be repeated."""
    uses: frozenset[str] = frozenset()
    """Components it is not complete without, but does not wait for; `up --only` starts them as well."""
    fingerprint: str = ""
    """Digest of what `prepare` and `settle` bring about; when it changes, the component is started anew."""
    start_timeout_seconds: float = 90.0
    probe_every_seconds: float = 5.0
    """Between probes of a healthy component."""
    stand_in: str = ""
    """Not empty: what this stands in for and where it differs from the real thing."""
