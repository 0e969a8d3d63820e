"""What a valid event is. Pure; ids are drawn here so that seats and discounts can refer to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from ticketly_event_command.faults import Faults, Reader, reader
from ticketly_event_command.offers.domain import DiscountDraft, TierDraft, read_discounts, read_tiers
from ticketly_event_command.sessions.domain import SessionDraft, read_sessions
from ticketly_event_command.sessions.layout import Known

STATUSES: Final = ("PENDING", "APPROVED", "REJECTED", "COMPLETED")
PUBLISHED: Final = frozenset({"APPROVED", "COMPLETED"})
LONGEST_DESCRIPTION: Final = 10_000
LONGEST_OVERVIEW: Final = 100_000


@dataclass(frozen=True)
class EventDraft:
    """A valid event that is not stored yet, with the ids its parts will have."""

    organization_id: UUID
    category_id: UUID
    title: str
    description: str
    overview: str
    tiers: dict[UUID, TierDraft]
    sessions: dict[UUID, SessionDraft]
    discounts: dict[UUID, DiscountDraft]

    def id_map(self) -> dict[str, str]:
        """Return client id -> stored id of tiers, sessions and discounts."""
        return {
            draft.client_id: str(one)
            for drafts in (self.tiers, self.sessions, self.discounts)
            for one, draft in drafts.items()
            if draft.client_id is not None
        }


def read_event(
    body: bytes, faults: Faults, *, now: datetime, currency: str, time_zone: str, most_sessions: int
) -> EventDraft:
    """Read a create request; the draft may be stored only when ``faults`` stayed empty.

    Raises Problem 400 when the body is no JSON. Takes about a second for 100,000 seats: run it in a thread.
    """
    raw = reader(body, faults)
    tiers = {uuid4(): draft for draft in read_tiers(raw)}
    known = {draft.client_id: one for one, draft in tiers.items() if draft.client_id is not None}
    drafts = read_sessions(raw, Known(tiers=known), now=now, time_zone=time_zone, faults=faults)
    if len(drafts) > most_sessions:
        raw.fault("sessions", f"must be at most {most_sessions} in your plan")
    sessions = {uuid4(): draft for draft in drafts}
    known_sessions = {draft.client_id: one for one, draft in sessions.items() if draft.client_id is not None}
    if len(known_sessions) < sum(draft.client_id is not None for draft in drafts):
        raw.fault("sessions", "must have different ids")
    discounts = read_discounts(raw, currency=currency, tiers=known, sessions=known_sessions, now=now)
    return EventDraft(
        organization_id=raw.identifier("organizationId"),
        category_id=raw.identifier("categoryId"),
        title=read_title(raw),
        description=raw.text("description", longest=LONGEST_DESCRIPTION),
        overview=raw.text("overview", longest=LONGEST_OVERVIEW),
        tiers=tiers,
        sessions=sessions,
        discounts={uuid4(): draft for draft in discounts},
    )


def read_title(raw: Reader) -> str:
    """Read the member ``title``."""
    return raw.text("title", shortest=3, longest=255)
