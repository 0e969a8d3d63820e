"""`ticketly down`: stop the platform."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.printing import terminal
from ticketly_cli.results import Message, Result


def register(app: typer.Typer) -> None:
    """Add `ticketly down`."""
    app.command("down")(down)


def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete data, logs and passwords as well; downloads are kept.")
    ] = False,
) -> Result:
    """Stop everything this platform started, and nothing else. Data stays unless --purge is given.

    Examples:

      ticketly down

      ticketly down --purge
    """
    from ticketly_cli.local import lifecycle, paths

    home = paths.home_folder()
    with terminal().step("Stopping the platform"):
        stopped = lifecycle.down(home)
        if purge:
            lifecycle.purge(home, paths.cache_folder())
    text = f"Stopped {len(stopped)} processes." if stopped else "Nothing was running."
    if purge:
        text += f" Deleted the data of {home.root}."
    return Message(text, {"stopped": stopped, "purged": purge})
