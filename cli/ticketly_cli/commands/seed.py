"""`ticketly seed`: events to look at, to buy from and to load."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

DEFAULT_SEED = 1
DEFAULT_FILE = Path("seed-data.json")


def register(app: typer.Typer) -> None:
    """Add `ticketly seed`."""
    app.command("seed")(seed)


def seed(
    events: Annotated[int, typer.Option("--events", min=1, max=900, help="How many events.")] = 30,
    sessions: Annotated[int, typer.Option("--sessions", min=1, max=50, help="Sessions of each event.")] = 1,
    rows: Annotated[int, typer.Option("--rows", min=1, max=500, help="Rows of each session.")] = 4,
    columns: Annotated[int, typer.Option("--cols", min=1, max=500, help="Seats of each row.")] = 4,
    seats: Annotated[
        int | None, typer.Option("--seats", min=1, max=100_000, help="Seats of each session, instead of rows x cols.")
    ] = None,
    users: Annotated[int, typer.Option("--users", min=0, max=5000, help="Make this many buyers for load tests.")] = 0,
    number: Annotated[int, typer.Option("--seed", help="The same number gives the same season.")] = DEFAULT_SEED,
    file: Annotated[Path, typer.Option("--file", help="Where the ids of what was made are kept.")] = DEFAULT_FILE,
    clean: Annotated[bool, typer.Option("--clean", help="Remove exactly what was made, as the file says.")] = False,
) -> Result:
    """Fill the platform with events that are on sale.

    Works through the public API as an organizer and an administrator: organization, events with two tiers, sessions
    with a seating layout, discounts, cover pictures, approval. The first event is a week ahead. Running it again
    keeps what still exists and makes what is missing.

    \b
    Examples:
      ticketly seed
      ticketly seed --events 5 --sessions 3 --seats 1000
      ticketly seed --users 200
      ticketly seed --clean
    """
    from ticketly_cli.local import state
    from ticketly_cli.seed import run
    from ticketly_cli.seed.plan import SeedOptions, plan

    platform = state.load()
    if clean:
        return asyncio.run(run.clean(file, platform, terminal()))
    season = plan(number, SeedOptions(events, sessions, rows, columns, seats))
    return asyncio.run(run.seed(season, users, file, platform, terminal()))
