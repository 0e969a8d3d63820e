"""`ticketly report`: a support bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Kubeconfig, Namespace, OtherContext, PlatformName, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly report`."""
    app.command("report")(report)


def report(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Default: ./ticketly-report-<time>.tar.gz.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", min=0, max=100_000, help="Last lines of each log.")] = 2000,
    platform: PlatformName = "",
    namespace: Namespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Collect what helps somebody else to see what is wrong, in one archive without secrets.

    The platform on this machine: status, checks, versions, the platform file, ends of the logs. With --context a
    platform in a cluster: the resource, status, events, all objects, pods, ends of their logs, the operator with its
    metrics. Secrets are never read, values of environment variables are left out, credentials in logs are masked. What
    cannot be had is listed and stops nothing.

    \b
    Examples:
      ticketly report
      ticketly report --context prod --namespace shop --to shop.tar.gz
    """
    from datetime import UTC, datetime
    from importlib import metadata

    from ticketly_cli.cluster import bundle

    now = datetime.now(UTC)
    path = to or Path(f"ticketly-report-{now:%Y%m%d-%H%M%S}.tar.gz")
    chosen = choice(context, kubeconfig, namespace)
    with terminal().step("Collecting") as step:
        if chosen.given:
            from ticketly_cli.cluster import connection, reporting

            with connection.connected(chosen) as api:
                found, about = reporting.gather(api, platform, now, lines, step)
        else:
            from ticketly_cli.cluster import reporting_here
            from ticketly_cli.local import paths

            found, about = reporting_here.gather(paths.home_folder(), lines, step)
    packages = ("ticketly-cli", "ticketly-crds", "ticketly-operator")
    return bundle.write(found, path, about, now, {name: metadata.version(name) for name in packages})
