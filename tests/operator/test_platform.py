"""What is invalid is told and left alone, what cannot be looked at stops nothing, at rest nothing is written."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ticketly_crds import names
from ticketly_crds.status import (
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    LagStatus,
    PlatformStatus,
    Reason,
    ServicePhase,
    ServiceStatus,
    SlotStatus,
)
from ticketly_operator.errors import ApplyRefusedError, ClusterUnreachableError, ConnectUnreachableError
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.reconcile.platform import Report, Terms, reconcile_platform

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TERMS = Terms(lag_refresh=timedelta(minutes=15), deletion_timeout=timedelta(minutes=2))
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

WELL = Report(
    findings=(
        Finding(ConditionType.READY, TRUE, Reason.ALL_READY),
        Finding(ConditionType.CONNECTORS_READY, TRUE, Reason.ALL_RUNNING),
        Finding(ConditionType.TOPICS_READY, TRUE, Reason.ALL_PRESENT),
    ),
    services=(ServiceStatus(name="order", phase=ServicePhase.READY, ready_replicas=2, replicas=2),),
)


class Api:
    """The platform object as the API server keeps it; counts what is written."""

    def __init__(self, **spec):
        document = yaml.safe_load((ROOT / "crds/ticketly_crds/samples/cluster.yaml").read_text())
        document["spec"].update(spec)
        document["metadata"].update(uid="u-1", generation=1, resourceVersion="1", annotations={})
        self.manifest = document
        self.status_writes = 0
        self.told = []

    async def write_status(self, namespace, name, status):
        self.status_writes += 1
        self.manifest["status"] = copy.deepcopy(dict(status))

    async def set_finalizer(self, namespace, name, *, present):
        self.manifest["metadata"]["finalizers"] = [names.FINALIZER] if present else []

    async def tell(self, platform, notice):
        self.told.append(notice)

    @property
    def status(self):
        return PlatformStatus.model_validate(self.manifest["status"])

    def condition(self, kind):
        return self.status.condition(kind)


def step(report):
    """A step that reports (or raises) and remembers the views it got."""

    async def act(view):
        act.views.append(view)
        if isinstance(report, Exception):
            raise report
        return report(view) if callable(report) else report

    act.views = []
    return act


async def nothing_left(view):
    return ()


async def run(api, *steps, remove=nothing_left, now=NOW):
    return await reconcile_platform(copy.deepcopy(api.manifest), steps or [step(WELL)], remove, api, TERMS, now)


async def test_a_healthy_platform_is_ready_and_says_at_which_generation():
    api = Api()
    api.manifest["metadata"]["generation"] = 4
    outcome = await run(api)
    assert (outcome.failed, outcome.paused) == (False, False)
    assert api.condition(ConditionType.READY).status is TRUE
    assert api.status.observed_generation == 4
    assert api.status.version == api.manifest["spec"]["version"]
    assert [service.name for service in api.status.services] == ["order"]


async def test_at_rest_nothing_is_written_again():
    api = Api()
    for minute in range(20):
        await run(api, now=NOW + timedelta(minutes=minute))
    assert api.status_writes == 1


async def test_figures_that_merely_move_are_no_reason_to_write():
    def moving(view):
        slot = SlotStatus(name="s", active=True, retained_bytes=int(view.now.timestamp()), confirmed_flush_lsn="0/1")
        return Report(connectors=(ConnectorStatus(name="c", phase=ConnectorPhase.RUNNING, slot=slot),))

    api = Api()
    for minute in range(5):
        await run(api, step(WELL), step(moving), now=NOW + timedelta(minutes=minute))
    assert api.status_writes == 1


async def test_the_lag_is_written_every_quarter_of_an_hour():
    def lag(view):
        return Report(lag=LagStatus(p50_ms=1 + view.now.minute, p99_ms=99, measured_at=view.now))

    api = Api()
    for minute in range(46):
        await run(api, step(WELL), step(lag), now=NOW + timedelta(minutes=minute))
    assert api.status_writes == 4


async def test_an_invalid_spec_is_told_with_its_path_and_nothing_else_happens():
    api, work = Api(), step(WELL)
    await run(api, work)
    api.manifest["spec"]["holds"] = {"ttlSeconds": 0}
    await run(api, work, now=NOW + timedelta(minutes=1))
    ready = api.condition(ConditionType.READY)
    assert (ready.status, ready.reason) == (FALSE, Reason.INVALID_SPEC)
    assert "spec.holds.ttlSeconds" in ready.message
    assert len(work.views) == 1
    assert [service.name for service in api.status.services] == ["order"], "what was known is kept"


async def test_a_platform_without_its_stores_is_incomplete_in_a_cluster():
    api = Api()
    del api.manifest["spec"]["postgres"]
    await run(api)
    ready = api.condition(ConditionType.READY)
    assert (ready.reason, "spec.postgres" in ready.message) == (Reason.INCOMPLETE_SPEC, True)


async def test_a_step_that_cannot_look_does_not_stop_the_others():
    api, last = Api(), step(WELL)
    outcome = await run(api, step(ConnectUnreachableError("Connect does not answer")), last)
    assert outcome.failed
    assert len(last.views) == 1
    connectors = api.condition(ConditionType.CONNECTORS_READY)
    assert (connectors.status, connectors.reason) == (UNKNOWN, Reason.CONNECT_UNREACHABLE)
    assert api.condition(ConditionType.READY).reason is Reason.CONNECTORS_NOT_READY


async def test_a_refusal_degrades_and_is_not_hurried():
    api = Api()
    outcome = await run(api, step(WELL), step(ApplyRefusedError("patch deployments.apps p-order: invalid")))
    assert not outcome.failed, "the same write would fail again: the interval is soon enough"
    assert api.condition(ConditionType.DEGRADED).reason is Reason.APPLY_REFUSED


async def test_pause_is_echoed_and_passed_to_every_step():
    api, work = Api(), step(WELL)
    api.manifest["metadata"]["annotations"] = {names.PAUSE_ANNOTATION: "true", names.RESTART_ANNOTATION: "t1"}
    outcome = await run(api, work)
    assert outcome.paused
    assert work.views[0].paused
    assert api.status.paused
    assert api.condition(ConditionType.PAUSED).status is TRUE
    assert api.status.restart_token == "", "nothing was restarted yet"


async def test_a_restart_token_is_passed_on_and_echoed():
    api, work = Api(), step(WELL)
    api.manifest["metadata"]["annotations"] = {names.RESTART_ANNOTATION: "t1"}
    await run(api, work)
    assert work.views[0].restart_token == "t1"
    assert api.status.restart_token == "t1"


async def test_notices_become_events():
    api = Api()
    await run(api, step(Report(notices=(Notice("Drift", "replicas put back"),))))
    assert [notice.reason for notice in api.told] == ["Drift"]


async def test_nothing_holds_back_the_deletion_of_a_platform_that_retains():
    api = Api(deletionPolicy="Retain")
    await run(api)
    assert "finalizers" not in api.manifest["metadata"]
    # it was Delete before
    api.manifest["metadata"]["finalizers"] = [names.FINALIZER]
    await run(api)
    assert api.manifest["metadata"]["finalizers"] == []


def being_deleted(**spec):
    api = Api(**spec)
    api.manifest["metadata"].update(deletionTimestamp=NOW.isoformat(), finalizers=[names.FINALIZER])
    return api


async def test_under_delete_the_finalizer_waits_for_the_removal():
    api = Api(deletionPolicy="Delete")
    await run(api)
    assert api.manifest["metadata"]["finalizers"] == [names.FINALIZER]
    api.manifest["metadata"]["deletionTimestamp"] = NOW.isoformat()
    removed = []

    async def remove(view):
        removed.append(view.platform.name)
        return ()

    work = step(WELL)
    await run(api, work, remove=remove)
    assert (removed, work.views, api.manifest["metadata"]["finalizers"]) == (["ticketly"], [], [])


async def test_what_cannot_be_removed_holds_the_object_only_for_its_time():
    async def remove(view):
        return ["topic a", "connector b"]

    api = being_deleted(deletionPolicy="Delete")
    outcome = await run(api, remove=remove, now=NOW + timedelta(seconds=119))
    assert outcome.failed
    assert api.manifest["metadata"]["finalizers"] == [names.FINALIZER]
    await run(api, remove=remove, now=NOW + timedelta(seconds=120))
    assert api.manifest["metadata"]["finalizers"] == []
    assert "topic a, connector b" in api.told[-1].message


async def test_a_platform_that_cannot_be_understood_is_let_go():
    api = being_deleted(holds={"ttlSeconds": 0})
    await run(api)
    assert api.manifest["metadata"]["finalizers"] == []


async def test_a_deletion_that_is_not_ours_to_finish_is_left_alone():
    api = being_deleted()
    api.manifest["metadata"]["finalizers"] = ["somebody/else"]
    await run(api)
    assert api.manifest["metadata"]["finalizers"] == ["somebody/else"]


@pytest.mark.parametrize("how", ["hangs", "fails"])
async def test_a_removal_that_hangs_or_fails_altogether_holds_the_object_only_for_its_time(how, monkeypatch):
    monkeypatch.setattr("ticketly_operator.reconcile.platform._LEAST_REMOVAL_SECONDS", 0.05)

    async def remove(view):
        if how == "hangs":
            await asyncio.Event().wait()
        raise ClusterUnreachableError("get secrets kafka: forbidden")

    api = being_deleted(deletionPolicy="Delete")
    terms = Terms(lag_refresh=TERMS.lag_refresh, deletion_timeout=timedelta(seconds=1))
    early = NOW + timedelta(seconds=0.9)
    outcome = await reconcile_platform(copy.deepcopy(api.manifest), [step(WELL)], remove, api, terms, early)
    assert outcome.failed
    assert api.manifest["metadata"]["finalizers"] == [names.FINALIZER]
    late = NOW + timedelta(seconds=1)
    await reconcile_platform(copy.deepcopy(api.manifest), [step(WELL)], remove, api, terms, late)
    assert api.manifest["metadata"]["finalizers"] == []
    assert ("no answer within" if how == "hangs" else "forbidden") in api.told[-1].message


async def test_what_can_be_read_of_another_version_s_status_is_kept():
    api = Api()
    await run(api)
    told = api.status
    sparkling = {"type": "Sparkling", "status": "True", "reason": "New", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    api.manifest["status"]["conditions"].append(sparkling)
    api.manifest["status"]["services"].append({"name": "order", "phase": "Dancing"})
    api.manifest["status"].update(restartToken=["not a text"], novelty={"x": 1}, paused=True)
    await run(api, now=NOW + timedelta(hours=1))
    # nothing of it is lost, not even the times of the transitions; and it is written only once
    assert api.status == told
    await run(api, now=NOW + timedelta(hours=2))
    assert api.status_writes == 2


async def test_a_status_nobody_can_read_is_written_anew():
    api = Api()
    api.manifest["status"] = {"conditions": "nonsense"}
    await run(api)
    assert api.condition(ConditionType.READY).status is TRUE


async def test_a_status_that_cannot_be_written_is_an_error_of_the_whole_reconcile():
    api = Api()

    async def refuse(namespace, name, status):
        raise ClusterUnreachableError("down")

    api.write_status = refuse
    with pytest.raises(ClusterUnreachableError):
        await run(api)
