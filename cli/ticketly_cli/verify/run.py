"""The whole check: a history, the order database, or both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ticketly_cli.errors import ExitCode
from ticketly_cli.results import Cell, Facts, JsonObject, Table, Text, Tone, View
from ticketly_cli.verify import database
from ticketly_cli.verify.checks import HISTORY_INVARIANTS, check_history, count_double_booked
from ticketly_cli.verify.operations import History
from ticketly_cli.verify.seat_log import Assumptions
from ticketly_cli.verify.stored import compare, count_lost
from ticketly_cli.verify.verdict import INVARIANTS, Report, Verdict

LEDGER_REASON = "this platform has no payment provider to compare with"

TONES: dict[Verdict, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "warn"}

EXIT_CODES: dict[Verdict, int] = {
    "pass": ExitCode.DONE,
    "fail": ExitCode.FAILED,
    "inconclusive": ExitCode.UNDECIDED,
}


@dataclass(slots=True)
class Verification:
    """A verdict with what it rests on; also the result `ticketly verify` prints."""

    report: Report
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.report.verdict]

    def to_data(self) -> JsonObject:
        data: dict[str, Any] = {
            "verdict": self.report.verdict,
            "checked": self.report.checked,
            "invariants": dict(sorted(self.report.verdicts.items())),
            **self.counts,
        }
        return data | verdict_details(self.report)

    def to_view(self) -> View:
        report = self.report
        counted = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in self.counts.items())
        facts = Facts((("verdict", Cell(report.verdict, TONES[report.verdict])), ("checked", counted or "nothing")))
        return (facts, invariants_table(report), *details_view(report))


def verdict_details(report: Report) -> JsonObject:
    """The members that explain a verdict other than pass."""
    data: JsonObject = {}
    if report.counterexamples:
        data["counterexample"] = report.counterexamples[0].to_data()
        data["counterexamples"] = [found.to_data() for found in report.counterexamples]
    if report.reasons:
        data["reason"] = report.reasons[0]
        data["reasons"] = list(report.reasons)
    return data


def invariants_table(report: Report) -> Table:
    """One row per invariant that was checked."""
    return Table(
        ("invariant", "verdict", "meaning"),
        [
            (name, Cell(verdict, TONES[verdict]), INVARIANTS.get(name, ""))
            for name, verdict in sorted(report.verdicts.items())
        ],
    )


def details_view(report: Report) -> tuple[Text, ...]:
    """Counterexamples and reasons as paragraphs."""
    lines: list[Text] = []
    for found in report.counterexamples:
        lines.append(Text(f"{found.invariant}: {found.text}", "bad"))
        lines.extend(Text(f"    {line}") for line in found.evidence)
    lines.extend(Text(f"inconclusive: {reason}", "warn") for reason in report.reasons)
    return tuple(lines)


async def verify(
    history: History | None,
    dsn: str | None,
    *,
    database_reason: str = "",
    ledger: bool = False,
    assumptions: Assumptions | None = None,
) -> Verification:
    """Check a history, the order database behind `dsn`, or both against each other.

    `database_reason` says why the database cannot be read although it was asked for (then `dsn` is None).
    Never raises for what it reads: what cannot be read makes the verdict inconclusive.
    """
    granted = assumptions or Assumptions()
    outcome = Verification(Report())
    if dsn is not None or database_reason:
        settled = await _check_database(outcome, history, dsn, database_reason)
        history = settled or history
    if history is not None:
        outcome.report.merge(check_history(history, granted))
        places = [op for op in history.operations if op.kind == "place"]
        outcome.counts = {
            "operations": len(history.operations),
            "acknowledged": sum(1 for op in places if op.outcome == "ok"),
            "unknown": sum(1 for op in history.operations if op.outcome == "unknown"),
            "double_booked": count_double_booked(history, granted) if history.is_complete else 0,
        } | outcome.counts
    if ledger:
        outcome.report.undecided(["I5"], LEDGER_REASON)
    return outcome


async def _check_database(
    outcome: Verification, history: History | None, dsn: str | None, reason: str
) -> History | None:
    """Sweep and compare; returns the history with its unanswered claims settled."""
    report = outcome.report
    wanted = (*HISTORY_INVARIANTS, *(("I6",) if history is not None else ()))
    header = history.header if history is not None else None
    if dsn is None:
        report.undecided(wanted, reason)
        return None
    try:
        reading = await database.read(dsn, header.session_id if header is not None else None)
    except database.StoreUnreadableError as error:
        report.undecided(wanted, str(error))
        return None
    report.checked.append("database")
    for invariant in reading.sweep.invariants:
        report.record(invariant, (found for found in reading.sweep.violations if found.invariant == invariant))
    outcome.counts = {"orders": reading.sweep.orders, "seats": reading.sweep.seats}
    if reading.sweep.seats == 0:
        report.undecided(reading.sweep.invariants, "the order database holds no seats, so there is nothing to prove")
    if history is None:
        return None
    if reading.session is None or not history.is_complete:
        report.undecided(["I6"], "the history is not complete, so it cannot be compared with the database")
        return None
    comparison = compare(history, reading.session)
    report.record("I6", comparison.lost)
    report.record("I3", comparison.partial)
    outcome.counts["lost_acknowledged"] = count_lost(history, reading.session)
    return comparison.settled
