"""`ticketly crd`: the definition of TicketlyPlatform in a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Context, Kubeconfig, Yes, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly crd`."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_crd)
    group.command("upgrade")(upgrade)
    app.add_typer(group, name="crd")


def _crd() -> None:
    """The resource definition of TicketlyPlatform in a cluster.

    \b
    Examples:
      ticketly crd upgrade --check --output json
      ticketly crd upgrade --context prod
    """


def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Compare only: exit code 0 equal, 2 different.")] = False,
    yes: Yes = False,
    context: Context = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Bring the cluster's definition to the one of this version.

    Differences that may refuse platforms that exist (a version or field that goes away, a new required field, a tighter
    limit) are marked and have to be confirmed. A definition that does not know a version in which the cluster has
    stored platforms is refused.

    \b
    Examples:
      ticketly crd upgrade --check -o json
      ticketly crd upgrade --yes
    """
    from ticketly_cli.cluster import connection, upgrading

    with connection.connected(choice(context, kubeconfig)) as api:
        return upgrading.check(api) if check else upgrading.upgrade(api, terminal(), yes=yes)
