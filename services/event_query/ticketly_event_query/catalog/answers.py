"""Finished answers of public reads, kept for a moment: a crowd asking the same costs one look into the store.

Failures are not kept, so what becomes visible is visible at once; only changes wait for ``fresh_ms``.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

_MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with its strong tag (quotes included)."""

    content: bytes
    etag: str
    made_at: float


class Answers:
    """``fresh_ms`` 0 keeps nothing; concurrent requests for the same key still share one production."""

    def __init__(self, fresh_ms: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fresh_seconds = fresh_ms / 1000
        self._monotonic = monotonic
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._making: dict[str, asyncio.Task[Answer]] = {}

    async def get(self, key: str, produce: Callable[[], Awaitable[Any]]) -> Answer:
        """Return the answer for a key, made by ``produce`` (its JSON value) if none is fresh; its errors pass."""
        known = self._kept.get(key)
        if known is not None and self._monotonic() - known.made_at < self._fresh_seconds:
            return known
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, produce))
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(task)

    async def _make(self, key: str, produce: Callable[[], Awaitable[Any]]) -> Answer:
        # The age counts from before the look into the store: what it saw may be that old.
        made_at = self._monotonic()
        content = orjson.dumps(await produce())
        etag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
        answer = Answer(content, etag, made_at)
        if self._fresh_seconds:
            self._keep(key, answer)
        return answer

    def _keep(self, key: str, answer: Answer) -> None:
        replaced = self._kept.pop(key, None)
        self._bytes += len(answer.content) + len(key) - (len(replaced.content) + len(key) if replaced else 0)
        self._kept[key] = answer
        while self._bytes > _MAX_BYTES:
            oldest, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.content) + len(oldest)

    def _made(self, key: str, task: asyncio.Task[Answer]) -> None:
        self._making.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen by whoever awaits; unseen when everybody has gone
