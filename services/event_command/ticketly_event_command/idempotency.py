"""A POST that creates may be repeated: the first successful answer is stored in the transaction of its effect.

A concurrent duplicate waits for the first one, because both insert the same primary key. A failed attempt leaves
nothing behind: its row is rolled back with the effect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from ticketly_common.problems import conflict, invalid
from ticketly_event_command.answers import Answer, Rendered, render
from ticketly_event_command.ports import Database, Transaction

_LONGEST_KEY = 128


@dataclass(frozen=True)
class Attempt:
    """One request that may be repeated. ``route`` is method and path, ``digest`` covers what the client sent."""

    subject: UUID
    route: str
    key: str | None
    digest: bytes


def read_key(header: str | None) -> str | None:
    """Return the header's key; raises 422 unless it has 1-128 printable characters."""
    if header is None:
        return None
    if not 1 <= len(header) <= _LONGEST_KEY or not header.isprintable():
        raise invalid({"Idempotency-Key": "must have 1 to 128 printable characters"})
    return header


def digest(*parts: bytes) -> bytes:
    """Return a digest of the parts that keeps their borders apart."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.digest()


async def once(database: Database, attempt: Attempt, effect: Callable[[Transaction], Awaitable[Answer]]) -> Rendered:
    """Run ``effect`` in a transaction, or return its earlier answer.

    Raises 409 ``idempotency-key-reused`` when the key came with another body.
    """
    async with database.transaction() as tx:
        if attempt.key is None:
            return render(await effect(tx))
        where = (attempt.subject, attempt.route, attempt.key)
        if await tx.value("claim_idempotency_key", *where, attempt.digest):
            answer = render(await effect(tx))
            await tx.run("store_idempotent_answer", *where, answer.status, answer.tag, answer.content)
            await tx.run("purge_idempotency_keys")
            return answer
        stored = await tx.one("idempotent_answer", *where)
        if stored is None or stored["body_digest"] != attempt.digest:
            raise conflict("idempotency-key-reused", "This Idempotency-Key was used for another request.")
        return Rendered(stored["status"], stored["body"], stored["etag"], replayed=True)
