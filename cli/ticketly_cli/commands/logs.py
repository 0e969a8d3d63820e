"""`ticketly logs`: what a component wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ticketly_cli.commands.cluster_options import Kubeconfig, LongNamespace, OtherContext, PlatformName, choice
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

if TYPE_CHECKING:
    from ticketly_cli.cluster.connection import Choice


def register(app: typer.Typer) -> None:
    """Add `ticketly logs`."""
    app.command("logs")(logs)


def logs(
    service: Annotated[
        str, typer.Argument(help="A component as `ticketly status` names it, `supervisor` or `operator`.")
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until interrupted.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=100_000, help="How many of the last lines.")] = 100,
    platform: PlatformName = "",
    namespace: LongNamespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result | None:
    """Show the end of a component's log.

    With --context or --kubeconfig: the logs of a service's pods in a cluster, or of the operator's, each line after the
    name of its pod.

    \b
    Examples:
      ticketly logs order
      ticketly logs postgres -n 20
      ticketly logs order -f
      ticketly logs order -f --context prod --namespace shop
      ticketly logs operator --context prod
    """
    chosen = choice(context, kubeconfig, namespace)
    if chosen.given:
        return _of_pods(chosen, service, platform, lines, follow=follow)
    return _of_processes(service, lines, follow=follow)


def _of_processes(service: str, lines: int, *, follow: bool) -> Result | None:
    from ticketly_cli.local import logfiles, paths, views

    home = paths.home_folder()
    path: Path = home.log_file(service)
    known = sorted(found.stem for found in home.logs.glob("*.log"))
    if service not in known:
        raise CliError(
            f"There is no log of {service}.",
            f"There are logs of: {', '.join(known)}." if known else "Run `ticketly up` first.",
            ExitCode.BAD_ARGUMENTS,
        )
    if not follow:
        return views.LogLines(service, logfiles.last_lines(path, lines))
    for line in logfiles.follow(path, lines):
        terminal().line(line)
    return None


def _of_pods(chosen: Choice, service: str, platform: str, lines: int, *, follow: bool) -> Result | None:
    from ticketly_cli.cluster import connection, platforms, podlogs

    with connection.connected(chosen) as api:
        about = None if service == podlogs.OPERATOR else platforms.find(api, platform)
        pods = podlogs.pods_of(api, about, service)
        if not follow:
            return podlogs.last_lines(api, service, pods, lines)
        for line in podlogs.follow(api, pods, lines):
            terminal().line(line)
    return None
