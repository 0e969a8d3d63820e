"""`make cluster-demo`: a platform on a cluster, from nothing to Ready, for a person to watch.

Everything but the containers is real: the control plane, PostgreSQL, Kafka, Kafka Connect with Debezium, and the
operator. No container runs, the nodes are simulated; so the operator of the installation is played by a process on this
machine that acts as its ServiceAccount, with exactly its rights, and the services' migrations have been made before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from ticketly_cli.errors import CliError, ExitCode
from ticketly_crds import names, spec
from ticketly_lab import arrivals, children
from ticketly_lab.adaptation import adapted
from ticketly_lab.children import run_apart
from ticketly_lab.cluster import KubectlError
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.operator_process import OperatorProcess
from ticketly_lab.stores import Stores
from ticketly_operator.desired.installation import NAME as OPERATOR
from ticketly_operator.desired.installation import Installation

READY_SECONDS: Final = 300
_OPERATOR_NAMESPACE: Final = Installation().namespace


class _Closes(Protocol):
    def close(self) -> None: ...


class Story:
    """Lines with the seconds since the beginning, at once and in order."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """One line, on standard output."""
        self._write(f"[{time.monotonic() - self._began:6.1f} s] {text}")

    def show(self, text: str) -> None:
        """What a program printed."""
        for line in text.rstrip().splitlines():
            self._write(f"             {line}")

    def _write(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def show(folder: Path, *, keep: bool) -> None:
    """The whole demo. Raises CliError with the reason when the platform does not become ready.

    Everything is stopped at the end, also after a failure or an interruption; with `keep` only then.
    """
    _refuse_running(folder)
    stop(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    folder.chmod(0o711)
    story = Story()
    story.say("starting a Kubernetes control plane, PostgreSQL, Kafka and Kafka Connect")
    try:
        with _started(folder, story) as (plane, stores):
            story.say("they run; the databases are migrated (no container runs here that could do it)")
            operator = _install(plane, story)
            try:
                _apply(plane, stores, folder, story)
                _await_ready(plane, operator, story)
                _status(plane, story)
                _prove(stores, story)
            except BaseException:
                operator.kill()
                raise
            if not keep:
                operator.kill()
                return
            _explain(plane, operator, folder, story)
            for each in (plane.children, stores.children, operator):
                each.release()
    finally:
        if not children_of(folder):
            shutil.rmtree(folder, ignore_errors=True)
            story.say("everything is stopped, nothing is left behind")


def stop(folder: Path) -> list[str]:
    """End what a demo with `--keep` left running and delete its data; returns names of processes."""
    ended = [name for each in _folders(folder) for name in children.kill_recorded(each)]
    if (folder / "stores").exists():
        Stores.delete(folder / "stores")
    if (folder / "kubernetes").exists():
        shutil.rmtree(folder)
    return ended


def children_of(folder: Path) -> list[str]:
    """Processes of a demo in that folder that still run."""
    return [name for each in _folders(folder) for name in children.recorded(each)]


def _folders(folder: Path) -> list[Path]:
    return [folder / "kubernetes", folder / "stores", *sorted((folder / "kubernetes").glob("operators/*"))]


def _refuse_running(folder: Path) -> None:
    running = children_of(folder)
    if running:
        raise CliError(
            f"A demo runs in {folder} already ({', '.join(running)}).",
            f"Stop it with `{_command('demo --stop', folder)}`.",
        )


@contextmanager
def _started(folder: Path, story: Story) -> Iterator[tuple[ControlPlane, Stores]]:
    """Both at the same time. They are closed at the end, unless their processes were released."""
    starts: list[Future[Any]] = []
    with ThreadPoolExecutor(2) as pool:
        try:
            starts.append(pool.submit(ControlPlane.start, folder / "kubernetes", metrics=True, say=story.say))
            starts.append(pool.submit(Stores.start, folder / "stores", say=story.say))
            plane, stores = (start.result() for start in starts)
        except BaseException:
            _close(starts)
            raise
    try:
        yield plane, stores
    finally:
        if plane.children.names():
            _close(starts)


def _close(starts: list[Future[Any]]) -> None:
    for start in starts:
        with suppress(Exception):
            started: _Closes = start.result()
            started.close()


def _install(plane: ControlPlane, story: Story) -> OperatorProcess:
    """By the product's own command; then the process that plays its pod."""
    _show_ticketly(plane, story, "install", "--kubeconfig", str(plane.kubeconfig))
    account = plane.kubeconfig_for(OPERATOR, _OPERATOR_NAMESPACE)
    operator = OperatorProcess(plane, _OPERATOR_NAMESPACE, kubeconfig=account)
    try:
        operator.start()
        operator.wait_until_leading()
    except BaseException:
        operator.kill()
        raise
    story.say(
        f"its pods are simulated: the operator runs here as process {operator.pid}, with the rights of"
        f" ServiceAccount {_OPERATOR_NAMESPACE}/{OPERATOR}"
    )
    return operator


def _apply(plane: ControlPlane, stores: Stores, folder: Path, story: Story) -> None:
    text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
    document = adapted(yaml.safe_load(text), stores.addresses)
    platform = spec.parse(document)
    namespace = platform.metadata.namespace
    plane.kubectl("create", "namespace", namespace)
    secrets = stores.secrets(platform)
    plane.apply(*(secret(namespace, name, content) for name, content in secrets.items()))
    for name, content in secrets.items():
        stores.mount(name, content)
    story.say(f"Secrets made: {', '.join(sorted(secrets))}")
    file = folder / "platform.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    story.say("the sample cluster.yaml, with the addresses of these stores and one replica of each topic:")
    story.say(f"$ kubectl apply -f {file}")
    story.show(plane.kubectl("apply", f"--filename={file}"))


def _await_ready(plane: ControlPlane, operator: OperatorProcess, story: Story) -> None:
    target = ["ticketlyplatform/ticketly", "--namespace=ticketly"]
    arguments = ["wait", "--for=condition=Ready", *target, f"--timeout={READY_SECONDS}s"]
    story.say(f"$ kubectl {' '.join(arguments)}")
    began = time.monotonic()
    try:
        answer = plane.kubectl(*arguments, timeout_seconds=READY_SECONDS + 30.0)
    except (KubectlError, subprocess.TimeoutExpired) as error:
        with suppress(KubectlError, subprocess.TimeoutExpired):
            story.show(plane.kubectl("get", *target, "--output=jsonpath={.status.conditions}"))
            story.show(plane.kubectl("get", "events", "--namespace=ticketly", "--sort-by=.lastTimestamp"))
        story.show("\n".join(operator.log().splitlines()[-20:]))
        raise CliError(f"The platform did not become ready: {error}") from error
    story.show(answer)
    story.say(f"ready {time.monotonic() - began:.1f} s after it was applied")


def _status(plane: ControlPlane, story: Story) -> None:
    target = ["--namespace=ticketly", "--output=wide"]
    story.say(f"$ kubectl get ticketlyplatform {' '.join(target)}")
    story.show(plane.kubectl("get", "ticketlyplatform", *target))
    _show_ticketly(plane, story, "status", "--kubeconfig", str(plane.kubeconfig), "--namespace", "ticketly")


def _prove(stores: Stores, story: Story) -> None:
    seconds = run_apart(arrivals.row(stores))
    topic = names.table_topic("organizations")
    story.say(f"a row written to {names.EVENT_DATABASE} came out of {topic} {seconds * 1000:.0f} ms later")


def _explain(plane: ControlPlane, operator: OperatorProcess, folder: Path, story: Story) -> None:
    story.say("it goes on running. To look further:")
    story.show(
        "\n".join(
            [
                f'eval "$({_command("shell-env", folder / "kubernetes")})"',
                "kubectl describe ticketlyplatform ticketly --namespace ticketly",
                "kubectl get all --namespace ticketly",
                f"tail -f {operator.log_file}",
                f"data and logs: {plane.folder}, {folder / 'stores'}",
            ]
        )
    )
    story.say(f"to stop it: {_command('demo --stop', folder)}")


def secret(namespace: str, name: str, content: Mapping[str, str]) -> dict[str, Any]:
    """A Secret's manifest."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(content)}


def _show_ticketly(plane: ControlPlane, story: Story, *arguments: str) -> None:
    """Run the product's command and show what it prints. Raises CliError with what it says when it fails."""
    story.say(f"$ ticketly {' '.join(arguments)}")
    done = subprocess.run(
        [sys.executable, "-m", "ticketly_cli.main", *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(plane.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CliError(f"`ticketly {arguments[0]}` ended with {done.returncode}: {done.stderr.strip()}")
    story.show(done.stdout)


def _command(command: str, folder: Path) -> str:
    return f"{sys.executable} -m ticketly_lab {command} --folder {folder}"


def interrupted(number: int, frame: object) -> None:
    """Let a polite stop take the same way as Ctrl-C: what was started is stopped."""
    del number, frame
    raise CliError("The demo was stopped.", "", ExitCode.INTERRUPTED)
