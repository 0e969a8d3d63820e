"""Programs that single tests need and a control plane does not: from the distribution where it has them, else built
on demand, each from a module of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import paths
from ticketly_cli.local.prerequisites import Say
from ticketly_lab import build, debian
from ticketly_lab.recipes import TOOLS

_PACKAGES = {"promtool": debian.PROMETHEUS}


def prepare(names: Iterable[str], cache: Path | None = None, say: Say = build.say_on_standard_error) -> dict[str, Path]:
    """The programs by name: `prepare(["promtool"])["promtool"]`.

    The first time promtool is taken from Debian's package, which takes seconds; what is built takes minutes.
    Raises CliError for a name that is not known and when a build fails.
    """
    found = {}
    for name in names:
        recipe = TOOLS.get(name)
        if recipe is None:
            raise CliError(f"There is no tool {name}.", f"Known are {', '.join(TOOLS)}.", ExitCode.BAD_ARGUMENTS)
        found[name] = _folder(name, cache or paths.cache_folder(), say) / name
    return found


def _folder(name: str, cache: Path, say: Say) -> Path:
    package = _PACKAGES.get(name)
    unpacked = debian.prepare(package, cache, say) if package is not None else None
    return unpacked or build.prepare(TOOLS[name], cache, say)
