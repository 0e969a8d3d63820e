"""How the canary's document is rebuilt: by the same queue and the same loop as every other document."""

from __future__ import annotations

from ticketly_event_query.canary.ports import CanaryDocuments


async def build_canary(build: int, *, documents: CanaryDocuments) -> None:
    """Rebuild the document; ``build`` is the wanted counter as read before."""
    beat = await documents.staged()
    if beat is not None:
        await documents.put(beat, build)
