"""`ticketly render`: what the operator would make, without a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ticketly_cli.commands.cluster_options import PlatformFile
from ticketly_cli.results import Result

_KINDS = ("Middleware.traefik.io", "ServiceMonitor.monitoring.coreos.com", "PrometheusRule.monitoring.coreos.com")


def register(app: typer.Typer) -> None:
    """Add `ticketly render`."""
    app.command("render")(render)


def render(
    file: PlatformFile,
    optional_kind: Annotated[
        list[str] | None,
        typer.Option(
            "--optional-kind", metavar="KIND", help=f"A kind the cluster serves (repeatable): {', '.join(_KINDS)}."
        ),
    ] = None,
    secret_version: Annotated[
        list[str] | None,
        typer.Option("--secret-version", metavar="NAME=TEXT", help="Changes the pods when it changes (repeatable)."),
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="TIME", help="Moment of flash sales, such as 2027-03-01T09:00:00Z; default: none."
        ),
    ] = "",
    uid: Annotated[str, typer.Option("--uid", help="Of the platform, for owner references; default: zeros.")] = "",
    operator_namespace: Annotated[
        str, typer.Option("--operator-namespace", metavar="NAME", help="Where the operator runs.")
    ] = "ticketly-system",
) -> Result:
    """Print every Kubernetes object the operator would make of a platform, as YAML documents.

    No cluster is asked, and the same file gives the same output each time.

    \b
    Examples:
      ticketly render -f platform.yaml
      ticketly render -f platform.yaml --optional-kind Middleware.traefik.io > objects.yaml
      ticketly render -f platform.yaml -o json | jq '.objects[].kind'
    """
    from ticketly_cli.cluster import platform_files, rendering, rendering_options

    read = platform_files.read(file)
    blueprint = platform_files.cluster_blueprint(read.platform)
    objects = rendering.render(
        rendering_options.with_uid(read.platform, uid),
        blueprint,
        operator_namespace=operator_namespace,
        optional_kinds=rendering_options.optional_kinds(optional_kind or []),
        secret_versions=rendering_options.secret_versions(secret_version or []),
        at=rendering_options.moment(at),
    )
    return rendering.Rendered(objects)
