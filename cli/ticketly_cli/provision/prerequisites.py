"""What `ticketly provision` needs before it can do anything: the Pulumi package, its program, credentials, a project.

Each check either returns what it found or raises CliError with one sentence and the next step (exit code 4). Nothing
is sent anywhere.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ticketly_cli.errors import CliError, ExitCode

MINIMUM_VERSION: Final = (3, 206, 0)
"""The first release whose engine streams its events the way this program reads them."""

_PROJECT_FILE: Final = "Pulumi.yaml"
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_VERSION_TIMEOUT_SECONDS: Final = 30.0
_INSTALL: Final = (
    "Install Pulumi's command line from https://www.pulumi.com/docs/install/ (it must be on PATH as `pulumi`)."
)
_CREDENTIALS_STEP: Final = (
    "Sign in with `aws sso login --profile NAME` and set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` must answer."
)


@dataclass(frozen=True, slots=True)
class Binary:
    """The Pulumi program."""

    path: Path
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        return ".".join(str(part) for part in self.version)


def package_is_installed() -> bool:
    """Whether this environment has Pulumi's Python package (the folder `pulumi/` of a checkout does not count)."""
    try:
        return importlib.util.find_spec("pulumi.automation") is not None
    except ModuleNotFoundError:
        return False


def require_package() -> None:
    """Raise unless Pulumi's Python package is there."""
    if not package_is_installed():
        raise CliError(
            "Pulumi's Python package is not installed in this environment.",
            "Run `scripts/bootstrap --all-packages` in the repository.",
            ExitCode.UNREACHABLE,
        )


def require_binary(environment: Mapping[str, str]) -> Binary:
    """Find the Pulumi program on PATH or where its installer puts it, and ask for its version."""
    usual = Path(environment.get("HOME", "/nonexistent")) / ".pulumi" / "bin"
    found = shutil.which("pulumi", path=os.pathsep.join([environment.get("PATH", os.defpath), str(usual)]))
    if found is None:
        raise CliError("The program `pulumi` is not installed.", _INSTALL, ExitCode.UNREACHABLE)
    version = _version_of(found, environment)
    if version is None:
        raise CliError(f"{found} does not tell its version.", _INSTALL, ExitCode.UNREACHABLE)
    binary = Binary(Path(found), version)
    if version < MINIMUM_VERSION or version[0] != MINIMUM_VERSION[0]:
        wanted = ".".join(str(part) for part in MINIMUM_VERSION)
        raise CliError(
            f"{found} is version {binary.version_text}; {wanted} or newer of major version 3 is needed.",
            _INSTALL,
            ExitCode.UNREACHABLE,
        )
    return binary


def _version_of(program: str, environment: Mapping[str, str]) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            [program, "version"],
            env={**environment, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.match(done.stdout.strip())
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def credentials_source(environment: Mapping[str, str]) -> str:
    """Where AWS credentials would come from, in the order in which AWS's tools look; "" when there are none.

    Says nothing about whether they still work. The metadata service of a virtual machine is not asked: it is used
    only when AWS_EC2_METADATA_SERVICE_ENDPOINT names it.
    """
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        return "environment variables"
    profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environment.get("AWS_ROLE_ARN"):
        return "web identity"
    if _profile_exists(profile, environment):
        return f"profile {profile}"
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        if environment.get(name):
            return "container role"
    return "instance role" if environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") else ""


def _profile_exists(profile: str, environment: Mapping[str, str]) -> bool:
    folder = Path(environment.get("HOME", "/nonexistent")) / ".aws"
    places = (
        (Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials"), profile),
        (
            Path(environment.get("AWS_CONFIG_FILE") or folder / "config"),
            profile if profile == "default" else f"profile {profile}",
        ),
    )
    telling = {"aws_access_key_id", "sso_session", "sso_start_url", "role_arn", "credential_process", "login_session"}
    for path, section in places:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        if parser.has_section(section) and telling & set(parser.options(section)):
            return True
    return False


def require_credentials(environment: Mapping[str, str]) -> str:
    """The source of the AWS credentials; raises when there is none."""
    source = credentials_source(environment)
    if not source:
        raise CliError("There are no AWS credentials.", _CREDENTIALS_STEP, ExitCode.UNREACHABLE)
    return source


def require_project(chosen: Path | None) -> Path:
    """The folder with Pulumi.yaml: the one given, else the one of this checkout, else `pulumi/` where one stands."""
    if chosen is not None:
        if not (chosen / _PROJECT_FILE).is_file():
            raise CliError(
                f"There is no {_PROJECT_FILE} in {chosen}.", "Give the project folder: --project.", ExitCode.UNREACHABLE
            )
        return chosen.resolve()
    for folder in (*Path(__file__).resolve().parents, Path.cwd()):
        if (folder / "pulumi" / _PROJECT_FILE).is_file():
            return folder / "pulumi"
    raise CliError(
        "The Pulumi project of Ticketly was not found.",
        "Run this in a checkout of the repository, or name the folder with Pulumi.yaml: --project.",
        ExitCode.UNREACHABLE,
    )


def require_backend(url: str) -> str:
    """The place of the state; raises when nobody said where it is."""
    if not url:
        raise CliError(
            "The place of the state is not given.",
            "Give it: --backend s3://BUCKET?region=REGION, or set PULUMI_BACKEND_URL (docs/aws/getting-started.md).",
            ExitCode.BAD_ARGUMENTS,
        )
    return url
