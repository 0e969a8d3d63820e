"""The capture half of a reconcile on real parts: Kafka, Kafka Connect with Debezium, PostgreSQL.

Only the API server is played: the platform object, its Secrets and its events are kept in memory, and the clock is the
real one moved forward at will. Between the operator and Connect stands a counting proxy that can be told to misbehave.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import asyncpg
import httpx2
import pytest
import yaml
from aiohttp import ClientSession, ClientTimeout, web
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from ticketly_crds import names
from ticketly_crds.blueprint import blueprint, cluster
from ticketly_crds.spec import parse
from ticketly_crds.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    ConnectorPhase,
    ConnectorStatus,
    PlatformStatus,
    Reason,
    ServicePhase,
    ServiceStatus,
)
from ticketly_lab.adaptation import adapted
from ticketly_lab.stores import Stores
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import Secret
from ticketly_operator.plan.connectors import Pace
from ticketly_operator.reconcile.assembly import OutsideClients
from ticketly_operator.reconcile.capture import Capture
from ticketly_operator.reconcile.platform import Outcome, Report, Terms, View, reconcile_platform
from ticketly_operator.reconcile.removal import CaptureRemoval
from ticketly_operator.settings import OperatorSettings

CONNECTORS = ((names.EVENT_CONNECTOR, names.EVENT_SLOT), (names.OUTBOX_CONNECTOR, names.OUTBOX_SLOT))
PACE = Pace(backoff_cap=timedelta(minutes=60), healthy_reset=timedelta(minutes=30))
TERMS = Terms(lag_refresh=timedelta(minutes=15), deletion_timeout=timedelta(minutes=2))
SETTINGS = OperatorSettings.model_validate(
    {
        "connectors": {"request_timeout_seconds": 5},
        "kafka": {"request_timeout_seconds": 10},
        "slots": {"connect_timeout_seconds": 3, "statement_timeout_seconds": 3},
    }
)
PATIENCE_SECONDS = 240.0


async def eventually(look: Callable[[], Awaitable[Any]], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Poll until ``look`` returns something true."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.2)
    return found


class Front:
    """A proxy in front of Connect. ``answer``: None passes a request on, a status is answered, 0 hangs."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.seen: Counter[tuple[str, str]] = Counter()
        self.answer: Callable[[str, str], int | None] = lambda method, path: None
        self.url = ""

    def writes(self) -> dict[tuple[str, str], int]:
        return {key: count for key, count in self.seen.items() if key[0] != "GET"}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen[request.method, request.path] += 1
        chosen = self.answer(request.method, request.path)
        if chosen == 0:
            await asyncio.Event().wait()
        if chosen:
            return web.json_response({"error_code": chosen, "message": "so the test wants it"}, status=chosen)
        async with ClientSession(timeout=ClientTimeout(60)) as session:
            try:
                async with session.request(
                    request.method,
                    self.target + request.raw_path,
                    data=await request.read(),
                    headers={"Content-Type": "application/json"},
                ) as answer:
                    return web.Response(
                        body=await answer.read(), status=answer.status, content_type=answer.content_type
                    )
            except OSError as error:
                return web.json_response({"message": str(error)}, status=503)


@contextlib.asynccontextmanager
async def front_of(target: str) -> AsyncIterator[Front]:
    front = Front(target)
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", front.handle)
    serving = web.AppRunner(application, shutdown_timeout=0.1)
    await serving.setup()
    await web.TCPSite(serving, "127.0.0.1", 0).start()
    front.url = f"http://127.0.0.1:{serving.addresses[0][1]}"
    try:
        yield front
    finally:
        await serving.cleanup()


class Api:
    """The platform object, Secrets and events, as the API server keeps them; reads of Secrets are counted."""

    def __init__(self, document: dict[str, Any], secrets: dict[str, dict[str, str]]) -> None:
        self.manifest = document
        self.secrets = secrets
        self.reads: Counter[str] = Counter()
        self.status_writes = 0
        self.told: list[Notice] = []

    async def secret(self, namespace: str, name: str) -> Secret | None:
        self.reads[name] += 1
        found = self.secrets.get(name)
        if found is None:
            return None
        data = {key: value.encode() for key, value in found.items()}
        return Secret(name, str(hash(tuple(sorted(found.items())))), data)

    async def write_status(self, namespace: str, name: str, status: dict[str, Any]) -> None:
        self.status_writes += 1
        self.manifest["status"] = copy.deepcopy(dict(status))

    async def set_finalizer(self, namespace: str, name: str, *, present: bool) -> None:
        self.manifest["metadata"]["finalizers"] = [names.FINALIZER] if present else []

    async def tell(self, platform: dict[str, Any], notice: Notice) -> None:
        self.told.append(notice)


async def services_run(view: View) -> Report:
    """The step before: every service is up, so every migration has been made."""
    ready = Finding(ConditionType.READY, ConditionStatus.TRUE, Reason.ALL_READY)
    return Report(
        (ready,),
        services=tuple(
            ServiceStatus(name=service.name, phase=ServicePhase.READY, ready_replicas=1, replicas=1)
            for service in view.blueprint.services
        ),
    )


class Bench:
    """One platform and one operator's mind, reconciled step by step."""

    def __init__(self, stores: Stores, front: Front, api: Api) -> None:
        self.stores = stores
        self.front = front
        self.api = api
        self.restarted: Counter[str] = Counter()
        self.moved = timedelta()
        self.topic_names = [topic.name for topic in self.blueprint.topics]
        self.forget()

    def forget(self) -> None:
        """As a restart of the operator: whatever it did not write down is gone."""
        clients = OutsideClients(SETTINGS)

        def restarted(namespace: str, platform: str, connector: str) -> None:
            self.restarted[connector] += 1

        self.capture = Capture(self.api, clients, PACE, timedelta(seconds=60), restarted)
        self.removal = CaptureRemoval(self.api, clients)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved

    def later(self, **span: float) -> None:
        self.moved += timedelta(**span)

    @property
    def spec(self) -> dict[str, Any]:
        return self.api.manifest["spec"]

    def change(self) -> dict[str, Any]:
        """The spec, to be changed: a new generation."""
        self.api.manifest["metadata"]["generation"] += 1
        return self.spec

    @property
    def blueprint(self):
        platform = parse({key: value for key, value in self.api.manifest.items() if key != "status"})
        return blueprint(platform, cluster(platform))

    async def step(self) -> Outcome:
        """One reconcile."""
        steps = (services_run, self.capture)
        return await reconcile_platform(
            copy.deepcopy(self.api.manifest), steps, self.removal, self.api, TERMS, self.now
        )

    async def until(self, seen: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Reconcile until ``seen`` returns something true."""
        deadline = time.monotonic() + seconds
        while True:
            await self.step()
            if found := seen():
                return found
            if time.monotonic() > deadline:
                pytest.fail(
                    f"not within {seconds:g} s: {what}; {json.dumps(self.api.manifest.get('status'), indent=1)}"
                )
            await asyncio.sleep(0.5)

    async def until_running(self) -> None:
        """Both connectors run and both slots are read."""
        ready = ConditionType.CONNECTORS_READY
        await self.until(lambda: self.condition(ready).status is ConditionStatus.TRUE, "connectors run")
        for _, slot in CONNECTORS:
            await self.until_streaming(slot)

    async def until_running_again(self) -> None:
        """Let hours pass until both run: Connect may tell of an old failure only after the first of them."""
        moved = float("-inf")

        def run() -> bool:
            nonlocal moved
            if self.condition(ConditionType.CONNECTORS_READY).status is ConditionStatus.TRUE:
                return True
            if time.monotonic() > moved + 20:  # longer than a restart takes
                moved = time.monotonic()
                self.later(hours=2)
            return False

        await self.until(run, "connectors run again")
        await self.until_running()

    async def until_reason(self, reason: Reason, kind: ConditionType = ConditionType.CONNECTORS_READY) -> None:
        await self.until(lambda: self.condition(kind).reason is reason, f"{kind} says {reason}")

    @property
    def status(self) -> PlatformStatus:
        return PlatformStatus.model_validate(self.api.manifest.get("status") or {})

    def condition(self, kind: ConditionType) -> Condition:
        found = self.status.condition(kind)
        assert found is not None
        return found

    def connector(self, name: str = names.EVENT_CONNECTOR) -> ConnectorStatus:
        for found in self.status.connectors:
            if found.name == name:
                return found
        return ConnectorStatus(name=name, phase=ConnectorPhase.UNKNOWN)

    def told(self, reason: str) -> list[str]:
        return [notice.message for notice in self.api.told if notice.reason == reason]

    # the parts -------------------------------------------------------------------------------------------------------

    async def connect(self, method: str, path: str, body: object = None) -> Any:
        """Ask Connect itself, past the proxy. None when it has none of that name."""
        async with httpx2.AsyncClient(base_url=self.stores.addresses.connect_url, timeout=30, trust_env=False) as http:
            answer = await http.request(method, path, json=body)
        if answer.status_code == 404:
            return None
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    async def task(self, name: str = names.EVENT_CONNECTOR) -> dict[str, Any]:
        """The connector's one task as Connect tells it, empty when there is none."""
        status = await self.connect("GET", f"/connectors/{name}/status")
        return status["tasks"][0] if status and status["tasks"] else {}

    async def until_failed(self, name: str = names.EVENT_CONNECTOR) -> str:
        """Wait until Connect says that the task failed; return its trace."""

        async def failed() -> str:
            task = await self.task(name)
            return task["trace"] if task.get("state") == "FAILED" else ""

        return await eventually(failed, f"{name} fails")

    async def sql(self, database: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await self.stores.sql(database)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def slot(self, name: str = names.EVENT_SLOT) -> asyncpg.Record | None:
        rows = await self.sql("postgres", "select * from pg_replication_slots where slot_name = $1", name)
        return rows[0] if rows else None

    async def until_streaming(self, name: str = names.EVENT_SLOT) -> None:
        async def streams() -> bool:
            found = await self.slot(name)
            return bool(found and found["active"])

        await eventually(streams, f"{name} is read")

    async def until_idle(self, name: str = names.EVENT_SLOT) -> None:
        async def idle() -> bool:
            found = await self.slot(name)
            return bool(found and not found["active"])

        await eventually(idle, f"nobody reads {name}")

    async def stores_setting(self, **settings: str) -> None:
        """Restart PostgreSQL with other settings."""
        await asyncio.to_thread(lambda: self.stores.restart_postgres(**settings))

    async def drop_slot(self, name: str) -> None:
        """Whoever reads from it is thrown out."""

        async def gone() -> bool:
            try:
                await self.sql(
                    "postgres",
                    "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active",
                    name,
                )
                await self.sql(
                    "postgres",
                    "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
                    name,
                )
            except asyncpg.ObjectInUseError:
                return False
            return await self.slot(name) is None

        await eventually(gone, f"{name} is dropped")

    async def add_organization(self, name: str = "Harbour") -> str:
        found = str(uuid.uuid4())
        await self.sql(
            names.EVENT_DATABASE,
            "insert into organizations (id, name, user_id) values ($1, $2, gen_random_uuid())",
            uuid.UUID(found),
            name,
        )
        return found

    async def add_message(self, topic: str, payload: str) -> str:
        """A row of the outbox; ``topic`` without its common prefix. Returns its key."""
        key = uuid.uuid4().hex
        await self.sql(
            names.ORDER_DATABASE,
            "insert into outbox (aggregatetype, aggregateid, type, payload, occurred_at)"
            " values ($1, $2, 'T', $3, now())",
            topic,
            key,
            payload,
        )
        return key

    async def write_log(self, mebibytes: int, database: str = names.EVENT_DATABASE) -> None:
        """Write-ahead log that concerns no captured table, and the checkpoint that would remove it."""
        connection = await self.stores.sql(database)
        try:
            await connection.execute("create schema if not exists ballast")
            await connection.execute("create table if not exists ballast.load (content text)")
            await connection.execute("alter table ballast.load alter content set storage external")
            for _ in range(mebibytes):
                await connection.execute("insert into ballast.load values (repeat('x', 1000000))")
            await connection.execute("truncate ballast.load")
            await connection.execute("select pg_switch_wal()")
            await connection.execute("checkpoint")
        finally:
            await connection.close()

    async def records(self, topic: str) -> list[Any]:
        """Everything in the topic now, oldest first within a partition."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.stores.addresses.bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            partitions = sorted(consumer.assignment())
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            while any([await consumer.position(each) < end for each, end in ends.items()]):
                batch = await consumer.getmany(timeout_ms=500)
                found += [record for records in batch.values() for record in records]
            return found
        finally:
            await consumer.stop()

    async def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """The newest change in the log of each row of a table, by id."""
        found: dict[str, tuple[int, dict[str, Any]]] = {}
        for record in await self.records(names.table_topic(table)):
            value = json.loads(record.value)
            key = json.loads(record.key)["id"]
            value["headers"] = {name: content.decode() for name, content in record.headers}
            if value["source"]["lsn"] >= found.get(key, (0, {}))[0]:
                found[key] = (value["source"]["lsn"], value)
        return {key: value for key, (_, value) in found.items()}

    async def arrived(self, organization: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            return (await self.rows("organizations")).get(organization)

        return await eventually(look, f"organization {organization} in its topic")

    async def message(self, topic: str, key: str) -> Any:
        """The record with that key, once it is there."""

        async def look() -> Any:
            return next((each for each in await self.records(topic) if each.key == key.encode()), None)

        return await eventually(look, f"{key} in {topic}")


async def reset(bench: Bench) -> None:
    """As before any operator came: no connectors, no offsets, no slots. Topics stay."""
    for setting in ("connection limit -1", "reset dynamic_library_path", "replication"):
        await bench.sql("postgres", f"alter role {names.CDC_ROLE} {setting}")
    for name, slot in CONNECTORS:
        if await bench.connect("GET", f"/connectors/{name}") is not None:
            await bench.connect("PUT", f"/connectors/{name}/stop")

            async def forgotten(name: str = name) -> bool:
                with contextlib.suppress(AssertionError):
                    await bench.connect("DELETE", f"/connectors/{name}/offsets")
                    return True
                return False

            await eventually(forgotten, f"offsets of {name} are deleted")
            await bench.connect("DELETE", f"/connectors/{name}")
        await bench.drop_slot(slot)


async def delete_topics(bench: Bench) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.stores.addresses.bootstrap_servers)
    await admin.start()
    try:
        while existing := sorted(set(await admin.list_topics()) & set(bench.topic_names)):
            await admin.delete_topics(existing)
            await asyncio.sleep(0.2)
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def sample() -> dict[str, Any]:
    text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


@pytest.fixture
def everything_runs(stores: Stores) -> Iterator[None]:
    """A test may leave a part stopped or paused."""
    yield
    stores.revive()


@pytest.fixture
async def bench(stores: Stores, sample: dict[str, Any], everything_runs: None) -> AsyncIterator[Bench]:
    del everything_runs
    document = adapted(sample, stores.addresses)
    document["metadata"].update(uid="u-1", generation=1, resourceVersion="1", annotations={})
    document["spec"]["kafka"]["topics"] = {"partitions": 2}
    document["spec"]["connectors"] = {"eventTables": {"heartbeatSeconds": 1}, "orderOutbox": {"heartbeatSeconds": 1}}
    platform = parse(document)
    async with front_of(stores.addresses.connect_url) as front:
        document["spec"]["connect"]["url"] = front.url
        secrets = stores.secrets(platform)
        for name, content in secrets.items():
            stores.mount(name, content)
        bench = Bench(stores, front, Api(document, secrets))
        await reset(bench)
        yield bench
