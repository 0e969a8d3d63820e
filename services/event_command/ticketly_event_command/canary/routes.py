"""The canary's echo on the internal listener: what was written last, and what the database's clock shows."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from ticketly_common.auth import public
from ticketly_common.problems import unavailable
from ticketly_event_command.answers import Answer
from ticketly_event_command.http import PREFIX, Wired, respond

router = APIRouter(prefix=f"{PREFIX}/internal/v1")


@router.get("/lag-canary", dependencies=[Depends(public)])
async def last_canary(parts: Wired) -> Response:
    """Return the newest beat; like ``/metrics`` it tells nothing about anybody, so no token is asked for."""
    async with parts.database.reading() as tx:
        row = await tx.one("last_canary")
    if row is None:
        raise unavailable("The canary was never written.")
    return respond(Answer(body={"beat": row["beat"], "writtenAtMicros": row["written_at"], "nowMicros": row["now"]}))
