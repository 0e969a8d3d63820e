"""The operator process: wait for the Lease, lead, stop. The only module that knows kopf.

kopf watches and wakes; what is done is decided by comparing what is wanted with what is there. Its handlers are of the
kind that leaves no trace on objects (no finalizers, no annotations), and it runs only while this process leads. When
the Lease is lost, or kopf ends, or a stop is asked for, the process ends: its successor may be this container's next
life, which starts from the cluster's state and nothing else.

Over 300 lines because kopf stays in one module, and so does the order of a start and an end.

    python -m ticketly_operator
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import kopf

from ticketly_crds import kinds, names
from ticketly_operator import logs
from ticketly_operator.agenda import Agenda, Pace
from ticketly_operator.clients.kubernetes import ApiServer, KubernetesCluster
from ticketly_operator.errors import ClusterUnreachableError, OperatorError
from ticketly_operator.leadership import Leadership, Terms
from ticketly_operator.metrics import Metrics
from ticketly_operator.probes import listening
from ticketly_operator.reconcile.assembly import PlatformWork
from ticketly_operator.runner import Runner
from ticketly_operator.settings import OperatorSettings, SettingsError, load
from ticketly_operator.watching import WatchProof

EXIT_STOPPED: Final = 0
EXIT_BAD_SETTINGS: Final = 3
EXIT_UNREACHABLE: Final = 4
EXIT_LEASE_LOST: Final = 5
"""The Lease could not be renewed: somebody else leads, or the API server is out of reach."""

_FREE_MARGIN_SECONDS: Final = 0.05
_LONGEST_BACKOFF_SECONDS: Final = 30.0
_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_log = logging.getLogger("ticketly_operator")


def main() -> int:
    """Run until stopped; return the exit code."""
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"error: wrong settings: {error}\n")
        return EXIT_BAD_SETTINGS
    logs.configure(settings.log)
    try:
        return asyncio.run(_run(settings))
    except OperatorError as error:
        _log.error("%s", error)
        return EXIT_UNREACHABLE


async def _run(settings: OperatorSettings) -> int:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    metrics = Metrics()
    identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    async with ApiServer() as server:
        leadership = Leadership(
            server,
            namespace=settings.lease.namespace or _own_namespace(),
            name=settings.lease.name,
            identity=identity,
            terms=Terms(settings.lease.duration_seconds, settings.lease.renew_deadline_seconds),
            monotonic=time.monotonic,
        )
        proof = WatchProof(time.monotonic())

        def alive() -> str:
            now = time.monotonic()
            leads = leadership.leads()
            age = proof.age(now) if leads else now - leadership.answered_at
            metrics.watch_age.set(age)
            if age <= settings.watch.liveness_timeout_seconds:
                return ""
            return f"no {'proof that the watches deliver' if leads else 'answer of the API server'} for {age:.0f} s"

        def metrics_text() -> bytes:
            alive()
            metrics.leader.set(1 if leadership.leads() else 0)
            return metrics.text()

        async with listening(settings.listen, alive, metrics_text) as port:
            _log.info("operator %s is up, probes and metrics on port %d", identity, port)
            if not await _until_leading(leadership, stop, settings.lease.retry_seconds):
                return EXIT_STOPPED
            _log.info("leading")
            proof.begin(time.monotonic())
            try:
                return await _lead(settings, server, leadership, proof, metrics, stop)
            finally:
                await leadership.release()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _until_leading(leadership: Leadership, stop: asyncio.Event, retry_seconds: float) -> bool:
    """Wait for the Lease; return False when a stop came first."""
    while not stop.is_set():
        if await leadership.attempt():
            return True
        # not a moment later than the Lease can be had: every second without a leader counts
        free_in = leadership.seconds_to_free()
        wait = retry_seconds if free_in is None else min(retry_seconds, free_in + _FREE_MARGIN_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
    return False


async def _lead(
    settings: OperatorSettings,
    server: ApiServer,
    leadership: Leadership,
    proof: WatchProof,
    metrics: Metrics,
    stop: asyncio.Event,
) -> int:
    """Work while the Lease is held; return the exit code of whatever ended it."""
    cluster = KubernetesCluster(
        server,
        scope=settings.scope.namespace,
        may_write=leadership.leads,
        wrote=lambda kind, verb: metrics.writes.labels(kind=kind, verb=verb).inc(),
        monotonic=time.monotonic,
        reporter=socket.gethostname(),
    )
    pace = settings.reconcile
    agenda = Agenda(
        Pace(
            pace.interval_seconds,
            pace.debounce_seconds,
            pace.error_backoff_first_seconds,
            pace.error_backoff_max_seconds,
        )
    )
    work = PlatformWork(cluster, settings, metrics, _own_namespace(), leadership.leads)
    runner = Runner(cluster, work, agenda, proof, metrics, settings.reconcile, time.monotonic)
    kopf_stop = asyncio.Event()

    def delivered(namespace: str, name: str, version: str) -> None:
        proof.delivered((namespace, name), version, time.monotonic())
        runner.wake((namespace, name))

    trial = work.watches.keep_trying(settings.watch.server_timeout_seconds, pace.interval_seconds)
    # kopf cancels whatever was started after it when it ends, so the others are started before it
    tasks = {
        asyncio.create_task(_keep_leading(leadership, settings.lease.retry_seconds), name="lease"): EXIT_LEASE_LOST,
        asyncio.create_task(runner.run(), name="runner"): EXIT_UNREACHABLE,
        asyncio.create_task(stop.wait(), name="stop"): EXIT_STOPPED,
        asyncio.create_task(trial, name="trial of watches"): EXIT_UNREACHABLE,
    }
    watch = _watch(settings, delivered, runner.wake, kopf_stop, lambda: _stop_on_signals(stop))
    watching = asyncio.create_task(watch, name="watching")
    # nobody but us tells it to stop, so it can only have failed
    tasks[watching] = EXIT_UNREACHABLE
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    ended = next(iter(done))
    code = tasks[ended]
    if not ended.cancelled() and ended.exception() is not None:
        _log.error("%s ended: %r", ended.get_name(), ended.exception())
        code = EXIT_UNREACHABLE
    else:
        _log.info("stopping: %s ended", ended.get_name())
    writing = [task for task in tasks if task is not watching]
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    # nothing is written any more, so the successor need not wait for kopf, which takes seconds to end
    await leadership.release()
    kopf_stop.set()
    await asyncio.gather(watching, return_exceptions=True)
    return code


class _Backoffs:
    """Seconds between kopf's attempts at a request: growing, and without an end."""

    def __iter__(self) -> Iterator[float]:
        """Start anew for each request."""
        return itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0), itertools.repeat(_LONGEST_BACKOFF_SECONDS))


async def _keep_leading(leadership: Leadership, retry_seconds: float) -> None:
    """Renew until the Lease is lost."""
    while await leadership.attempt():  # noqa: ASYNC110  renewing is the point, there is nothing to wait for
        await asyncio.sleep(retry_seconds)
    _log.warning("the lease is lost")


async def _watch(
    settings: OperatorSettings,
    delivered: Callable[[str, str, str], None],
    wake: Callable[[tuple[str, str]], None],
    stop: asyncio.Event,
    started: Callable[[], None],
) -> None:
    """Run kopf until it is told to stop; every event wakes the platform it belongs to.

    ``started`` is called when kopf has put its own handlers of signals in place.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**kwargs) or _service_account()

    @kopf.on.event(kinds.PLATFORM.group, kinds.PLATFORM.version, kinds.PLATFORM.plural, registry=registry)
    async def platform_changed(namespace: str | None, name: str | None, meta: Mapping[str, Any], **_: Any) -> None:
        delivered(namespace or "", name or "", str(meta.get("resourceVersion", "")))

    async def child_changed(namespace: str | None, meta: Mapping[str, Any], **_: Any) -> None:
        for owner in meta.get("ownerReferences", ()):
            if owner.get("kind") == kinds.PLATFORM.kind:
                wake((namespace or "", owner["name"]))

    for kind in kinds.MANAGED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)(child_changed)

    before = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=_kopf_settings(settings),
        standalone=True,
        clusterwide=not settings.scope.namespace,
        namespaces=[settings.scope.namespace] if settings.scope.namespace else [],
        stop_flag=stop,
    )
    # with its own handlers kopf would end first, for seconds in which we go on writing and keep the Lease
    started()
    await kopf.run_tasks(tasks, ignored=before)


def _kopf_settings(settings: OperatorSettings) -> kopf.OperatorSettings:
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    # watching namespaces and definitions would need permissions for nothing: one namespace or all, fixed kinds
    chosen.scanning.disabled = True
    chosen.watching.server_timeout = settings.watch.server_timeout_seconds
    chosen.watching.client_timeout = settings.watch.server_timeout_seconds + 30
    chosen.watching.connect_timeout = 15
    # a watch that is forbidden is tried again for ever: ending the process would not give the permission back
    chosen.networking.error_backoffs = _Backoffs()
    chosen.watching.inactivity_timeout = settings.watch.inactivity_timeout_seconds
    for kind in kinds.MANAGED:
        # filtered by the server: other people's objects would only cost memory here
        chosen.watching.label_selectors[kind.group, kind.plural] = f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER}"
    chosen.process.ultimate_exiting_timeout = None
    return chosen


def _service_account() -> kopf.ConnectionInfo | None:
    """Return the pod's own access at the address the pod was told, which need not be the usual name."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    token = _SERVICE_ACCOUNT / "token"
    if not host or not token.exists():
        return None
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return kopf.ConnectionInfo(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_path=str(_SERVICE_ACCOUNT / "ca.crt"),
        scheme="Bearer",
        token=token.read_text().strip(),
    )


def _own_namespace() -> str:
    """Return the namespace this process runs in."""
    given = os.environ.get("POD_NAMESPACE")
    if given:
        return given
    stated = _SERVICE_ACCOUNT / "namespace"
    if stated.exists():
        return stated.read_text().strip()
    raise ClusterUnreachableError("the operator's namespace is unknown: set POD_NAMESPACE")
