"""What the machine itself must offer: Linux, and Maven to download with. Everything else comes with the program."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable

from ticketly_cli.errors import CliError, ExitCode

Say = Callable[[str], None]
"""Shows the person one short line about what is being done."""

MAVEN_COMMAND = "apt-get install -y --no-install-recommends maven"


def require_linux() -> None:
    """Raises CliError elsewhere: the pinned PostgreSQL is built for Linux and processes are told apart by /proc."""
    if platform.system() != "Linux":
        raise CliError(
            f"The local platform runs on Linux; this machine runs {platform.system()}.",
            "Use a Linux machine, a virtual machine or WSL 2.",
            ExitCode.UNREACHABLE,
        )


def maven(say: Say) -> str:
    """Path of `mvn`; installed first when it is missing, we are root and the system has apt-get.

    Raises CliError with the one command that helps otherwise.
    """
    found = shutil.which("mvn")
    if found is not None:
        return found
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise _maven_is_missing()
    say("installing Maven: apt-get update")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run([apt, "update", "-q"], environment)
    say("installing Maven: apt-get install maven")
    _run([apt, "install", "-y", "-q", "--no-install-recommends", "maven"], environment)
    found = shutil.which("mvn")
    if found is None:
        raise _maven_is_missing()
    return found


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise CliError(
            f"Maven could not be installed: {last}.",
            f"Install it yourself with `{MAVEN_COMMAND}`, then run this again.",
            ExitCode.UNREACHABLE,
        )


def _maven_is_missing() -> CliError:
    return CliError(
        "Maven (mvn) is needed to download Kafka, Keycloak and PostgreSQL, and is not installed.",
        f"Run `sudo {MAVEN_COMMAND}`, then run this again.",
        ExitCode.UNREACHABLE,
    )
