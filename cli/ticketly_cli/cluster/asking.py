"""Asking a person before something is lost."""

from __future__ import annotations

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Terminal


def confirm(shown: Terminal, question: str, *, yes: bool) -> None:
    """Raises CliError when the answer is not yes, or when nobody can be asked and --yes was not given."""
    if yes:
        return
    answer = shown.ask(f"{question} Type yes: ")
    if answer is None:
        raise CliError(
            "Nothing was changed, because nobody can be asked: this is no terminal.",
            "Run it with --yes.",
            ExitCode.BAD_ARGUMENTS,
        )
    if answer.strip().lower() != "yes":
        raise CliError("Nothing was changed.")


def approve_names(shown: Terminal, names: list[str], approved: list[str], what: str, option: str) -> None:
    """Each name must have been given beforehand or is typed now; --yes does not cover it. Raises CliError."""
    missing = []
    for name in names:
        if name in approved:
            continue
        answer = shown.ask(f"{what} {name} will be deleted. Type its name to approve: ")
        if answer is None or answer.strip() != name:
            missing.append(name)
    if missing:
        options = " ".join(f"{option} {name}" for name in missing)
        raise CliError(
            f"Nothing was changed, because the deletion was not approved: {', '.join(missing)}.",
            f"--yes does not cover this; approve by name: {options}",
        )
