"""The composition root of a reconcile: the only place that knows which client stands behind which port."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from ticketly_crds import names
from ticketly_crds.spec import TicketlyPlatform
from ticketly_crds.status import ConditionStatus, ConditionType, PlatformStatus
from ticketly_operator.agenda import Key, Turn
from ticketly_operator.clients.connect import ConnectRest
from ticketly_operator.clients.fence import FencedClients
from ticketly_operator.clients.kafka import Access, KafkaBrokers
from ticketly_operator.clients.lag import PodMetrics
from ticketly_operator.clients.postgres import PostgresSlots, Server
from ticketly_operator.desired.model import Manifest
from ticketly_operator.errors import ConnectUnreachableError, SlotUnreadableError
from ticketly_operator.metrics import Metrics
from ticketly_operator.observed import Secret
from ticketly_operator.plan.connectors import Pace
from ticketly_operator.reconcile.capture import Capture
from ticketly_operator.reconcile.lag import LagProbe
from ticketly_operator.reconcile.platform import Step, Terms, reconcile_platform
from ticketly_operator.reconcile.ports import Brokers, Cluster, Connect, Databases
from ticketly_operator.reconcile.removal import CaptureRemoval
from ticketly_operator.reconcile.watches import Watches
from ticketly_operator.reconcile.workloads import Limits, Workloads
from ticketly_operator.settings import OperatorSettings


class OutsideClients:
    """The clients of a platform's outside systems, from its description and its Secrets."""

    def __init__(self, settings: OperatorSettings) -> None:
        """Keep the time limits."""
        self._settings = settings

    def connect(self, platform: TicketlyPlatform) -> AbstractAsyncContextManager[Connect]:
        """Return Kafka Connect."""
        if platform.spec.connect is None:
            raise ConnectUnreachableError("the platform names no Kafka Connect")
        return ConnectRest(platform.spec.connect.url, self._settings.connectors.request_timeout_seconds)

    def brokers(self, platform: TicketlyPlatform, credentials: Secret | None) -> AbstractAsyncContextManager[Brokers]:
        """Return Kafka."""
        kafka = platform.spec.kafka
        data = credentials.data if credentials else {}
        access = Access(
            bootstrap_servers=(kafka.bootstrap_servers if kafka else None) or "",
            protocol=kafka.security.protocol if kafka else "PLAINTEXT",
            mechanism=kafka.security.sasl_mechanism if kafka else "PLAIN",
            username=data.get(names.KAFKA_USER_KEY, b"").decode(),
            password=data.get(names.KAFKA_PASSWORD_KEY, b"").decode(),
        )
        return KafkaBrokers(access, self._settings.kafka.request_timeout_seconds)

    def databases(self, platform: TicketlyPlatform, credentials: Secret | None) -> Databases:
        """Return PostgreSQL as the capture role."""
        postgres = platform.spec.postgres
        if postgres is None:
            raise SlotUnreadableError("the platform names no PostgreSQL")
        server = Server(
            host=postgres.host,
            port=postgres.port,
            user=names.CDC_ROLE,
            ssl_mode=postgres.ssl_mode,
            password=(credentials.data if credentials else {}).get(names.CDC_PASSWORD_KEY, b"").decode(),
            connect_timeout_seconds=self._settings.slots.connect_timeout_seconds,
            statement_timeout_seconds=self._settings.slots.statement_timeout_seconds,
        )
        return PostgresSlots(server)


class PlatformWork:
    """What the runner does with a platform."""

    def __init__(
        self,
        cluster: Cluster,
        settings: OperatorSettings,
        metrics: Metrics,
        operator_namespace: str,
        may_write: Callable[[], bool],
    ) -> None:
        """Put the steps together; ``may_write`` is the fence."""
        clients = FencedClients(OutsideClients(settings), may_write)
        rollout = settings.rollout
        self._cluster = cluster
        self._metrics = metrics
        self._poll_seconds = settings.connectors.poll_seconds
        self._capture = Capture(
            cluster,
            clients,
            Pace(
                timedelta(minutes=settings.connectors.backoff_cap_minutes),
                timedelta(minutes=settings.connectors.healthy_reset_minutes),
            ),
            timedelta(seconds=settings.kafka.poll_seconds),
            lambda namespace, platform, connector: metrics.connector_restarts.labels(
                namespace=namespace, platform=platform, connector=connector
            ).inc(),
        )
        limits = Limits(
            operator_namespace=operator_namespace,
            termination_grace_seconds=rollout.termination_grace_seconds,
            migration_deadline_seconds=int(rollout.migration_deadline_seconds),
            rollout_deadline_seconds=int(rollout.deadline_seconds),
        )
        workloads = Workloads(cluster, limits, lambda kind, manager: metrics.drift.labels(kind, manager).inc())
        self._lag = LagProbe(
            cluster,
            PodMetrics(
                settings.lag.connect_timeout_seconds, settings.lag.request_timeout_seconds, settings.lag.concurrency
            ),
            timedelta(seconds=settings.status.lag_window_seconds),
        )
        self.watches = Watches(cluster)
        self._steps: tuple[Step, ...] = (self.watches, workloads, self._capture, self._lag)
        self._remove = CaptureRemoval(cluster, clients)
        self._terms = Terms(
            lag_refresh=timedelta(minutes=settings.status.lag_refresh_minutes),
            deletion_timeout=timedelta(seconds=settings.deletion.timeout_seconds),
        )

    async def __call__(self, platform: Manifest) -> Turn:
        """Reconcile one platform and show its status as metrics."""
        now = datetime.now(UTC)
        outcome = await reconcile_platform(platform, self._steps, self._remove, self._cluster, self._terms, now)
        metadata = platform["metadata"]
        if outcome.status is not None:
            self._metrics.show(metadata["namespace"], metadata["name"], outcome.status)
        return Turn(failed=outcome.failed, paused=outcome.paused, again_in=self._again(outcome.status))

    def _again(self, status: PlatformStatus | None) -> float | None:
        """Say how soon to look again: nobody tells about connectors and about a Secret that arrives."""
        if status is None or status.connectors:
            return self._poll_seconds
        ready = status.condition(ConditionType.READY)
        return None if ready is not None and ready.status is ConditionStatus.TRUE else self._poll_seconds

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a platform that is gone."""
        self._capture.forget(key)
        self._lag.forget(key)
