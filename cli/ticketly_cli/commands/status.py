"""`ticketly status`: every component of the platform on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

_WATCH_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add `ticketly status`."""
    app.command("status")(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it until interrupted.")] = False,
) -> Result:
    """Show state, version, address, process, memory and restarts of every component.

    Exit code 4 when a component that should run is not healthy, or when no platform runs.

    Examples:

      ticketly status

      ticketly status --watch

      ticketly status -o json
    """
    import time

    from ticketly_cli.local import lifecycle, paths, views

    home = paths.home_folder()
    if watch:
        with terminal().board() as board:
            while True:
                board.show(views.board_rows(lifecycle.report(home)))
                time.sleep(_WATCH_SECONDS)
    return views.StatusResult(lifecycle.report(home), str(home.root))
