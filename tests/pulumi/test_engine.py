"""`ticketly provision` with the real engine of Pulumi and a backend in a folder. Only AWS is played (engine/).

The whole program shows that a preview gets through with everything unknown that AWS makes up, that an update is
complete, and that a repetition finds nothing to do. What the engine does with locks, signals, losses and protected
resources is shown with a small program.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from ticketly_crds.spec import parse
from ticketly_lab import tools

pytestmark = pytest.mark.engine

HERE = Path(__file__).parent
PROGRAM = HERE.parents[1] / "pulumi"
PATIENCE_SECONDS = 120
GENERATED = "canaryPassword"
"""How the played AWS begins every password it makes up."""


class Account:
    """A folder for the state, a project, and everything a person needs to run `ticketly provision` on them."""

    def __init__(self, folder: Path, programs: Path, main: Path, config: dict[str, str], stack: str = "dev") -> None:
        self.stack = stack
        self.project, self.state, self.gate = folder / "project", folder / "state", folder / "gate"
        for each in (self.project, self.state, self.gate):
            each.mkdir(parents=True)
        (self.project / "Pulumi.yaml").write_text((PROGRAM / "Pulumi.yaml").read_text(encoding="utf-8"))
        (self.project / "__main__.py").write_text(main.read_text(encoding="utf-8"))
        settings = {"aws:region": "ap-south-1", **{f"ticketly:{name}": value for name, value in config.items()}}
        self.settings = self.project / f"Pulumi.{stack}.yaml"
        self.settings.write_text(yaml.safe_dump({"config": settings}))
        self.environment = {
            "PATH": os.pathsep.join([str(programs), os.defpath]),
            "HOME": str(folder),
            "PULUMI_HOME": str(folder / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "STAND_IN_GATE": str(self.gate),
        }

    def start(self, action: str, *arguments: str) -> subprocess.Popen[str]:
        places = ["--stack", self.stack, "--project", str(self.project)]
        keys = ["--secrets-provider", "passphrase"] if action in {"preview", "up"} else []
        command = [sys.executable, "-m", "ticketly_cli.main", "provision", action, *places, *keys, *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.project
        )

    def __call__(self, action: str, *arguments: str) -> tuple[int, str, str]:
        with self.start(action, *arguments) as process:
            out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    def data(self, action: str, *arguments: str) -> tuple[int, dict]:
        code, out, err = self(action, *arguments, "-o", "json")
        assert out, err
        return code, json.loads(out)

    def pulumi(self, *arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", "--non-interactive", "--cwd", str(self.project), *arguments],
            env=self.environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout

    def set(self, **settings: str) -> None:
        content = yaml.safe_load(self.settings.read_text())
        content["config"] |= {f"ticketly:{name}": value for name, value in settings.items()}
        self.settings.write_text(yaml.safe_dump(content))

    @contextmanager
    def held_at(self, resource: str) -> Iterator[subprocess.Popen[str]]:
        """An update that is creating `resource`, and does not end that before this ends; then its end is waited for."""
        wait, begun = self.gate / f"{resource}.wait", self.gate / f"{resource}.begun"
        wait.touch()
        begun.unlink(missing_ok=True)
        with self.start("up", "--yes") as process:
            try:
                deadline = time.monotonic() + PATIENCE_SECONDS
                while not begun.exists():
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < deadline, f"{resource} is not being created"
                    time.sleep(0.05)
                yield process
            finally:
                wait.unlink(missing_ok=True)
                process.communicate(timeout=PATIENCE_SECONDS)

    def doctor(self) -> dict[str, dict[str, str]]:
        """The findings by name."""
        return {each["name"]: each for each in self.data("doctor")[1]["checks"]}

    def everything_written(self) -> str:
        return "\n".join(path.read_text(encoding="utf-8") for path in self.state.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH: the real engine, a language host and a provider that are played."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "pulumi").symlink_to(tools.prepare(["pulumi"])["pulumi"])
    for name, script in (("pulumi-language-python", "language_host"), ("pulumi-resource-aws", "provider")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE}/engine/{script}.py" "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def whole(folder: Path, programs: Path, profile: str) -> Account:
    domain = {"profile": profile, "domain": f"{profile}.example.com", "alarmEmail": "ops@example.com"}
    return Account(folder, programs, PROGRAM / "__main__.py", domain, profile)


@pytest.fixture
def small(tmp_path: Path, programs: Path) -> Account:
    return Account(tmp_path, programs, HERE / "engine/small_program.py", {"profile": "dev"})


@pytest.mark.timeout(600)
def test_dev_is_previewed_made_and_then_complete(tmp_path, programs):
    account = whole(tmp_path, programs, "dev")
    code, told = account.data("preview")
    assert code == 0
    wanted = told["counts"]["create"]
    assert told["counts"] == {"create": wanted, "update": 0, "replace": 0, "delete": 0, "unchanged": 0}
    assert wanted > 200
    code, _, err = account("up", "--yes")
    assert code == 0, err
    code, told = account.data("preview")
    assert (code, told["changes"]) == (0, [])
    assert told["counts"]["unchanged"] == wanted

    code, told = account.data("outputs", "--platform", str(tmp_path / "platform.yaml"))
    assert code == 0
    platform = parse(yaml.safe_load((tmp_path / "platform.yaml").read_text()))
    assert platform.spec.ingress.host == "api.dev.example.com"
    assert GENERATED not in json.dumps(told)
    written = account.everything_written()
    assert "ticketly-dev-database" in written
    assert GENERATED not in written, "a secret stands in the state in clear"

    code, _, err = account("destroy", "--yes")
    assert code == 1
    assert "are protected: " in err
    assert "ticketly-dev-database (aws:rds/instance:Instance)" in err
    assert account.data("preview")[1]["counts"]["unchanged"] == wanted


def test_prod_is_previewed_with_everything_unknown_that_aws_makes_up(tmp_path, programs):
    code, told = whole(tmp_path, programs, "prod").data("preview")
    assert code == 0
    assert told["counts"]["create"] > 250


def test_a_setting_that_is_wrong_is_named_and_nothing_is_made(tmp_path, programs):
    account = whole(tmp_path, programs, "dev")
    account.set(domain="not a domain")
    code, _, err = account("up", "--yes")
    assert code == 1
    assert "ticketly:domain: must be a domain name" in err
    assert "Traceback" not in err
    assert account.doctor()["stack"]["detail"].startswith("dev: 0 resources")


def test_an_interruption_lets_go_of_the_lock_and_the_next_update_goes_on(small):
    with small.held_at("orders") as process:
        code, _, err = small("up", "--yes")
        assert code == 4
        assert f"{getpass.getuser()}@" in err, "who holds the lock"
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None, "what is under way is finished first"
    assert process.returncode == 130
    found = small.doctor()
    assert (found["lock"]["state"], found["open operations"]["state"]) == ("ok", "ok")
    code, told = small.data("up", "--yes")
    assert code == 0
    assert told["counts"]["unchanged"] == 3, "the state has what was under way"


def test_an_engine_that_was_killed_leaves_a_lock_and_an_open_operation_that_are_explained(small):
    with small.held_at("orders") as process:
        (engine,) = psutil.Process(process.pid).children()
        engine.kill()
        process.wait(60)
    assert process.returncode == 1
    found = small.doctor()
    assert found["lock"]["state"] == "warning"
    assert f"held by {getpass.getuser()}@" in found["lock"]["detail"]
    code, _, err = small("up", "--yes")
    assert code == 4
    assert "pulumi cancel" in err
    small.pulumi("cancel", "--yes", "--stack", "dev")
    assert small.doctor()["open operations"]["state"] == "failed"
    (operation,) = small.data("doctor")[1]["pending"]
    assert (operation["name"], operation["operation"]) == ("orders", "creating")


def test_a_loss_has_to_be_approved_by_name(small):
    assert small("up", "--yes")[0] == 0
    small.set(databaseName="tickets", uploads="none")
    code, told = small.data("preview")
    assert code == 0
    assert told["needs_approval"] == {"replace": ["orders"], "delete": ["uploads"]}
    for approved in ((), ("--allow-replace", "orders"), ("--allow-delete", "uploads")):
        code, _, err = small("up", "--yes", *approved)
        assert code == 1, approved
        assert "uploads" in err or "orders" in err
    assert small.data("preview")[1]["counts"]["unchanged"] == 1
    assert small("up", "--yes", "--allow-replace", "orders", "--allow-delete", "uploads")[0] == 0
    assert small.data("preview")[1]["changes"] == []


def test_secrets_are_masked_and_what_is_protected_stays_until_it_is_given_up(small):
    small.set(protect="true")
    assert small("up", "--yes")[0] == 0
    _, out, _ = small("outputs", "-o", "json")
    assert GENERATED not in out
    assert GENERATED not in small.everything_written()
    small.set(databaseName="tickets")
    code, _, err = small("up", "--yes", "--allow-replace", "orders")
    assert code == 1
    assert "marked for protection" in err
    code, _, err = small("destroy", "--yes", "--allow-delete", "orders", "--allow-delete", "uploads")
    assert code == 1
    assert "2 resources are protected: " in err
    small.set(databaseName="orders", protect="false")
    assert small("up", "--yes")[0] == 0
    code, _, err = small("destroy", "--yes")
    assert code == 1
    assert "orders" in err
    code, _, err = small("destroy", "--yes", "--allow-delete", "orders", "--allow-delete", "uploads")
    assert code == 0, err
    assert small.doctor()["stack"]["detail"].startswith("dev: 0 resources")
