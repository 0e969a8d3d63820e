"""`ticketly doctor`: what the machine lacks, and whether every component answers, how fast, and as what."""

from __future__ import annotations

import asyncio
import platform
import shutil
import time
from pathlib import Path

from ticketly_cli.local import health, lifecycle, placement, ports, toolchain
from ticketly_cli.local.component import Component, UnhealthyError
from ticketly_cli.local.components import postgres
from ticketly_cli.local.paths import HomeFolder
from ticketly_cli.local.toolchain import Toolchain
from ticketly_cli.local.versions import load_versions
from ticketly_cli.local.views import Check, DoctorResult

_PROBE_TIMEOUT_SECONDS = 10.0
_GIB = 1024**3
_DISK_NEEDED_GIB = 3.0
_MEMORY_NEEDED_GIB = 2.5


def diagnose(home: HomeFolder, cache: Path) -> DoctorResult:
    """Looks only; changes nothing. Raises CliError when the platform file is not valid."""
    _, components = lifecycle.dry_plan(home, cache)
    running = lifecycle.running_supervisor(home) is not None
    return DoctorResult(
        prerequisites=_prerequisites(home, cache, list(components), running),
        components=asyncio.run(_probe_all(home, components, running)),
    )


def _prerequisites(home: HomeFolder, cache: Path, components: list[str], running: bool) -> list[Check]:
    versions = toolchain.tool_versions(load_versions())
    missing = toolchain.missing_entries(components, cache)
    found = [
        Check("system", "ok" if platform.system() == "Linux" else "failed", platform.platform()),
        Check("python", "ok", "", version=platform.python_version()),
        Check("java", "ok", "comes with this program", version=versions["java"]),
        _maven(missing),
        Check(
            "downloads",
            "warning" if missing else "ok",
            f"{cache}: `ticketly up` will download {', '.join(missing)}" if missing else f"{cache}: complete",
        ),
        _disk(home),
        _memory(),
        _postgres_place(home, cache),
    ]
    if not running:
        found.append(_usual_ports())
    return [check for check in found if check is not None]


def _maven(missing: list[str]) -> Check:
    mvn = shutil.which("mvn")
    if mvn is not None:
        return Check("maven", "ok", mvn)
    if not missing:
        return Check("maven", "ok", "not installed, and not needed: everything is downloaded")
    return Check("maven", "warning", "not installed; `ticketly up` installs it as root, else says the command")


def _disk(home: HomeFolder) -> Check:
    folder = next(path for path in (home.root, *home.root.parents) if path.exists())
    free_gib = shutil.disk_usage(folder).free / _GIB
    return Check("disk", "ok" if free_gib >= _DISK_NEEDED_GIB else "warning", f"{free_gib:.1f} GiB free at {folder}")


def _memory() -> Check | None:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available_gib = int(line.split()[1]) * 1024 / _GIB
            state = "ok" if available_gib >= _MEMORY_NEEDED_GIB else "warning"
            return Check("memory", state, f"{available_gib:.1f} GiB available, the platform takes about 1.5")
    return None


def _postgres_place(home: HomeFolder, cache: Path) -> Check | None:
    """Root's PostgreSQL runs as another user, which may have to live outside the state folder."""
    tools = Toolchain(cache=cache, versions=load_versions())
    where = postgres.places(tools.postgres, home.root)
    if where.os_user is None:
        return None
    outside = f"; {home.root} is closed to it, so its data is in {where.data}" if where.outside_home else ""
    return Check("postgres user", "ok", f"runs as {where.os_user.name}, because it refuses root{outside}")


def _usual_ports() -> Check:
    taken = [f"{name} {port}" for name, port in placement.wanted_ports().items() if not ports.is_free(port)]
    if taken:
        return Check("ports", "warning", f"taken: {', '.join(taken)}; others will be used")
    return Check("ports", "ok", "the usual ones are free")


async def _probe_all(home: HomeFolder, components: dict[str, Component], running: bool) -> list[Check]:
    wanted: set[str] = set()
    if running:
        wanted = {one.name for one in lifecycle.report(home).components if one.wanted}
    return [await _probe(component, component.name in wanted) for component in components.values()]


async def _probe(component: Component, wanted: bool) -> Check:
    if not wanted:
        return Check(component.name, "off", "not running", version=component.version, stand_in=component.stand_in)
    began = time.perf_counter()
    detail = ""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
            await component.probe()
    except (UnhealthyError, OSError, EOFError, TimeoutError) as error:
        detail = health.describe(error)
    return Check(
        component.name,
        "failed" if detail else "ok",
        detail,
        address=component.address,
        version=component.version,
        latency_ms=None if detail else round((time.perf_counter() - began) * 1000, 1),
        stand_in=component.stand_in,
    )
