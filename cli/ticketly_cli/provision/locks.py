"""Who holds the lock of a stack. Pure.

A self-managed backend keeps one JSON file per lock below `.pulumi/locks/organization/<project>/<stack>/`; the engine
names them in its refusal. Pulumi's own service answers 409 instead and names nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(
    r"(?P<file>\S+\.json)(?:\?\S*)?: created by (?P<holder>\S+?@\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)",
    re.MULTILINE,
)
"""The file's address ends with the query of the backend's address: `s3://BUCKET/.pulumi/….json?region=REGION`."""
_REFUSED = ("the stack is currently locked by", "Another update is currently in progress")


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock. `since` is the instant as the backend wrote it (RFC 3339); "" where it is not known."""

    holder: str
    process: str
    since: str
    file: str = ""

    def __str__(self) -> str:
        who = f"{self.holder} (process {self.process})" if self.process else self.holder
        return f"{who} since {self.since}" if self.since else who


def is_refusal(text: str) -> bool:
    """Whether the engine refused because somebody else holds the lock."""
    return any(sign in text for sign in _REFUSED)


def named_in(text: str) -> tuple[Lock, ...]:
    """The locks a refusal names."""
    return tuple(
        Lock(found["holder"], found["pid"], found["since"].rstrip("."), found["file"]) for found in _LINE.finditer(text)
    )


def stored(content: str, file: str) -> Lock:
    """A lock from its file; one that cannot be read is still a lock."""
    try:
        document = json.loads(content)
        holder = f"{document['username']}@{document['hostname']}"
        return Lock(holder, str(document.get("pid", "")), str(document.get("timestamp", "")), file)
    except (ValueError, KeyError, TypeError):
        return Lock("somebody unknown", "", "", file)


def release_command(stack: str, project: str, backend: str) -> str:
    """Removes the lock. It ends nobody's update: a holder that is still alive goes on writing."""
    prefix = f"PULUMI_BACKEND_URL='{backend}' " if backend else ""
    return f"{prefix}pulumi cancel --cwd {project} {stack}"


def sentences(locks: tuple[Lock, ...]) -> Iterator[str]:
    """One sentence per lock."""
    if not locks:
        yield "Another update is in progress; the backend does not say whose."
    for lock in locks:
        yield f"The stack is locked by {lock}."
