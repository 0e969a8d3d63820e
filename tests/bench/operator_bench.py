"""How fast the operator acts, how quiet it is, and what fifty platforms cost. A command, not a test.

    .venv/bin/python tests/bench/operator_bench.py --idle-minutes 10 --platforms 50

Starts its own control plane with played nodes and its own Kafka broker, and runs the operator as a child process with
its default settings, watching every namespace. Moments come from the API server's audit log, which has every request
with the time it arrived; so nothing is added by looking. Connectors are off: no Connect runs here.

* ``ready``: from `kubectl apply` of one platform (two pods and more for most services, two migrations) to Ready;
* ``patch``: from the arrival of a changed image to the arrival of the operator's patch of that deployment;
* ``takeover``: from SIGKILL of the leader to the first write of its successor, the Lease not counted;
* ``idle``: what the operator wrote in the given minutes in which nothing happened;
* ``resync``: from leading to the last of all platforms reconciled once, after a start with all of them there; and the
  resident memory then and after two minutes.

Prints a table on standard error and one JSON object on standard output; exit code 1 when a figure misses its bar.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import platform as machine
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticketly_cli.local import paths, processes, run_one, toolchain
from ticketly_cli.local.components import kafka
from ticketly_lab import for_tests, sample
from ticketly_lab.audit import Request
from ticketly_lab.children import run_apart
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.operator_process import OperatorProcess
from ticketly_lab.platform_on_cluster import PlatformOnCluster, eventually
from ticketly_lab.ports import free_ports

SYSTEM = "bench-system"
BARS = {"ready": 60.0, "patch": 2.0, "takeover": 20.0, "resync": 30.0}
"""Seconds."""
MEMORY_BAR_MIB = 250.0
NAMESPACES = 5
PODS_OF_A_PLATFORM = 8
PODS_OF_A_NODE = 100


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Keep a Kafka broker running; yield its address."""
    tools = toolchain.prepare(["kafka"], paths.cache_folder(), say)
    with tempfile.TemporaryDirectory(prefix="ticketly-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        port, controller_port = free_ports(2)
        component = kafka.component(
            kafka.KafkaBroker(
                class_path=tools.kafka_class_path,
                data=folder / "data" / "kafka",
                configuration_file=folder / "configuration" / "kafka.properties",
                port=port,
                controller_port=controller_port,
                cluster_id=base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("="),
            ),
            tools.versions.tools["kafka"].version,
        )
        child = run_apart(run_one.start(component, folder / "kafka.log"))
        assert child is not None
        assert component.process is not None
        try:
            yield f"127.0.0.1:{port}"
        finally:
            run_apart(processes.stop(child, component.process))


class Bench:
    """One control plane, one broker, and operators one after the other."""

    def __init__(self, plane: ControlPlane, kafka_address: str) -> None:
        self.plane = plane
        self.kafka = kafka_address
        self.started = 0
        plane.kubectl("create", "namespace", SYSTEM)

    def operator(self) -> tuple[OperatorProcess, str]:
        """An operator that is not started, and its name in the audit log."""
        self.started += 1
        account = f"operator-{self.started}"
        self.plane.kubectl("create", "serviceaccount", account, f"--namespace={SYSTEM}")
        subject = f"--serviceaccount={SYSTEM}:{account}"
        self.plane.kubectl("create", "clusterrolebinding", account, "--clusterrole=cluster-admin", subject)
        access = self.plane.kubeconfig_for(account, SYSTEM)
        return OperatorProcess(self.plane, SYSTEM, kubeconfig=access), f"system:serviceaccount:{SYSTEM}:{account}"

    def platform(self, name: str, namespace: str) -> PlatformOnCluster:
        """A platform that is not applied yet."""
        return PlatformOnCluster(self.plane, namespace, name)

    def spec(self) -> dict[str, Any]:
        """What of the sample does not fit here."""
        return {
            "kafka": sample.single_broker(self.kafka),
            "connectors": sample.NO_CONNECTORS,
            "flashSales": None,
            "lag": {"probe": False},
        }

    def request(self, after: int, wanted: Callable[[Request], bool], what: str) -> Request:
        """The first request of that kind in the audit log."""

        def look() -> Request | None:
            return next((request for request in self.plane.requests(after) if wanted(request)), None)

        found = eventually(look, what)
        assert found is not None
        return found

    def ready(self, rounds: int) -> list[float]:
        namespace = for_tests.new_namespace(self.plane)
        found = []
        for number in range(rounds):
            began = time.monotonic()
            one = self.platform(f"ready-{number}", namespace).apply(**self.spec())
            self.plane.kubectl(
                "wait", "--for=condition=Ready", f"tkp/{one.name}", f"--namespace={namespace}", "--timeout=110s"
            )
            found.append(time.monotonic() - began)
        return found

    def patch(self, rounds: int, user: str) -> list[float]:
        namespace = for_tests.new_namespace(self.plane)
        one = self.platform("patched", namespace).apply(**self.spec()).until_ready()
        found = []
        for number in range(rounds):
            position = self.plane.audit_position()
            one.change(images={"overrides": {"email": f"bench/email:{number}"}})
            asked = self.request(
                position, lambda r: r.verb == "patch" and r.resource == "ticketlyplatforms", "the change"
            )
            sent = self.request(
                position,
                lambda r: (r.user, r.verb, r.resource, r.name) == (user, "patch", "deployments", "patched-email"),
                "the operator's patch",
            )
            found.append((sent.at - asked.at).total_seconds())
            one.until_ready()
        return found

    def takeover(self, rounds: int, leader: OperatorProcess) -> tuple[list[float], OperatorProcess, str]:
        """Kill leader after leader; also returns the last successor."""
        namespace = for_tests.new_namespace(self.plane)
        one = self.platform("orphaned", namespace).apply(**self.spec()).until_ready()
        found, user = [], ""
        for number in range(rounds):
            successor, user = self.operator()
            successor.start()
            time.sleep(3)
            position = self.plane.audit_position()
            leader.kill()
            killed = datetime.now(UTC)
            one.change(images={"overrides": {"email": f"bench/email:{number}"}})
            wrote = self.request(
                position,
                lambda r, user=user: r.user == user and r.writes and r.resource != "leases",
                "the successor's first write",
            )
            found.append((wrote.at - killed).total_seconds())
            leader = successor
        return found, leader, user

    def idle(self, minutes: float, user: str) -> dict[str, int]:
        """Writes of the operator by verb and resource."""
        time.sleep(20)
        position = self.plane.audit_position()
        time.sleep(minutes * 60)
        counted = Counter(
            f"{request.verb} {request.resource}"
            for request in self.plane.requests(position)
            if request.user == user and request.writes
        )
        return dict(counted)

    def populate(self, count: int) -> None:
        namespaces = [for_tests.new_namespace(self.plane) for _ in range(NAMESPACES)]
        for number in range(count):
            self.platform(f"many-{number}", namespaces[number % NAMESPACES]).apply(**self.spec())
        eventually(lambda: self.ready_count() >= count, "all platforms are ready", 900)

    def ready_count(self) -> int:
        found = json.loads(self.plane.kubectl("get", "tkp", "--all-namespaces", "--output=json"))["items"]
        conditions = [c for one in found for c in one.get("status", {}).get("conditions", ()) if c["type"] == "Ready"]
        return sum(1 for condition in conditions if condition["status"] == "True")

    def resync(self) -> tuple[dict[str, float], OperatorProcess]:
        """Start an operator with everything there; returns figures."""
        count = len(json.loads(self.plane.kubectl("get", "tkp", "--all-namespaces", "--output=json"))["items"])
        operator, _ = self.operator()
        operator.start()
        operator.wait_until_leading()
        began = time.monotonic()
        eventually(lambda: reconciles(operator) >= count, "every platform once", 300)
        seconds = time.monotonic() - began
        memory = operator.resident_bytes() / 2**20
        busy = cpu_seconds(operator)
        time.sleep(120)
        return {
            "platforms": count,
            "resync_seconds": round(seconds, 1),
            "memory_mib_after_resync": round(memory, 1),
            "memory_mib_after_2_min": round(operator.resident_bytes() / 2**20, 1),
            "cpu_share_at_rest": round((cpu_seconds(operator) - busy) / 120, 3),
        }, operator


def reconciles(operator: OperatorProcess) -> float:
    return sum(
        value for series, value in operator.metrics().items() if series.startswith("ticketly_operator_reconciles_total")
    )


def cpu_seconds(operator: OperatorProcess) -> float:
    fields = Path(f"/proc/{operator.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def spread(seconds: list[float]) -> dict[str, float]:
    return {
        "count": len(seconds),
        "median": round(statistics.median(seconds), 2),
        "max": round(max(seconds), 2),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {}

    def told(name: str, figures: Any) -> None:
        """Say it at once too: the whole takes half an hour, and something may end it."""
        report[name] = figures
        say(f"  {figures}")

    nodes = 2 + (options.platforms + 10) * PODS_OF_A_PLATFORM // PODS_OF_A_NODE
    with (
        broker() as kafka_address,
        ControlPlane.start(nodes=nodes, metrics=True, crds=for_tests.resource_definitions()) as plane,
    ):
        bench = Bench(plane, kafka_address)
        leader, user = bench.operator()
        try:
            leader.start()
            leader.wait_until_leading()
            say("measuring from apply to Ready ...")
            told("ready", spread(bench.ready(options.rounds)))
            say("measuring from a changed image to the patch ...")
            told("patch", spread(bench.patch(options.rounds, user)))
            say("measuring the takeover ...")
            seconds, leader, user = bench.takeover(3, leader)
            told("takeover", spread(seconds))
            if options.idle_minutes:
                say(f"counting writes of {options.idle_minutes:g} idle minutes ...")
                told("idle", {"minutes": options.idle_minutes, "writes": bench.idle(options.idle_minutes, user)})
            if options.platforms:
                say(f"making {options.platforms} platforms ...")
                bench.populate(options.platforms)
                told("memory_mib_of_the_leader_that_made_them", round(leader.resident_bytes() / 2**20, 1))
                leader.stop()
                figures, leader = bench.resync()
                told("resync", figures)
        except BaseException:
            shutil.copy(leader.log_file, Path(tempfile.gettempdir()) / "operator-bench.log")
            raise
        finally:
            leader.kill()
    return report


def misses(report: dict[str, Any]) -> list[str]:
    """Figures that are beyond their bar, in words."""
    found = [name for name in ("ready", "patch", "takeover") if report[name]["max"] > BARS[name]]
    if "idle" in report and set(report["idle"]["writes"]) - {"update leases"}:
        found.append("idle")
    if "resync" in report:
        if report["resync"]["resync_seconds"] > BARS["resync"]:
            found.append("resync")
        memory = max(
            report["resync"]["memory_mib_after_resync"],
            report["resync"]["memory_mib_after_2_min"],
            report["memory_mib_of_the_leader_that_made_them"],
        )
        if memory > MEMORY_BAR_MIB:
            found.append("memory")
    return found


def show(report: dict[str, Any]) -> None:
    rows = [
        (name, f"{report[name]['median']} s", f"{report[name]['max']} s", f"{BARS[name]:g} s")
        for name in ("ready", "patch", "takeover")
    ]
    if "idle" in report:
        written = ", ".join(f"{count} {what}" for what, count in sorted(report["idle"]["writes"].items()))
        rows.append(("idle", f"{report['idle']['minutes']:g} min", written, "the Lease only"))
    if "resync" in report:
        figures = report["resync"]
        rows.append(("resync", f"{figures['platforms']} platforms", f"{figures['resync_seconds']} s", "30 s"))
        rows.append(("memory", "after 2 min", f"{figures['memory_mib_after_2_min']} MiB", f"{MEMORY_BAR_MIB:g} MiB"))
    say(f"\n{'figure':10} {'median':14} {'max':28} bar")
    for name, median, most, bar in rows:
        say(f"{name:10} {median:14} {most:28} {bar}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of the short measurements (default: 5)")
    parser.add_argument("--idle-minutes", type=float, default=10, help="0: not measured (default: 10)")
    parser.add_argument("--platforms", type=int, default=50, help="0: not measured (default: 50)")
    options = parser.parse_args()
    report = run(options)
    report["misses"] = misses(report)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    report["machine"] = {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "python": machine.python_version()}
    report["commit"] = commit.stdout.strip()
    show(report)
    print(json.dumps(report, indent=2))
    return 1 if report["misses"] else 0


if __name__ == "__main__":
    sys.exit(main())
