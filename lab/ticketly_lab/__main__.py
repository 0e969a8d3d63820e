"""`python -m ticketly_lab`: a control plane for a person to look at, and the programs tests are made with."""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import paths
from ticketly_lab import build, children, demo, tools
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.preparation import ADMIN
from ticketly_lab.recipes import TOOLS

Command = Callable[[argparse.Namespace], None]


def default_folder() -> Path:
    """Beside the local platform's state, not in it: the two come and go by themselves."""
    root = paths.home_folder().root
    return root.with_name(f"{root.name}-kubernetes")


def up(options: argparse.Namespace) -> None:
    """Start a control plane and leave it running."""
    folder = _folder(options)
    began = time.monotonic()
    plane = ControlPlane.start(
        folder, nodes=options.nodes, metrics=options.metrics, crds=options.crd, say=build.say_on_standard_error
    )
    plane.children.release()
    print(f"Kubernetes runs at {plane.url}, started in {time.monotonic() - began:.1f} s, data and logs in {folder}.")
    print(f'Next: eval "$({_call("shell-env", folder)})"; kubectl get nodes')
    print(f"Stop: {_call('down', folder)}")


def down(options: argparse.Namespace) -> None:
    """Stop the control plane and delete its data."""
    folder = _folder(options)
    ended = children.kill_recorded(folder)
    if (folder / "pki" / "tokens.csv").exists():
        shutil.rmtree(folder)
    print(f"stopped {', '.join(ended)}" if ended else f"nothing runs in {folder}")


def shell_env(options: argparse.Namespace) -> None:
    """Shell commands that make kubectl use the control plane."""
    folder = _folder(options)
    if not children.recorded(folder):
        raise CliError(f"Nothing runs in {folder}.", f"Start it with `{_call('up', folder)}`.", ExitCode.UNREACHABLE)
    programs = build.control_plane(paths.cache_folder(), build.say_on_standard_error)
    print(f"export KUBECONFIG={shlex.quote(str(folder / f'{ADMIN}.kubeconfig'))}")
    print(f'export PATH={shlex.quote(str(programs["kubectl"].parent))}:"$PATH"')


def build_all(options: argparse.Namespace) -> None:
    """Build the control plane's programs; `up` does so too when it has to."""
    del options
    for name, path in build.control_plane(paths.cache_folder(), build.say_on_standard_error).items():
        print(f"{name:24} {path}")


def build_tools(options: argparse.Namespace) -> None:
    """Build programs that single tests need."""
    for name, path in tools.prepare(options.names or TOOLS).items():
        print(f"{name:24} {path}")


def show_demo(options: argparse.Namespace) -> None:
    """A platform on a cluster, from nothing to ready, then everything is stopped."""
    folder = (options.folder or default_folder().with_name(f"{default_folder().name}-demo")).expanduser().absolute()
    if options.stop:
        ended = demo.stop(folder)
        print(f"stopped {', '.join(ended)}" if ended else f"nothing runs in {folder}")
        return
    signal.signal(signal.SIGTERM, demo.interrupted)
    demo.show(folder, keep=options.keep)


def _folder(options: argparse.Namespace) -> Path:
    chosen: Path = options.folder or default_folder()
    return chosen.expanduser().absolute()


def _call(command: str, folder: Path) -> str:
    option = "" if folder == default_folder() else f" --folder {shlex.quote(str(folder))}"
    return f"{shlex.quote(sys.executable)} -m ticketly_lab {command}{option}"


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m ticketly_lab", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="command")

    def add(name: str, command: Command, *, folder: bool = True) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        found.set_defaults(command=command)
        if folder:
            found.add_argument("--folder", type=Path, help=f"data, keys and logs (default: {default_folder()})")
        return found

    start = add("up", up)
    start.add_argument("--nodes", type=int, default=2, help="simulated nodes (default: 2)")
    start.add_argument("--metrics", action="store_true", help="serve pod usage from annotations")
    start.add_argument("--crd", type=Path, action="append", default=[], help="file to apply first (repeatable)")
    add("down", down)
    add("shell-env", shell_env)
    story = add("demo", show_demo)
    story.add_argument("--keep", action="store_true", help="leave it running in the end")
    story.add_argument("--stop", action="store_true", help="stop what was left running")
    add("build", build_all, folder=False)
    add("tools", build_tools, folder=False).add_argument("names", nargs="*", metavar="name", help=", ".join(TOOLS))
    return root


def run(arguments: Sequence[str] | None = None) -> int:
    """Exit code."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
    except CliError as error:
        sys.stderr.write(f"{error.message}\n{error.next_step}\n".rstrip() + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    sys.exit(run())
