"""A person at a command line with a cluster, a namespace and a platform file of their own."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketly_cli import main
from ticketly_cli.printing import Terminal
from ticketly_crds.blueprint import blueprint
from ticketly_crds.blueprint import cluster as in_cluster
from ticketly_crds.spec import parse
from ticketly_lab.cluster import Cluster
from ticketly_lab.operator_process import OperatorProcess

PATIENCE_SECONDS = 90
CANARY = "canary-9b1d-hunter2-secret"


class TerminalInput(io.StringIO):
    def isatty(self) -> bool:
        return True


class CommandLine:
    """Runs `ticketly`; `kubeconfig` is added to every command line when there is one."""

    canary = CANARY

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self.folder = folder
        self.kubeconfig = kubeconfig

    def __call__(self, *arguments: str, answers: str | None = None) -> tuple[int, str, str]:
        """Exit code, standard output, standard error; with `answers` somebody sits at a terminal and types them."""
        shown = Terminal(io.StringIO(), io.StringIO(), io.StringIO())
        if answers is not None:
            shown = Terminal(io.StringIO(), TerminalInput(), TerminalInput(answers))
        added = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        code = main.execute([*arguments, *added], shown)
        return code, shown.stdout.getvalue(), shown.stderr.getvalue()

    def succeeds(self, *arguments: str) -> str:
        """Standard output of a command that ends with 0; what it said otherwise is shown."""
        code, out, err = self(*arguments)
        assert code == 0, err
        return out

    def data(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and decoded JSON."""
        code, out, err = self(*arguments, "-o", "json")
        assert out, err
        return code, json.loads(out)

    def write(self, content: Mapping[str, Any], name: str = "platform.yaml") -> str:
        path = self.folder / name
        path.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
        return str(path)

    @staticmethod
    def document(namespace: str = "shop", name: str = "ticketly", **spec: Any) -> dict[str, Any]:
        """The sample for clusters."""
        text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
        found: dict[str, Any] = yaml.safe_load(text)
        found["metadata"] = {"name": name, "namespace": namespace}
        found["spec"] |= {"flashSales": [], **spec}
        return found

    @staticmethod
    def until(check: Callable[[], Any], what: str) -> Any:
        """What `check` gives as soon as it gives something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = check()
            if found:
                return found
            assert time.monotonic() < deadline, f"not in {PATIENCE_SECONDS} s: {what}"
            time.sleep(0.5)


class Person(CommandLine):
    """Somebody with access to a cluster, who uses one namespace."""

    def __init__(self, folder: Path, cluster: Cluster, namespace: str) -> None:
        super().__init__(folder, cluster.kubeconfig)
        self.cluster = cluster
        self.namespace = namespace

    def platform(self, name: str = "ticketly", **spec: Any) -> dict[str, Any]:
        """The sample for clusters in this person's namespace."""
        return self.document(self.namespace, name, **spec)

    def apply(self, content: Mapping[str, Any], *more: str) -> tuple[int, str, str]:
        return self("apply", "-f", self.write(content), "--operator-namespace", self.namespace, *more)

    def plan(self, content: Mapping[str, Any]) -> tuple[int, Any]:
        return self.data("plan", "-f", self.write(content), "--operator-namespace", self.namespace)

    def diff(self) -> tuple[int, Any]:
        return self.data("diff", "-n", self.namespace, "--operator-namespace", self.namespace)

    def live(self, kind: str = "ticketlyplatform", name: str = "ticketly") -> dict[str, Any]:
        found = self.cluster.get(kind, name, self.namespace)
        assert found is not None
        return found

    def deployments(self) -> list[dict[str, Any]]:
        return self.cluster.list("deployment", self.namespace)

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments)

    def give_secrets(self, content: Mapping[str, Any]) -> None:
        """Every Secret that a platform needs; each key holds the canary."""
        platform = parse(content)
        found: dict[str, dict[str, str]] = {}
        for ref in blueprint(platform, in_cluster(platform)).secrets():
            found.setdefault(ref.name, {})[ref.key] = CANARY
        self.cluster.apply(
            *(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": name, "namespace": self.namespace},
                    "stringData": data,
                }
                for name, data in found.items()
            )
        )

    def operator(self) -> OperatorProcess:
        """One that sees this namespace only, looks often and gives up early on what is not there."""
        settings = {
            "scope_namespace": self.namespace,
            "reconcile_interval_seconds": 2,
            "reconcile_error_backoff_max_seconds": 2,
            "kafka_request_timeout_seconds": 1,
            "connectors_request_timeout_seconds": 1,
        }
        return OperatorProcess(self.cluster, self.namespace, settings=settings)

    def settle(self) -> None:
        """Wait until the operator has done everything it wants."""
        self.until(lambda: self.diff()[0] == 0, "everything is as the operator wants it")

    def somebody(self, service_account: str) -> CommandLine:
        """Another user, with the rights of a new ServiceAccount."""
        self.kubectl("create", "serviceaccount", service_account)
        return CommandLine(self.folder, self.cluster.kubeconfig_for(service_account, self.namespace))


@pytest.fixture
def person(cluster: Cluster, namespace: str, tmp_path: Path) -> Person:
    return Person(tmp_path, cluster, namespace)


@pytest.fixture
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Somebody without any cluster."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.setenv("TICKETLY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path)
