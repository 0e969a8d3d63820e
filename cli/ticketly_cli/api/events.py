"""What an organizer and an administrator do: organizations, events, approval, closing, deletion."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ticketly_cli.api.transport import Api, ApiError, FilePart
from ticketly_cli.errors import CliError, ExitCode

COMMAND = "/api/event-seating"
QUERY = "/api/event-query"

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SessionRef:
    """A session with the server's ids of its sellable seats, by block name, in layout order."""

    session_id: str
    seats: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class EventRef:
    """An event as stored on the write side."""

    event_id: str
    title: str
    status: str
    sessions: tuple[SessionRef, ...]


async def ensure_organization(organizer: Api, name: str, website: str | None = None) -> tuple[str, bool]:
    """The caller's organization of that name; made when missing. Returns (id, made)."""
    for organization in await organizer.get(f"{COMMAND}/v1/organizations/my", "Listing organizations"):
        if organization["name"] == name:
            return str(organization["id"]), False
    made = await organizer.post(
        f"{COMMAND}/v1/organizations", "Creating the organization", {"name": name, "website": website or ""}
    )
    return str(made["id"]), True


async def events_of_organization(organizer: Api, organization_id: str) -> dict[str, dict[str, str]]:
    """All events of an organization: status -> title -> id. Of two with one title the younger one counts."""
    found: dict[str, dict[str, str]] = {}
    page = 0
    while True:
        answer = await organizer.get(
            f"{COMMAND}/v1/events/organization/{organization_id}",
            "Listing the organization's events",
            {"page": page, "size": 100, "sort": "updatedAt,asc"},
        )
        for event in answer["content"]:
            found.setdefault(event["status"], {})[event["title"]] = event["id"]
        page += 1
        if answer["last"] or not answer["content"]:
            return found


async def sub_categories(organizer: Api) -> dict[str, str]:
    """Ids of all categories by name, roots included."""
    found: dict[str, str] = {}
    for root in await organizer.get(f"{COMMAND}/v1/categories", "Listing categories"):
        found[root["name"]] = root["id"]
        found.update({child["name"]: child["id"] for child in root.get("subCategories") or []})
    if not found:
        raise CliError("The platform has no categories.", "Check `ticketly logs event-command`.")
    return found


async def create_event(organizer: Api, request: dict[str, Any], images: Sequence[tuple[str, bytes]] = ()) -> str:
    """Create an event; `images` are (file name, JPEG or PNG bytes). Returns the event's id."""
    parts: list[FilePart] = [("request", (None, json.dumps(request), "application/json"))]
    for name, content in images:
        kind = "image/png" if name.endswith(".png") else "image/jpeg"
        parts.append(("coverImages", (name, content, kind)))
    made = await organizer.post(f"{COMMAND}/v1/events", f"Creating the event {request['title']!r}", parts=parts)
    return str(made["id"])


async def approve_event(administrator: Api, event_id: str) -> None:
    """Approve; an event that is approved already (a repeated call) is fine."""
    try:
        await administrator.post(f"{COMMAND}/v1/events/{event_id}/approve", "Approving the event")
    except ApiError as error:
        if error.status != 409:
            raise
        detail = await administrator.get(f"{COMMAND}/v1/events/admin/{event_id}", "Reading the event")
        if detail["status"] not in ("APPROVED", "COMPLETED"):
            raise


async def read_event(organizer: Api, event_id: str) -> EventRef:
    """The event with the server's seat ids. Raises ApiError 404 when it does not exist."""
    detail = await organizer.get(f"{COMMAND}/v1/events/{event_id}", "Reading the event")
    sessions = tuple(_session_ref(session) for session in detail["sessions"])
    return EventRef(event_id, detail["title"], detail["status"], sessions)


async def put_on_sale(organizer: Api, session_id: str) -> None:
    """Make sure that the session is on sale (approval does so when its sales start lies in the past)."""
    await organizer.call(
        "PUT", f"{COMMAND}/v1/sessions/{session_id}/status", "Opening the session", body={"status": "ON_SALE"}
    )


async def close_session(organizer: Api, session_id: str) -> None:
    """Close the session's sales."""
    await organizer.call(
        "PUT", f"{COMMAND}/v1/sessions/{session_id}/status", "Closing the session", body={"status": "CLOSED"}
    )


async def delete_event(organizer: Api, event_id: str) -> bool:
    """Close the event's sales and delete it; False when it was gone already."""
    try:
        event = await read_event(organizer, event_id)
        for session in event.sessions:
            await _close_if_open(organizer, session.session_id)
        await organizer.call("DELETE", f"{COMMAND}/v1/events/{event_id}", f"Deleting the event {event.title!r}")
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True


async def _close_if_open(organizer: Api, session_id: str) -> None:
    try:
        await close_session(organizer, session_id)
    except ApiError as error:
        if error.code != "transition-not-allowed":
            raise


async def wait_until_listed(query: Api, session_id: str, seats: int, deadline_seconds: float) -> None:
    """Wait until the read side shows a session with that many sellable seats, whatever their state."""

    async def shown() -> bool:
        seating_map = await query.get(f"{QUERY}/v1/sessions/{session_id}/seating-map", "Reading the seating map")
        return sum(1 for seat in seats_of(seating_map) if seat.get("status") != "RESERVED") == seats

    await poll(shown, deadline_seconds, "The seating map did not appear on the read side")


async def poll(ready: Callable[[], Any], deadline_seconds: float, failure: str) -> None:
    """Call `ready` until it answers true; problems that may pass (404, 409, 5xx) count as "not yet".

    Raises CliError (exit 4) after the deadline.
    """
    until = time.monotonic() + deadline_seconds
    last = ""
    while time.monotonic() < until:
        try:
            if await ready():
                return
        except ApiError as error:
            if error.status in (400, 401, 403):
                raise
            last = f" (last answer: {error.status} {error.code})"
        await asyncio.sleep(POLL_SECONDS)
    raise CliError(
        f"{failure} within {deadline_seconds:.0f} s{last}.", "Check `ticketly status`.", ExitCode.UNREACHABLE
    )


def seats_of(layout_holder: dict[str, Any]) -> list[dict[str, Any]]:
    """All seats of a layout or a seating map, in order."""
    found: list[dict[str, Any]] = []
    for block in layout_holder["layout"]["blocks"]:
        for row in block.get("rows") or []:
            found.extend(row.get("seats") or [])
        found.extend(block.get("seats") or [])
    return found


def _session_ref(session: dict[str, Any]) -> SessionRef:
    seats: dict[str, tuple[str, ...]] = {}
    for block in session["layoutData"]["layout"]["blocks"]:
        named = seats_of({"layout": {"blocks": [block]}})
        ids = tuple(str(seat["id"]) for seat in named if seat.get("status") != "RESERVED")
        if ids:
            seats[block["name"]] = ids
    return SessionRef(str(session["id"]), seats)
