"""The programs that packages are checked with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from ticketly_lab import tools

Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Run the real Helm with folders of its own; the result is returned whatever it is."""
    program = tools.prepare(["helm"])["helm"]
    home = tmp_path_factory.mktemp("helm")
    environment = {"HOME": str(home), "PATH": "", "HELM_CACHE_HOME": str(home / "cache")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run
