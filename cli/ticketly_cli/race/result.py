"""What `ticketly race` prints."""

from __future__ import annotations

from dataclasses import dataclass

from ticketly_cli.race.statistics import Latency
from ticketly_cli.results import Cell, Facts, JsonObject, Table, View
from ticketly_cli.verify.run import EXIT_CODES, TONES, details_view, invariants_table, verdict_details
from ticketly_cli.verify.verdict import Report


@dataclass(frozen=True, slots=True)
class RaceResult:
    """Verdict, counts and latencies of a race.

    `booked` counts acknowledged claims, `unknown` attempts without a usable answer; `statuses` counts HTTP statuses
    ("none": no answer). Latencies run from writing the request to having read the answer.
    """

    report: Report
    buyers: int
    seats: int
    basket: int
    seed: int
    attempts: int
    booked: int
    double_booked: int
    lost_acknowledged: int
    unknown: int
    statuses: dict[str, int]
    won: Latency
    lost: Latency
    duration_seconds: float
    history: str
    target: str
    chaos: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.report.verdict]

    def to_data(self) -> JsonObject:
        data: JsonObject = {
            "verdict": self.report.verdict,
            "buyers": self.buyers,
            "seats": self.seats,
            "basket": self.basket,
            "attempts": self.attempts,
            "booked": self.booked,
            "double_booked": self.double_booked,
            "lost_acknowledged": self.lost_acknowledged,
            "unknown": self.unknown,
            "statuses": self.statuses,
            "latency_ms": {"won": self.won.to_data(), "lost": self.lost.to_data()},
            "duration_s": round(self.duration_seconds, 3),
            "invariants": dict(sorted(self.report.verdicts.items())),
            "history": self.history,
            "target": self.target,
            "seed": self.seed,
        }
        if self.chaos:
            data["chaos"] = list(self.chaos)
        return data | verdict_details(self.report)

    def to_view(self) -> View:
        verdict = self.report.verdict
        answered = ", ".join(f"{count} x {status}" for status, count in self.statuses.items())
        facts = Facts(
            (
                ("verdict", Cell(verdict, TONES[verdict])),
                ("buyers, seats", f"{self.buyers} buyers, {self.seats} seats, baskets of {self.basket}"),
                ("attempts", f"{self.attempts} in {self.duration_seconds:.1f} s: {answered}"),
                ("booked", f"{self.booked} (double: {self.double_booked}, lost: {self.lost_acknowledged})"),
                ("without an answer", str(self.unknown)),
                *((("faults", ", ".join(self.chaos)),) if self.chaos else ()),
                ("target", self.target),
                ("history", f"{self.history} (seed {self.seed})"),
            )
        )
        rows = [
            (name, *(f"{value:.1f}" for value in (found.p50, found.p95, found.p99, found.max)))
            for name, found in (("won", self.won), ("lost", self.lost))
        ]
        latencies = Table(("latency in ms", "p50", "p95", "p99", "max"), rows)
        return (facts, latencies, invariants_table(self.report), *details_view(self.report))
