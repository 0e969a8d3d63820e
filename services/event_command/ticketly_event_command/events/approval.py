"""Approving and rejecting: decided once, by somebody who is not the owner."""

from __future__ import annotations

from uuid import UUID

from ticketly_common.auth import Caller
from ticketly_common.problems import Problem, not_found
from ticketly_event_command.access import user_id
from ticketly_event_command.answers import Answer
from ticketly_event_command.events.handlers import not_possible, refuse_beyond_limit
from ticketly_event_command.faults import Faults, reader
from ticketly_event_command.limits import LIMITS, Tier
from ticketly_event_command.ports import Parts, Row, Transaction
from ticketly_event_command.sessions.domain import Times, status_on_approval


async def _lock_foreign(tx: Transaction, caller: Caller, event_id: UUID) -> Row:
    """Lock organization, then event; raises 403 ``self-approval`` for the owner."""
    seen = await tx.one("event", event_id)
    if seen is None:
        raise not_found("event")
    await tx.one("lock_organization", seen["organization_id"])
    event = await tx.one("lock_event", event_id)
    if event is None:
        raise not_found("event")
    if event["owner_id"] == user_id(caller):
        raise Problem(403, "self-approval", "Somebody else has to decide about your own event.")
    if event["status"] != "PENDING":
        raise not_possible(f"Only a PENDING event can be decided; this one is {event['status']}.")
    return event


async def approve(tx: Transaction, parts: Parts, caller: Caller, event_id: UUID) -> Answer:
    """Approve an event and open, schedule or cancel its sessions by their times."""
    event = await _lock_foreign(tx, caller, event_id)
    tier = Tier(await tx.value("owner_tier", event["owner_id"]) or Tier.FREE)
    await refuse_beyond_limit(tx, event["organization_id"], LIMITS[tier])
    await tx.run("set_event_status", event_id, "PENDING", "APPROVED", None)
    now = parts.now()
    for session in await tx.many("sessions_of_event", event_id):
        times = Times(
            session["start_time"], session["end_time"], session["sales_start_time"], session["sales_end_time"]
        )
        status = status_on_approval(session["status"], times, now)
        if status != session["status"]:
            await tx.run("set_session_status", session["id"], session["status"], status)
    await tx.run("complete_event_if_over", event_id)
    return Answer()


async def reject(tx: Transaction, caller: Caller, event_id: UUID, body: bytes) -> Answer:
    """Reject an event with a reason."""
    await _lock_foreign(tx, caller, event_id)
    faults = Faults()
    reason = reader(body, faults).text("reason", shortest=1, longest=1000)
    faults.check()
    await tx.run("set_event_status", event_id, "PENDING", "REJECTED", reason)
    return Answer()
