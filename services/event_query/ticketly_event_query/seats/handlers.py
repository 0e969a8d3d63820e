"""Effects of seat messages on the store."""

from __future__ import annotations

from collections.abc import Collection

from ticketly_event_query.projection.ports import Job, RebuildQueue
from ticketly_event_query.seats.messages import BOOKED, LOCKED
from ticketly_event_query.seats.ports import SeatChange, SeatStates


async def store(changes: Collection[SeatChange], *, states: SeatStates, queue: RebuildQueue) -> set[Job]:
    """Store states and mark the counts of their sessions; return what is to be recounted."""
    await states.apply(changes)
    jobs = {Job("counts", change.session_id) for change in changes}
    await queue.mark(jobs)
    return jobs


async def recount(session_id: str, build: int, *, states: SeatStates) -> None:
    """Count a session's held and sold seats for the lists. A hold counts until the order service releases it."""
    stored = await states.read(session_id)
    codes = [seat.code for seat in stored.seats.values()]
    await states.put_counts(session_id, held=codes.count(LOCKED), sold=codes.count(BOOKED), build=build)
