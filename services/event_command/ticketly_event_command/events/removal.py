"""Deleting events and organizations without a sale slipping in between.

Order of steps: nothing may be selling; the order service is asked first, so that a refusal changes nothing; sales
are closed and committed; the order service's report is awaited until it acts upon exactly those statuses and has
sold nothing; only then the rows go, provided nothing has changed since. Events that were never approved were never
on sale and need no confirmation. Orders that are only pending do not block: the order service cancels them when it
sees the sessions go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from ticketly_common.auth import Caller
from ticketly_common.problems import conflict, unavailable
from ticketly_event_command.access import lock_own_event, lock_own_organization
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.events.domain import PUBLISHED
from ticketly_event_command.events.handlers import not_possible
from ticketly_event_command.images.domain import name_in
from ticketly_event_command.images.handlers import discard
from ticketly_event_command.ports import Parts, Transaction
from ticketly_event_command.sessions.domain import SELLING

Statuses = Mapping[UUID, str]
Lock = Callable[[Transaction], Awaitable[Mapping[UUID, str]]]
"""Locks what is to be deleted, checks the owner, and returns the status of each event in it."""


async def delete_event(parts: Parts, caller: Caller, event_id: UUID, if_match: str | None) -> Answer:
    """Delete an event; raises 409 ``event-on-sale`` or ``event-has-sales``, 503 when it cannot be confirmed."""
    versions: list[str | None] = [if_match]

    async def lock(tx: Transaction) -> Mapping[UUID, str]:
        # The precondition is for the state the client saw, not for the one after sales were closed.
        event = await lock_own_event(tx, event_id, caller, versions.pop() if versions else None)
        return {event_id: event["status"]}

    async def delete(tx: Transaction) -> list[str]:
        addresses = [row["photo_url"] for row in await tx.many("cover_photos", event_id)]
        await tx.run("delete_sessions_of_event", event_id)
        await tx.run("delete_event", event_id)
        return addresses

    return await _remove(parts, lock, delete)


async def delete_organization(parts: Parts, caller: Caller, organization_id: UUID) -> Answer:
    """Delete an organization with all its events; raises like ``delete_event``."""

    async def lock(tx: Transaction) -> Mapping[UUID, str]:
        await lock_own_organization(tx, organization_id, caller)
        rows = await tx.many("lock_events_of_organization", organization_id)
        return {row["id"]: row["status"] for row in rows}

    async def delete(tx: Transaction) -> list[str]:
        addresses = [row["photo_url"] for row in await tx.many("images_of_organization", organization_id)]
        for row in await tx.many("events_of_organization", organization_id):
            await tx.run("delete_sessions_of_event", row["id"])
            await tx.run("delete_event", row["id"])
        await tx.run("delete_organization", organization_id)
        return addresses

    return await _remove(parts, lock, delete)


async def _remove(parts: Parts, lock: Lock, delete: Callable[[Transaction], Awaitable[list[str]]]) -> Answer:
    async with parts.database.transaction() as tx:
        published = await _published(tx, lock)
    confirmed: dict[UUID, Statuses] = {}
    if published:
        for event_id in published:
            await _refuse_sold(parts, event_id)
        async with parts.database.transaction() as tx:
            for event_id in await _published(tx, lock):
                await tx.run("close_scheduled_sessions", event_id)
                await tx.run("complete_event_if_over", event_id)
                confirmed[event_id] = await _statuses(tx, event_id)
        for event_id, statuses in confirmed.items():
            await _await_applied(parts, event_id, statuses)
    async with parts.database.transaction() as tx:
        for event_id in await _published(tx, lock):
            if confirmed.get(event_id) != await _statuses(tx, event_id):
                raise not_possible("Something was changed while it was being deleted. Try again.")
        addresses = await delete(tx)
    await discard(parts, [name_in(address) for address in addresses])
    return NO_CONTENT


async def _statuses(tx: Transaction, event_id: UUID) -> Statuses:
    return {row["id"]: row["status"] for row in await tx.many("session_statuses", event_id)}


async def _published(tx: Transaction, lock: Lock) -> Sequence[UUID]:
    """Lock, refuse while anything is on sale, and return the events that ever could have been."""
    events = await lock(tx)
    published = [event_id for event_id, status in events.items() if status in PUBLISHED]
    for event_id in published:
        if SELLING & set((await _statuses(tx, event_id)).values()):
            raise conflict("event-on-sale", "Close the sales of all sessions first.", eventId=str(event_id))
    return published


async def _refuse_sold(parts: Parts, event_id: UUID) -> Statuses:
    summary = await parts.orders.sales_summary(event_id)
    if summary.sold_tickets > 0:
        raise conflict(
            "event-has-sales",
            f"{summary.sold_tickets} tickets are sold and not refunded.",
            soldTickets=summary.sold_tickets,
        )
    return summary.applied


async def _await_applied(parts: Parts, event_id: UUID, statuses: Statuses) -> None:
    """Return when the order service acts upon all of ``statuses`` and reports no sale; 503 after a bounded wait."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + parts.confirmation_seconds
    while True:
        applied = await _refuse_sold(parts, event_id)
        if all(applied.get(session_id) == status for session_id, status in statuses.items()):
            return
        if loop.time() >= deadline:
            raise unavailable(
                "The order service has not confirmed yet that sales are closed. Try again.", retry_after_seconds=5
            )
        await asyncio.sleep(parts.confirmation_poll_seconds)
