"""`ticketly restart`: one component, or a service in a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Kubeconfig, Namespace, OtherContext, PlatformName, Timeout, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Message, Result


def register(app: typer.Typer) -> None:
    """Add `ticketly restart`."""
    app.command("restart")(restart)


def restart(
    service: Annotated[str, typer.Argument(help="A component as `ticketly status` names it; in a cluster also `all`.")],
    timeout: Timeout = 60,
    platform: PlatformName = "",
    namespace: Namespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Stop and start one component, and wait until it is healthy again. The others go on.

    With --context or --kubeconfig: roll the pods of one service in a cluster, one after the other. `all` asks the
    operator to roll every service (annotation ticketly.io/restart) and waits, at most --timeout, until it says so.

    \b
    Examples:
      ticketly restart order
      ticketly restart order --context prod --namespace shop
      ticketly restart all --context prod
    """
    chosen = choice(context, kubeconfig, namespace)
    if chosen.given:
        from ticketly_cli.cluster import connection, marks, platforms

        with connection.connected(chosen) as api:
            return marks.restart(api, platforms.find(api, platform), service, terminal(), timeout)
    from ticketly_cli.local import lifecycle, paths
    from ticketly_cli.local.watching import BoardWatcher

    with terminal().board() as board:
        report = lifecycle.restart(paths.home_folder(), service, BoardWatcher(board))
    seconds = next(one.start_seconds for one in report.components if one.name == service)
    return Message(f"{service} is healthy again.", {"component": service, "start_seconds": seconds})
