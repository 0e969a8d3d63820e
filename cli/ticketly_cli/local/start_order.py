"""Which components start together, and what a choice of components brings with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.component import Component


def levels(components: Mapping[str, Component]) -> list[list[str]]:
    """Names in groups: each group needs only earlier groups. Stopping goes through them backwards.

    Raises ValueError when needs go in a circle or name a component that does not exist.
    """
    left = dict(components)
    done: set[str] = set()
    found: list[list[str]] = []
    while left:
        group = [name for name, component in left.items() if component.needs <= done]
        if not group:
            raise ValueError(f"needs cannot be met: {', '.join(sorted(left))}")
        found.append(group)
        done.update(group)
        for name in group:
            del left[name]
    return found


def closure(components: Mapping[str, Component], chosen: Iterable[str]) -> set[str]:
    """The chosen components with everything they need or use, directly or not.

    Raises CliError (exit code 3) for a name that is not a component.
    """
    waiting = list(chosen)
    for name in waiting:
        if name not in components:
            raise unknown(components, name)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(components[name].needs | components[name].uses)
    return found


def unknown(components: Iterable[str], name: str) -> CliError:
    """The answer to a name that is not a component."""
    return CliError(
        f"There is no component named {name}.", f"There are: {', '.join(components)}.", ExitCode.BAD_ARGUMENTS
    )
