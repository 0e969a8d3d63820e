"""`ticketly verify`: the checker alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ticketly_cli.errors import CliError
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

ORDER_DATABASE = "order_service"


def register(app: typer.Typer) -> None:
    """Add `ticketly verify`."""
    app.command("verify")(verify)


def verify(
    history: Annotated[
        Path | None, typer.Option("--history", help="Check this history of operations (written by `ticketly race`).")
    ] = None,
    database: Annotated[
        bool, typer.Option("--database", help="Check the order database, and the history against it.")
    ] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Compare with the payment provider's own list of payments.")
    ] = False,
) -> Result:
    """Check that no seat was sold twice and nothing acknowledged was lost.

    A history alone is checked for contradictions in itself; with --database it must also agree with what is stored.
    Without any option the database of the running platform is swept. Whatever cannot be read or decided is
    inconclusive (exit 2), never a pass.

    \b
    Examples:
      ticketly verify
      ticketly verify --history race-history.jsonl
      ticketly verify --history race-history.jsonl --database -o json
    """
    from ticketly_cli.local import state
    from ticketly_cli.verify import run
    from ticketly_cli.verify.history import read_history

    dsn, reason = None, ""
    if database or not (history or ledger):
        try:
            dsn = state.load().database(ORDER_DATABASE).dsn
        except CliError as error:
            reason = f"the order database is not known: {error.message}"
    with terminal().step("Checking"):
        recorded = None if history is None else read_history(history)
        return asyncio.run(run.verify(recorded, dsn, database_reason=reason, ledger=ledger))
