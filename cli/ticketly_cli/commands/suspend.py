"""`ticketly suspend`: keep the operator from changing a platform."""

from __future__ import annotations

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Namespace, PlatformName, Timeout, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly suspend`."""
    app.command("suspend")(suspend)


def suspend(
    platform: PlatformName = "",
    timeout: Timeout = 60,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Keep the operator from changing anything of a platform, and wait until it says so.

    What runs goes on running; the status is still kept up to date. `ticketly resume` ends it.

    \b
    Examples:
      ticketly suspend
      ticketly suspend --context prod --namespace shop
    """
    from ticketly_cli.cluster import connection, marks, platforms

    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        return marks.suspend(api, platforms.find(api, platform), terminal(), timeout)
