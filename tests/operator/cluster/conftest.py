"""An operator process for each module that wants one, in a namespace that enforces Pod Security `restricted`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ticketly_lab import for_tests, sample
from ticketly_lab.cluster import Cluster
from ticketly_lab.operator_process import OperatorProcess
from ticketly_lab.platform_on_cluster import PlatformOnCluster

SHORT = {
    "reconcile_interval_seconds": 2,
    "reconcile_debounce_seconds": 0.2,
    "reconcile_error_backoff_max_seconds": 4,
    "connectors_poll_seconds": 2,
    "rollout_deadline_seconds": 8,
    "rollout_migration_deadline_seconds": 240,
    "lease_duration_seconds": 6,
    "lease_renew_deadline_seconds": 4,
    "lease_retry_seconds": 1,
    "kafka_request_timeout_seconds": 5,
    "log_format": "console",
}
"""Settings with which waiting is short enough for a test."""

SHARED = "shared"
"""Name of a platform that all tests of a module may use, and leave as it was."""


@dataclass
class Site:
    """A namespace, the operator that looks after it, and a broker."""

    cluster: Cluster
    namespace: str
    kafka: str
    operators: list[OperatorProcess] = field(default_factory=list)
    passing: list[PlatformOnCluster] = field(default_factory=list)
    """Platforms of the present test; they go at its end, so that the next one does not wait for them."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def operator(self) -> OperatorProcess:
        """The one that was started last."""
        return self.operators[-1]

    @property
    def user(self) -> str:
        """The account of the operator that was made last, as the audit log names it."""
        return self.user_of(self.operator)

    def user_of(self, operator: OperatorProcess) -> str:
        """The account of one of the operators."""
        return f"system:serviceaccount:{self.namespace}:operator-{self.operators.index(operator)}"

    def new_operator(self, *, url: str = "", **settings: Any) -> OperatorProcess:
        """Another operator for this namespace, with an account of its own, not started; it is ended with the site."""
        account = f"operator-{len(self.operators)}"
        where = f"--namespace={self.namespace}"
        self.cluster.kubectl("create", "serviceaccount", account, where)
        # it may do anything here: what it needs is another test's matter
        subject = f"--serviceaccount={self.namespace}:{account}"
        self.cluster.kubectl("create", "rolebinding", account, where, "--clusterrole=cluster-admin", subject)
        access = self.cluster.kubeconfig_for(account, self.namespace)
        chosen = {**SHORT, "scope_namespace": self.namespace, **settings}
        made = OperatorProcess(self.cluster, self.namespace, settings=chosen, kubeconfig=access, url=url)
        self.operators.append(made)
        return made

    def start_operator(self, *, url: str = "", **settings: Any) -> OperatorProcess:
        """Another operator, leading."""
        made = self.new_operator(url=url, **settings)
        made.start()
        made.wait_until_leading()
        return made

    def platform(self, name: str = "") -> PlatformOnCluster:
        """A platform, with a name nobody has used if none is given; nothing is applied."""
        made = PlatformOnCluster(self.cluster, self.namespace, name or f"p{next(self.numbers)}")
        if made.name != SHARED:
            self.passing.append(made)
        return made

    def spec(self, **changes: Any) -> dict[str, Any]:
        """Changes of the sample: the broker of this site, no connectors, one pod of each service."""
        few = {key: {"autoscaling": {"min": 1}} for key in ("eventCommand", "eventQuery", "order")}
        mine = {
            "kafka": sample.single_broker(self.kafka),
            "connectors": sample.NO_CONNECTORS,
            "connect": {"url": "http://127.0.0.1:1"},
            "services": few,
            "flashSales": None,
            "lag": {"probe": False},
        }
        return sample.merged(mine, changes)

    def applied(self, name: str = "", **changes: Any) -> PlatformOnCluster:
        """A platform of its own, applied with its Secrets."""
        return self.platform(name).apply(**self.spec(**changes))

    def ready(self, name: str = "", **changes: Any) -> PlatformOnCluster:
        """A platform of its own, ready."""
        return self.applied(name, **changes).until_ready()

    def log(self) -> str:
        """What all its operators wrote."""
        return "".join(operator.log() for operator in self.operators)


@pytest.fixture(scope="module")
def new_site(cluster: Cluster, kafka_server: Any) -> Iterator[Callable[[], Site]]:
    """Makes a namespace that admits only restricted pods, without an operator yet."""
    made: list[Site] = []

    def make() -> Site:
        namespace = for_tests.new_namespace(cluster)
        cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        made.append(Site(cluster, namespace, kafka_server.bootstrap_servers))
        return made[-1]

    yield make
    for site in made:
        for operator in site.operators:
            operator.kill()
        cluster.kubectl("delete", "namespace", site.namespace, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def site(new_site: Callable[[], Site]) -> Site:
    """A namespace with an operator that leads, for all tests of a module."""
    found = new_site()
    found.start_operator()
    return found


@pytest.fixture(autouse=True)
def _after_each_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the operators wrote belongs to the test's report, and its platforms go."""
    sites: list[Site] = [request.getfixturevalue("site")] if "site" in request.fixturenames else []
    before = [len(site.log()) for site in sites]
    yield
    for site, length in zip(sites, before, strict=True):
        print(f"--- operators\n{site.log()[length:]}")
        if site.passing:
            names = [platform.name for platform in site.passing]
            options = [f"--namespace={site.namespace}", "--wait=false", "--ignore-not-found"]
            site.cluster.kubectl("delete", "tkp", *names, *options)
            site.passing.clear()
