"""A platform file as a person wrote it: checked with field paths, and kept as it is for the API server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.results import JsonObject
from ticketly_crds.blueprint import Blueprint, IncompletePlatform, blueprint, cluster
from ticketly_crds.spec import SpecError, TicketlyPlatform, load, parse

STANDARD_INPUT = Path("-")
_MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class PlatformFile:
    """`document` has only what the file says, so that applying it owns nothing else."""

    document: JsonObject
    platform: TicketlyPlatform

    @property
    def states_namespace(self) -> bool:
        return "namespace" in self.document["metadata"]


def read(path: Path) -> PlatformFile:
    """The platform of a file, or of standard input for `-`. Raises CliError (exit code 3) naming each field path."""
    text = _text(path)
    try:
        platform = load(text)
    except SpecError as error:
        raise invalid(error, str(path)) from None
    document: JsonObject = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader with fewer types
    return PlatformFile(document, platform)


def parsed(document: JsonObject, where: str) -> TicketlyPlatform:
    """The platform of a document of the API. Raises CliError (exit code 3)."""
    try:
        return parse(_bare(document))
    except SpecError as error:
        raise invalid(error, where) from None


def cluster_blueprint(platform: TicketlyPlatform) -> Blueprint:
    """What the platform consists of in a cluster. Raises CliError (exit code 3) naming the sections it lacks."""
    try:
        return blueprint(platform, cluster(platform))
    except IncompletePlatform as error:
        raise CliError(
            f"Platform {platform.name} is incomplete for a cluster: {', '.join(error.missing)} must be given.",
            "A cluster has no embedded stores; see the sample crds/ticketly_crds/samples/cluster.yaml.",
            ExitCode.BAD_ARGUMENTS,
        ) from None


def invalid(error: SpecError, where: str) -> CliError:
    """Every fault on a line of its own, each with its field path."""
    shown = [str(fault) for fault in error.faults[:_MAX_FAULTS]]
    if len(error.faults) > _MAX_FAULTS:
        shown.append(f"{len(error.faults) - _MAX_FAULTS} more")
    what = shown[0] if len(shown) == 1 else "".join(f"\n  {line}" for line in shown)
    return CliError(f"{where} is no valid platform: {what}", "", ExitCode.BAD_ARGUMENTS)


def _text(path: Path) -> str:
    try:
        return sys.stdin.read() if path == STANDARD_INPUT else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CliError(f"{path} cannot be read: {reason}.", "", ExitCode.BAD_ARGUMENTS) from None


def _bare(document: JsonObject) -> JsonObject:
    kept = ("name", "namespace", "uid", "generation", "labels", "annotations")
    metadata = {key: document["metadata"][key] for key in kept if key in document["metadata"]}
    named = {key: document[key] for key in ("apiVersion", "kind")}
    return {**named, "metadata": metadata, "spec": document.get("spec", {})}


class _Loader(yaml.SafeLoader):
    """Instants stay the texts they are, as the API server wants them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
