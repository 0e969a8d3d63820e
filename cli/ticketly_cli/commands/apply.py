"""`ticketly apply`: a platform file into a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import (
    Context,
    Kubeconfig,
    Namespace,
    OperatorNamespace,
    PlatformFile,
    Timeout,
    choice,
)
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly apply`."""
    app.command("apply")(apply)


def apply(
    file: PlatformFile,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is ready, or the reason why it is not.")] = False,
    timeout: Timeout = 600,
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that another manager set.")
    ] = False,
    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Make the namespace if it is missing.")
    ] = False,
    operator_namespace: OperatorNamespace = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Check a platform file, show what it changes, apply it. The operator does the rest.

    Server-side apply with the field manager ticketly-cli: fields that the file leaves out are left alone. With --wait
    the exit code is 1 when the platform is not ready in time, and the condition that says why is shown.

    \b
    Examples:
      ticketly apply -f platform.yaml
      ticketly apply -f platform.yaml --context prod --wait --timeout 900
    """
    from ticketly_cli.cluster import applying, connection, targets

    document = targets.read(file)
    with connection.connected(choice(context, kubeconfig, namespace)) as api:
        return applying.apply(
            api,
            targets.placed(api, document, namespace, create_namespace=create_namespace),
            terminal(),
            operator_namespace=operator_namespace,
            force_conflicts=force_conflicts,
            wait_seconds=timeout if wait else None,
        )
