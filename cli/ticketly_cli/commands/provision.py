"""`ticketly provision`: the AWS side."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

if TYPE_CHECKING:
    from ticketly_cli.provision.session import Target


class StackName(StrEnum):
    """The value of --stack: the profile and the name of the stack."""

    DEV = "dev"
    PROD = "prod"


Stack: TypeAlias = Annotated[StackName, typer.Option("--stack", help="dev is cheap, prod is highly available.")]
Region: TypeAlias = Annotated[str, typer.Option("--region", help="The AWS region.")]
Project: TypeAlias = Annotated[
    Path | None, typer.Option("--project", help="Folder with Pulumi.yaml; default: pulumi/ of this checkout.")
]
Backend: TypeAlias = Annotated[
    str, typer.Option("--backend", metavar="URL", help="Where the state is, s3://BUCKET; or set PULUMI_BACKEND_URL.")
]
SecretsProvider: TypeAlias = Annotated[
    str,
    typer.Option(
        "--secrets-provider", metavar="URL", help="Encrypts a new stack's secrets; default: KMS alias/ticketly-state."
    ),
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask; covers no loss of data.")]
AllowReplace: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--allow-replace", metavar="NAME", help="This stateful resource may be replaced (repeatable)."),
]
AllowDelete: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--allow-delete", metavar="NAME", help="This stateful resource may be deleted (repeatable)."),
]

_REGION = "ap-south-1"


def register(app: typer.Typer) -> None:
    """Add `ticketly provision` and its commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_provision)
    for name, command in (("preview", preview), ("up", up), ("outputs", outputs), ("destroy", destroy)):
        group.command(name)(command)
    group.command("doctor")(doctor)
    app.add_typer(group, name="provision")


def _provision() -> None:
    """Build, inspect and take down the AWS side with Pulumi.

    Needs the program `pulumi`, its Python package (scripts/bootstrap --all-packages) and AWS credentials. A change that
    can lose data is asked for by the name of the resource, whatever --yes says.

    \b
    Examples:
      ticketly provision doctor --stack dev
      ticketly provision preview --stack dev --output json
      ticketly provision up --stack dev
      ticketly provision outputs --stack dev --platform platform.yaml
    """


def _target(stack: StackName, region: str, project: Path | None, backend: str, secrets_provider: str = "") -> Target:
    from ticketly_cli.provision.session import Target

    return Target(stack.value, region, project, backend, secrets_provider)


def preview(
    stack: Stack = StackName.DEV,
    region: Region = _REGION,
    project: Project = None,
    backend: Backend = "",
    secrets_provider: SecretsProvider = "",
) -> Result:
    """Show what an update would do: creates, updates, replacements, deletions; changes nothing in AWS.

    Stateful resources that would be replaced or deleted stand first, in red. The program's policies are checked;
    a violation is named with its resource and rule (exit code 1).

    \b
    Examples:
      ticketly provision preview --stack dev
      ticketly provision preview --stack prod -o json
    """
    from ticketly_cli.provision import operations

    return operations.preview(_target(stack, region, project, backend, secrets_provider), terminal())


def up(
    stack: Stack = StackName.DEV,
    region: Region = _REGION,
    project: Project = None,
    backend: Backend = "",
    secrets_provider: SecretsProvider = "",
    yes: Yes = False,
    allow_replace: AllowReplace = None,
    allow_delete: AllowDelete = None,
) -> Result:
    """Preview, ask, update. Safe to repeat, also after an interruption.

    Ctrl-C lets the operations that are under way finish, keeps the state and releases the lock; a second Ctrl-C stops
    at once and leaves operations open, which `ticketly provision doctor` explains.

    \b
    Examples:
      ticketly provision up --stack dev
      ticketly provision up --stack prod --yes --allow-replace cache
    """
    from ticketly_cli.provision import operations
    from ticketly_cli.provision.changes import Approvals

    approvals = Approvals(replace=tuple(allow_replace or ()), delete=tuple(allow_delete or ()))
    target = _target(stack, region, project, backend, secrets_provider)
    return operations.up(target, terminal(), approvals, yes=yes)


def outputs(
    stack: Stack = StackName.DEV,
    region: Region = _REGION,
    project: Project = None,
    backend: Backend = "",
    platform: Annotated[
        Path | None, typer.Option("--platform", metavar="FILE", help="Write the TicketlyPlatform that fits to FILE.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the platform.")] = "ticketly",
    namespace: Annotated[str, typer.Option("--namespace", help="Namespace of the platform.")] = "ticketly",
) -> Result:
    """Show the outputs of the stack; secrets are never shown.

    With --platform, FILE gets the platform and FILE-secrets.sh beside it makes the Secrets it refers to: the script
    reads them from Secrets Manager when it runs and holds none itself.

    \b
    Examples:
      ticketly provision outputs --stack dev -o json
      ticketly provision outputs --stack prod --platform platform.yaml
    """
    from ticketly_cli.provision import operations

    return operations.outputs(_target(stack, region, project, backend), platform, name, namespace)


def destroy(
    stack: Stack = StackName.DEV,
    region: Region = _REGION,
    project: Project = None,
    backend: Backend = "",
    yes: Yes = False,
    allow_delete: AllowDelete = None,
) -> Result:
    """Delete everything in the stack. A protected resource stops it before anything is deleted.

    \b
    Examples:
      ticketly provision destroy --stack dev
      ticketly provision destroy --stack dev --yes --allow-delete uploads
    """
    from ticketly_cli.provision import operations
    from ticketly_cli.provision.changes import Approvals

    approvals = Approvals(delete=tuple(allow_delete or ()))
    return operations.destroy(_target(stack, region, project, backend), terminal(), approvals, yes=yes)


def doctor(
    stack: Stack = StackName.DEV, region: Region = _REGION, project: Project = None, backend: Backend = ""
) -> Result:
    """Check what provisioning needs, the state, the lock, and what an interrupted update left open.

    Changes nothing. For every open operation it says what it means, what to look up in AWS and what to run then.

    \b
    Examples:
      ticketly provision doctor --stack dev
      ticketly provision doctor --stack prod -o json
    """
    from ticketly_cli.provision import doctor as diagnosis

    return diagnosis.diagnose(_target(stack, region, project, backend))
