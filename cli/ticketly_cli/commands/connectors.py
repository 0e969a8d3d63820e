"""`ticketly connectors`: change capture at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import Kubeconfig, LongNamespace, OtherContext, PlatformName, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result


def register(app: typer.Typer) -> None:
    """Add `ticketly connectors`."""
    app.command("connectors")(connectors)


def connectors(
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="The Connect of this platform file.")
    ] = None,
    connect_url: Annotated[
        str, typer.Option("--connect-url", metavar="URL", help="Where Kafka Connect is, whatever a platform says.")
    ] = "",
    platform: PlatformName = "",
    namespace: LongNamespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show connectors, their tasks, why one failed, how often it was restarted, and how much log its slot holds back.

    Without further options it is the Connect of the platform on this machine; with --context that of a platform in a
    cluster. Where Connect cannot be reached from here, what the operator tells is shown.

    \b
    Examples:
      ticketly connectors
      ticketly connectors --context prod --connect-url http://localhost:8083
    """
    from ticketly_cli.cluster import kafka_commands
    from ticketly_cli.cluster.stores import Wanted

    wanted = Wanted(file, "", connect_url, choice(context, kubeconfig, namespace), platform)
    return kafka_commands.connectors(wanted, terminal())
