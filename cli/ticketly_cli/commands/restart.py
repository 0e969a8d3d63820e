"""`ticketly restart`: one component."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.printing import terminal
from ticketly_cli.results import Message, Result


def register(app: typer.Typer) -> None:
    """Add `ticketly restart`."""
    app.command("restart")(restart)


def restart(
    service: Annotated[str, typer.Argument(help="A component as `ticketly status` names it.")],
) -> Result:
    """Stop and start one component, and wait until it is healthy again. The others go on.

    Example:

      ticketly restart order
    """
    from ticketly_cli.local import lifecycle, paths
    from ticketly_cli.local.watching import BoardWatcher

    with terminal().board() as board:
        report = lifecycle.restart(paths.home_folder(), service, BoardWatcher(board))
    seconds = next(one.start_seconds for one in report.components if one.name == service)
    return Message(f"{service} is healthy again.", {"component": service, "start_seconds": seconds})
