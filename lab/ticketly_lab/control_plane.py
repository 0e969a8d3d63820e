"""A Kubernetes control plane of real programs: etcd, API server, controllers, scheduler, and simulated nodes.

Order of a start: etcd and API server; the custom resources given; controllers, scheduler and nodes side by side. The
custom resources come before the controllers because the garbage collector looks for new kinds only every 30 s: with
them known from the start, deleting an owner takes its children along within a second.

Data, keys and logs are in one folder, private to its owner. Everything is killed when the `with` block, a failed start
or the interpreter ends; a control plane left running on purpose is ended by `kill_recorded` (see `children`).

Over 300 lines because starting, disturbing and observing one control plane is one story told in order.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ticketly_cli.local import paths
from ticketly_cli.local.component import UnhealthyError
from ticketly_cli.local.prerequisites import Say
from ticketly_lab import audit, build, flags, objects, preparation
from ticketly_lab.audit import Request
from ticketly_lab.children import Children, run_apart
from ticketly_lab.cluster import FIELD_MANAGER, Cluster
from ticketly_lab.flags import CPU_ANNOTATION, MEMORY_ANNOTATION, Layout

START_TIMEOUT_SECONDS = 120.0
_REQUEST_TIMEOUT_SECONDS = 5.0


class ControlPlane(Cluster):
    """Made by `start`. Methods that stop or pause the API server return when that is so."""

    def __init__(self, layout: Layout, programs: dict[str, Path], tokens: dict[str, str]) -> None:
        super().__init__(layout.root, programs["kubectl"], layout.kubeconfig(preparation.ADMIN))
        self.layout = layout
        self.children = Children(layout.root)
        self._programs = programs
        self._token = tokens[preparation.ADMIN]
        self._trust = ssl.create_default_context(cafile=str(layout.certificates.authority))
        self._temporary = False

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        nodes: int = 2,
        metrics: bool = False,
        crds: Iterable[Path] = (),
        say: Say = build.say_on_standard_error,
    ) -> ControlPlane:
        """Build what is missing, start everything, wait until it works.

        `folder` is emptied first; without one a temporary folder is used and deleted at the end. `crds` are files.
        Raises CliError with the end of the log of what does not start; nothing is left running then.
        """
        # first what may be refused: nobody should wait minutes for a build to be told that the folder is a wrong one
        given = None if folder is None else preparation.emptied(folder)
        programs = build.control_plane(paths.cache_folder(), say)
        root = given or Path(tempfile.mkdtemp(prefix="ticketly-lab-"))
        layout, tokens = preparation.lay_out(root, programs["stages"])
        plane = cls(layout, programs, tokens)
        plane._temporary = folder is None
        try:
            run_apart(plane._start_servers())
            plane._apply_definitions(list(crds))
            run_apart(plane._start_the_rest(nodes, metrics))
        except BaseException:
            plane.close()
            raise
        return plane

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything; a temporary folder is deleted. Can be repeated."""
        self.children.kill_all()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return self.layout.url

    # The API server's troubles ---------------------------------------------------------------------------------------

    def stop_apiserver(self) -> None:
        """It ends as in a crash, also while paused: connections are refused from now on."""
        self.children.kill("kube-apiserver")

    def start_apiserver(self) -> None:
        """After `stop_apiserver`: same address, same data. Returns when it is ready."""
        self._start_program("kube-apiserver", flags.api_server(self.layout))
        run_apart(self._ready("kube-apiserver", "/readyz"))

    def restart_apiserver(self) -> None:
        self.stop_apiserver()
        self.start_apiserver()

    def pause_apiserver(self) -> None:
        """A black hole: connections are accepted by the system, and nothing is ever answered."""
        self.children.signal("kube-apiserver", signal.SIGSTOP)

    def resume_apiserver(self) -> None:
        self.children.signal("kube-apiserver", signal.SIGCONT)

    # What was asked of it --------------------------------------------------------------------------------------------

    def audit_position(self) -> int:
        """Give it to `requests` later to see only what came after now."""
        return self.layout.audit_log.stat().st_size

    def requests(self, after: int = 0) -> list[Request]:
        """Every finished request about a resource, oldest first."""
        with self.layout.audit_log.open("rb") as file:
            file.seek(after)
            return list(audit.parse_all(file.read().decode().splitlines()))

    def request_counts(self, after: int = 0) -> Counter[tuple[str, str, str]]:
        """(user, verb, resource) -> how many; `audit.WRITING` has the verbs that change something."""
        return audit.count(self.requests(after))

    # What happens on the nodes ---------------------------------------------------------------------------------------

    def make_pods_unready(self, namespace: str, selector: str) -> list[str]:
        """Running pods fail their readiness probe from now on (new ones do not). Returns their names."""
        return self._set_ready(namespace, selector, "False")

    def make_pods_ready(self, namespace: str, selector: str) -> list[str]:
        return self._set_ready(namespace, selector, "True")

    def set_usage(self, namespace: str, selector: str, cpu: str, memory: str = "64Mi") -> None:
        """What the metrics API says pods use, as quantities (`250m`); needs `metrics=True`. New pods are idle."""
        values = [f"{CPU_ANNOTATION}={cpu}", f"{MEMORY_ANNOTATION}={memory}"]
        self.kubectl("annotate", "pods", f"--namespace={namespace}", f"--selector={selector}", "--overwrite", *values)

    def _set_ready(self, namespace: str, selector: str, status: str) -> list[str]:
        names = []
        reason = {} if status == "True" else {"reason": "ContainersNotReady"}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for pod in self.list("pods", namespace, selector):
            conditions = [
                {"type": kind, "status": status, "lastTransitionTime": now, **reason}
                for kind in ("Ready", "ContainersReady")
            ]
            containers = [{**item, "ready": status == "True"} for item in pod["status"].get("containerStatuses", [])]
            patch = {"status": {"conditions": conditions, "containerStatuses": containers}}
            name = pod["metadata"]["name"]
            options = [f"--namespace={namespace}", "--subresource=status", "--type=strategic"]
            self.kubectl("patch", "pod", name, *options, f"--patch={json.dumps(patch)}")
            names.append(name)
        return names

    # Starting --------------------------------------------------------------------------------------------------------

    async def _start_servers(self) -> None:
        """The API server waits for etcd by itself, so both come up at the same time."""
        self.layout.audit_log.touch(mode=0o600)
        self._start_program("etcd", flags.etcd(self.layout))
        self._start_program("kube-apiserver", flags.api_server(self.layout))
        await self._ready("kube-apiserver", "/readyz")

    def _apply_definitions(self, files: list[Path]) -> None:
        if files:
            arguments = [f"--filename={path}" for path in files]
            self.kubectl("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", *arguments)
            # kubectl cannot wait for a condition while the list of conditions is still null
            self.kubectl("wait", "--for=jsonpath={.status.acceptedNames.kind}", "--timeout=30s", *arguments)
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *arguments)

    async def _start_the_rest(self, nodes: int, metrics: bool) -> None:
        self._start_program("kube-controller-manager", flags.controller_manager(self.layout))
        self._start_program("kube-scheduler", flags.scheduler(self.layout))
        self._start_program("kwok", flags.kwok(self.layout))
        wanted = [objects.node(number) for number in range(nodes)]
        if metrics:
            command = [sys.executable, "-m", "ticketly_lab.usage", *flags.usage(self.layout)]
            self.children.start("usage", command)
            wanted += objects.metrics_registration(self.layout.ports.usage)
        if wanted:
            await asyncio.to_thread(self.apply, *wanted)
        names = [objects.node_name(number) for number in range(nodes)]
        waiting = [
            # made by the controllers: without it no pod is admitted in the namespace
            self._ready("kube-controller-manager", "/api/v1/namespaces/default/serviceaccounts/default"),
            self._ready("kube-scheduler", "/healthz", self.layout.ports.scheduler),
            *(self._ready("kwok", f"/api/v1/nodes/{name}", seen=objects.is_ready) for name in names),
        ]
        if metrics:
            waiting.append(self._ready("usage", "/apis/metrics.k8s.io/v1beta1/nodes"))
        await asyncio.gather(*waiting)

    def _start_program(self, name: str, arguments: list[str]) -> None:
        self.children.start(name, [str(self._programs[name]), *arguments])

    async def _ready(
        self, name: str, path: str, port: int | None = None, seen: Callable[[bytes], bool] = lambda _: True
    ) -> None:
        """Wait until the API server, or the program at `port`, answers and `seen` agrees with the answer."""
        url = f"https://{flags.LOOPBACK}:{port or self.layout.ports.api_server}{path}"

        async def probe() -> None:
            answer = await asyncio.to_thread(self._ask, url)
            if not seen(answer):
                raise UnhealthyError(f"{path} is not as expected yet")

        await self.children.ready(name, probe, START_TIMEOUT_SECONDS)

    def _ask(self, url: str) -> bytes:
        """GET as administrator. Raises OSError, or UnhealthyError for any status but 200."""
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(  # noqa: S310 - an https address of ours
                request, timeout=_REQUEST_TIMEOUT_SECONDS, context=self._trust
            ) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise UnhealthyError(f"{url} answers {error.code}") from error
