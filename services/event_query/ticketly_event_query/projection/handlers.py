"""What happens with captured rows, and how one document is rebuilt."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ticketly_event_query.projection import event_document, layout
from ticketly_event_query.projection.ports import Job, ReadModel, RebuildQueue, Segment, Staging
from ticketly_event_query.projection.tables import CANARY_KEY, StagedRow, affected

_MERGE_ABOVE_SEGMENTS = 8


async def stage(
    rows: Collection[StagedRow], segments: Sequence[Segment], *, staging: Staging, queue: RebuildQueue
) -> set[Job]:
    """Store rows and mark every document they belong to; return what is to be rebuilt.

    The order matters: rows first, then the parents are looked up, then the counters are raised. Whoever stores a
    parent later sees these rows; whoever stored it earlier is found here.
    """
    await staging.stage(rows)
    await staging.stage_seats(segments)
    touched = affected(rows)
    events = touched.events | await staging.events_of(touched)
    sessions = touched.layouts | {segment.session_id for segment in segments}
    jobs = {Job("event", event) for event in events} | {Job("layout", session) for session in sessions}
    if touched.canary:
        jobs.add(Job("canary", CANARY_KEY))
    await queue.mark(jobs)
    return jobs


async def build_event(event_id: str, build: int, *, staging: Staging, read_model: ReadModel) -> None:
    """Rebuild one event document; ``build`` is the wanted counter as read before."""
    document = event_document.build(await staging.event_rows(event_id))
    await read_model.put_event(event_id, document, build)


async def build_layout(session_id: str, build: int, *, staging: Staging, read_model: ReadModel) -> set[Job]:
    """Rebuild one session's layout when all of it has arrived; return what depends on it."""
    session, deleted = await staging.session_row(session_id)
    if deleted:
        await read_model.drop_layout(session_id, build)
        await staging.drop_segments(session_id)
        return set()
    if session is None:
        return set()
    rows, segments = await staging.seat_rows(session_id)
    built = layout.build(session, await staging.seating_map_row(session_id), rows.values())
    if built is None:
        return set()
    await read_model.put_layout(session["event_id"], built, build)
    if len(segments) > _MERGE_ABOVE_SEGMENTS:
        await staging.merge_segments(session_id, rows.values(), segments)
    return {Job("event", session["event_id"])}
