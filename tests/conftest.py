"""Real components for the tests, started by the tests: PostgreSQL, Valkey, Kafka, the MongoDB protocol, and a platform.

Each test process has its own single components, on ports nobody else uses; the whole platform is shared by all test
processes of a run. Everything is stopped at the end, also after failures.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from filelock import FileLock

from ticketly_cli.local import logfiles, paths, processes, run_one, toolchain
from ticketly_cli.local import state as platform_state
from ticketly_cli.local.component import Component
from ticketly_cli.local.components import kafka, mongo, postgres, valkey
from ticketly_cli.local.placement import all_port_names
from ticketly_cli.local.state import PlatformState
from ticketly_lab import build as lab_build
from ticketly_lab import for_tests
from ticketly_lab import tools as lab_tools
from ticketly_lab.children import run_apart
from ticketly_lab.cluster import Cluster
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.ports import free_ports as pick_free_ports
from ticketly_lab.stores import Stores

TICKETLY = (sys.executable, "-m", "ticketly_cli.main")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kube-context", help="use this cluster, which an allow-list must name, not one of our own")


def pytest_configure(config: pytest.Config) -> None:
    # a shell that runs us in the background lets us ignore it, and what we start inherits that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if context := config.getoption("--kube-context"):
        os.environ[for_tests.CONTEXT_VARIABLE] = context


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that needs an API server and does not say so: `-m kubernetes` must select all of them."""
    for item in items:
        needs = {"cluster", "control_plane", "namespace"} & set(getattr(item, "fixturenames", ()))
        if needs and item.get_closest_marker("kubernetes") is None:
            raise pytest.UsageError(f"{item.nodeid} uses {', '.join(sorted(needs))} and lacks the marker kubernetes")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the tests run before the first of them: the minutes it takes once must not count as a test's."""
    if session.config.option.collectonly:
        return
    markers = {marker.name for item in session.items for marker in item.iter_markers()}
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if "kubernetes" in markers and not os.environ.get(for_tests.CONTEXT_VARIABLE):
        lab_build.control_plane(paths.cache_folder(), lab_build.say_on_standard_error)
    lab_tools.prepare([*(["helm"] if "helm" in fixtures else []), *(["pulumi"] if "engine" in markers else [])])


@contextlib.contextmanager
def running(component: Component, folder: Path) -> Iterator[None]:
    """Keep one component running; what it logged is shown when it does not start."""
    log_file = folder / f"{component.name}.log"
    try:
        child = asyncio.run(run_one.start(component, log_file))
    except BaseException:
        sys.stderr.write("\n".join([f"--- {log_file}", *logfiles.last_lines(log_file, 30), ""]))
        raise
    try:
        yield
    finally:
        assert child is not None
        assert component.process is not None
        asyncio.run(processes.stop(child, component.process))


@contextlib.contextmanager
def folder_of_components() -> Iterator[Path]:
    """A short-named folder that other users may pass through (PostgreSQL does not run as root)."""
    folder = Path(tempfile.mkdtemp(prefix="ticketly-test-"))
    folder.chmod(0o711)
    (folder / "data").mkdir(mode=0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def component_folder() -> Iterator[Path]:
    with folder_of_components() as folder:
        yield folder


@dataclass(frozen=True, slots=True)
class Database:
    """A fresh database; `user` is a superuser."""

    host: str
    port: int
    user: str
    password: str
    name: str
    dsn: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        dsn = f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.name}"
        object.__setattr__(self, "dsn", dsn)


@dataclass(frozen=True, slots=True)
class PostgresFixture:
    """PostgreSQL 18 with logical decoding; not durable, it lives as long as the test run."""

    server: postgres.PostgresServer

    def create_database(self, name: str | None = None) -> Database:
        """An empty database; a random name when none is given. An existing one of that name is replaced."""
        chosen = name or f"test_{uuid.uuid4().hex[:12]}"

        async def create() -> None:
            connection = await self.server.connect()
            try:
                await connection.execute(f'drop database if exists "{chosen}" with (force)')
                await connection.execute(f'create database "{chosen}"')
            finally:
                await connection.close()

        run_apart(create())
        return Database("127.0.0.1", self.server.port, self.server.superuser, self.server.password, chosen)

    def execute(self, database: Database, sql: str) -> None:
        """Run statements in a database as superuser."""

        async def run() -> None:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database.dsn)
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        run_apart(run())


@contextlib.contextmanager
def running_postgres(folder: Path) -> Iterator[PostgresFixture]:
    tools = toolchain.prepare(["postgres"], paths.cache_folder(), print)
    (port,) = pick_free_ports(1)
    server = postgres.PostgresServer(
        where=postgres.places(tools.postgres, folder),
        port=port,
        superuser="ticketly",
        password=secrets.token_urlsafe(12),
        settings=postgres.THROW_AWAY_SETTINGS,
    )
    with running(postgres.component(server, tools.versions.tools["postgres"].version), folder):
        yield PostgresFixture(server)


@pytest.fixture(scope="session")
def postgres_server(component_folder: Path) -> Iterator[PostgresFixture]:
    """The server of this test process. Roles belong to the whole server: a test leaves those it finds as they are."""
    with running_postgres(component_folder) as found:
        yield found


@pytest.fixture(scope="module")
def own_postgres_server() -> Iterator[PostgresFixture]:
    """A server of one test module's own, for tests that make, change or drop the roles of the whole server."""
    with folder_of_components() as folder, running_postgres(folder) as found:
        yield found


@dataclass(frozen=True, slots=True)
class ValkeyFixture:
    """A server that speaks the Redis protocol; databases 0 to 15."""

    host: str
    port: int

    def url(self, database: int = 0) -> str:
        return f"redis://{self.host}:{self.port}/{database}"


@pytest.fixture(scope="session")
def valkey_server(component_folder: Path) -> Iterator[ValkeyFixture]:
    tools = toolchain.prepare(["valkey"], paths.cache_folder(), print)
    (port,) = pick_free_ports(1)
    with running(valkey.component(tools.valkey, component_folder, port, ""), component_folder):
        yield ValkeyFixture("127.0.0.1", port)


@dataclass(frozen=True, slots=True)
class KafkaFixture:
    """A broker without automatic topic creation; tests make their own topics (`aiokafka.admin`)."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def kafka_server(component_folder: Path) -> Iterator[KafkaFixture]:
    tools = toolchain.prepare(["kafka"], paths.cache_folder(), print)
    port, controller_port = pick_free_ports(2)
    broker = kafka.KafkaBroker(
        class_path=tools.kafka_class_path,
        data=component_folder / "data" / "kafka",
        configuration_file=component_folder / "configuration" / "kafka.properties",
        port=port,
        controller_port=controller_port,
        cluster_id=base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("="),
    )
    with running(kafka.component(broker, tools.versions.tools["kafka"].version), component_folder):
        yield KafkaFixture(f"127.0.0.1:{port}")


@dataclass(frozen=True, slots=True)
class MongoFixture:
    """A server that speaks the MongoDB protocol; use a database name of your own."""

    uri: str

    def database_name(self) -> str:
        """A name nobody used yet."""
        return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def mongo_server(component_folder: Path) -> Iterator[MongoFixture]:
    tools = toolchain.prepare(["mongo"], paths.cache_folder(), print)
    (port,) = pick_free_ports(1)
    component = mongo.component(
        tools.mongo_class_path, component_folder / "data" / "mongo", port, tools.versions.tools["mongo"].version
    )
    with running(component, component_folder):
        yield MongoFixture(f"mongodb://127.0.0.1:{port}/")


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """PostgreSQL with the services' tables, Kafka, and Kafka Connect with Debezium, for operators to work on."""
    with Stores.start(postgres_settings={"max_slot_wal_keep_size": "-1"}) as found:
        yield found


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[PlatformState]:
    """`ticketly up` in a state folder of its own; the first test process starts it, the last one stops it."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    record = shared / "platform-users.json"
    with FileLock(shared / "platform.lock"):
        users = json.loads(record.read_text()) if record.exists() else {"home": "", "count": 0}
        if users["count"] == 0:
            users["home"] = tempfile.mkdtemp(prefix="ticketly-platform-")
            Path(users["home"]).chmod(0o711)
        users["count"] += 1
        record.write_text(json.dumps(users))
        home = Path(users["home"])
        environment = {**os.environ, paths.HOME_VARIABLE: str(home)}
        if users["count"] == 1:
            write_unusual_ports(home)
            done = subprocess.run([*TICKETLY, "up"], env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                subprocess.run([*TICKETLY, "down", "--purge"], env=environment, capture_output=True, check=False)
                record.write_text(json.dumps({"home": "", "count": 0}))
                pytest.fail(f"ticketly up ended with {done.returncode}:\n{done.stdout}\n{done.stderr}", pytrace=False)
    try:
        yield platform_state.load(home)
    finally:
        with FileLock(shared / "platform.lock"):
            users = json.loads(record.read_text())
            users["count"] -= 1
            record.write_text(json.dumps(users))
            if users["count"] == 0:
                subprocess.run([*TICKETLY, "down", "--purge"], env=environment, capture_output=True, check=False)
                shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster somebody named and allowed, else a control plane of this test process with two simulated nodes."""
    with for_tests.cluster() as found:
        yield found


@pytest.fixture(scope="session")
def control_plane(cluster: Cluster) -> ControlPlane:
    """A control plane that tests may disturb; it fails on a cluster that belongs to somebody."""
    if not isinstance(cluster, ControlPlane):
        pytest.fail("this test stops and pauses parts of the control plane: run it without a named context")
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of this test's own; it goes away in the background."""
    name = for_tests.new_namespace(cluster)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """`free_ports(2)` gives two ports nobody listens on."""
    return pick_free_ports


@pytest.fixture(scope="session")
def remember_unusual_ports() -> Callable[[Path], None]:
    """Makes a platform that is started later in a state folder leave the usual ports alone."""
    return write_unusual_ports


def write_unusual_ports(home: Path) -> None:
    """A person may want to start a platform of their own meanwhile, so the usual ports are left to it."""
    names = all_port_names()
    ports = dict(zip(names, pick_free_ports(len(names)), strict=True))
    platform_state.write_platform_file(home / "platform.json", platform_state.PlatformFile(ports=ports))
