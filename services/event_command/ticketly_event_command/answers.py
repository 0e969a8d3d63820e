"""What a handler returns: a status, a JSON-ready body and the version for ``ETag``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ticketly_event_command.access import etag


@dataclass(frozen=True)
class Answer:
    """``body`` None means an empty answer; ``version`` becomes the entity tag."""

    status: int = 200
    body: Any = None
    version: int | None = None


@dataclass(frozen=True)
class Rendered:
    """An answer as it is stored and sent. ``replayed`` marks the stored answer of an earlier attempt."""

    status: int
    content: bytes
    tag: str | None
    replayed: bool = False


NO_CONTENT: Final = Answer(204)


def render(answer: Answer) -> Rendered:
    """Encode an answer."""
    return Rendered(
        status=answer.status,
        content=b"" if answer.body is None else msgspec.json.encode(answer.body),
        tag=None if answer.version is None else etag(answer.version),
    )
