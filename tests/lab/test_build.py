"""Builds: keyed by what goes into them, made once, and complete or absent. The compiler is played by a script."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.errors import CliError
from ticketly_lab import build, recipes, tools
from ticketly_lab import go as compilers
from ticketly_lab.recipes import CONTROL_PLANE, HELM, KUBERNETES, KWOK, PROMTOOL, Recipe

EVERY_RECIPE = (*CONTROL_PLANE, PROMTOOL, HELM)

GO = """#!/bin/sh
case "$1" in
version) echo "go version {version} linux/amd64" ;;
build)
    echo build >> "{log}"
    {build}
    while [ "$1" != -o ]; do shift; done
    echo '#!/bin/sh' > "$2" && chmod 755 "$2" ;;
list) echo "{root}" ;;
esac
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def compiler(folder: Path, log: Path, version: str = "go1.26.8", build: str = ":") -> None:
    (folder / "bin").mkdir()
    program = folder / "bin" / "go"
    program.write_text(GO.format(version=version, log=log, build=build, root=folder))
    program.chmod(0o755)


def first_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def calls(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_two_sessions_at_once_build_once(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, log)
    first_on_path(tmp_path, monkeypatch)
    cache = tmp_path / "cache"
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: build.prepare(PROMTOOL, cache, print), range(2)))
    assert folders[0] == folders[1]
    assert calls(log) == 1
    assert os.access(folders[0] / "promtool", os.X_OK)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [folders[0].name]


def test_a_failed_build_says_why_and_leaves_nothing(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, log, build="echo 'no space left on device' >&2; exit 1")
    first_on_path(tmp_path, monkeypatch)
    cache = tmp_path / "cache"
    with pytest.raises(CliError, match=r"building helm failed: no space left on device\."):
        tools.prepare(["helm"], cache, print)
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_programs_that_kubebuilder_brings_are_not_built(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(tmp_path, log)
    first_on_path(tmp_path, monkeypatch)
    for folder in KWOK.data:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "stage.yaml").write_text("kind: Stage\n")
        (tmp_path / folder / "kustomization.yaml").write_text("kind: Kustomization\n")
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (assets / name).write_text("")
        (assets / name).chmod(stat.S_IRWXU)
    programs = build.control_plane(tmp_path / "cache", print, {build.ASSETS_VARIABLE: str(assets)})
    assert {name for name, path in programs.items() if path.parent == assets} == {"etcd", "kube-apiserver", "kubectl"}
    assert set(programs) == {*KUBERNETES.packages, "kwok", "stages"}
    assert calls(log) == 3
    assert programs["stages"].read_text() == "kind: Stage\n---\nkind: Stage\n"


def test_a_tool_nobody_knows_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="Known are promtool, helm, pulumi"):
        tools.prepare(["kustomize"], tmp_path, print)


def test_an_old_compiler_is_passed_over(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, log, version="go1.19.8")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    other = tmp_path / "other"
    other.mkdir()
    compiler(other, log, version="go1.27.1")
    monkeypatch.setattr(compilers, "USUAL_PLACE", other / "bin" / "go")
    assert compilers.find(tmp_path, print) == compilers.Go(other / "bin" / "go", "go1.27.1")


@given(st.integers(0, 99), st.integers(0, 99), st.none() | st.integers(0, 99))
@settings(max_examples=25)
def test_the_version_is_read_out_of_what_go_prints(major: int, minor: int, patch: int | None) -> None:
    printed = f"go version go{major}.{minor}{'' if patch is None else f'.{patch}'} linux/arm64\n"
    assert compilers.parse_version(printed) == (major, minor, patch or 0)


def test_text_without_a_version_is_no_version() -> None:
    assert compilers.parse_version("going nowhere 1.2") is None


@pytest.mark.parametrize("recipe", EVERY_RECIPE, ids=lambda recipe: recipe.module)
def test_every_package_belongs_to_a_module_that_is_pinned_with_its_checksum(recipe: Recipe) -> None:
    sums = recipe.text("go.sum")
    assert f"{recipe.pinned} {recipe.version} h1:" in sums
    for package in recipe.packages.values():
        assert f"\t{package}\n" in recipe.text("go.mod") or f"tool {package}\n" in recipe.text("go.mod")


def test_a_module_that_is_not_required_has_no_version() -> None:
    with pytest.raises(ValueError, match="is not required"):
        recipes.required_version("module x\n\nrequire example.com/a v1.0.0\n", "example.com/b")


def test_the_key_changes_with_compiler_machine_and_programs() -> None:
    plain = KUBERNETES.key("go1.26.8", "x86_64")
    others = {
        KUBERNETES.key("go1.26.9", "x86_64"),
        KUBERNETES.key("go1.26.8", "aarch64"),
        KUBERNETES.only(["etcd"]).key("go1.26.8", "x86_64"),
        KWOK.key("go1.26.8", "x86_64"),
    }
    assert plain == KUBERNETES.key("go1.26.8", "x86_64")
    assert plain not in others
    assert len(others) == 4


def test_programs_report_the_version_they_are_built_from() -> None:
    assert f"version.gitVersion={KUBERNETES.version}" in KUBERNETES.linker_flags()
    assert "gitMinor=36" in KUBERNETES.linker_flags()


def test_folders_without_documents_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no YAML documents"):
        build.collect_yaml(tmp_path, ["stages"])
