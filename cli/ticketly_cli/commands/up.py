"""`ticketly up`: the whole platform on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly up`."""
    app.command("up")(up)


def up(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A TicketlyPlatform file; it is remembered for this state folder."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Start these components (repeatable) and what they need."),
    ] = None,
) -> Result:
    """Start the platform and wait until every part is healthy.

    Downloads what is missing on the first run. Can be repeated: what runs is left alone, what does not is started.
    Ports that are taken are replaced by free ones and remembered.

    Examples:

      ticketly up

      ticketly up -f platform.yaml

      ticketly up --only order
    """
    from ticketly_cli.local import lifecycle, paths, state, views
    from ticketly_cli.local.watching import BoardWatcher

    home = paths.home_folder()
    with terminal().board() as board:
        outcome = lifecycle.up(home, paths.cache_folder(), file, only or None, BoardWatcher(board))
    return views.UpResult(
        report=outcome.report,
        addresses=state.load(home.root).addresses,
        seconds=outcome.seconds,
        home=str(home.root),
    )
