"""What the images contain, without an engine: the Dockerfile's own command builds each environment in an empty folder.

The environment then runs as in its image: same variables, same entry point, and it may not change by running.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

from ticketly_cli.local import health
from ticketly_cli.local.component import UnhealthyError
from ticketly_crds import spec
from ticketly_crds.blueprint import CONTRACT_PORTS, KINDS, Embedded, ServicePorts, blueprint, laptop, with_embedded
from ticketly_lab.packaging.dockerfile import in_context, parse

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")
SERVICES = [kind.name for kind in KINDS]
MIGRATING = [kind.name for kind in KINDS if kind.database is not None]
LARGEST_MIB = {"operator": 120}
"""On disk, uncompressed; 200 for a service. A surprise here is a dependency nobody meant to ship."""


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """What a builder would be sent."""
    folder = tmp_path_factory.mktemp("context")
    for top, names, files in os.walk(ROOT):
        names[:] = [name for name in names if not name.startswith(".") and name != "__pycache__"]
        for name in files:
            path = Path(top) / name
            relative = path.relative_to(ROOT).as_posix()
            if in_context(relative, IGNORE):
                (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / relative)
    return folder


class Image:
    """An environment as a target's image has it."""

    def __init__(self, target, context, folder):
        self.target = target
        self.environment = folder / "opt" / "ticketly"
        self.work = folder / "tmp"
        self.work.mkdir(parents=True)
        (built,) = DOCKERFILE.stage(f"build-{target}").all("RUN")
        (entry,) = DOCKERFILE.stage(target).all("ENTRYPOINT")
        self.entry = entry.words
        program, *arguments = built.words
        assert program == "uv"
        given = DOCKERFILE.environment(f"build-{target}")
        self.place = given["UV_PROJECT_ENVIRONMENT"]
        variables = {**given, "UV_PROJECT_ENVIRONMENT": str(self.environment), "UV_PYTHON": sys.executable}
        kept = {name: value for name, value in os.environ.items() if name in {"HOME", "PATH"} or name.startswith("UV_")}
        done = subprocess.run(
            [Path(sys.executable).with_name("uv"), *arguments],
            cwd=context,
            env={**kept, **variables},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @property
    def packages(self):
        (folder,) = self.environment.glob("lib/python3.*/site-packages")
        return folder

    def distributions(self):
        return {canonical(found.metadata["Name"]): found for found in metadata.distributions(path=[str(self.packages)])}

    def files(self):
        return {path: path.stat().st_mtime_ns for path in self.environment.rglob("*") if path.is_file()}

    def command(self, *arguments):
        program, *rest = self.entry
        return [str(self.environment / "bin" / program), *rest, *arguments]

    def variables(self, given):
        image = DOCKERFILE.environment(self.target)
        return {**image, "PATH": image["PATH"].replace(self.place, str(self.environment)), **given}

    def run(self, *arguments, given=()):
        return subprocess.run(
            self.command(*arguments),
            cwd=self.work,
            env=self.variables(dict(given)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@contextlib.contextmanager
def image(target, context):
    """Only one at a time is on the disk."""
    folder = Path(tempfile.mkdtemp(prefix="ticketly-image-"))
    try:
        yield Image(target, context, folder)
    finally:
        shutil.rmtree(folder)


def locked(package):
    """Everything uv.lock lets a package depend on, whatever the platform."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    by_name = {each["name"]: each for each in lock["package"]}
    found, waiting = set(), [(package, ())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        each = by_name[name]
        wanted = [*each.get("dependencies", ())]
        for extra in extras:
            wanted += each.get("optional-dependencies", {}).get(extra, ())
        waiting += [(need["name"], tuple(need.get("extra", ()))) for need in wanted]
    return {canonical(name) for name, _ in found}


def development_tools():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return {canonical(re.split(r"[<>=!~\[ ]", each)[0]) for group in groups.values() for each in group}


def check_content(built):
    """Only its own package, what that depends on by the lock file, and nothing that refers to the checkout."""
    found = built.distributions()
    own = f"ticketly-{built.target}"
    shared = "ticketly-crds" if built.target == "operator" else "ticketly-common"
    assert {name for name in found if name.startswith("ticketly")} == {own, shared}
    assert found.keys() <= locked(own)
    assert not found.keys() & (development_tools() | {"pip", "setuptools", "uv", "pulumi", "typer", "rich"})
    foreign = (
        {"fastapi", "uvicorn", "redis"} if built.target == "operator" else {"kopf", "lightkube", "aiohttp", "pyyaml"}
    )
    assert not found.keys() & foreign
    assert {path.name for path in built.packages.glob("*.pth")} <= {"_virtualenv.pth"}
    for name in (own, shared):
        assert '"editable":true' not in (found[name].read_text("direct_url.json") or "").replace(" ", "")
        assert (built.packages / name.replace("-", "_") / "__pycache__").is_dir(), "compiled when it is built"
    kibibytes = int(subprocess.run(["du", "-sk", built.environment], capture_output=True, check=True).stdout.split()[0])
    print(f"{built.target}: {len(found)} packages, {kibibytes / 1024:.0f} MiB")
    assert kibibytes / 1024 < LARGEST_MIB.get(built.target, 200)


def test_the_operator_s_environment_runs_and_says_what_it_lacks(context):
    with image("operator", context) as built:
        check_content(built)
        before = built.files()
        done = built.run()
        assert done.returncode == 4
        assert "no access to a cluster" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        done = built.run(given={"TICKETLY_OPERATOR_LISTEN_PORT": "many"})
        assert done.returncode == 3
        assert "TICKETLY_OPERATOR_LISTEN_PORT" in done.stderr
        assert built.files() == before


@pytest.fixture
def service_environment(postgres_server, kafka_server, valkey_server, mongo_server, free_ports):
    """Everything a service is told by the blueprint, with addresses of real parts."""

    def environment(name, folder):
        public, internal = free_ports(2)
        text = resources.files("ticketly_crds").joinpath("samples", "local.yaml").read_text(encoding="utf-8")
        platform = with_embedded(
            spec.load(text),
            Embedded(
                postgres_host="127.0.0.1",
                postgres_port=postgres_server.server.port,
                kafka_bootstrap_servers=kafka_server.bootstrap_servers,
                connect_url="http://127.0.0.1:9",
                identity_issuer="http://127.0.0.1:9/realms/none",
                mail_host="127.0.0.1",
                mail_port=9,
            ),
        )
        ports = ServicePorts(None if CONTRACT_PORTS[name].public is None else public, internal)
        found = blueprint(platform, laptop(str(folder), {name: ports}))
        service = found.service(name)
        database = postgres_server.create_database()
        secrets = {
            "TICKETLY_POSTGRES_PASSWORD": database.password,
            "TICKETLY_MONGO_URI": mongo_server.uri,
            "TICKETLY_REDIS_URL": valkey_server.url(7),
        }
        given = {
            var.name: var.value if isinstance(var.value, str) else secrets.get(var.name, "only-for-this-test")
            for var in service.env
        }
        if service.database is not None:
            given |= {"TICKETLY_POSTGRES_USER": database.user, "TICKETLY_POSTGRES_DATABASE": database.name}
        if "TICKETLY_MONGO_DATABASE" in given:
            given["TICKETLY_MONGO_DATABASE"] = mongo_server.database_name()
        return given, internal

    return environment


@pytest.mark.parametrize("target", SERVICES)
async def test_a_service_runs_from_its_environment_alone(context, service_environment, target):
    with image(target, context) as built:
        check_content(built)
        given, port = service_environment(target, built.work)
        before = built.files()
        if target in MIGRATING:
            migrated = await asyncio.to_thread(built.run, "migrate", given=given)
            assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        process = await asyncio.create_subprocess_exec(
            *built.command(),
            cwd=built.work,
            env=built.variables(given),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(90):
                while True:
                    assert process.returncode is None, (await process.stdout.read()).decode()
                    with contextlib.suppress(UnhealthyError, OSError, EOFError, TimeoutError):
                        await health.http(f"http://127.0.0.1:{port}/livez")
                        break
                    await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            # what it wrote must be read, else a full pipe would hold it
            await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

        lacking = {name: value for name, value in given.items() if name != "TICKETLY_IDENTITY_ISSUER"}
        done = await asyncio.to_thread(built.run, given=lacking)
        assert done.returncode == 3
        assert "TICKETLY_IDENTITY_ISSUER" in done.stderr
        assert "only-for-this-test" not in done.stdout + done.stderr
        assert built.files() == before
