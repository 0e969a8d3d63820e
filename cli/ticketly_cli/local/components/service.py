"""Our own services: migrations first, then the process with exactly the environment of the blueprint."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from ticketly_cli.local import health, logfiles, processes
from ticketly_cli.local.component import Component, ProcessSpec, UnhealthyError
from ticketly_crds.blueprint import Service

STOP_TIMEOUT_SECONDS = 20.0
_MIGRATION_TIMEOUT_SECONDS = 120


def is_installed(service: Service) -> bool:
    """Whether its package can be started here."""
    return (
        importlib.util.find_spec(service.module) is not None
        and importlib.util.find_spec(f"{service.module}.__main__") is not None
    )


def component(
    service: Service,
    environment: Mapping[str, str],
    needs: frozenset[str],
    uses: frozenset[str],
    folder: Path,
    log_file: Path,
) -> Component:
    """`environment` is the blueprint's with every secret looked up."""
    spec = ProcessSpec(
        argv=(sys.executable, "-m", service.module),
        folder=folder,
        environment={"PYTHONUNBUFFERED": "1", **environment},
        stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
    )
    internal = f"http://127.0.0.1:{service.internal_port}"
    return Component(
        name=service.name,
        needs=needs,
        uses=uses,
        version=metadata.version(service.module.replace("_", "-")),
        address=internal if service.public_port is None else f"http://127.0.0.1:{service.public_port}",
        process=spec,
        prepare=functools.partial(_migrate, spec, service, log_file),
        probe=functools.partial(health.http, f"{internal}{service.probes.readiness.path}"),
    )


def _migrate(spec: ProcessSpec, service: Service, log_file: Path) -> None:
    """Runs and ends; what it says goes to the service's log."""
    if not service.migrates:
        return
    with log_file.open("ab") as log:
        try:
            done = subprocess.run(
                [*spec.argv, "migrate"],
                cwd=spec.folder,
                env=processes.child_environment(spec),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_MIGRATION_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnhealthyError(f"migration did not end within {_MIGRATION_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        last = logfiles.last_line(log_file)
        raise UnhealthyError(f"migration {processes.describe_exit(done.returncode)}: {last}")
