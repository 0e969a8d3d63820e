"""Options that the commands for clusters have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from ticketly_cli.cluster.connection import Choice

_PANEL = "Which cluster"

Context: TypeAlias = Annotated[
    str,
    typer.Option(
        "--context", metavar="NAME", help="Context of the kubeconfig; default: its current one.", rich_help_panel=_PANEL
    ),
]
OtherContext: TypeAlias = Annotated[
    str, typer.Option("--context", metavar="NAME", help="A cluster instead of this machine.", rich_help_panel=_PANEL)
]
Kubeconfig: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig", metavar="FILE", help="Default: $KUBECONFIG, else ~/.kube/config.", rich_help_panel=_PANEL
    ),
]
Namespace: TypeAlias = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="Default: the context's.", rich_help_panel=_PANEL)
]
LongNamespace: TypeAlias = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help="Default: the context's.", rich_help_panel=_PANEL)
]
PlatformName: TypeAlias = Annotated[
    str,
    typer.Option("--platform", metavar="NAME", help="Needed when the namespace has several.", rich_help_panel=_PANEL),
]
OperatorNamespace: TypeAlias = Annotated[
    str,
    typer.Option("--operator-namespace", metavar="NAME", help="Where the operator runs; default: where one is found."),
]
PlatformFile: TypeAlias = Annotated[
    Path, typer.Option("--file", "-f", metavar="FILE", help="The platform file; - reads standard input.")
]
Timeout: TypeAlias = Annotated[float, typer.Option("--timeout", min=1, max=86_400, help="Seconds to wait.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def choice(context: str, kubeconfig: Path | None, namespace: str = "") -> Choice:
    """What the person named."""
    from ticketly_cli.cluster.connection import Choice

    return Choice(context, kubeconfig, namespace)
