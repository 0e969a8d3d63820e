"""One function per request about session counts."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ticketly_common.auth import Caller
from ticketly_common.clock import to_wire
from ticketly_common.paging import PageRequest, envelope
from ticketly_common.problems import not_found
from ticketly_event_command.access import own_event, own_organization
from ticketly_event_command.answers import Answer
from ticketly_event_command.ports import Row, Transaction

SORTABLE: Final = {
    "salesStartTime": "s.sales_start_time",
    "startTime": "s.start_time",
    "endTime": "s.end_time",
    "sessionStatus": "s.status",
    "status": "s.status",
    "eventTitle": "lower(e.title)",
    "id": "s.id",
}


async def of_event(tx: Transaction, event_id: UUID, caller: Caller | None) -> Answer:
    """Count an event's sessions by status; ``caller`` None means an administrator."""
    row = await tx.one("event", event_id) if caller is None else await own_event(tx, event_id, caller)
    if row is None:
        raise not_found("event")
    counts = await tx.many("sessions_by_status", None, event_id)
    return Answer(body=_counts(row["organization_id"], row["organization_name"], row, counts))


async def of_organization(tx: Transaction, organization_id: UUID, caller: Caller | None) -> Answer:
    """Count an organization's sessions by status; ``caller`` None means an administrator."""
    row = await _organization(tx, organization_id, caller)
    counts = await tx.many("sessions_by_status", organization_id, None)
    return Answer(body=_counts(row["id"], row["name"], None, counts))


async def sessions(
    tx: Transaction, organization_id: UUID, caller: Caller | None, request: PageRequest, status: str | None
) -> Answer:
    """Return a page of an organization's sessions; ``caller`` None means an administrator."""
    await _organization(tx, organization_id, caller)
    rows, total = await tx.page("sessions_of_organization", request, SORTABLE, organization_id, status)
    content = [
        {
            "sessionId": str(row["id"]),
            "startTime": to_wire(row["start_time"]),
            "endTime": to_wire(row["end_time"]),
            "salesStartTime": to_wire(row["sales_start_time"]),
            "sessionType": row["session_type"],
            "sessionStatus": row["status"],
            "eventId": str(row["event_id"]),
            "eventTitle": row["title"],
            "eventStatus": row["event_status"],
            "categoryName": row["category_name"],
        }
        for row in rows
    ]
    return Answer(body=envelope(content, total, request))


async def _organization(tx: Transaction, organization_id: UUID, caller: Caller | None) -> Row:
    if caller is not None:
        return await own_organization(tx, organization_id, caller)
    row = await tx.one("organization", organization_id)
    if row is None:
        raise not_found("organization")
    return row


def _counts(organization_id: UUID, name: str, event: Row | None, counts: Any) -> dict[str, Any]:
    return {
        "organizationId": str(organization_id),
        "organizationName": name,
        "eventId": None if event is None else str(event["id"]),
        "eventTitle": None if event is None else event["title"],
        "totalSessions": sum(row["count"] for row in counts),
        "sessionsByStatus": [{"status": row["status"], "count": row["count"]} for row in counts],
    }
