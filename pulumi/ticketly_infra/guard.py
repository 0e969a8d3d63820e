"""The program holds itself to its policies: a resource that breaks one is refused before AWS hears of it.

Each resource is looked at twice. When it is declared, with what is plain by then: that is all of the flags, ports and
protections, and a mistake in them raises at once. And at the end, with every value that other resources gave and with
all resources together. `ticketly provision up` previews first, so whatever either look finds stops it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
from pulumi.runtime import register_stack_transformation

from ticketly_infra import policies
from ticketly_infra.policies.model import UNKNOWN, Seen, Violation

_FREE_KEYS: Final = frozenset({"tags", "dimensions"})
"""Inputs whose keys are ours: they are not in the provider's spelling and stay as they are."""
_PROVIDER: Final = "aws:"


class PolicyError(Exception):
    """Policies are broken; the text has a line `policy RULE: RESOURCE: message` for each."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("\n" + "\n".join(str(one) for one in violations))
        self.violations = tuple(violations)


class Guard:
    """Watches one program. `kept` is False for a stack that gives up its protection on purpose."""

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept
        self._declared: list[pulumi.ResourceTransformationArgs] = []

    def watch(self) -> None:
        """From now on every resource is looked at as it is declared."""
        register_stack_transformation(self._look)

    def verdict(self) -> pulumi.Output[str]:
        """What the second look says; fails with PolicyError."""
        return pulumi.Output.from_input(self._judge())

    def _look(self, args: pulumi.ResourceTransformationArgs) -> None:
        if not args.type_.startswith(_PROVIDER):
            return
        self._declared.append(args)
        inputs = {_camel(name): _plain(value, name) for name, value in args.props.items() if value is not None}
        self._refuse([_seen(args, inputs, frozenset())], whole=False)

    async def _judge(self) -> str:
        seen = []
        for args in self._declared:
            secrets: set[str] = set()
            inputs = {}
            for name, value in args.props.items():
                if value is not None:
                    inputs[_camel(name)] = await _resolved(value, name, _camel(name), secrets)
            seen.append(_seen(args, inputs, frozenset(secrets)))
        self._refuse(seen, whole=True)
        return f"{len(seen)} resources keep the policies"

    def _refuse(self, seen: Sequence[Seen], *, whole: bool) -> None:
        found = policies.broken(seen, kept=self._kept, whole=whole)
        if found:
            raise PolicyError(found)


def _seen(args: pulumi.ResourceTransformationArgs, inputs: Mapping[str, Any], secrets: frozenset[str]) -> Seen:
    return Seen(
        args.type_.removeprefix(_PROVIDER),
        args.name,
        inputs,
        protect=bool(args.opts.protect),
        creates_first=args.opts.delete_before_replace is False,
        secrets=secrets,
    )


def _plain(value: Any, key: str) -> Any:
    """The value as far as it is plain."""
    if isinstance(value, pulumi.Output):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {_spelt(name, key): _plain(inner, name) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner, key) for inner in value]
    return value


async def _resolved(value: Any, key: str, path: str, secrets: set[str]) -> Any:
    """The value with what other resources gave; UNKNOWN where they have not been made yet."""
    if isinstance(value, pulumi.Output):
        if await value.is_secret():
            secrets.add(path)
        if not await value.is_known():
            return UNKNOWN
        return await _resolved(await value.future(), key, path, secrets)
    if isinstance(value, Mapping):
        found = {}
        for name, inner in value.items():
            if inner is not None:
                spelt = _spelt(name, key)
                found[spelt] = await _resolved(inner, name, f"{path}.{spelt}", secrets)
        return found
    if isinstance(value, list | tuple):
        return [await _resolved(inner, key, f"{path}.{place}", secrets) for place, inner in enumerate(value)]
    return value


def _spelt(name: str, key: str) -> str:
    return name if key in _FREE_KEYS else _camel(name)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
