"""Verdicts: pass, fail with a counterexample, or inconclusive with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Verdict: TypeAlias = Literal["pass", "fail", "inconclusive"]

INVARIANTS = {
    "I1": "at most one live claim per seat",
    "I2": "hold and release of one seat are linearizable",
    "I3": "an order gets all of its seats or none",
    "I4": "no area sells more places than it has",
    "I5": "every captured payment ends in a ticket or a refund",
    "I6": "an acknowledged booking is never lost",
}

MAX_COUNTEREXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Why an invariant does not hold: the seat, and the operations or rows that contradict each other."""

    invariant: str
    text: str
    seat: str | None = None
    evidence: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        return {"invariant": self.invariant, "seat": self.seat, "text": self.text, "evidence": list(self.evidence)}


@dataclass(slots=True)
class Report:
    """What was checked so far. An invariant is listed only when something checked it."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    counterexamples: list[Counterexample] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    """The sources that were read: history, database."""

    @property
    def verdict(self) -> Verdict:
        """Fail beats inconclusive beats pass; nothing checked at all is inconclusive."""
        found = set(self.verdicts.values())
        if "fail" in found:
            return "fail"
        if not found or self.reasons or "inconclusive" in found:
            return "inconclusive"
        return "pass"

    def record(self, invariant: str, violations: Iterable[Counterexample]) -> None:
        """The outcome of one check of `invariant`; several checks of it add up."""
        found = list(violations)
        if found:
            self.verdicts[invariant] = "fail"
            room = MAX_COUNTEREXAMPLES - len(self.counterexamples)
            self.counterexamples.extend(found[: max(room, 1)])
        else:
            self.verdicts.setdefault(invariant, "pass")

    def undecided(self, invariants: Iterable[str], reason: str) -> None:
        """The check of these could not be made. A failure already found stays a failure."""
        for invariant in invariants:
            if self.verdicts.get(invariant) != "fail":
                self.verdicts[invariant] = "inconclusive"
        if reason not in self.reasons:
            self.reasons.append(reason)

    def merge(self, other: Report) -> None:
        """Add what another report found."""
        rank = {"pass": 0, "inconclusive": 1, "fail": 2}
        for invariant, verdict in other.verdicts.items():
            if rank[verdict] >= rank[self.verdicts.get(invariant, "pass")]:
                self.verdicts[invariant] = verdict
        self.counterexamples.extend(other.counterexamples)
        self.reasons.extend(reason for reason in other.reasons if reason not in self.reasons)
        self.checked.extend(source for source in other.checked if source not in self.checked)
