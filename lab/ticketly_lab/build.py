"""Pinned Go programs, compiled once into the download cache.

A folder of the cache is complete or absent: it is built in a temporary folder beside it and renamed, under a lock, so
that two sessions at once cost one build and an interrupted one leaves nothing. A folder's name changes with everything
that goes into it, so old ones may be deleted while nobody uses them. Go keeps its own caches where it always does.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.prerequisites import Say, require_linux
from ticketly_lab import go as compilers
from ticketly_lab.go import Go
from ticketly_lab.recipes import BUILD_FLAGS, CONTROL_PLANE, MODULE_FILES, Recipe

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
DATA_FILE = "data.yaml"
PARALLEL_COMPILERS = min(2, os.cpu_count() or 1)
"""A compiler takes up to 1.9 GB."""
NICENESS = 10
STILL_BUILDING_SECONDS = 20.0


def control_plane(cache: Path, say: Say, environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Every program of a control plane by name, and `stages`, kwok's own stages.

    What the folder named by KUBEBUILDER_ASSETS has is taken from there, the rest is built: that folder usually holds
    etcd, kube-apiserver and kubectl only. Its version should be near the one built here (kubectl and the controllers
    may differ from the API server by one minor version).
    """
    values = os.environ if environment is None else environment
    found: dict[str, Path] = {}
    for recipe in CONTROL_PLANE:
        given = _given(recipe, values.get(ASSETS_VARIABLE, ""))
        found |= given
        rest = recipe.only(name for name in recipe.packages if name not in given) if given else recipe
        if rest.packages:
            folder = prepare(rest, cache, say)
            found |= {name: folder / name for name in rest.packages}
            if rest.data:
                found["stages"] = folder / DATA_FILE
    return found


def _given(recipe: Recipe, assets: str) -> dict[str, Path]:
    """Programs in the assets folder. One with data must be built: the data belongs to its version."""
    if not assets or recipe.data:
        return {}
    paths = {name: Path(assets).expanduser() / name for name in recipe.packages}
    return {name: path for name, path in paths.items() if os.access(path, os.X_OK)}


def prepare(recipe: Recipe, cache: Path, say: Say) -> Path:
    """Folder with the recipe's programs, built when it is not there yet.

    Raises CliError when Go cannot be had, a module cannot be downloaded, or the build fails.
    """
    require_linux()
    go = compilers.find(cache, say)
    folder = cache / f"{recipe.module}-{recipe.version}-{recipe.key(go.version, platform.machine())}"
    if folder.is_dir():
        return folder
    with _locked(cache / f"{recipe.module}.lock", say):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as name:
                built = Path(name) / "out"
                _build(recipe, go, Path(name), built, say)
                built.rename(folder)
    return folder


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another build ({path.stem})")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(recipe: Recipe, go: Go, work: Path, target: Path, say: Say) -> None:
    module = work / "module"
    module.mkdir()
    for name in MODULE_FILES:
        (module / name).write_text(recipe.text(name), encoding="utf-8")
    target.mkdir(mode=0o755)
    what = f"{', '.join(recipe.packages)} {recipe.version} with {go.version}"
    say(f"building {what}; the first time this takes minutes and downloads the sources")
    for name, package in recipe.packages.items():
        # One after the other: a build of all at once links them at once, and linking is what takes the memory.
        flags = ["-p", str(PARALLEL_COMPILERS), *BUILD_FLAGS, "-ldflags", recipe.linker_flags()]
        _run_go(go, ["build", *flags, "-o", str(target / name), package], module, f"building {name}", say)
    if recipe.data:
        root = _run_go(go, ["list", "-mod=mod", "-m", "-f", "{{.Dir}}", recipe.pinned], module, "looking up", say)
        (target / DATA_FILE).write_text(collect_yaml(Path(root.strip()), recipe.data), encoding="utf-8")


def _run_go(go: Go, arguments: Sequence[str], module: Path, doing: str, say: Say) -> str:
    """Standard output. `say` hears that it goes on, so that nobody takes a long build for a hanging one."""
    nice = shutil.which("nice")
    command = [*([nice, "-n", str(NICENESS)] if nice else []), str(go.command), *arguments]
    with _telling(doing, say):
        done = subprocess.run(
            command, cwd=module, env=compilers.environment(), capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line and not line.startswith("go: downloading")]
        raise CliError(
            f"{doing} failed: {said[-1] if said else f'exit code {done.returncode}'}.",
            "Run it again: what was compiled and downloaded is kept. Sources come from the proxy in `go env GOPROXY`.",
            ExitCode.FAILED,
        )
    return done.stdout


@contextmanager
def _telling(doing: str, say: Say) -> Iterator[None]:
    over = threading.Event()
    began = time.monotonic()

    def tell() -> None:
        while not over.wait(STILL_BUILDING_SECONDS):
            say(f"still {doing}, {time.monotonic() - began:.0f} s")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def collect_yaml(root: Path, folders: Iterable[str]) -> str:
    """The documents of the YAML files in these folders, kustomize's own files aside."""
    documents = [
        document
        for folder in folders
        for path in sorted((root / folder).glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if document.get("kind") != "Kustomization"
    ]
    if not documents:
        raise ValueError(f"no YAML documents in {', '.join(folders)} of {root}")
    return yaml.safe_dump_all(documents, sort_keys=False)


def say_on_standard_error(line: str) -> None:
    """Progress for a person, apart from what a command prints as its result."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
