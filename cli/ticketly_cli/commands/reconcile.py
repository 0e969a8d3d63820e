"""`ticketly reconcile`: wake the operator."""

from __future__ import annotations

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Namespace, PlatformName, choice
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly reconcile`."""
    app.command("reconcile")(reconcile)


def reconcile(
    platform: PlatformName = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Make the operator look at a platform now instead of at its next interval.

    It writes only what has to change, so at rest nothing is to be seen but its metric
    ticketly_operator_reconciles_total.

    \b
    Examples:
      ticketly reconcile
      ticketly reconcile --context prod --namespace shop
    """
    from ticketly_cli.cluster import connection, marks, platforms

    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        return marks.reconcile(api, platforms.find(api, platform))
