"""The one kind of error a person sees, and the exit codes.

A command that cannot go on raises `CliError`: one sentence that says what is wrong and one that says what to do
about it. Everything else that escapes a command is a defect of this program and is shown as one sentence too
(the traceback only with --debug).
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command; scripts rely on them."""

    DONE = 0
    """Done, verdict pass, or no difference."""
    FAILED = 1
    """Verdict fail, or the operation failed."""
    UNDECIDED = 2
    """Differences found (plan, diff), or verdict inconclusive: the check could not check."""
    BAD_ARGUMENTS = 3
    """Arguments the parser refuses (its own code 2 is mapped to this) or an invalid platform file."""
    UNREACHABLE = 4
    """A component is not reachable, or a prerequisite is missing."""
    INTERRUPTED = 130
    """Stopped by the user; what was started is stopped or named."""


class CliError(Exception):
    """A failure with its next step.

    `message` is one sentence without a secret in it; `next_step` is one sentence or command the user can follow
    ("" when there is none); `exit_code` follows `ExitCode`.
    """

    def __init__(self, message: str, next_step: str = "", exit_code: int = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.exit_code = int(exit_code)

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()
