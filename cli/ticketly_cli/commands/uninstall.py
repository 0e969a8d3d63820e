"""`ticketly uninstall`: take the operator out of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Timeout, Yes, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly uninstall`."""
    app.command("uninstall")(uninstall)


def uninstall(
    namespace: Annotated[
        str,
        typer.Option("--namespace", "-n", metavar="NAME", help="Where the operator runs; default: where one is found."),
    ] = "",
    crd: Annotated[
        bool, typer.Option("--crd", help="Remove the definition as well, and with it every platform.")
    ] = False,
    allow_delete: Annotated[
        list[str] | None,
        typer.Option("--allow-delete", metavar="NAMESPACE/NAME", help="This platform may be deleted (repeatable)."),
    ] = None,
    yes: Yes = False,
    timeout: Timeout = 180,
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Remove the operator, its rights and its finalizers.

    Platforms and what they consist of stay and run on without an operator. With --crd they are deleted: each has to be
    approved by name, which --yes does not cover. Topics, connectors and replication slots follow a platform's
    deletionPolicy; what stays is named. Nothing is left that would hold up the deletion of a namespace.

    \b
    Examples:
      ticketly uninstall
      ticketly uninstall --context prod --yes
      ticketly uninstall --crd --allow-delete shop/ticketly
    """
    from ticketly_cli.cluster import connection, removing

    with connection.connected(choice(context, kubeconfig)) as api:
        return removing.uninstall(
            api,
            terminal(),
            namespace=namespace,
            with_definition=crd,
            yes=yes,
            approved=allow_delete or [],
            timeout_seconds=timeout,
        )
