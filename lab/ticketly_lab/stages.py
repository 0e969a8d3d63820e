"""How pods of simulated nodes live. No program runs: the name of a container's image says what becomes of it.

| image contains | the pod |
|---|---|
| `never-ready` | stays Pending and waits for its image: ImagePullBackOff |
| `crashes` | waits in CrashLoopBackOff after five restarts |
| `fails` | fails when it belongs to a Job, so the Job uses up its tries and fails too |
| none of them | runs and is ready at once; a Job's pod ends well |
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from importlib import resources
from typing import Any, TypeAlias

import yaml

Stage: TypeAlias = dict[str, Any]

_UNTOUCHED_BY = {
    # kwok's own stage: the images whose pods it must leave to ours
    "pod-ready": "never-ready|crashes",
    "pod-complete": "fails",
}


def own_stages() -> list[Stage]:
    text = resources.files("ticketly_lab").joinpath("failures.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def with_failures(upstream: Iterable[Stage]) -> list[Stage]:
    """Kwok's stages, narrowed to the pods that do well, and ours for the others; the input is not changed.

    Raises ValueError when kwok has no stage of a name we rely on, or nothing to narrow in it.
    """
    stages = copy.deepcopy(list(upstream))
    named = {stage["metadata"]["name"]: stage for stage in stages}
    for name, images in _UNTOUCHED_BY.items():
        if name not in named:
            raise ValueError(f"kwok has no stage {name}")
        named[name]["spec"]["selector"]["matchExpressions"].append(
            {"key": f'.spec.containers[] | select(.image | test("{images}")) | .name', "operator": "DoesNotExist"}
        )
    return [*stages, *own_stages()]
