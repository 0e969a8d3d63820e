"""`ticketly diff`: what runs against what is described in the cluster."""

from __future__ import annotations

import typer

from ticketly_cli.commands.cluster_options import (
    Context,
    Kubeconfig,
    Namespace,
    OperatorNamespace,
    PlatformName,
    choice,
)
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly diff`."""
    app.command("diff")(diff)


def diff(
    platform: PlatformName = "",
    operator_namespace: OperatorNamespace = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show where the objects in the cluster differ from what the platform's description makes of them.

    That is drift (somebody's edit, shown with the field manager that made it) or work the operator has not done yet.
    Exit code 0: no difference, 2: differences. Changes nothing.

    \b
    Examples:
      ticketly diff
      ticketly diff --context prod --namespace shop -o json
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from ticketly_cli.cluster import connection, planning, platforms

    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        found = platforms.find(api, platform)
        with terminal().step("Asking the API server what would change") as step:
            now = datetime.now(UTC)
            made = planning.plan_live(api, found, operator_namespace=operator_namespace, now=now, step=step)
        return replace(made, verbose=terminal().verbosity > 0)
