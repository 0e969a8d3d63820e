"""How a live object differs from what is wanted, field by field, without asking the server.

Only what is wanted is compared: defaults that the server added and fields of other managers are none of our business.
Lists are matched as server-side apply matches them: by their keys where they have keys, else as a whole, position by
position (whose items may still have got defaults).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ticketly_crds.quantities import parse_quantity
from ticketly_operator.desired.model import Manifest

Step: TypeAlias = str | tuple[tuple[str, Any], ...]
"""A member's name, or the keys of an item of a keyed list."""

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_QUANTITIES: Final = frozenset({"cpu", "memory", "sizeLimit"})
_MAX_SHOWN_CHARS: Final = 60
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field. ``found`` is None when it is absent."""

    path: tuple[Step, ...]
    found: Any
    wanted: Any

    @property
    def field(self) -> str:
        """``spec.template.spec.containers[order].image``."""
        text = ""
        for step in self.path:
            text += f".{step}" if isinstance(step, str) else f"[{','.join(str(value) for _, value in step)}]"
        return text.removeprefix(".")

    def __str__(self) -> str:
        """Return the field with both values, shortened."""
        return f"{self.field}: {_shown(self.found)} -> {_shown(self.wanted)}"


def differences(wanted: Manifest, live: Manifest) -> tuple[Difference, ...]:
    """Return every wanted field that the live object does not have as wanted."""
    return tuple(_compare((), wanted, live))


def manager_of(live: Manifest, path: Sequence[Step]) -> str:
    """Return who last set the field (or the nearest field around it), ``unknown`` when nobody says so."""
    best, depth = "unknown", 0
    for entry in live["metadata"].get("managedFields", ()):
        reached = _depth(entry.get("fieldsV1") or {}, path)
        if reached > depth or (reached == depth and reached and entry.get("time", "") > _time_of(live, best)):
            best, depth = str(entry.get("manager", "unknown")), reached
    return best


def _time_of(live: Manifest, manager: str) -> str:
    times = [e.get("time", "") for e in live["metadata"].get("managedFields", ()) if e.get("manager") == manager]
    return max(times, default="")


def _depth(fields: Mapping[str, Any], path: Sequence[Step]) -> int:
    """Return how far the tree of owned fields follows the path."""
    depth = 0
    for step in path:
        if isinstance(step, str):
            below = fields.get(f"f:{step}")
        else:
            below = next((value for key, value in fields.items() if _same_item(key, step)), None)
        if below is None:
            break
        fields, depth = below, depth + 1
    return depth


def _same_item(key: str, step: tuple[tuple[str, Any], ...]) -> bool:
    if not key.startswith("k:"):
        return False
    return bool(json.loads(key[2:]).items() >= dict(step).items())


def _compare(path: tuple[Step, ...], wanted: Any, live: Any) -> Iterator[Difference]:
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping):
            # an empty object says nothing that its absence does not
            if wanted:
                yield Difference(path, None if live is _ABSENT else live, wanted)
            return
        for key, value in wanted.items():
            yield from _compare((*path, key), value, live.get(key, _ABSENT))
    elif isinstance(wanted, list):
        yield from _compare_lists(path, wanted, live)
    elif not _equal(path, wanted, live):
        yield Difference(path, None if live is _ABSENT else live, wanted)


def _compare_lists(path: tuple[Step, ...], wanted: list[Any], live: Any) -> Iterator[Difference]:
    if not isinstance(live, list):
        if wanted:
            yield Difference(path, None if live is _ABSENT else live, wanted)
        return
    keys = _list_keys(path, wanted)
    if keys:
        for item in wanted:
            step = tuple((key, item[key]) for key in keys)
            match = next((each for each in live if all(each.get(key) == value for key, value in step)), _ABSENT)
            yield from _compare((*path, step), item, match)
    elif len(wanted) != len(live):
        yield Difference(path, live, wanted)
    else:
        for index, (item, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _compare((*path, (("index", index),)), item, other)


def _list_keys(path: tuple[Step, ...], wanted: list[Any]) -> tuple[str, ...]:
    if not path or not wanted or not all(isinstance(item, Mapping) for item in wanted):
        return ()
    name = path[-1]
    if name == "ports" and all("containerPort" in item for item in wanted):
        return ("containerPort", "protocol")
    if name == "ports" and all("targetPort" in item for item in wanted):
        return ("port", "protocol")
    return _KEYS.get(name, ()) if isinstance(name, str) else ()


def _equal(path: tuple[Step, ...], wanted: Any, live: Any) -> bool:
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    if path and path[-1] in _QUANTITIES and isinstance(wanted, str) and isinstance(live, str):
        try:
            return parse_quantity(wanted) == parse_quantity(live)
        except ValueError:
            return False
    return False


def _shown(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
