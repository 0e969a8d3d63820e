"""`ticketly resume`: let the operator act on a platform again."""

from __future__ import annotations

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Namespace, PlatformName, Timeout, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly resume`."""
    app.command("resume")(resume)


def resume(
    platform: PlatformName = "",
    timeout: Timeout = 60,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Let the operator act on a suspended platform again, and wait until it says so.

    \b
    Examples:
      ticketly resume
      ticketly resume --context prod --namespace shop
    """
    from ticketly_cli.cluster import connection, marks, platforms

    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        return marks.resume(api, platforms.find(api, platform), terminal(), timeout)
