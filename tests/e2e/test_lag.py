"""The canary on the whole platform: measured end to end, and a paused connector is a breach, not a lack of data."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml

from ticketly_cli.local.state import PlatformState
from ticketly_crds import names
from ticketly_crds.status import ConditionStatus, ConditionType, PlatformStatus, Reason
from ticketly_operator.clients.lag import PodMetrics
from ticketly_operator.observed import LagReading
from ticketly_operator.reconcile.lag import LagProbe
from ticketly_operator.reconcile.platform import Terms, reconcile_platform

pytestmark = pytest.mark.stack

SAMPLE = Path(__file__).resolve().parents[2] / "crds/ticketly_crds/samples/cluster.yaml"
SLO_SECONDS = 2
LOOK_SECONDS = 1.0


class OneReader:
    """The API server's part: the platform's object, and the running reader as the one pod of its service."""

    def __init__(self) -> None:
        self.manifest = yaml.safe_load(SAMPLE.read_text())
        self.manifest["spec"]["lag"] = {"sloSeconds": SLO_SECONDS, "probe": True}
        self.manifest["metadata"].update(uid="u-1", generation=1, annotations={})

    async def pods(self, namespace: str, platform: str) -> Sequence[dict[str, Any]]:
        labels = names.selector(platform, "event-query")
        status = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": "event-query-0", "labels": labels}, "status": status}]

    async def write_status(self, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        self.manifest["status"] = copy.deepcopy(dict(status))

    async def set_finalizer(self, namespace: str, name: str, *, present: bool) -> None:
        """Nothing is deleted here."""

    async def tell(self, platform: Mapping[str, Any], notice: object) -> None:
        """Nobody reads events here."""

    @property
    def status(self) -> PlatformStatus:
        return PlatformStatus.model_validate(self.manifest["status"])


class AtItsOwnPort:
    """The platform of a test runs at ports of its own."""

    def __init__(self, port: int) -> None:
        self._metrics = PodMetrics(connect_timeout_seconds=2, request_timeout_seconds=10, concurrency=1)
        self._port = port

    async def readings(self, pods: Mapping[str, str], port: int) -> Sequence[LagReading]:
        assert port == 9082
        return await self._metrics.readings(pods, self._port)


class Operator:
    """The operator's own reconcile, with the lag as its only step, looking once a second."""

    def __init__(self, platform: PlatformState) -> None:
        self.api = OneReader()
        port = urlsplit(platform.service("event-query").internal_url).port
        assert port is not None
        self._probe = LagProbe(self.api, AtItsOwnPort(port), timedelta(seconds=10))
        self._terms = Terms(lag_refresh=timedelta(minutes=15), deletion_timeout=timedelta(minutes=2))

    async def look(self) -> PlatformStatus:
        now = datetime.now(UTC)
        outcome = await reconcile_platform(self.api.manifest, (self._probe,), _nothing, self.api, self._terms, now)
        assert outcome.status is not None
        return outcome.status

    async def until(self, wanted: ConditionStatus, *, seconds: float) -> PlatformStatus:
        status = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    status = await self.look()
                    if lag(status).status is wanted:
                        return status
                    await asyncio.sleep(LOOK_SECONDS)
        pytest.fail(f"LagWithinSLO is not {wanted} within {seconds:g} s: {status and lag(status)}")


async def _nothing(_view: object) -> Sequence[str]:
    return ()


def lag(status: PlatformStatus) -> Any:
    found = status.condition(ConditionType.LAG_WITHIN_SLO)
    assert found is not None
    return found


@contextlib.asynccontextmanager
async def paused(platform: PlatformState, connector: str) -> AsyncIterator[None]:
    async with httpx2.AsyncClient(base_url=platform.addresses.connect_url, timeout=30, trust_env=False) as connect:
        (await connect.put(f"/connectors/{connector}/pause")).raise_for_status()
        try:
            yield
        finally:
            (await connect.put(f"/connectors/{connector}/resume")).raise_for_status()


async def test_a_paused_connector_breaks_the_objective_within_seconds_and_its_return_restores_it(
    platform: PlatformState,
) -> None:
    operator = Operator(platform)
    status = await operator.until(ConditionStatus.TRUE, seconds=60)
    assert lag(status).reason is Reason.WITHIN_SLO
    assert status.lag is not None
    assert 0 < status.lag.p50_ms <= status.lag.p99_ms

    async with paused(platform, names.EVENT_CONNECTOR):
        status = await operator.until(ConditionStatus.FALSE, seconds=60)
        assert lag(status).reason is Reason.BEYOND_SLO
        assert lag(status).message == "a change has been on its way to readers for longer than 2 s"
        assert status.lag is not None
        assert status.lag.p99_ms > SLO_SECONDS * 1000

    status = await operator.until(ConditionStatus.TRUE, seconds=60)
    assert lag(status).reason is Reason.WITHIN_SLO
    assert lag(operator.api.status).status is ConditionStatus.TRUE


def test_buyers_see_nothing_of_the_canary(api: Any) -> None:
    for path in ("sessions/lag-canary/seating-map", "sse/sessions/lag-canary/seat-status"):
        assert api.call("GET", f"/api/event-query/v1/{path}").status_code == 404
    assert "canary" not in api.call("GET", "/api/event-query/v1/events/search?pageable.size=50").text
    assert api.call("GET", "/api/event-seating/internal/v1/lag-canary").status_code == 404
