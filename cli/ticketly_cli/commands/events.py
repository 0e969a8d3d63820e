"""`ticketly events`: what happened to a platform in a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Namespace, PlatformName, choice
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly events`."""
    app.command("events")(events)


def events(
    warnings: Annotated[bool, typer.Option("--warnings", help="Leave out what went well.")] = False,
    platform: PlatformName = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show the events of a platform and of everything it is made of, oldest first.

    \b
    Examples:
      ticketly events
      ticketly events --warnings --context prod --namespace shop
    """
    from datetime import UTC, datetime

    from ticketly_cli.cluster import connection, eventlog, platforms

    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        return eventlog.read(api, platforms.find(api, platform), datetime.now(UTC), warnings=warnings)
