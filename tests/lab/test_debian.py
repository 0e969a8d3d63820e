"""Programs from Debian packages, with an apt that does what the test says and the real dpkg-deb."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ticketly_lab import debian

PACKAGE = debian.Package("demo", {"hello": "usr/bin/hello"})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A package with one program."""
    root = tmp_path / "demo"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: demo\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: demo\n"
    )
    program = root / "usr" / "bin" / "hello"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    found = tmp_path / "demo_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(root), str(found)], check=True)
    return found


def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put an apt-get first on PATH; returns the file in which it notes its calls."""
    log, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    program = folder / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$*" >> {log}\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return log


def test_a_program_is_unpacked_once(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = apt(tmp_path, monkeypatch, f"cp {archive} .")
    cache = tmp_path / "cache"
    for _ in range(2):
        folder = debian.prepare(PACKAGE, cache, print)
        assert folder is not None
        assert subprocess.run([folder / "hello"], capture_output=True, text=True, check=True).stdout == "hello\n"
    assert len(log.read_text().splitlines()) == 1
    assert [path.name for path in cache.iterdir()] == ["demo-debian"]


def test_empty_package_lists_are_filled_by_root(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = tmp_path / "lists"
    log = apt(
        tmp_path,
        monkeypatch,
        f'case "$*" in update*) touch {lists};; *) test -e {lists} && cp {archive} . || exit 100;; esac',
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert debian.prepare(PACKAGE, tmp_path / "cache", print) is not None
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["-o", "update", "-o"]


def test_who_is_not_root_and_has_no_lists_gets_none_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = apt(tmp_path, monkeypatch, "exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert debian.prepare(PACKAGE, tmp_path / "cache", print) is None
    assert len(log.read_text().splitlines()) == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_elsewhere_than_on_debian_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert debian.prepare(PACKAGE, tmp_path / "cache", print) is None
