"""`ticketly logs`: what a component wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly logs`."""
    app.command("logs")(logs)


def logs(
    service: Annotated[str, typer.Argument(help="A component as `ticketly status` names it, or `supervisor`.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until interrupted.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=100_000, help="How many of the last lines.")] = 100,
) -> Result | None:
    """Show the end of a component's log.

    Examples:

      ticketly logs order

      ticketly logs postgres -n 20

      ticketly logs order -f
    """
    from ticketly_cli.local import logfiles, paths, views

    home = paths.home_folder()
    path = home.log_file(service)
    known = sorted(found.stem for found in home.logs.glob("*.log"))
    if service not in known:
        raise CliError(
            f"There is no log of {service}.",
            f"There are logs of: {', '.join(known)}." if known else "Run `ticketly up` first.",
            ExitCode.BAD_ARGUMENTS,
        )
    if not follow:
        return views.LogLines(service, logfiles.last_lines(path, lines))
    for line in logfiles.follow(path, lines):
        terminal().line(line)
    return None
