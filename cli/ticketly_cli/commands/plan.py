"""`ticketly plan`: what applying a file would change."""

from __future__ import annotations

import typer

from ticketly_cli.commands.cluster_options import (
    Context,
    Kubeconfig,
    Namespace,
    OperatorNamespace,
    PlatformFile,
    choice,
)
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly plan`."""
    app.command("plan")(plan)


def plan(
    file: PlatformFile,
    operator_namespace: OperatorNamespace = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show exactly what applying a platform file would change, field by field; changes nothing.

    The API server answers for the platform and for every object the operator would make of it (a server-side dry run
    with the operator's own field manager). Fields that another manager set are shown with its name. Exit code 0: no
    difference, 2: differences.

    \b
    Examples:
      ticketly plan -f platform.yaml
      ticketly plan -f platform.yaml --context prod -o json
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from ticketly_cli.cluster import connection, planning, targets

    document = targets.read(file)
    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        placed = targets.placed(api, document, namespace)
        with terminal().step("Asking the API server what would change") as step:
            now = datetime.now(UTC)
            made, _ = planning.plan_file(api, placed, operator_namespace=operator_namespace, now=now, step=step)
        return replace(made, verbose=terminal().verbosity > 0)
