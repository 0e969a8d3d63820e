"""Violations of the program's policies, as it reports them. Pure.

The Pulumi program checks its own resources and refuses to go on; its message has one line per violation:
`policy RULE: RESOURCE: what is wrong`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LINE = re.compile(r"policy (?P<rule>[a-z0-9][a-z0-9-]*): (?P<resource>[^\s:]\S*): (?P<message>\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    rule: str
    resource: str
    message: str


def violations(messages: Iterable[str]) -> tuple[Violation, ...]:
    """Each violation once, in the order in which it was reported."""
    found = {
        Violation(match["rule"], match["resource"], match["message"].strip()): None
        for message in messages
        for match in _LINE.finditer(message)
    }
    return tuple(found)
