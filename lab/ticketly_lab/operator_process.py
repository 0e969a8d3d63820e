"""The operator as a child process, as a cluster would run it in a pod: with its own access, settings and listener.

Several at once do not meet; whether they compete for one Lease is a matter of their namespace and settings.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ticketly_cli.local import health, logfiles
from ticketly_cli.local.component import UnhealthyError
from ticketly_lab import kubeconfigs
from ticketly_lab.children import Children, run_apart
from ticketly_lab.cluster import Cluster
from ticketly_lab.ports import free_ports

START_TIMEOUT_SECONDS = 120.0
LEADER = "ticketly_operator_leader"

_NAME = "operator"
_ENVIRONMENT_PREFIX = "TICKETLY_OPERATOR_"
_LINES_SHOWN = 40


class OperatorProcess:
    """`python -m ticketly_operator` on a cluster. As a context manager it is started and leads inside the block.

    Its files (log, record of the process) are in a folder of its own below the cluster's. When a block ends with an
    error, the end of the log goes to standard error.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        settings: Mapping[str, object] | None = None,
        kubeconfig: Path | None = None,
        url: str = "",
    ) -> None:
        """Nothing runs yet.

        `namespace` is where its pod would be, and so its Lease. `settings` are named without the common prefix
        (`{"scope_namespace": "shop", "lease_duration_seconds": 4}`). `kubeconfig` is a ServiceAccount's from
        `Cluster.kubeconfig_for`; without one it acts as administrator. `url` replaces the API server's address, for
        a proxy in between.
        """
        parent = cluster.folder / "operators"
        parent.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{namespace}-", dir=parent))
        self.log_file = self.folder / f"{_NAME}.log"
        (self.port,) = free_ports(1)
        self._children = Children(self.folder)
        access = kubeconfig or cluster.kubeconfig
        self._environment = {
            "KUBECONFIG": str(self._moved(access, url) if url else access),
            "POD_NAMESPACE": namespace,
            **_variables({"listen_host": "127.0.0.1", "listen_port": self.port, **(settings or {})}),
        }

    def __enter__(self) -> OperatorProcess:
        self.start()
        try:
            self.wait_until_leading()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write("\n".join([f"--- {self.log_file}", *logfiles.last_lines(self.log_file, _LINES_SHOWN), ""]))
        self.kill()

    def start(self) -> None:
        """Return when its listener answers; it may still wait for the Lease.

        Raises CliError with the end of its log when it does not; it is ended then.
        """
        self._children.start(_NAME, [sys.executable, "-m", "ticketly_operator"], self._environment)
        try:
            run_apart(self._children.ready(_NAME, self._answers, START_TIMEOUT_SECONDS))
        except BaseException:
            self.kill()
            raise

    def wait_until_leading(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Raises CliError with the end of its log when it ends before or does not lead in time."""
        run_apart(self._children.ready(_NAME, self._leads, timeout_seconds))

    def stop(self) -> int:
        """Ask it to end, as a cluster does; returns its exit code. A paused one goes on first."""
        self.resume()
        return self._children.stop(_NAME)

    def kill(self) -> None:
        """End it as a crash would. Nothing when it does not run."""
        self._children.kill(_NAME)

    def pause(self) -> None:
        """It stands still, as on a node that stalls; its connections stay open."""
        self._children.signal(_NAME, signal.SIGSTOP)

    def resume(self) -> None:
        self._children.signal(_NAME, signal.SIGCONT)

    def release(self) -> None:
        """Leave it running; `children.kill_recorded` with its folder ends it."""
        self._children.release()

    @property
    def pid(self) -> int:
        """Raises KeyError when it was not started or was ended by `stop` or `kill`."""
        return self._children.identity(_NAME).pid

    def exit_code(self) -> int | None:
        """None while it runs, also when paused; negative is the signal that ended it. Raises KeyError as `pid` does."""
        return self._children.exit_code(_NAME)

    def resident_bytes(self) -> int:
        """Memory of the process that is in use now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def log(self) -> str:
        """Everything it wrote, also in earlier lives."""
        return self.log_file.read_text(encoding="utf-8")

    def probe(self, path: str = "/livez") -> str:
        """What is wrong, empty when the probe passes."""
        try:
            run_apart(health.http(self._url(path)))
        except (UnhealthyError, OSError, EOFError, TimeoutError) as error:
            return health.describe(error)
        return ""

    def metrics(self) -> dict[str, float]:
        """Every series with its value, as `ticketly_operator_reconciles_total{outcome="ok"}`."""
        return _parsed(run_apart(health.http(self._url("/metrics"))).decode())

    async def _answers(self) -> None:
        await health.http(self._url("/readyz"))

    async def _leads(self) -> None:
        if _parsed((await health.http(self._url("/metrics"))).decode()).get(LEADER) != 1:
            raise UnhealthyError("it does not lead yet")

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def _moved(self, kubeconfig: Path, url: str) -> Path:
        content = kubeconfigs.read(kubeconfig)
        for cluster in content["clusters"]:
            cluster["cluster"]["server"] = url
        return kubeconfigs.write(self.folder / "moved.kubeconfig", content)


def _variables(settings: Mapping[str, object]) -> dict[str, str]:
    return {_ENVIRONMENT_PREFIX + name.upper(): str(value) for name, value in settings.items()}


def _parsed(text: str) -> dict[str, float]:
    """Prometheus' text format, whose samples carry no time here."""
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in samples}
