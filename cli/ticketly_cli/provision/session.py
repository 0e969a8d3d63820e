"""What the commands share: where the stack is, prerequisites in the order in which people solve them, engine errors."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.provision import locks, policies, prerequisites, redaction
from ticketly_cli.provision.failures import CancelledError, EngineError, LockedError
from ticketly_cli.provision.pending import PendingOperation

if TYPE_CHECKING:
    from ticketly_cli.provision.engine import Engine, OperationFailedError

DEFAULT_REGION: Final = "ap-south-1"
_ERROR_LINE: Final = re.compile(r"^\s*(?:stderr:\s*)?error: (?P<text>.+)$", re.MULTILINE)
_MAX_REASON_CHARS: Final = 600


@dataclass(frozen=True, slots=True)
class Target:
    """Which stack, and where its state is."""

    stack: str
    region: str = DEFAULT_REGION
    project: Path | None = None
    backend: str = ""
    secrets_provider: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    @property
    def backend_url(self) -> str:
        return self.backend or self.environment.get("PULUMI_BACKEND_URL", "")

    @property
    def state_key(self) -> str:
        """What encrypts the secrets of a new stack; a KMS key unless something else is given."""
        return self.secrets_provider or f"awskms://alias/ticketly-state?region={self.region}"

    def redact(self) -> Callable[[str], str]:
        """Masks what this environment holds in secret."""
        return redaction.redactor(redaction.secrets_of(self.environment))


def open_engine(target: Target) -> Engine:
    """Check every prerequisite and prepare the engine. Raises CliError (exit code 4) that names what is missing."""
    prerequisites.require_package()
    binary = prerequisites.require_binary(target.environment)
    prerequisites.require_credentials(target.environment)
    project = prerequisites.require_project(target.project)
    backend = prerequisites.require_backend(target.backend_url)
    from ticketly_cli.provision.engine import Engine

    return Engine(
        binary,
        project,
        target.stack,
        backend=backend,
        secrets_provider=target.state_key,
        region=target.region,
    )


def explain(target: Target, engine: Engine, failed: OperationFailedError, action: str) -> CliError:
    """A failed operation as one error; `action` is what was tried, such as "update"."""
    redact = target.redact()
    if isinstance(failed.cause, LockedError):
        return locked(target, engine, failed.cause.output)
    if isinstance(failed.cause, CancelledError):
        return interrupted(target, engine, action)
    broken = policies.violations([*failed.heard.errors, failed.cause.output])
    if broken:
        listed = "; ".join(f"{one.resource} breaks {one.rule} ({redact(one.message)})" for one in broken)
        return CliError(
            f"The policies refuse the {action}: {listed}.",
            "Change the configuration of the stack or the program; nothing was changed in AWS.",
        )
    reasons = failed.heard.errors or _error_lines(failed.cause.output)
    names = ", ".join(urn.rpartition("::")[2] for urn in failed.heard.failed)
    where = f" at {names}" if names else ""
    return CliError(
        f"The {action} of stack {target.stack} failed{where}: {redact(_shortened(reasons))}",
        f"Run `ticketly provision doctor --stack {target.stack}` to see what is left, mend the cause, run this again.",
    )


def refused(target: Target, output: str, doing: str) -> CliError:
    """The engine could not do something small, such as reading the state."""
    return CliError(
        f"Pulumi could not {doing}: {target.redact()(_shortened(_error_lines(output)))}",
        f"Run `ticketly provision doctor --stack {target.stack}`.",
        ExitCode.UNREACHABLE,
    )


def stack_missing(target: Target) -> CliError:
    return CliError(
        f"There is no stack {target.stack} in {target.redact()(target.backend_url)}.",
        f"Make it: ticketly provision up --stack {target.stack}.",
        ExitCode.UNREACHABLE,
    )


def locked(target: Target, engine: Engine, output: str) -> CliError:
    found = locks.named_in(output)
    command = locks.release_command(target.stack, str(engine.project), target.redact()(target.backend_url))
    return CliError(
        " ".join(locks.sentences(found)),
        f"Wait for it. If that process is dead: {command}, then `ticketly provision doctor --stack {target.stack}`.",
        ExitCode.UNREACHABLE,
    )


def interrupted(target: Target, engine: Engine, action: str) -> CliError:
    """After a cancellation: what the state says is open."""
    from ticketly_cli.provision import pending

    try:
        open_operations: tuple[PendingOperation, ...] | None = pending.pending_operations(engine.exported())
    except EngineError:
        open_operations = None
    doctor = f"`ticketly provision doctor --stack {target.stack}`"
    if open_operations is None:
        left, step = "What is left is not known, because the state could not be read.", f"Run {doctor}."
    elif open_operations:
        listed = ", ".join(f"{one.name} ({one.kind})" for one in open_operations)
        left, step = f"Nobody knows how these ended: {listed}.", f"Run {doctor}: it says what to check and to run."
    else:
        left = "Nothing is left half done: what was finished is in the state, the rest was not begun."
        step = "Run the same command to go on."
    return CliError(f"The {action} was interrupted. {left}", step, ExitCode.INTERRUPTED)


def _error_lines(output: str) -> list[str]:
    return [found["text"].strip() for found in _ERROR_LINE.finditer(output)] or ["no reason was given"]


def _shortened(reasons: list[str]) -> str:
    text = "; ".join(dict.fromkeys(" ".join(reason.split()) for reason in reasons))
    return text if len(text) <= _MAX_REASON_CHARS else f"{text[:_MAX_REASON_CHARS]} ..."
