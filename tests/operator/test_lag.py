"""Every ready reader is asked; silence is never an error, never a busy wait, and at rest nothing is written."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from ticketly_crds import names
from ticketly_crds.blueprint import blueprint, cluster
from ticketly_crds.spec import parse
from ticketly_crds.status import ConditionStatus, ConditionType, PlatformStatus, Reason
from ticketly_operator.clients.lag import PodMetrics, reading
from ticketly_operator.desired.model import Surroundings
from ticketly_operator.desired.policies import edges
from ticketly_operator.findings import Finding
from ticketly_operator.observed import LagReading
from ticketly_operator.reconcile.lag import LagProbe
from ticketly_operator.reconcile.platform import Report, Terms, reconcile_platform

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
TERMS = Terms(lag_refresh=timedelta(minutes=15), deletion_timeout=timedelta(minutes=2))
BOUNDS = (0.5, 1.0, 2.0, 10.0, math.inf)
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def pod(name, *, ready=True, address="10.0.0.1", service="event-query", **metadata):
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": {"name": name, "labels": names.selector("ticketly", service), **metadata},
        "status": {"podIP": address, "conditions": conditions},
    }


class Readers:
    """Pods with histograms that tests let grow; those in ``silent`` do not answer."""

    def __init__(self):
        self.samples = {}
        self.pending = {}
        self.silent = set()
        self.asked = []

    def beat(self, pod, *values):
        self.samples.setdefault(pod, []).extend(values)

    async def readings(self, pods, port):
        self.asked.append((dict(pods), port))
        return [
            LagReading(
                name,
                {bound: float(sum(value <= bound for value in self.samples.get(name, []))) for bound in BOUNDS},
                self.pending.get(name, 0.0),
            )
            for name in pods
            if name not in self.silent
        ]


class World:
    """One platform, its readers, and an operator that looks when told."""

    def __init__(self, **lag):
        self.manifest = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
        self.manifest["spec"]["lag"] = lag
        self.manifest["metadata"].update(uid="u-1", generation=1, resourceVersion="1", annotations={})
        self.readers = Readers()
        self.running = [pod("query-0")]
        self.status_writes = 0
        self.now = NOW
        self.probe = LagProbe(self, self.readers, timedelta(minutes=5))

    async def pods(self, namespace, platform):
        return self.running

    async def write_status(self, namespace, name, status):
        self.status_writes += 1
        self.manifest["status"] = copy.deepcopy(dict(status))

    async def set_finalizer(self, namespace, name, *, present):
        pass

    async def tell(self, platform, notice):
        pass

    def restart_operator(self):
        self.probe = LagProbe(self, self.readers, timedelta(minutes=5))

    async def look(self, *, after=10):
        self.now += timedelta(seconds=after)
        outcome = await reconcile_platform(self.manifest, (others_are_well, self.probe), nothing, self, TERMS, self.now)
        self.outcome = outcome
        found = outcome.status.condition(ConditionType.LAG_WITHIN_SLO)
        return found.status, found.reason

    @property
    def stored(self):
        return PlatformStatus.model_validate(self.manifest["status"])


async def others_are_well(view):
    return Report(
        findings=(
            Finding(ConditionType.READY, TRUE, Reason.ALL_READY),
            Finding(ConditionType.CONNECTORS_READY, TRUE, Reason.ALL_RUNNING),
            Finding(ConditionType.TOPICS_READY, TRUE, Reason.ALL_PRESENT),
        )
    )


async def nothing(view):
    return ()


async def within(world):
    """Bring the platform to a known state: two looks with beats between them."""
    await world.look()
    world.readers.beat("query-0", *[0.4] * 10)
    assert await world.look() == (TRUE, Reason.WITHIN_SLO)


async def test_the_first_look_only_says_where_to_count_from():
    world = World()
    world.readers.beat("query-0", *[9.0] * 500)
    assert await world.look() == (UNKNOWN, Reason.NO_MEASUREMENT)
    assert world.stored.lag is None
    world.readers.beat("query-0", *[0.4] * 10)
    assert await world.look() == (TRUE, Reason.WITHIN_SLO)
    assert world.stored.lag.p99_ms <= 500


async def test_the_readers_of_all_ready_pods_are_added_up_and_no_others_are_asked():
    world = World()
    world.running = [
        pod("query-0", address="10.0.0.1"),
        pod("query-1", address="fd00::1"),
        pod("query-2", ready=False),
        pod("query-3", address=""),
        pod("query-4", deletionTimestamp="2026-11-26T12:00:00Z"),
        pod("order-0", service="order"),
    ]
    await world.look()
    assert world.readers.asked == [({"query-0": "10.0.0.1", "query-1": "fd00::1"}, 9082)]
    world.readers.beat("query-0", *[0.4] * 10)
    world.readers.beat("query-1", *[5.0] * 10)
    assert await world.look() == (FALSE, Reason.BEYOND_SLO)


async def test_one_reader_that_stands_still_is_a_breach_whatever_the_others_say():
    world = World()
    world.running = [pod("query-0"), pod("query-1")]
    await within(world)
    world.readers.beat("query-0", *[0.4] * 10)
    world.readers.pending = {"query-1": 12.0}
    assert await world.look() == (FALSE, Reason.BEYOND_SLO)
    assert world.stored.lag.p99_ms == 12_000


async def test_a_stalled_capture_is_a_breach_and_its_end_is_one_when_the_window_is_clean():
    world = World(sloSeconds=2)
    await within(world)
    world.readers.pending["query-0"] = 9.0
    assert await world.look() == (FALSE, Reason.BEYOND_SLO)
    world.readers.pending["query-0"] = 0.0
    world.readers.beat("query-0", *[float(age) for age in range(1, 10)])
    assert await world.look() == (FALSE, Reason.BEYOND_SLO)
    for _ in range(32):
        world.readers.beat("query-0", *[0.4] * 10)
        last = await world.look()
    assert last == (TRUE, Reason.WITHIN_SLO)


async def test_a_pod_that_restarts_and_one_that_comes_new_disturb_nothing():
    world = World()
    await within(world)
    world.readers.samples["query-0"] = [0.4] * 2
    world.running.append(pod("query-1"))
    world.readers.beat("query-1", *[9.0] * 400)
    assert await world.look() == (TRUE, Reason.WITHIN_SLO)
    world.running = world.running[1:]
    world.readers.beat("query-1", *[0.4] * 10)
    assert await world.look() == (TRUE, Reason.WITHIN_SLO)


async def test_at_rest_nothing_is_written_but_the_figures_every_quarter_of_an_hour():
    world = World()
    await within(world)
    await world.look()
    before, first = world.status_writes, world.stored.lag.measured_at
    for number in range(80):
        world.readers.beat("query-0", *[0.1 + 0.005 * (number % 60)] * 10)
        assert await world.look() == (TRUE, Reason.WITHIN_SLO)
        if world.now - first < timedelta(minutes=15):
            assert world.status_writes == before
    assert world.status_writes == before
    for _ in range(10):
        world.readers.beat("query-0", *[0.4] * 10)
        await world.look()
    assert world.status_writes == before + 1


async def test_old_figures_are_not_written_again_and_again_while_nothing_is_measured():
    world = World()
    await within(world)
    world.readers.silent = {"query-0"}
    for _ in range(10):
        last = await world.look()
    assert last == (UNKNOWN, Reason.NO_MEASUREMENT)
    before = world.status_writes
    for _ in range(120):
        await world.look()
    assert world.status_writes == before


async def test_readers_that_never_answer_make_nothing_unready_and_are_asked_ever_more_seldom():
    world = World()
    world.readers.silent = {"query-0", "query-1"}
    for _ in range(180):
        assert await world.look() == (UNKNOWN, Reason.NO_MEASUREMENT)
    ready = world.outcome.status.condition(ConditionType.READY)
    assert (ready.status, world.outcome.failed) == (TRUE, False)
    assert len(world.readers.asked) < 15
    assert world.status_writes == 1
    world.running.append(pod("query-1"))
    asked = len(world.readers.asked)
    await world.look()
    assert len(world.readers.asked) == asked + 1, "another pod is another chance"


async def test_a_short_silence_changes_nothing_and_a_long_one_says_so():
    world = World()
    await within(world)
    world.running = []
    for _ in range(5):
        assert await world.look() == (TRUE, Reason.WITHIN_SLO)
    last = await world.look(after=20)
    assert last == (UNKNOWN, Reason.NO_MEASUREMENT)
    assert world.stored.condition(ConditionType.LAG_WITHIN_SLO).message == "no event-query pod is ready"


async def test_a_new_operator_keeps_what_the_old_one_knew_until_it_knows_better():
    world = World()
    await within(world)
    world.restart_operator()
    before = world.status_writes
    assert await world.look() == (TRUE, Reason.WITHIN_SLO)
    world.readers.beat("query-0", *[0.4] * 10)
    assert await world.look() == (TRUE, Reason.WITHIN_SLO)
    assert world.status_writes == before
    world.restart_operator()
    world.readers.pending["query-0"] = 50.0
    assert await world.look() == (FALSE, Reason.BEYOND_SLO)


async def test_nobody_writing_is_no_measurement_rather_than_good_news():
    world = World()
    await within(world)
    for _ in range(40):
        last = await world.look()
    assert last == (UNKNOWN, Reason.NO_MEASUREMENT)
    message = world.stored.condition(ConditionType.LAG_WITHIN_SLO).message
    assert message == "no canary arrives and none is known to be on its way"


async def test_the_probe_can_be_switched_off():
    world = World(probe=False)
    assert await world.look() == (UNKNOWN, Reason.PROBE_DISABLED)
    assert world.readers.asked == []


# --- pods over HTTP ---------------------------------------------------------------------------------------------------

METRICS = """\
# HELP ticketly_event_query_streams Open seat streams
# TYPE ticketly_event_query_streams gauge
ticketly_event_query_streams 3.0
# HELP ticketly_lag_canary_seconds Age
# TYPE ticketly_lag_canary_seconds histogram
ticketly_lag_canary_seconds_bucket{le="0.5"} 8.0
ticketly_lag_canary_seconds_bucket{le="1.0"} 9.0
ticketly_lag_canary_seconds_bucket{le="+Inf"} 10.0
ticketly_lag_canary_seconds_count 10.0
ticketly_lag_canary_seconds_sum 4.5
# TYPE ticketly_lag_canary_pending_seconds gauge
ticketly_lag_canary_pending_seconds 0.25
"""
BUCKETS = {0.5: 8.0, 1.0: 9.0, math.inf: 10.0}


@contextlib.asynccontextmanager
async def serving(answer):
    """Serve /metrics on loopback; the port."""
    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def client(timeout=5.0):
    return PodMetrics(connect_timeout_seconds=0.5, request_timeout_seconds=timeout, concurrency=2)


async def test_the_figures_are_read_from_a_pod_s_metrics():
    async def answer(request):
        return web.Response(text=METRICS)

    async with serving(answer) as port:
        found = await client().readings({"a": "127.0.0.1", "b": "127.0.0.1", "c": "127.0.0.1"}, port)
    assert found == [LagReading(name, BUCKETS, 0.25) for name in ("a", "b", "c")]


def test_a_pod_that_cannot_tell_what_is_on_its_way_says_nothing_about_it():
    assert reading("a", METRICS.replace("_pending_seconds 0.25", "_pending_seconds NaN")) == LagReading(
        "a", BUCKETS, None
    )


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(status=500, text=METRICS),
        lambda _: web.Response(text="ticketly_event_query_streams 3.0\n"),
        lambda _: web.Response(text=METRICS.replace("8.0", "many")),
        lambda _: web.Response(body=b"\xff\xfe" + METRICS.encode()),
        lambda _: web.Response(text="#" * 5_000_000 + "\n" + METRICS),
        lambda _: web.HTTPFound("http://127.0.0.1:1/metrics"),
    ],
    ids=["error", "another program", "no number", "no text", "endless", "elsewhere"],
)
async def test_a_pod_that_answers_badly_is_left_out_without_a_word(answer, caplog):
    caplog.set_level(logging.INFO)

    async def serve(request):
        found = answer(request)
        if isinstance(found, web.HTTPException):
            raise found
        return found

    async with serving(serve) as port:
        assert await client().readings({"a": "127.0.0.1"}, port) == []
    assert caplog.records == []


async def test_pods_that_hang_or_are_not_there_cost_their_time_limit_together_and_no_word(free_ports, caplog):
    caplog.set_level(logging.INFO)
    hang = asyncio.Event()

    async def serve(request):
        await hang.wait()
        return web.Response(text=METRICS)

    async with serving(serve) as port:
        asked = client(timeout=0.5).readings({"a": "127.0.0.1", "b": "127.0.0.1"}, port)
        assert await asyncio.wait_for(asked, 30) == []
        hang.set()
    (nobody,) = free_ports(1)
    assert await client().readings({"a": "127.0.0.1", "b": "::1", "c": "not an address"}, nobody) == []
    assert caplog.records == []


# --- the way to the pods ----------------------------------------------------------------------------------------------


def test_the_policies_let_the_operator_ask_readers_and_readers_ask_the_writer():
    platform = parse(yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text()))
    found = blueprint(platform, cluster(platform))
    around = Surroundings(NOW, "ticketly-system", 45, 600, 600, frozenset(), {}, "")
    reader, writer = found.service("event-query"), found.service("event-command")
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ticketly-system"}}}
    into_reader = edges(platform, found, reader, around)["spec"]
    assert operator in into_reader["ingress"][0]["from"]
    assert into_reader["ingress"][0]["ports"] == [{"port": 9082, "protocol": "TCP"}]
    to_writer = {
        "to": [{"podSelector": {"matchLabels": names.selector("ticketly", "event-command")}}],
        "ports": [{"port": 9081, "protocol": "TCP"}],
    }
    assert to_writer in into_reader["egress"]
    from_reader = {"podSelector": {"matchLabels": names.selector("ticketly", "event-query")}}
    assert from_reader in edges(platform, found, writer, around)["spec"]["ingress"][0]["from"]
