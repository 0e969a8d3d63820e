"""The support bundle of the platform on this machine. `secrets.json` and rendered configurations are never opened."""

from __future__ import annotations

import functools
import platform as machine
from pathlib import Path

from ticketly_cli.cluster import redaction
from ticketly_cli.cluster.bundle import Bundle
from ticketly_cli.cluster.reporting import tidy_platform
from ticketly_cli.local import diagnosis, lifecycle, logfiles, paths, placement, state, views
from ticketly_cli.local.paths import HomeFolder
from ticketly_cli.local.versions import load_versions
from ticketly_cli.printing import Step
from ticketly_cli.results import JsonObject


def gather(home: HomeFolder, log_lines: int, step: Step) -> tuple[Bundle, str]:
    """Everything that can be had; nothing has to run."""
    bundle = Bundle()
    step.say("status")
    bundle.add("status.json", lambda: views.StatusResult(lifecycle.report(home), str(home.root)).to_data())
    step.say("doctor")
    bundle.add("doctor.json", lambda: diagnosis.diagnose(home, paths.cache_folder()).to_data())
    bundle.add("machine.json", _machine)
    bundle.add("versions.json", lambda: {name: tool.version for name, tool in load_versions().tools.items()})
    bundle.add("platform.yaml", lambda: _platform(home))
    bundle.add("ports.json", lambda: dict(state.read_platform_file(home.platform_file).ports))
    for path in sorted(home.logs.glob("*.log")) if home.logs.is_dir() else []:
        step.say(f"log of {path.stem}")
        bundle.add(f"logs/{path.name}", functools.partial(_end, path, log_lines))
    return bundle, f"the platform on this machine ({home.root})"


def _end(path: Path, lines: int) -> str:
    return "\n".join(logfiles.last_lines(path, lines))


def _machine() -> JsonObject:
    return {"system": machine.platform(), "python": machine.python_version(), "architecture": machine.machine()}


def _platform(home: HomeFolder) -> JsonObject:
    """The platform file with its defaults; values of the environment are left out as for a cluster."""
    found = placement.read_specification(home).model_dump(mode="json", by_alias=True, exclude_none=True)
    cleaned: JsonObject = redaction.redact_tree(tidy_platform(found))
    return cleaned
