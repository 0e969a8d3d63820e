"""What one client did and what it was told, with times of one monotonic clock.

An attempt without a usable answer is `unknown`: it may have happened at any time after it was sent, or never. It is
never treated as a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["place", "cancel"]
Outcome: TypeAlias = Literal["ok", "fail", "unknown"]

KINDS: tuple[Kind, ...] = ("place", "cancel")
OUTCOMES: tuple[Outcome, ...] = ("ok", "fail", "unknown")

LOST_CODE = "seats-unavailable"
"""Problem code of a claim that met a held or sold seat."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One request with its outcome.

    `invoked_ns` and `returned_ns` are of the client's monotonic clock; `invoked_ns` is None when the history holds
    an answer without a question, `returned_ns` is None when no answer was recorded (then `outcome` is unknown).
    `seats` are those asked for, `answered_seats` those the answer named (granted or contested).
    `hold_ns` is how long the server promised to keep the seats, counted from some moment of the operation.
    """

    op_id: int
    process: str
    kind: Kind
    seats: tuple[str, ...]
    outcome: Outcome
    invoked_ns: int | None
    returned_ns: int | None
    order_id: str | None = None
    status: int | None = None
    code: str | None = None
    answered_seats: tuple[str, ...] | None = None
    hold_ns: int | None = None

    def describe(self, origin_ns: int) -> str:
        """One line for a counterexample; times in milliseconds since the history's first operation."""
        start = "?" if self.invoked_ns is None else f"{(self.invoked_ns - origin_ns) / 1e6:.3f}"
        end = "?" if self.returned_ns is None else f"{(self.returned_ns - origin_ns) / 1e6:.3f}"
        answer = self.outcome if self.status is None else f"{self.outcome} {self.status}"
        order = f" order {self.order_id}" if self.order_id else ""
        return f"op {self.op_id} {self.process} {self.kind} [{start}, {end}] ms -> {answer}{order}"


@dataclass(frozen=True, slots=True)
class Header:
    """What the history is about. `users` maps a process (buyer) to its user id in the tokens."""

    session_id: str
    event_id: str
    seats: tuple[str, ...]
    seed: int
    started: str
    target: str
    hold_ttl_seconds: float | None
    users: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the record itself.

    `blinding` says that records are absent or unreadable, or that their times cannot be trusted: then the rest
    cannot convict anybody either, since a release may be among them. Otherwise every record is there but they do
    not fit together.
    """

    text: str
    blinding: bool


@dataclass(frozen=True, slots=True)
class History:
    """Operations in the order of their first record, and what is wrong with the record."""

    header: Header | None
    operations: tuple[Operation, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def origin_ns(self) -> int:
        """The earliest time in the history; 0 when there is none."""
        times = [t for op in self.operations for t in (op.invoked_ns, op.returned_ns) if t is not None]
        return min(times, default=0)

    @property
    def is_complete(self) -> bool:
        """Nothing is known to be absent."""
        return not any(problem.blinding for problem in self.problems)

    @property
    def is_sound(self) -> bool:
        return not self.problems
