"""Rules of sessions: times, venue, recurrence and the transition table. Pure; the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ticketly_event_command.faults import Faults, Reader
from ticketly_event_command.sessions.layout import MOST_SEATS, Known, Layout, read_layout, with_new_ids

SHORTEST: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
MOST_RECURRENCES: Final = 52
MOST_SEATS_PER_REQUEST: Final = 5 * MOST_SEATS
"""Recurrence multiplies a plan: 52 times 100,000 seats in one transaction would starve everybody else."""
STATUSES: Final = ("PENDING", "SCHEDULED", "ON_SALE", "SOLD_OUT", "CLOSED", "CANCELLED")
TYPES: Final = ("PHYSICAL", "ONLINE")
OPEN: Final = frozenset({"SCHEDULED", "ON_SALE", "SOLD_OUT"})
SELLING: Final = frozenset({"ON_SALE", "SOLD_OUT"})

_BY_OWNER: Final = frozenset(
    {
        ("SCHEDULED", "ON_SALE"),
        ("SCHEDULED", "CANCELLED"),
        ("ON_SALE", "CLOSED"),
        ("ON_SALE", "CANCELLED"),
        ("SOLD_OUT", "CLOSED"),
        ("SOLD_OUT", "CANCELLED"),
        ("CLOSED", "CANCELLED"),
    }
)
_BY_JOB: Final = frozenset(
    {("SCHEDULED", "ON_SALE"), ("SCHEDULED", "CLOSED"), ("ON_SALE", "CLOSED"), ("SOLD_OUT", "CLOSED")}
)


@dataclass(frozen=True)
class Times:
    """When a session runs and sells; all UTC."""

    start: datetime
    end: datetime
    sales_start: datetime
    sales_end: datetime


@dataclass(frozen=True)
class SessionDraft:
    """A valid session that is not stored yet. ``client_id`` is what the request called it, or None."""

    client_id: str | None
    times: Times
    kind: str
    venue: dict[str, Any]
    time_zone: str
    layout: Layout


@dataclass(frozen=True)
class Refusal:
    """Why a transition may not happen: a stable code and a sentence."""

    code: str
    detail: str


def refuse_transition(
    current: str, wanted: str, *, event_status: str, start: datetime, now: datetime, by_job: bool = False
) -> Refusal | None:
    """Return None when a session may change from ``current`` to ``wanted``; equal statuses are the caller's case."""
    allowed = _BY_JOB if by_job else _BY_OWNER
    if (current, wanted) not in allowed:
        return Refusal("transition-not-allowed", f"A session that is {current} cannot become {wanted}.")
    if wanted == "ON_SALE":
        if event_status != "APPROVED":
            return Refusal("event-not-approved", "Sales start only after the event was approved.")
        if start <= now:
            return Refusal("transition-not-allowed", "The session has already started.")
    if current == "CLOSED" and start <= now:
        return Refusal("transition-not-allowed", "A session that has started cannot be cancelled any more.")
    return None


def status_on_approval(current: str, times: Times, now: datetime) -> str:
    """Return the status a session takes when its event is approved, or when it is added to an approved event."""
    if current != "SCHEDULED":
        return current
    if times.start <= now:
        return "CANCELLED"
    return "ON_SALE" if times.sales_start <= now else "SCHEDULED"


def read_times(
    raw: Reader, now: datetime, *, sales_start: datetime | None = None, sales_end: datetime | None = None
) -> Times:
    """Read start, end and sales window; ``sales_start`` and ``sales_end`` stand in where the request names none.

    Without a stand-in the start of sales is required, and sales end with the session.
    """
    start, end = raw.instant("startTime"), raw.instant("endTime")
    if sales_start is None or raw.has("salesStartTime"):
        sales_start = raw.instant("salesStartTime")
    sales_end = raw.maybe_instant("salesEndTime") or sales_end or end
    if start <= now:
        raw.fault("startTime", "must be in the future")
    if end - start < SHORTEST:
        raw.fault("endTime", "must be at least 30 minutes after the start")
    elif end - start > LONGEST:
        raw.fault("endTime", "must be at most 12 hours after the start")
    if sales_start >= start:
        raw.fault("salesStartTime", "must be before the start")
    elif not sales_start < sales_end <= end:
        raw.fault("salesEndTime", "must be after the start of sales and not after the end")
    return Times(start, end, sales_start, sales_end)


def read_venue(raw: Reader, kind: str) -> dict[str, Any]:
    """Read ``venueDetails`` of a session of the given type."""
    venue = {
        "name": raw.maybe_text("name", longest=255),
        "address": raw.maybe_text("address", longest=500),
        "latitude": raw.maybe_number("latitude", least=-90, most=90),
        "longitude": raw.maybe_number("longitude", least=-180, most=180),
        "onlineLink": raw.maybe_text("onlineLink", longest=2000),
    }
    if kind == "PHYSICAL" and venue["name"] is None:
        raw.fault("name", "is missing")
    if venue["onlineLink"] is not None and not is_web_address(str(venue["onlineLink"])):
        raw.fault("onlineLink", "must be an absolute http or https address")
    elif kind == "ONLINE" and venue["onlineLink"] is None:
        raw.fault("onlineLink", "is missing")
    return venue


def is_web_address(text: str) -> bool:
    """Say whether a text is an absolute http(s) address with a host."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and not any(letter.isspace() for letter in text)


def read_zone(raw: Reader, name: str, default: str) -> str:
    """Read an IANA time zone name."""
    given = raw.maybe_text(name, longest=64)
    if given is None:
        return default
    if _zone(given) is None:
        raw.fault(name, "is no known time zone")
        return default
    return given


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def read_sessions(raw: Reader, known: Known, *, now: datetime, time_zone: str, faults: Faults) -> list[SessionDraft]:
    """Read the member ``sessions`` with all recurrences expanded; faults carry full paths."""
    drafts: list[SessionDraft] = []
    if not raw.items("sessions"):
        raw.fault("sessions", "must have at least one session")
    for item in raw.children("sessions"):
        drafts.extend(_read_session(item, known, now=now, time_zone=time_zone, faults=faults))
    if sum(len(draft.layout.seats) for draft in drafts) > MOST_SEATS_PER_REQUEST:
        raw.fault("sessions", f"must have at most {MOST_SEATS_PER_REQUEST} seats together")
    return drafts


def _read_session(
    raw: Reader, known: Known, *, now: datetime, time_zone: str, faults: Faults
) -> Iterator[SessionDraft]:
    times = read_times(raw, now)
    kind = raw.choice("sessionType", TYPES)
    venue_raw = raw.child("venueDetails")
    client_id = raw.raw("id")
    first = SessionDraft(
        client_id=client_id if isinstance(client_id, str) and client_id else None,
        times=times,
        kind=kind,
        venue=read_venue(venue_raw, kind),
        time_zone=read_zone(venue_raw, "timeZone", read_zone(raw, "timeZone", time_zone)),
        layout=read_layout(raw.child("layoutData"), known, faults),
    )
    yield first
    if raw.has("recurrence"):
        yield from _recurrences(raw.child("recurrence"), first)


def _recurrences(raw: Reader, first: SessionDraft) -> Iterator[SessionDraft]:
    """Yield the sessions after the first: same local time of day in the given zone, whatever the clocks do."""
    frequency = raw.choice("frequency", ("DAILY", "WEEKLY"))
    interval = raw.maybe_integer("interval", least=1, most=365) or 1
    count = raw.integer("count", least=1, most=MOST_RECURRENCES)
    zone = ZoneInfo(read_zone(raw, "timeZone", first.time_zone))
    if count * len(first.layout.seats) > MOST_SEATS_PER_REQUEST:
        raw.fault("count", f"makes more than {MOST_SEATS_PER_REQUEST} seats together")
        return
    days = interval * (7 if frequency == "WEEKLY" else 1)
    for index in range(1, count):
        start = _later(first.times.start, zone, index * days)
        shift = start - first.times.start
        times = Times(start, first.times.end + shift, first.times.sales_start, first.times.sales_end + shift)
        yield replace(first, client_id=None, times=times, layout=with_new_ids(first.layout))


def _later(instant: datetime, zone: ZoneInfo, days: int) -> datetime:
    local = instant.astimezone(zone)
    return (local + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC)
