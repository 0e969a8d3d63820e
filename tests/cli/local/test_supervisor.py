"""A supervisor with its light components: what a person relies on when things go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from ticketly_cli.local import control, lifecycle, orphans, state
from ticketly_cli.local.control import Request
from ticketly_cli.local.identity import is_alive
from ticketly_cli.local.paths import HomeFolder

LIGHT = ("--only", "valkey", "--only", "mail")


class Platform:
    """A state folder and the commands on it."""

    def __init__(self, root: Path) -> None:
        self.home = HomeFolder(root)
        self.environment = {**os.environ, "TICKETLY_HOME": str(root)}

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ticketly_cli.main", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.command(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return out + err

    def data(self, *arguments: str, code: int = 0):
        process = self.command(*arguments, "-o", "json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return json.loads(out)

    def component(self, name: str):
        return next(one for one in lifecycle.report(self.home).components if one.name == name)

    def supervisor(self):
        return state.read_platform_file(self.home.platform_file).supervisor

    def processes(self) -> list[int]:
        """Everything that names this state folder in its command line."""
        root = str(self.home.root)
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            line = process.info["cmdline"] or []
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(root in part for part in line):
                found.append(process.info["pid"])
        return found


@pytest.fixture
def folder():
    root = Path(tempfile.mkdtemp(prefix="ticketly-up-"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def unusual(folder, remember_unusual_ports):
    """A platform that leaves the usual ports alone."""
    remember_unusual_ports(folder)
    made = Platform(folder)
    yield made
    made.run("down", "--purge")
    assert made.processes() == []


def until(condition, seconds: float = 30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def test_up_can_be_repeated_and_down_leaves_nothing_behind(unusual):
    unusual.run("up", *LIGHT)
    first = unusual.component("valkey").pid
    unusual.run("up", *LIGHT)
    assert unusual.component("valkey").pid == first
    assert unusual.component("postgres").state == "stopped"
    supervisor = unusual.supervisor()
    unusual.run("down")
    assert not is_alive(supervisor)
    assert unusual.processes() == []
    unusual.run("status", code=4)
    unusual.run("down")


def test_a_component_killed_with_9_comes_back(unusual):
    unusual.run("up", *LIGHT)
    first = unusual.component("valkey").pid
    os.kill(first, signal.SIGKILL)
    until(lambda: unusual.component("valkey").restarts == 1 and unusual.component("valkey").state == "healthy")
    again = unusual.component("valkey")
    assert again.pid != first
    assert again.reason.startswith("ended by SIGKILL")


def test_a_taken_port_is_avoided_told_and_remembered(folder, remember_unusual_ports):
    remember_unusual_ports(folder)
    platform = Platform(folder)
    wanted = state.read_platform_file(platform.home.platform_file).ports["redis"]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", wanted))
        listener.listen()
        text = platform.run("up", *LIGHT)
        moved = state.read_platform_file(platform.home.platform_file).ports["redis"]
        assert moved != wanted
        assert f"These ports are taken and were replaced: redis {wanted} -> {moved}." in text
        platform.run("down")
    platform.run("up", *LIGHT)
    assert state.read_platform_file(platform.home.platform_file).ports["redis"] == moved
    platform.run("down", "--purge")
    assert not folder.exists()


def test_a_second_up_joins_the_first(unusual):
    commands = [unusual.command("up", *LIGHT) for _ in range(2)]
    for command in commands:
        out, err = command.communicate(timeout=120)
        assert command.returncode == 0, out + err
    supervisors = [pid for pid in unusual.processes() if "supervisor" in " ".join(psutil.Process(pid).cmdline())]
    assert len(supervisors) == 1


def test_after_the_supervisor_was_killed_the_next_up_cleans_its_orphans(unusual):
    unusual.run("up", *LIGHT)
    left = orphans.alive(unusual.home.processes_file)
    assert {record.component for record in left} == {"valkey", "mail"}
    os.kill(unusual.supervisor().pid, signal.SIGKILL)
    until(lambda: not is_alive(unusual.supervisor()))
    assert all(is_alive(record.identity) for record in left)
    unusual.run("status", code=4)
    text = unusual.run("up", *LIGHT)
    assert "Stopped what an earlier supervisor had left behind: " in text
    assert not any(is_alive(record.identity) for record in left)


def test_down_stops_the_orphans_of_a_killed_supervisor(unusual):
    unusual.run("up", *LIGHT)
    left = orphans.alive(unusual.home.processes_file)
    os.kill(unusual.supervisor().pid, signal.SIGKILL)
    until(lambda: not is_alive(unusual.supervisor()))
    assert sorted(unusual.data("down")["stopped"]) == ["mail", "valkey"]
    assert not any(is_alive(record.identity) for record in left)


def test_an_interrupted_up_stops_what_it_started(unusual):
    # keycloak takes seconds until it is healthy, so the signal comes in the middle
    command = unusual.command("up", "--only", "keycloak")
    until(lambda: orphans.alive(unusual.home.processes_file) != [])
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130, out + err
    assert "what this command had started is stopped" in err
    assert unusual.processes() == []


def test_a_component_that_does_not_start_is_named_with_its_reason(unusual):
    unusual.home.create()
    (unusual.home.configuration / "front-door.json").mkdir()
    text = unusual.run("up", "--only", "front-door", code=1)
    assert "front-door does not start: preparation failed" in text
    assert "ticketly logs front-door" in text


def test_more_can_be_started_later_and_one_restarted(unusual):
    unusual.run("up", "--only", "valkey")
    assert unusual.component("mail").state == "stopped"
    unusual.run("up", "--only", "mail")
    assert unusual.component("mail").state == "healthy"
    before = unusual.component("valkey").pid
    answer = unusual.data("restart", "valkey")
    assert answer["component"] == "valkey"
    assert unusual.component("valkey").pid != before


def test_status_and_logs_are_data_for_programs(unusual):
    unusual.run("up", *LIGHT)
    answer = unusual.data("status")
    assert answer["healthy"] is True
    valkey = next(one for one in answer["components"] if one["name"] == "valkey")
    assert valkey["state"] == "healthy"
    assert valkey["pid"] > 0
    assert valkey["memory_bytes"] > 0
    assert any("Server initialized" in line for line in unusual.data("logs", "valkey")["lines"])
    unusual.run("logs", "nope", code=3)
    unusual.run("restart", "nope", code=3)
    unusual.run("up", "--only", "nope", code=3)


def test_doctor_names_what_answers_what_is_off_and_what_is_a_stand_in(unusual):
    unusual.run("up", *LIGHT)
    answer = unusual.data("doctor")
    checks = {check["name"]: check for check in answer["components"]}
    assert checks["valkey"]["state"] == "ok"
    assert checks["valkey"]["latency_ms"] > 0
    assert checks["postgres"]["state"] == "off"
    assert "4.4" in checks["mongo"]["stand_in"]


def test_no_output_and_no_log_holds_a_secret(unusual):
    text = unusual.run("up", *LIGHT, "-v") + unusual.run("status") + unusual.run("doctor") + unusual.run("logs", "mail")
    text += "".join(path.read_text(errors="replace") for path in unusual.home.logs.iterdir())
    stored = json.loads(unusual.home.secrets_file.read_text())
    for kind in ("database_roles", "clients", "users", "administrators"):
        for secret in stored[kind].values():
            assert secret not in text


def test_nonsense_on_the_socket_is_answered_not_fatal(unusual):
    unusual.run("up", "--only", "valkey")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(unusual.home.control_socket))
        connection.sendall(b"nonsense\n")
        assert b"not a request" in connection.recv(1000)
    assert control.ask(unusual.home.control_socket, Request(op="status")).error == ""
