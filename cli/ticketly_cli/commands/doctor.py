"""`ticketly doctor`: what is missing, what answers, and what is a stand-in."""

from __future__ import annotations

import typer

from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly doctor`."""
    app.command("doctor")(doctor)


def doctor() -> Result:
    """Check the machine and every component: version, address, latency, and which ones stand in for something else.

    Changes nothing. Exit code 4 when a component that should run does not answer.

    Examples:

      ticketly doctor

      ticketly doctor -o json
    """
    from ticketly_cli.local import diagnosis, paths

    return diagnosis.diagnose(paths.home_folder(), paths.cache_folder())
