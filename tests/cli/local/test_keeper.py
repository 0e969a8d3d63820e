"""Keeping a process running, with small processes that stand for components."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time

import pytest

from ticketly_cli.local import orphans, processes
from ticketly_cli.local.component import Component, ProcessSpec, UnhealthyError, nothing
from ticketly_cli.local.identity import group_members, identify, is_alive
from ticketly_cli.local.keeper import Keeper

SLEEPER = "import time; time.sleep(300)"
SAY_UP = "print('up', flush=True)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SAY_UP}; {SLEEPER}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); {SAY_UP}; {SLEEPER}"


async def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


def python(code: str, folder, **more) -> ProcessSpec:
    return ProcessSpec(argv=(sys.executable, "-c", code), folder=folder, **more)


@pytest.fixture
async def keep(tmp_path):
    """Starts keepers and stops them at the end."""
    kept: list[Keeper] = []
    healthy_needs: dict[str, Keeper] = {}

    async def needs_healthy(component: Component) -> None:
        for name in component.needs:
            await healthy_needs[name].healthy.wait()

    def start(name: str, process: ProcessSpec | None, probe=nothing, needs=(), begin=True, **more) -> Keeper:
        component = Component(name, frozenset(needs), "1", "", probe, process, **more)
        keeper = Keeper(component, tmp_path / f"{name}.log", needs_healthy, lambda: None)
        healthy_needs[name] = keeper
        kept.append(keeper)
        if begin:
            keeper.start()
        return keeper

    yield start
    for keeper in kept:
        await keeper.stop()


async def test_a_killed_process_comes_back_with_the_reason(keep, tmp_path):
    keeper = keep("a", python(f"print('hello', flush=True); {SLEEPER}", tmp_path))
    await until(lambda: keeper.state == "healthy")
    first = keeper.child.identity
    await until(lambda: (tmp_path / "a.log").read_text() == "hello\n")
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: keeper.restarts == 1 and keeper.state == "healthy")
    assert keeper.child.identity != first
    assert keeper.reason == "ended by SIGKILL: hello"


async def test_a_process_that_cannot_run_is_tried_again_and_says_why(keep, tmp_path):
    keeper = keep("a", python("import sys; sys.exit('no such port')", tmp_path), probe=_never)
    await until(lambda: keeper.restarts >= 2)
    assert keeper.reason == "exited with code 1: no such port"


async def _never() -> None:
    raise UnhealthyError("not yet")


async def test_a_missing_program_is_a_reason_not_a_crash(keep, tmp_path):
    keeper = keep("a", ProcessSpec(argv=("/nowhere/program",), folder=tmp_path))
    await until(lambda: keeper.restarts >= 1)
    assert "cannot be started" in keeper.reason


async def test_a_component_waits_for_what_it_needs(keep, tmp_path):
    first = keep("first", python(SLEEPER, tmp_path), begin=False)
    second = keep("second", python(SLEEPER, tmp_path), needs=("first",))
    await until(lambda: second.state == "waiting")
    assert second.child is None
    first.start()
    await until(lambda: second.state == "healthy")


async def test_stopping_ends_the_process_and_everything_it_started(keep, tmp_path):
    keeper = keep("a", python(PARENT, tmp_path))
    await until(lambda: keeper.state == "healthy")
    group = keeper.child.identity.pid
    await until(lambda: len(group_members(group)) == 2)
    await keeper.stop()
    assert group_members(group) == []
    assert keeper.state == "stopped"


async def test_a_process_that_ignores_the_request_is_killed(keep, tmp_path):
    keeper = keep("a", python(STUBBORN, tmp_path, stop_timeout_seconds=0.3))
    await until(lambda: keeper.state == "healthy" and (tmp_path / "a.log").read_text() == "up\n")
    identity = keeper.child.identity
    await keeper.stop()
    assert not is_alive(identity)


async def test_a_probe_that_fails_makes_it_unhealthy_without_a_restart(keep, tmp_path):
    works = [True]

    async def probe() -> None:
        if not works[0]:
            raise UnhealthyError("answers 503")

    keeper = keep("a", python(SLEEPER, tmp_path), probe=probe, probe_every_seconds=0.05)
    await until(lambda: keeper.state == "healthy")
    pid = keeper.child.identity.pid
    works[0] = False
    await until(lambda: keeper.state == "unhealthy")
    assert keeper.reason == "answers 503"
    works[0] = True
    await until(lambda: keeper.state == "healthy")
    assert keeper.child.identity.pid == pid


async def test_a_component_without_a_process_is_set_up_again_when_it_stops_working(keep):
    calls = []
    works = [True]

    async def probe() -> None:
        if not works[0]:
            raise UnhealthyError("task is FAILED")

    def prepare() -> None:
        calls.append(1)
        works[0] = True

    keeper = keep("a", None, probe=probe, prepare=prepare, probe_every_seconds=0.05)
    await until(lambda: keeper.state == "healthy")
    works[0] = False
    await until(lambda: len(calls) == 2 and keeper.state == "healthy")
    assert keeper.reason == "task is FAILED"


async def test_a_changed_description_replaces_the_process(keep, tmp_path):
    keeper = keep("a", python(SLEEPER, tmp_path))
    await until(lambda: keeper.state == "healthy")
    first = keeper.child.identity
    await keeper.replace(Component("a", frozenset(), "2", "", nothing, python(SLEEPER, tmp_path)))
    await until(lambda: keeper.state == "healthy")
    assert keeper.child.identity != first
    assert not is_alive(first)


async def test_leftovers_are_stopped_and_processes_with_a_reused_number_are_not(tmp_path):
    mine = processes.spawn(python(SLEEPER, tmp_path), tmp_path / "mine.log")
    other = processes.spawn(python(SLEEPER, tmp_path), tmp_path / "other.log")
    try:
        reused = type(other.identity)(other.identity.pid, other.identity.started_ticks - 1, other.identity.boot)
        record = tmp_path / "processes.json"
        orphans.write(
            record,
            [
                orphans.ProcessRecord("mine", mine.identity, signal.SIGTERM, 5.0),
                orphans.ProcessRecord("other", reused, signal.SIGTERM, 5.0),
            ],
        )
        assert await orphans.stop_all(record) == ["mine"]
        assert not is_alive(mine.identity)
        assert is_alive(other.identity)
        assert not record.exists()
    finally:
        for child in (mine, other):
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
            child.process.wait()


def test_a_damaged_record_is_no_record(tmp_path):
    (tmp_path / "processes.json").write_text("[{")
    assert orphans.read(tmp_path / "processes.json") == []


def test_a_process_is_identified_by_more_than_its_number():
    me = identify(os.getpid())
    assert is_alive(me)
    assert not is_alive(type(me)(me.pid, me.started_ticks + 1, me.boot))
    assert not is_alive(type(me)(me.pid, me.started_ticks, "another boot"))


def test_a_child_gets_nothing_of_the_callers_environment_but_the_basics(monkeypatch, tmp_path):
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx8g")
    environment = processes.child_environment(python("", tmp_path, environment={"A": "1"}))
    assert environment["A"] == "1"
    assert "PGPASSWORD" not in environment
    assert "JAVA_TOOL_OPTIONS" not in environment
