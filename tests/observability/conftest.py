"""promtool, and a way to let it judge rules."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketly_lab import tools


@pytest.fixture(scope="session")
def promtool() -> Path:
    return tools.prepare(["promtool"])["promtool"]


@pytest.fixture
def judge(promtool: Path, tmp_path: Path) -> Callable[[list[dict[str, Any]], list[dict[str, Any]]], None]:
    """``judge(groups, tests)`` runs promtool's unit tests over rule groups; fails with what promtool says."""

    def run(groups: list[dict[str, Any]], tests: list[dict[str, Any]]) -> None:
        rules, unit = tmp_path / "rules.yaml", tmp_path / "tests.yaml"
        rules.write_text(yaml.safe_dump({"groups": groups}))
        unit.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))
        done = subprocess.run([promtool, "test", "rules", unit], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    return run


@pytest.fixture
def check(promtool: Path, tmp_path: Path) -> Callable[[list[dict[str, Any]]], None]:
    """``check(groups)`` lets promtool parse every expression and template."""

    def run(groups: list[dict[str, Any]]) -> None:
        rules = tmp_path / "rules.yaml"
        rules.write_text(yaml.safe_dump({"groups": groups}))
        done = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    return run
