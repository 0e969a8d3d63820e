"""The `ticketly` command: assembly, global options, exit codes.

How a command joins: every module `ticketly_cli/commands/<name>.py` exposes `register(app: typer.Typer) -> None`,
which adds its command (or group of commands) to the application, and its name stands in `COMMANDS` below.
A command module imports at its top only what declares the command line (typing, pathlib, typer, `results`,
`errors`); the body of the command imports the code that works, so that `ticketly --help` loads no HTTP, Kafka or
database client. A command returns a `results.Result` (printed here) or None, prints nothing by itself except
through `printing.terminal()`, and raises `errors.CliError`.

The global options (--output, --quiet, --verbose, --debug) are added to every command here, so that they can stand
before the command's name or after it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import OutputFormat, Terminal, terminal, use_terminal

COMMANDS = (
    *("up", "down", "status", "logs", "restart", "doctor", "token"),
    *("seed", "race", "verify"),
    *("install", "uninstall", "crd", "render", "plan", "apply", "diff"),
    *("events", "suspend", "resume", "reconcile", "report", "kafka", "connectors"),
    "provision",
)
"""Modules below `ticketly_cli.commands`, in the order in which --help lists them."""

_PARSER_EXIT_CODE = 2
"""What Typer's own errors carry; mapped to `ExitCode.BAD_ARGUMENTS`, since 2 means "undecided" here."""

_PANEL = "Options of every command"

_GLOBAL_OPTIONS: dict[str, Any] = {
    "output": Annotated[
        OutputFormat | None,
        typer.Option("--output", "-o", help="table for people, json or yaml for programs.", rich_help_panel=_PANEL),
    ],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no table: the exit code tells.", rich_help_panel=_PANEL)
    ],
    "verbose": Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more.", rich_help_panel=_PANEL)],
    "debug": Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.", rich_help_panel=_PANEL)
    ],
}
_GLOBAL_DEFAULTS: dict[str, Any] = {"output": None, "quiet": False, "verbose": 0, "debug": False}


def _apply(output: OutputFormat | None, quiet: bool, verbose: int, debug: bool) -> None:
    """Merge options into the terminal; the ones after the command's name add to those before it."""
    shown = terminal()
    if output is not None:
        shown.output = output
    shown.quiet = shown.quiet or quiet
    shown.verbosity += verbose
    shown.debug = shown.debug or debug


def _with_global_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same command with the global options behind its own; its body does not see them."""
    signature = inspect.signature(function, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name not in _GLOBAL_OPTIONS]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=_GLOBAL_DEFAULTS[name])
        for name, kind in _GLOBAL_OPTIONS.items()
    ]

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        _apply(**{name: values.pop(name) for name in _GLOBAL_OPTIONS})
        return function(**values)

    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]  # PEP 362
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return command


def _add_global_options(app: typer.Typer) -> None:
    for info in app.registered_commands:
        if info.callback is not None:
            info.callback = _with_global_options(info.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _add_global_options(group.typer_instance)


def _version() -> str:
    from importlib.metadata import version

    return version("ticketly-cli")


def _show_version(wanted: bool) -> None:
    if wanted:
        terminal().line(f"ticketly {_version()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """A ticketing platform that sells a seat once and can prove it.

    \b
    Examples:
      ticketly up                   start the whole platform on this machine
      ticketly seed                 fill it with events
      ticketly race --buyers 100    100 buyers fight for the same 16 seats
      ticketly verify --database    check every seat and order that is stored
      ticketly install              put the operator into a cluster
      ticketly plan -f FILE         what a platform file would change there
      ticketly apply -f FILE        bring it there, see ticketly status --context NAME

    \b
    Exit codes:
      0    done, verdict pass, no difference
      1    failed, verdict fail
      2    differences found, verdict inconclusive
      3    bad arguments, invalid platform file
      4    a component is not reachable, a prerequisite is missing
      130  interrupted
    """
    del version


def build_app(commands: Sequence[Callable[[typer.Typer], None]] | None = None) -> typer.Typer:
    """The application with the commands these functions register; by default those of every module in `COMMANDS`."""
    app = typer.Typer(
        name="ticketly",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_with_global_options(_root))
    for register in commands if commands is not None else _installed_commands():
        register(app)
    _add_global_options(app)
    return app


def _installed_commands() -> Iterator[Callable[[typer.Typer], None]]:
    for name in COMMANDS:
        module = f"ticketly_cli.commands.{name}"
        if importlib.util.find_spec(module) is not None:
            yield importlib.import_module(module).register


def execute(arguments: Sequence[str], shown: Terminal, app: typer.Typer | None = None) -> int:
    """Run one command line of `app` (default: all of `ticketly`) and return its exit code; raises nothing."""
    use_terminal(shown)
    try:
        returned = typer.main.get_command(app or build_app()).main(
            args=list(arguments), prog_name="ticketly", standalone_mode=False
        )
        if returned is None or isinstance(returned, int):
            return _exit_code(returned or 0, shown)
        shown.result(returned)
        return int(returned.exit_code)
    except CliError as error:
        return _report(error, shown)
    except (KeyboardInterrupt, typer.Abort):
        return _report(CliError("Interrupted.", exit_code=ExitCode.INTERRUPTED), shown)
    except typer.TyperException as error:
        return _report(_parser_error(error), shown)
    except BrokenPipeError:
        return ExitCode.DONE
    except ExceptionGroup as group:
        return _report(_first_of(group), shown)
    except Exception as error:  # noqa: BLE001 - the last frame: a person gets a sentence, never a traceback
        return _report(_unexpected(error), shown)


def _exit_code(returned: int, shown: Terminal) -> int:
    """Typer turns an interruption into the number 130 by itself."""
    if returned == ExitCode.INTERRUPTED:
        return _report(CliError("Interrupted.", exit_code=ExitCode.INTERRUPTED), shown)
    return returned


def _report(error: CliError, shown: Terminal) -> int:
    if error.message:
        shown.error(error)
    if shown.debug:
        shown.stderr.write(traceback.format_exc())
    return error.exit_code


def _parser_error(error: typer.TyperException) -> CliError:
    """Errors of the command line itself. "No arguments" has already printed the help; it needs no second sentence."""
    code = ExitCode.BAD_ARGUMENTS if error.exit_code == _PARSER_EXIT_CODE else error.exit_code
    if type(error).__name__ == "NoArgsIsHelpError":
        terminal().line(error.format_message())
        return CliError("", exit_code=code)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ticketly"
    return CliError(error.format_message().replace("Value error, ", ""), f"See `{path} --help`.", code)


def _first_of(group: ExceptionGroup[Exception]) -> CliError:
    """Tasks that run side by side fail as a group; the first failure with a sentence of its own is shown."""
    found, rest = group.split(CliError)
    while found is not None:
        first = found.exceptions[0]
        if isinstance(first, CliError):
            return first
        found = first if isinstance(first, ExceptionGroup) else None
    return _unexpected(rest.exceptions[0] if rest is not None else group)


def _unexpected(error: Exception) -> CliError:
    """The message may carry anything, a connection string included, so only the kind of the error is shown."""
    return CliError(
        f"Unexpected {type(error).__name__}: the command could not finish.",
        "Run it again with --debug to see where it happened.",
    )


def run() -> None:
    """Entry point of the installed command."""
    sys.exit(execute(sys.argv[1:], Terminal()))


if __name__ == "__main__":
    run()
