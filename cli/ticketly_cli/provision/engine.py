"""Runs the Pulumi program through the automation API.

Only this module and `interruptible` import Pulumi. Secrets: outputs are read masked and the state is exported
encrypted; the automation API by itself asks for both in clear.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pulumi import automation
from pulumi.automation import events

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.provision import locks
from ticketly_cli.provision.changes import Step
from ticketly_cli.provision.failures import CancelledError, EngineError, LockedError, StackMissingError
from ticketly_cli.provision.interruptible import InterruptibleCommand, cancelling
from ticketly_cli.provision.prerequisites import Binary
from ticketly_cli.provision.redaction import MASK

Returned = TypeVar("Returned")

_LAST_EVENT_SECONDS: Final = 5.0
_COLOUR: Final = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Heard:
    """What the engine told during one operation. `messages` are errors and warnings; all text is not redacted."""

    steps: list[Step] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """URNs of resources whose operation failed."""
    done: list[str] = field(default_factory=list)
    """URNs of resources whose operation is complete."""
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


OnStep = Callable[[Step, bool], None]
"""Called as operations begin (False) and end (True); from another thread."""


class _Workspace(automation.LocalWorkspace):
    """A workspace that never asks for a secret in clear."""

    def stack_outputs(self, stack_name: str) -> automation.OutputMap:
        shown = _json(self._run_pulumi_cmd_sync(["stack", "output", "--json", "--stack", stack_name]).stdout)
        return {name: automation.OutputValue(value=value, secret=value == MASK) for name, value in shown.items()}

    def get_all_config(self, stack_name: str) -> automation.ConfigMap:
        shown = _json(self._run_pulumi_cmd_sync(["config", "--json", "--stack", stack_name]).stdout)
        return {
            name: automation.ConfigValue(value=one.get("value", MASK), secret=bool(one.get("secret")))
            for name, one in shown.items()
        }

    def export_stack(self, stack_name: str) -> automation.Deployment:
        state = _json(self._run_pulumi_cmd_sync(["stack", "export", "--stack", stack_name]).stdout)
        return automation.Deployment(version=state.get("version"), deployment=state.get("deployment"))


class Engine:
    """One stack of the project, ready to be asked and changed."""

    def __init__(
        self, binary: Binary, project: Path, stack: str, *, backend: str, secrets_provider: str, region: str
    ) -> None:
        """Nothing is started yet."""
        self.stack = stack
        self.project = project
        self.backend = backend
        self.region = region
        self._command = InterruptibleCommand(binary)
        self._workspace = _Workspace(
            work_dir=str(project),
            pulumi_command=self._command,
            secrets_provider=secrets_provider,
            env_vars={
                "PULUMI_BACKEND_URL": backend,
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
            },
        )
        self._stack: automation.Stack | None = None

    def identity(self) -> str:
        """Who the backend takes this for; raises when the backend is not reachable."""
        return self._supervised(lambda: str(self._workspace.who_am_i().user))

    def select(self) -> None:
        """Take the stack as it is. Raises StackMissingError."""
        self._stack = self._supervised(lambda: automation.Stack.select(self.stack, self._workspace))

    def select_or_create(self) -> bool:
        """Take the stack, make it if it is missing; returns whether it was made. Sets its region and profile."""
        created = False
        try:
            self.select()
        except StackMissingError:
            self._stack = self._supervised(lambda: automation.Stack.create(self.stack, self._workspace))
            created = True
        stack = self._chosen()
        there = self._supervised(stack.get_all_config)
        wanted = {"aws:region": self.region}
        if "ticketly:profile" not in there:
            wanted["ticketly:profile"] = self.stack
        changed = {
            name: automation.ConfigValue(value)
            for name, value in wanted.items()
            if name not in there or there[name].value != value
        }
        if changed:
            self._supervised(lambda: stack.set_all_config(changed))
        return created

    def preview(self, on_step: OnStep) -> Heard:
        """What an update would do. Raises OperationFailedError, like every operation."""
        return self._operation(lambda stack, hear: stack.preview(on_event=hear, color="never"), on_step)

    def up(self, on_step: OnStep) -> Heard:
        """Update; no question is asked any more."""
        return self._operation(
            lambda stack, hear: stack.up(
                on_event=hear, color="never", show_secrets=False, suppress_outputs=True, suppress_progress=True
            ),
            on_step,
        )

    def preview_destroy(self, on_step: OnStep) -> Heard:
        """What a destroy would do."""
        return self._operation(lambda stack, hear: stack.preview_destroy(on_event=hear, color="never"), on_step)

    def destroy(self, on_step: OnStep) -> Heard:
        """Delete everything in the stack; no question is asked any more."""
        return self._operation(
            lambda stack, hear: stack.destroy(
                on_event=hear, color="never", show_secrets=False, suppress_outputs=True, suppress_progress=True
            ),
            on_step,
        )

    def outputs(self) -> dict[str, tuple[Any, bool]]:
        """Name -> value and whether it is secret; the value of a secret is a mask."""
        stack = self._chosen()
        found = self._supervised(stack.outputs)
        return {name: (output.value, output.secret) for name, output in found.items()}

    def exported(self) -> dict[str, Any]:
        """The state, secrets encrypted. Reads only; works after a cancelled operation too."""
        self._command.forget_cancellation()
        stack = self._chosen()
        return {"deployment": self._supervised(stack.export_stack).deployment or {}}

    def _chosen(self) -> automation.Stack:
        if self._stack is None:
            raise StackMissingError("no stack was selected")
        return self._stack

    def _operation(self, act: Callable[[automation.Stack, Callable[[Any], None]], Any], on_step: OnStep) -> Heard:
        heard = Heard()
        stack = self._chosen()
        try:
            self._supervised(lambda: act(stack, lambda event: _hear(event, heard, on_step)))
        except EngineError as error:
            raise OperationFailedError(error, heard) from error
        finally:
            # the last events may still be on their way when the engine's process has ended
            if heard.began.is_set():
                heard.ended.wait(_LAST_EVENT_SECONDS)
        return heard

    def _supervised(self, work: Callable[[], Returned]) -> Returned:
        """Do the work in another thread while this one turns signals into a cancellation."""
        with ThreadPoolExecutor(1, "pulumi") as pool, cancelling(self._command.cancel):
            try:
                return pool.submit(work).result()
            except automation.CommandError as error:
                raise self._understood(error) from None
            except automation.errors.InvalidVersionError as error:
                raise CliError(str(error), "Update the program `pulumi`.", ExitCode.UNREACHABLE) from None

    def _understood(self, error: automation.CommandError) -> EngineError:
        output = _COLOUR.sub("", str(error))
        if self._command.cancelled:
            return CancelledError(output)
        if isinstance(error, automation.StackNotFoundError):
            return StackMissingError(output)
        return LockedError(output) if locks.is_refusal(output) else EngineError(output)


class OperationFailedError(Exception):
    """An operation ended badly: why (`cause`), and what was heard until then."""

    def __init__(self, cause: EngineError, heard: Heard) -> None:
        super().__init__("the operation failed")
        self.cause = cause
        self.heard = heard


def _hear(event: events.EngineEvent, heard: Heard, on_step: OnStep) -> None:
    heard.began.set()
    if event.cancel_event is not None:
        heard.ended.set()
    elif event.diagnostic_event is not None:
        diagnostic = event.diagnostic_event
        text = _COLOUR.sub("", diagnostic.message).strip()
        if diagnostic.severity == "error":
            heard.errors.append(text)
        elif diagnostic.severity == "warning":
            heard.warnings.append(text)
    elif event.resource_pre_event is not None:
        step = _step(event.resource_pre_event.metadata)
        heard.steps.append(step)
        on_step(step, False)
    elif event.res_outputs_event is not None:
        step = _step(event.res_outputs_event.metadata)
        heard.done.append(step.urn)
        on_step(step, True)
    elif event.res_op_failed_event is not None:
        heard.failed.append(event.res_op_failed_event.metadata.urn)


def _step(metadata: events.StepEventMetadata) -> Step:
    states: Sequence[Any] = [state for state in (metadata.new, metadata.old) if state is not None]
    changed = tuple(metadata.detailed_diff or ()) or tuple(metadata.diffs or ())
    return Step(
        operation=metadata.op.value,
        urn=metadata.urn,
        type=metadata.type,
        custom=any(state.custom for state in states),
        protected=any(state.protect for state in states),
        replacing=tuple(metadata.keys or ()) or changed,
        changed=changed,
    )


def _json(text: str) -> dict[str, Any]:
    decoded = json.loads(text or "{}")
    return decoded if isinstance(decoded, dict) else {}
