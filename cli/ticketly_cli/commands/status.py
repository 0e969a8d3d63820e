"""`ticketly status`: the platform on this machine, or one in a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Kubeconfig, Namespace, OtherContext, PlatformName, Timeout, choice
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

_WATCH_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add `ticketly status`."""
    app.command("status")(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it until interrupted.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="In a cluster: until the platform is ready.")] = False,
    check: Annotated[bool, typer.Option("--check", help="In a cluster: exit code 1 when it is not ready.")] = False,
    timeout: Timeout = 600,
    platform: PlatformName = "",
    namespace: Namespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show state, version, address, process, memory and restarts of every component on this machine.

    Exit code 4 when a component that should run is not healthy, or when no platform runs.

    With --context or --kubeconfig: a platform in a cluster, with its conditions, services, connectors and their slots,
    lag and flash sales. Exit code 4 when there is none; 1 when it is not ready, with --check or --wait only.

    \b
    Examples:
      ticketly status
      ticketly status --watch
      ticketly status --context prod --namespace shop
      ticketly status --context prod --wait --timeout 900 -o json
    """
    import time

    chosen = choice(context, kubeconfig, namespace)
    if chosen.given:
        from ticketly_cli.cluster import connection, showing

        with connection.connected(chosen) as api:
            if watch:
                showing.watch(api, platform, terminal())
            return showing.show(api, platform, terminal(), check=check, wait_seconds=timeout if wait else None)
    if wait or check or platform or namespace:
        message = "--wait, --check, --platform and --namespace are about a cluster."
        raise CliError(message, "Name it with --context or --kubeconfig.", ExitCode.BAD_ARGUMENTS)
    from ticketly_cli.local import lifecycle, paths, views

    home = paths.home_folder()
    if watch:
        with terminal().board() as board:
            while True:
                board.show(views.board_rows(lifecycle.report(home)))
                time.sleep(_WATCH_SECONDS)
    return views.StatusResult(lifecycle.report(home), str(home.root))
