"""What a person may say to `render`, checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ticketly_cli.cluster import kinds
from ticketly_cli.cluster.rendering import NO_SALE
from ticketly_cli.errors import CliError, ExitCode
from ticketly_crds.spec import TicketlyPlatform


def optional_kinds(given: Sequence[str]) -> frozenset[str]:
    """Raises CliError (exit code 3) for a kind the operator never makes."""
    known = [kind.qualified for kind in kinds.OPTIONAL]
    for name in given:
        if name not in known:
            message = f"--optional-kind: {name} is none of the kinds the operator makes where they exist."
            raise CliError(message, f"There are: {', '.join(known)}.", ExitCode.BAD_ARGUMENTS)
    return frozenset(given)


def secret_versions(given: Sequence[str]) -> dict[str, str]:
    """`NAME=TEXT` -> versions by name. Raises CliError (exit code 3)."""
    found = {}
    for each in given:
        name, equals, version = each.partition("=")
        if not name or not equals:
            raise CliError(f"--secret-version: {each} is not NAME=TEXT.", "", ExitCode.BAD_ARGUMENTS)
        found[name] = version
    return found


def moment(given: str) -> datetime:
    """An instant with its zone; without one it is UTC. Raises CliError (exit code 3)."""
    if not given:
        return NO_SALE
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        message = f"--at: {given} is no time such as 2027-03-01T09:00:00Z."
        raise CliError(message, "", ExitCode.BAD_ARGUMENTS) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def with_uid(platform: TicketlyPlatform, uid: str) -> TicketlyPlatform:
    """The same platform with that uid, where one was given."""
    if not uid:
        return platform
    return platform.model_copy(update={"metadata": platform.metadata.model_copy(update={"uid": uid})})
