"""preview, up, destroy, outputs: ask the engine, ask the person, act, tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Terminal
from ticketly_cli.provision import changes, pending, platform_file, redaction, session
from ticketly_cli.provision.changes import Approvals, Change, Plan
from ticketly_cli.provision.failures import EngineError, LockedError, StackMissingError
from ticketly_cli.provision.session import Target
from ticketly_cli.provision.views import OutputsResult, PreviewResult, UpdateResult, plan_view

if TYPE_CHECKING:
    from ticketly_cli.provision.engine import Engine, Heard, OnStep

_VERBS: Final = {"create": "creating", "update": "updating", "replace": "replacing", "delete": "deleting"}


def preview(target: Target, shown: Terminal) -> PreviewResult:
    """What an update would do. The stack is made in the backend when it is missing; AWS is not changed."""
    engine = session.open_engine(target)
    _select(target, engine)
    planned, heard = _planned(target, engine, shown, engine.preview, "preview")
    redact = target.redact()
    return PreviewResult(target.stack, target.region, planned, tuple(redact(one) for one in heard.warnings))


def up(target: Target, shown: Terminal, approvals: Approvals, *, yes: bool) -> UpdateResult:
    """Preview, have the losses approved by name and the rest by one answer, update."""
    engine = session.open_engine(target)
    _select(target, engine)
    planned, _ = _planned(target, engine, shown, engine.preview, "preview")
    began = time.monotonic()
    if planned.changes:
        shown.show(plan_view(planned, f"Stack {target.stack} in {target.region}"))
        _approve(planned, approvals, shown, yes=yes)
    heard = _performed(target, engine, shown, planned, engine.up, "update")
    outputs, _secret = _masked_outputs(target, engine)
    return UpdateResult(
        target.stack, target.region, "up", planned, _finished(planned, heard), time.monotonic() - began, outputs
    )


def destroy(target: Target, shown: Terminal, approvals: Approvals, *, yes: bool) -> UpdateResult:
    """Delete everything, except that a protected resource stops it before anything is deleted."""
    engine = session.open_engine(target)
    _select(target, engine, create=False)
    kept = pending.resources(_exported(target, engine))
    protected = [one for one in kept if one.protected]
    if protected:
        listed = ", ".join(f"{one.name} ({one.type})" for one in protected)
        raise CliError(
            f"Nothing was deleted, because {len(protected)} resources are protected: {listed}.",
            "To give them up on purpose: save their data, set `ticketly:protect` to false "
            f"(pulumi config set ticketly:protect false --stack {target.stack} --cwd {engine.project}), "
            f"run `ticketly provision up --stack {target.stack}`, then this again. One alone: "
            f"pulumi state unprotect '{protected[0].urn}' --stack {target.stack} --cwd {engine.project}",
        )
    planned, _ = _planned(target, engine, shown, engine.preview_destroy, "preview")
    began = time.monotonic()
    if planned.changes:
        shown.show(plan_view(planned, f"Deletion of stack {target.stack} in {target.region}"))
        _approve(planned, approvals, shown, yes=yes)
    heard = _performed(target, engine, shown, planned, engine.destroy, "destroy")
    kept_by_aws = (
        "AWS keeps on purpose: final database snapshots, KMS keys until their waiting period ends, secrets until their "
        "recovery window ends. The state bucket is not part of the stack."
    )
    changed, seconds = _finished(planned, heard), time.monotonic() - began
    return UpdateResult(target.stack, target.region, "destroy", planned, changed, seconds, notes=(kept_by_aws,))


def outputs(target: Target, platform: Path | None, name: str, namespace: str) -> OutputsResult:
    """The outputs, secrets masked; with `platform` also the platform file and the script that makes its Secrets."""
    engine = session.open_engine(target)
    _select(target, engine, create=False)
    found, secret = _masked_outputs(target, engine)
    written: tuple[str, ...] = ()
    if platform is not None:
        files = platform_file.files(found, platform, name=name, namespace=namespace, region=target.region)
        written = tuple(str(path) for path in _write(files))
    return OutputsResult(target.stack, found, secret, written)


def _write(files: dict[Path, str]) -> list[Path]:
    for path, content in files.items():
        try:
            path.write_text(content, encoding="utf-8")
            if path.suffix == ".sh":
                path.chmod(0o755)
        except OSError as error:
            raise CliError(f"{path} cannot be written: {error.strerror}.", "Choose another --platform.") from error
    return list(files)


def _select(target: Target, engine: Engine, *, create: bool = True) -> None:
    try:
        if create:
            engine.select_or_create()
        else:
            engine.select()
    except StackMissingError:
        raise session.stack_missing(target) from None
    except LockedError as error:
        raise session.locked(target, engine, error.output) from None
    except EngineError as error:
        raise session.refused(target, error.output, f"open stack {target.stack}") from None


def _exported(target: Target, engine: Engine) -> dict[str, Any]:
    try:
        return engine.exported()
    except EngineError as error:
        raise session.refused(target, error.output, "read the state") from None


def _masked_outputs(target: Target, engine: Engine) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        found = engine.outputs()
    except EngineError as error:
        raise session.refused(target, error.output, "read the outputs") from None
    redact = target.redact()
    plain = {name: redaction.MASK if secret else value for name, (value, secret) in sorted(found.items())}
    masked: dict[str, Any] = redaction.masked_tree(plain, redact)
    return masked, tuple(name for name, value in masked.items() if value == redaction.MASK)


def _planned(
    target: Target, engine: Engine, shown: Terminal, ask: Callable[[OnStep], Heard], action: str
) -> tuple[Plan, Heard]:
    from ticketly_cli.provision.engine import OperationFailedError

    try:
        with shown.step(f"Comparing stack {target.stack} with the program") as step:
            heard = ask(lambda one, ended: step.say("" if ended else changes.resource_name(one.urn)))
    except OperationFailedError as failed:
        raise session.explain(target, engine, failed, action) from None
    return changes.plan(heard.steps), heard


def _performed(
    target: Target, engine: Engine, shown: Terminal, planned: Plan, act: Callable[[OnStep], Heard], action: str
) -> Heard:
    from ticketly_cli.provision.engine import OperationFailedError

    words = {change.urn: f"{_VERBS[change.operation]} {change.name}" for change in planned.changes}
    open_words: dict[str, str] = {}

    def tell(one: changes.Step, ended: bool) -> None:
        if one.urn not in words:
            return
        if ended:
            if open_words.pop(one.urn, None) is not None:
                step.advance()
        else:
            open_words[one.urn] = words[one.urn]
        step.say(", ".join(list(open_words.values())[:3]))

    try:
        with shown.step(f"{action.capitalize()} of stack {target.stack}", total=len(words)) as step:
            return act(tell)
    except OperationFailedError as failed:
        raise session.explain(target, engine, failed, action) from None


def _finished(planned: Plan, heard: Heard) -> int:
    return len({change.urn for change in planned.changes} & set(heard.done))


def _approve(planned: Plan, approvals: Approvals, shown: Terminal, *, yes: bool) -> None:
    def ask(change: Change) -> str | None:
        verb = "replaced: its data is lost unless it was saved" if change.loss == "replace" else "deleted for good"
        return shown.ask(f"{change.name} ({change.type}) will be {verb}. Type its name to approve: ")

    refused = changes.unapproved(planned, approvals, ask)
    if refused:
        options = " ".join(f"--allow-{change.loss} {change.name}" for change in refused)
        listed = ", ".join(f"{change.name} ({change.operation})" for change in refused)
        raise CliError(
            f"Nothing was changed, because the loss of data was not approved: {listed}.",
            f"--yes does not cover this; save the data, then approve by name: {options}.",
        )
    if yes:
        return
    answer = shown.ask(f"Go on with {len(planned.changes)} changes? Type yes: ")
    if answer is None:
        raise CliError(
            "Nothing was changed, because nobody can be asked: this is no terminal.",
            "Look at the preview, then run this with --yes.",
            ExitCode.BAD_ARGUMENTS,
        )
    if answer.strip().lower() != "yes":
        raise CliError("Nothing was changed.", "", ExitCode.FAILED)
