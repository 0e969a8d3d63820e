"""The demo's beginning and end: never two in one place, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ticketly_cli.errors import CliError
from ticketly_cli.local.identity import is_alive
from ticketly_lab import demo
from ticketly_lab.children import Children


@pytest.fixture
def left_running(tmp_path: Path) -> Iterator[Children]:
    """A part of a demo that was kept."""
    folder = tmp_path / "demo" / "stores"
    folder.mkdir(parents=True)
    children = Children(folder)
    children.start("part", ["sleep", "600"])
    yield children
    children.kill_all()


def test_a_demo_that_runs_is_not_started_twice(tmp_path: Path, left_running: Children) -> None:
    with pytest.raises(CliError, match=r"runs in .* already \(part\)") as refused:
        demo.show(tmp_path / "demo", keep=False)
    assert "--stop" in refused.value.next_step
    assert is_alive(left_running.identity("part"))


def test_stopping_ends_what_was_kept_and_deletes_it(tmp_path: Path, left_running: Children) -> None:
    identity = left_running.identity("part")
    left_running.release()
    assert demo.stop(tmp_path / "demo") == ["part"]
    assert not is_alive(identity)
    assert not (tmp_path / "demo" / "stores").exists()
    assert demo.stop(tmp_path / "demo") == []
