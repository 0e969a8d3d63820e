"""The tree keeps its shape: what would break an interpreter, a reader or another machine is refused."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE_PARENTS = ("crds", "operator", "cli", "services", "pulumi", "lab")
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "target", "dist", "build"})
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "base", "manager", "managers", "common", "misc"})
MAX_LINES = 500
LINES_WITHOUT_REASON = 300
BINARY = frozenset({".png", ".jpg", ".gif", ".ico", ".webp", ".woff2", ".jar", ".gz", ".zip", ".pdf"})

MACHINE_PATH = re.compile(r"(?<![\w.~}/-])/(?:(?:root|work|Users)/\w|home/(?!nonroot\b)\w|tmp/[a-z])")
REGISTRY_HOST = re.compile(
    r"(?i)\b(?:pypi\.org|(?:files\.)?pythonhosted\.org|repo1?\.maven\.(?:org|apache\.org)|registry\.npmjs\.org"
    r"|proxy\.golang\.org|crates\.io|rubygems\.org)\b"
)


def files() -> Iterator[Path]:
    """Yield every file that belongs to the repository, hidden tool caches and environments aside."""
    for folder, names, found in os.walk(ROOT):
        here = Path(folder)
        names[:] = sorted(
            name
            for name in names
            if name not in SKIPPED_FOLDERS
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or (here == ROOT and name == ".ci"))
        )
        yield from (here / name for name in sorted(found))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def in_a_package(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in PACKAGE_PARENTS


def test_there_is_something_to_check() -> None:
    assert len(python_files()) > 50


def test_no_package_marker_where_it_would_hide_somebody_else_s_package() -> None:
    """``operator/__init__.py`` breaks the interpreter, ``services/email/__init__.py`` shadows the library."""
    forbidden = [*PACKAGE_PARENTS, *(shown(member.parent) for member in ROOT.glob("services/*/pyproject.toml"))]
    found = [f"{folder}/__init__.py" for folder in forbidden if (ROOT / folder / "__init__.py").exists()]
    found += [shown(path) for path in (ROOT / "tests").rglob("__init__.py")]
    assert found == []


def test_every_part_holds_one_prefixed_package() -> None:
    members = [ROOT / name for name in ("crds", "operator", "cli", "pulumi", "lab")] + sorted(
        path.parent for path in ROOT.glob("services/*/pyproject.toml")
    )
    for member in members:
        packages = [path.parent.name for path in member.glob("*/__init__.py")]
        assert len(packages) == 1, shown(member)
        assert packages[0].startswith(("ticketly_", "stripe_")), shown(member)
        assert (member / packages[0] / "py.typed").exists(), shown(member)


def test_modules_are_named_after_what_they_hold() -> None:
    found = [
        shown(path)
        for path in python_files()
        if path.stem in BANNED_NAMES or (path.name == "__init__.py" and path.parent.name in BANNED_NAMES)
    ]
    assert found == []


def test_no_module_is_too_long() -> None:
    """Over 300 lines the module's docstring says "Over 300 lines because ..."; over 500 it is split."""
    found = []
    for path in python_files():
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > MAX_LINES:
            found.append(f"{shown(path)}: {lines} lines, split it")
        elif lines > LINES_WITHOUT_REASON and in_a_package(path):
            reason = " ".join((ast.get_docstring(ast.parse(text)) or "").lower().split())
            if "over 300 lines" not in reason:
                found.append(f'{shown(path)}: {lines} lines; say "Over 300 lines because ..." in its docstring')
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        shown(path)
        for path in python_files()
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def matches(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in files():
        if path.suffix in BINARY or path.name == "uv.lock" or path == Path(__file__).resolve():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            found += [f"{shown(path)}:{number}: {match.group()}" for match in pattern.finditer(line)]
    return found


def test_nothing_names_a_path_of_one_machine() -> None:
    assert matches(MACHINE_PATH) == []


def test_package_registries_are_named_in_the_lock_file_only() -> None:
    assert matches(REGISTRY_HOST) == []


def test_the_entry_of_continuous_integration_is_executable_and_calls_the_tests() -> None:
    entry = ROOT / ".ci" / "run"
    assert os.access(entry, os.X_OK)
    assert entry.read_text(encoding="utf-8").rstrip().endswith("exec make test")
