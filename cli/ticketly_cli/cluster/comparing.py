"""Two JSON documents of the same object -> every field that differs. Pure.

Unlike the operator's own comparison, which asks whether a live object is as wanted, this one is exact in both
directions: a field that goes away is a difference too. Items of a list are matched by what identifies them where they
have such a thing (as server-side apply does), else by their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ticketly_cli.results import JsonObject
from ticketly_operator.plan.difference import Difference, Step

_IDENTITIES: Final = (
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("uid",),
    ("name",),
    ("topologyKey", "whenUnsatisfiable"),
    ("type",),
    ("path",),
)
"""Members that may identify the items of a list, the most telling first."""

_BOOKKEEPING: Final = frozenset(
    {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink", "deletionTimestamp"}
)
_ABSENT: Final = object()


def changes(before: JsonObject, after: JsonObject) -> tuple[Difference, ...]:
    """Every field of `after` that `before` does not have as it is, and every one that it lacks.

    `found` is the value before, `wanted` the value after; None is absent. Whole objects are told as what they hold.
    """
    return tuple(_compare((), before, after))


def object_changes(live: JsonObject, result: JsonObject) -> tuple[Difference, ...]:
    """The same for objects of the API, without status and without what the server keeps for itself."""
    return changes(_content(live), _content(result))


def _content(found: JsonObject) -> JsonObject:
    metadata = {key: value for key, value in found["metadata"].items() if key not in _BOOKKEEPING}
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": metadata}


def _compare(path: tuple[Step, ...], before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _compare((*path, key), before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_lists(path, before, after)
    elif before is _ABSENT and isinstance(after, Mapping) and after:
        for key, value in after.items():
            yield from _compare((*path, key), _ABSENT, value)
    elif after is _ABSENT and isinstance(before, Mapping) and before:
        for key, value in before.items():
            yield from _compare((*path, key), value, _ABSENT)
    elif type(before) is not type(after) or before != after:
        yield Difference(path, None if before is _ABSENT else before, None if after is _ABSENT else after)


def _compare_lists(path: tuple[Step, ...], before: list[Any], after: list[Any]) -> Iterator[Difference]:
    keys = _identity(before, after)
    if keys:
        old, new = _by_identity(before, keys), _by_identity(after, keys)
        for step in [*old, *(step for step in new if step not in old)]:
            yield from _compare((*path, step), old.get(step, _ABSENT), new.get(step, _ABSENT))
    elif all(isinstance(item, Mapping) for item in (*before, *after)) and len(before) == len(after):
        for index, (item, other) in enumerate(zip(before, after, strict=True)):
            yield from _compare((*path, (("index", index),)), item, other)
    elif before != after:
        yield Difference(path, before, after)


def _by_identity(items: Sequence[Any], keys: tuple[str, ...]) -> dict[Step, Any]:
    return {tuple((key, item[key]) for key in keys): item for item in items}


def _identity(before: Sequence[Any], after: Sequence[Any]) -> tuple[str, ...]:
    """The first set of members that every item has, with plain values, all distinct on both sides."""
    items = (*before, *after)
    if not items or not all(isinstance(item, Mapping) for item in items):
        return ()
    for keys in _IDENTITIES:
        if not all(isinstance(item.get(key), str | int) for item in items for key in keys):
            continue
        if all(len({tuple(item[key] for key in keys) for item in side}) == len(side) for side in (before, after)):
            return keys
    return ()
