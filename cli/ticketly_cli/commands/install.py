"""`ticketly install`: the operator in a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Timeout, choice
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

_DEFAULT_NAMESPACE = "ticketly-system"


def register(app: typer.Typer) -> None:
    """Add `ticketly install`."""
    app.command("install")(install)


def install(
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAME", help="Where the operator runs; made if it is missing.")
    ] = _DEFAULT_NAMESPACE,
    image: Annotated[str, typer.Option("--image", help="The operator's image; default: the one of this version.")] = "",
    pull_secret: Annotated[
        list[str] | None, typer.Option("--pull-secret", metavar="NAME", help="Secret for the registry (repeatable).")
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", min=1, max=9, help="One leads, the others wait.")] = 2,
    watch_namespace: Annotated[
        str,
        typer.Option(
            "--watch-namespace", metavar="NAME", help="Look after this namespace only, without a ClusterRole."
        ),
    ] = "",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
    monitoring: Annotated[
        bool, typer.Option("--monitoring", help="Also metrics and alerts of the operator for Prometheus' operator.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the API server, change nothing.")] = False,
    timeout: Timeout = 180,
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Install the operator: its resource definition, rights, Deployment; then wait until it runs.

    Safe to repeat: what is there already stays, what differs is brought up to date. Server-side apply with the field
    manager ticketly-cli. When a pod does not start, its own message is shown.

    \b
    Examples:
      ticketly install
      ticketly install --context prod --image registry.example.com/ticketly/operator:1.2.0
      ticketly install --watch-namespace shop --dry-run
    """
    from ticketly_cli.cluster import connection, installing
    from ticketly_operator.desired.installation import Installation

    try:
        wanted = Installation(
            namespace=namespace,
            watch_namespace=watch_namespace,
            replicas=replicas,
            pull_secrets=tuple(pull_secret or ()),
            log_level=log_level,
            image=image or Installation().image,
            monitoring=monitoring,
        )
    except ValueError as error:
        raise CliError(
            f"This cannot be installed: {error}.", "See `ticketly install --help`.", ExitCode.BAD_ARGUMENTS
        ) from None
    with connection.connected(choice(context, kubeconfig)) as api:
        return installing.install(api, wanted, terminal(), dry_run=dry_run, wait_seconds=timeout)
