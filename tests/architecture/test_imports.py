"""Who may import whom: the import-linter contracts hold, they bite, and services keep their layers."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
SERVICES = (
    "ticketly_event_command",
    "ticketly_event_query",
    "ticketly_order",
    "ticketly_scheduler",
    "ticketly_email",
)
ADAPTERS = frozenset({"postgres", "mongo", "redis", "kafka"})
EDGES = frozenset({"routes", "consumers"})
FORBIDDEN = {
    # layer: what it may not import directly, by the last part of the module's name
    "domain": ADAPTERS | EDGES | {"app", "handlers", "ports", "settings"},
    "ports": ADAPTERS | EDGES | {"app", "handlers"},
    "handlers": ADAPTERS | EDGES | {"app"},
    "routes": ADAPTERS | {"app"},
    "postgres": EDGES | {"app", "handlers"},
    "mongo": EDGES | {"app", "handlers"},
    "redis": EDGES | {"app", "handlers"},
}


def lint(python_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=python_path,
        env={**os.environ, "PYTHONPATH": str(python_path), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_every_import_contract_is_kept() -> None:
    done = lint(ROOT / "pulumi")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


SKELETON = {
    "ticketly_crds": [
        *("kinds", "schema", "blueprint", "spec", "workloads", "reasons", "sections"),
        *("connections", "names", "quantities", "status"),
    ],
    "ticketly_operator": ["main", "reconcile", "plan", "conditions", "desired", "clients", "settings"],
    "ticketly_cli": [
        *("main", "commands", "errors", "printing", "results", "race", "race.plan", "race.statistics"),
        *("verify", "verify.checks", "verify.linearizable"),
    ],
    "ticketly_common": [],
    "ticketly_event_command": ["app", "routes", "handlers", "domain"],
    "ticketly_event_query": [],
    "ticketly_order": ["app", "claims", "claims.handlers", "claims.postgres"],
    "ticketly_scheduler": [],
    "ticketly_email": [],
    "ticketly_infra": [],
}
FINE = {
    "ticketly_cli.printing": "import rich",
    "ticketly_cli.main": "import typer",
    "ticketly_operator.main": "import kopf",
    "ticketly_cli.commands": "from ticketly_operator import desired, plan",
    "ticketly_order.claims.postgres": "import asyncpg",
    "ticketly_event_command.routes": "import fastapi",
}
VIOLATIONS = {
    "parts": ("ticketly_order.claims", "import ticketly_event_query"),
    "operator-not-whole": ("ticketly_cli.race", "import ticketly_operator.clients"),
    "services-know-common-only": ("ticketly_email", "import ticketly_crds.spec"),
    "tools-know-crds-only": ("ticketly_infra", "import ticketly_common"),
    "crds-is-data": ("ticketly_crds.names", "import os"),
    "crds-layers": ("ticketly_crds.spec", "import ticketly_crds.blueprint"),
    "operator-layers": ("ticketly_operator.desired", "import ticketly_operator.reconcile"),
    "operator-pure": ("ticketly_operator.desired", "import time"),
    "operator-pure-clients": ("ticketly_operator.conditions", "import ticketly_operator.clients"),
    "operator-kopf": ("ticketly_operator.reconcile", "import kopf"),
    "cli-layers": ("ticketly_cli.race", "import ticketly_cli.commands"),
    "cli-rich": ("ticketly_cli.commands", "import rich.table"),
    "cli-typer": ("ticketly_cli.race", "import typer"),
    "cli-pure-cores": ("ticketly_cli.verify.checks", "import os"),
    "services-web": ("ticketly_event_command.handlers", "import fastapi"),
    "services-stores": ("ticketly_order.claims.handlers", "import asyncpg"),
}


def plant(folder: Path, violation: tuple[str, str] | None) -> None:
    """Write packages of the real names with one import each: those that are fine, and the violation."""
    lines: dict[str, list[str]] = {}
    for package, modules in SKELETON.items():
        for module in (package, *(f"{package}.{name}" for name in modules)):
            lines[module] = [FINE[module]] if module in FINE else []
    if violation is not None:
        module, statement = violation
        lines[module].append(statement)
    for module, statements in lines.items():
        path = folder / module.replace(".", "/")
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").write_text("\n".join(statements) + "\n")


def test_the_contracts_let_the_intended_imports_pass(tmp_path: Path) -> None:
    plant(tmp_path, None)
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_a_contract_catches_its_violation(name: str, tmp_path: Path) -> None:
    plant(tmp_path, VIOLATIONS[name])
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert VIOLATIONS[name][0] in done.stdout


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*SERVICES, "ticketly_common", exclude_type_checking_imports=True, cache_dir=None)


def misplaced(service: str) -> list[str]:
    found = []
    for importer in sorted(graph().modules):
        if importer.partition(".")[0] != service:
            continue
        layer = importer.rpartition(".")[2]
        for imported in sorted(graph().find_modules_directly_imported_by(importer)):
            inside = imported.partition(".")[0] == service
            target = imported.rpartition(".")[2]
            if inside and target in FORBIDDEN.get(layer, frozenset()):
                found.append(f"{importer} imports {imported}")
            if inside and target == "app" and layer != "__main__":
                found.append(f"{importer} imports {imported}: only __main__ starts the application")
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_keeps_its_layers(service: str) -> None:
    assert misplaced(service) == []
