"""What must hold for every program this package builds, whatever the configuration: pure rules over its resources.

The program checks itself (`guard.py`): a resource that breaks a rule is refused before AWS hears of it, and the command
line prints `RESOURCE breaks RULE`. The tests run the same rules over both profiles, and over programs with one mistake
each. A rule says nothing about what it cannot know yet: in a first preview some values exist only later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ticketly_infra.policies import access, encryption, exposure, keeping, secrecy
from ticketly_infra.policies.model import Rule, Seen, Violation

SINGLE: Final[dict[str, Rule]] = {**access.SINGLE, **encryption.SINGLE, **exposure.SINGLE, **secrecy.SINGLE}
"""Rules that need to see no more than one resource."""

WHOLE: Final[dict[str, Rule]] = {**access.WHOLE, **encryption.WHOLE, **exposure.WHOLE, **keeping.WHOLE}
"""Rules about resources together."""

KEPT: Final[dict[str, Rule]] = keeping.SINGLE
"""Rules about not losing anything; a stack that gives up its protection on purpose is not held to them."""

__all__ = ["KEPT", "SINGLE", "WHOLE", "Rule", "Seen", "Violation", "broken"]


def broken(resources: Sequence[Seen], *, kept: bool = True, whole: bool = True) -> tuple[Violation, ...]:
    """Every violation, in the order of rules, then of resources."""
    rules = {**SINGLE, **(KEPT if kept else {}), **(WHOLE if whole else {})}
    return tuple(
        Violation(rule, resource, message) for rule, check in rules.items() for resource, message in check(resources)
    )
