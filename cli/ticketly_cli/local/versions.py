"""What the platform is made of: the pinned versions in `versions.toml`, parsed."""

from __future__ import annotations

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ticketly_cli.errors import CliError, ExitCode

_COORDINATES = 4
_COORDINATES_WITH_CLASSIFIER = 5


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file in a Maven repository. `sha256` is empty for a root that only starts a resolution."""

    group: str
    name: str
    type: str
    classifier: str
    version: str
    sha256: str = ""

    @property
    def file_name(self) -> str:
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{tail}.{self.type}"


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that is downloaded, and kept in the cache under `name-key`."""

    name: str
    version: str
    archives: tuple[Artefact, ...]
    roots: tuple[Artefact, ...]
    """Not empty: Maven resolves these and their runtime dependencies; the outcome must be exactly `archives`."""

    @property
    def key(self) -> str:
        """Changes when any archive changes."""
        digest = hashlib.sha256()
        for archive in sorted(self.archives, key=lambda one: one.file_name):
            digest.update(f"{archive.file_name} {archive.sha256}\n".encode())
        return digest.hexdigest()[:12]

    def archive(self) -> Artefact:
        """The only archive of a tool that has one."""
        (only,) = self.archives
        return only


@dataclass(frozen=True, slots=True)
class Versions:
    """All pins."""

    dependency_plugin: str
    tools: Mapping[str, Tool]


def parse_coordinates(text: str, sha256: str = "") -> Artefact:
    """`group:artifact:type[:classifier]:version`. Raises ValueError for anything else."""
    parts = text.split(":")
    if len(parts) == _COORDINATES:
        parts.insert(3, "")
    if len(parts) != _COORDINATES_WITH_CLASSIFIER or not (parts[0] and parts[1] and parts[2] and parts[4]):
        raise ValueError(f"not Maven coordinates: {text}")
    group, name, kind, classifier, version = parts
    return Artefact(group=group, name=name, type=kind, classifier=classifier, version=version, sha256=sha256)


def parse_versions(content: Mapping[str, Any], machine: str) -> Versions:
    """Pins for a machine (`x86_64`, ...). Raises CliError when an archive has no build for it."""
    tools = {}
    for name, section in content.items():
        if "archives" not in section:
            continue
        sums = section["archives"]
        if any(isinstance(value, dict) for value in sums.values()):
            if machine not in sums:
                raise CliError(
                    f"There is no pinned {name} for {machine} machines (there is one for {', '.join(sums)}).",
                    "Run the platform on one of those, or on Kubernetes.",
                    ExitCode.UNREACHABLE,
                )
            sums = sums[machine]
        tools[name] = Tool(
            name=name,
            version=section["version"],
            archives=tuple(parse_coordinates(text, sha256) for text, sha256 in sums.items()),
            roots=tuple(parse_coordinates(text) for text in section.get("roots", ())),
        )
    return Versions(dependency_plugin=content["tools"]["dependency_plugin"], tools=tools)


def load_versions() -> Versions:
    """The pins that ship with this program, for this machine."""
    text = resources.files("ticketly_cli.local").joinpath("versions.toml").read_text(encoding="utf-8")
    return parse_versions(tomllib.loads(text), platform.machine())
