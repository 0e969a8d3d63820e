"""What rules look at: one resource as it would be sent to AWS, and how a rule reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

UNKNOWN: Final = "<known later>"
"""Stands for a value that exists only once another resource does."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource. `type` is short (`sqs/queue:Queue`); `inputs` are in the provider's spelling; `secrets` are the
    paths of inputs that are marked as secret; `id` and `arn` are "" where they are not known.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    protect: bool = False
    creates_first: bool = False
    secrets: frozenset[str] = field(default_factory=frozenset)
    id: str = ""
    arn: str = ""

    def get(self, path: str, default: Any = None) -> Any:
        """A value by its dotted path; lists by number."""
        value: Any = self.inputs
        for part in path.split("."):
            value = _part(value, part)
        return default if value is None else value


def _part(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, list | tuple) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    return None


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule; its text is the line that the command line looks for."""

    rule: str
    resource: str
    message: str

    def __str__(self) -> str:
        return f"policy {self.rule}: {self.resource}: {self.message}"


Rule = Callable[[Sequence[Seen]], Iterable[tuple[str, str]]]
"""Resources -> (name of the resource, what is wrong)."""


def of(resources: Sequence[Seen], *types: str) -> Iterator[Seen]:
    """Resources of these types."""
    return (one for one in resources if one.type in types)


def statements(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a policy's text; none of one that is not known yet. Raises ValueError for what is no JSON."""
    if not isinstance(document, str) or document == UNKNOWN:
        return []
    found = json.loads(document).get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def number(value: Any, later: int) -> int:
    """A number; `later` in place of one that is not known yet."""
    return later if value == UNKNOWN else int(value)


def many(value: Any) -> list[Any]:
    """A list, whatever a policy wrote: one thing, several, or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)
