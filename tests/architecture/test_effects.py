"""Importing does nothing: no environment is read, no socket opened, no program started, no file written."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ticketly_cli.main import COMMANDS

PACKAGES = (
    "ticketly_crds",
    "ticketly_operator",
    "ticketly_cli",
    "ticketly_common",
    "ticketly_event_command",
    "ticketly_event_query",
    "ticketly_order",
    "ticketly_scheduler",
    "ticketly_email",
    "ticketly_infra",
    "ticketly_lab",
)
HEAVY = frozenset(
    {
        *("aiokafka", "asyncpg", "boto3", "kopf", "kubernetes", "motor"),
        *("psycopg", "pulumi", "pymongo", "redis", "stripe"),
    }
)

WATCHED_IMPORT = """
import importlib, os, pkgutil, sys

effects = []

def origin():
    # our module whose import-time code led here, None when a library imports on its own account
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("importlib") or name == "__main__":
            return None
        if name.startswith("ticketly_"):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return None

def asker():
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__") in ("os", "_collections_abc", "posixpath", "pathlib"):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "")

def watch(event, arguments):
    blocked = event.startswith(("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostby"))
    if blocked or event in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork"):
        raise RuntimeError(f"{event} while importing, from {origin()}")
    writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writing and arguments[0] != os.devnull:
        raise RuntimeError(f"{arguments[0]} opened for writing while importing, from {origin()}")

plain = os._Environ.__getitem__

def reading(self, key):
    # a library that reads its own variable when one of our classes is made is not our doing
    if origin() is not None and (asker().startswith("ticketly_") or key.startswith("TICKETLY_")):
        effects.append(f"{origin()} reads the environment variable {key}")
    return plain(self, key)

package = sys.argv[1]
root = importlib.import_module(package)
names = [package] + [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
sys.addaudithook(watch)
os._Environ.__getitem__ = reading
for name in names:
    sys.modules.pop(name, None)
for name in names:
    importlib.import_module(name)
print("\\n".join(effects))
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_every_module_needs_no_environment_and_has_no_effect(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error::ImportWarning", "-c", WATCHED_IMPORT, package],
        env={"TICKETLY_LOG_LEVEL": "debug"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


RUN_COMMAND = """
import contextlib, io, json, sys
sys.argv = ["ticketly", *sys.argv[1:]]
from ticketly_cli.main import run
status = 0
with contextlib.redirect_stdout(io.StringIO()) as shown:
    try:
        run()
    except SystemExit as stop:
        status = stop.code or 0
print(json.dumps({"status": status, "shown": shown.getvalue(), "modules": sorted(sys.modules)}))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)])
def test_help_loads_no_heavy_client(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_COMMAND, *arguments],
        env={},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["status"] == 0, done.stderr
    loaded = {name.partition(".")[0] for name in result["modules"]}
    assert loaded & HEAVY == set()


def test_the_platform_model_alone_loads_no_client_and_no_framework() -> None:
    code = "import json, sys, ticketly_crds.blueprint, ticketly_crds.status; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded & {*HEAVY, "fastapi", "httpx2", "rich", "typer", "uvicorn"} == set()
