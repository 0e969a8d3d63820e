"""One way to run the program or a part of it against mocks."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ticketly_infra.config import load
from ticketly_infra.naming import Scope

with warnings.catch_warnings():
    # the provider's own package warns about its own old modules while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import pulumi_aws

    LOADED = (pulumi_aws.ec2.Vpc, pulumi_aws.ecs.Cluster, pulumi_aws.s3.Bucket, pulumi_aws.lb.Listener)

PROD = {"profile": "prod", "domain": "tickets.example.com", "alarmEmail": "ops@example.com"}
DEV = {"profile": "dev", "domain": "dev.example.com", "alarmEmail": "ops@example.com"}
ACCOUNT = "123456789012"


def beside(name: str) -> ModuleType:
    """A module of this folder; the folder itself is on no path, since its name is that of a package."""
    if name not in sys.modules:
        place = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
        assert place is not None
        assert place.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(place)
        place.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Resources(list):
    """What a run made, with ways to find things in it."""

    def of(self, *kinds: str) -> Resources:
        """Resources of a kind, such as `sqs/queue:Queue`."""
        return Resources(one for one in self if one["type"] in {f"aws:{kind}" for kind in kinds})

    def one(self, kind: str, ending: str = "") -> dict[str, Any]:
        found = [one for one in self.of(kind) if one["name"].endswith(ending)]
        assert len(found) == 1, f"{len(found)} of {kind} {ending}: {[one['name'] for one in found]}"
        return found[0]


class Run:
    """The resources and the outputs of one run."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.resources = Resources(found["resources"])
        self.outputs: dict[str, Any] = found["outputs"]


@pytest.fixture(scope="session")
def recorded() -> Callable[..., Run]:
    """Run a function that makes resources: `recorded(lambda: Network(...))`."""
    recording = beside("recording")

    def run(build: Callable[[], Any], stack: str = "dev", config: Mapping[str, str] | None = None) -> Run:
        return Run(recording.run(build, stack, config))

    return run


@pytest.fixture(scope="session")
def scope_of() -> Callable[..., Scope]:
    """A place to build in: `scope_of("prod", network={...})`."""

    def scope(profile: str, **values: Any) -> Scope:
        given = {**(PROD if profile == "prod" else DEV), **values}
        return Scope(load(profile, given), ACCOUNT)

    return scope


CONFIGS = {
    profile: {f"ticketly:{key}": value for key, value in values.items()}
    for profile, values in (("dev", DEV), ("prod", PROD))
}


@pytest.fixture(scope="session")
def programs(recorded) -> Mapping[str, Run]:
    """The whole program of each profile, run once."""
    program = importlib.import_module("ticketly_infra.program")
    return {profile: recorded(program.main, profile, config) for profile, config in CONFIGS.items()}


def seen_by_policies(resources: list[dict[str, Any]]) -> list[Any]:
    """Recorded resources as the rules take them."""
    policies = importlib.import_module("ticketly_infra.policies")
    return [
        policies.Seen(
            one["type"].removeprefix("aws:"),
            one["name"],
            one["inputs"],
            protect=one["protect"],
            creates_first=one["createsFirst"],
            secrets=frozenset(one["secrets"]),
            id=one["id"],
            arn=one["outputs"].get("arn", ""),
        )
        for one in resources
    ]


@pytest.fixture(scope="session")
def seen(programs) -> Mapping[str, list[Any]]:
    """What the rules look at, for both profiles."""
    return {profile: seen_by_policies(run.resources) for profile, run in programs.items()}
