"""Makes the planned events as an organizer and lets an administrator approve them; or removes them again.

Running it twice makes nothing twice: events of the record that still exist are kept, missing ones are made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx2

from ticketly_cli.api import events as api
from ticketly_cli.api.identity import LoadUsers, buyer_name
from ticketly_cli.api.login import ADMINISTRATOR, ORGANIZER, api_as
from ticketly_cli.api.transport import Api, ApiError, new_client
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.state import PlatformState
from ticketly_cli.printing import Step
from ticketly_cli.results import Facts, JsonObject, View
from ticketly_cli.seed.catalogue import ORGANIZATION, WEBSITE
from ticketly_cli.seed.picture import cover
from ticketly_cli.seed.plan import EventPlan, SeedPlan, create_request
from ticketly_cli.seed.record import (
    SeededEvent,
    SeededSession,
    SeedRecord,
    forget_record,
    read_record,
    write_record,
)

EVENTS_AT_ONCE = 3
SHOWN_SECONDS = 60.0


class Watcher(Protocol):
    """Shows the progress."""

    def step(self, title: str, total: int | None = None) -> AbstractContextManager[Step]:
        """A step that takes a while."""
        ...


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What is there now."""

    record: SeedRecord
    path: Path
    made: int
    kept: int
    exit_code: int = ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "organizationId": self.record.organization_id,
            "organizationName": self.record.organization_name,
            "seed": self.record.seed,
            "made": self.made,
            "kept": self.kept,
            "events": len(self.record.events),
            "sessions": sum(len(event.sessions) for event in self.record.events),
            "seats": sum(len(session.seat_ids) for event in self.record.events for session in event.sessions),
            "users": len(self.record.users),
            "file": str(self.path),
        }

    def to_view(self) -> View:
        data = self.to_data()
        return (
            Facts(
                (
                    ("organization", f"{data['organizationName']} ({data['organizationId']})"),
                    ("events", f"{data['events']} on sale: {self.made} made now, {self.kept} were there"),
                    ("sessions, seats", f"{data['sessions']} sessions, {data['seats']} seats"),
                    *((("buyers", str(data["users"])),) if self.record.users else ()),
                    ("ids", data["file"]),
                )
            ),
        )


@dataclass(frozen=True, slots=True)
class CleanResult:
    """What was removed."""

    events: int
    users: int
    organization: bool
    exit_code: int = ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"removed": {"events": self.events, "users": self.users, "organization": self.organization}}

    def to_view(self) -> View:
        return (
            Facts(
                (
                    ("events removed", str(self.events)),
                    ("buyers removed", str(self.users)),
                    ("organization removed", "yes" if self.organization else "no"),
                )
            ),
        )


async def seed(
    plan: SeedPlan,
    users: int,
    path: Path,
    platform: PlatformState,
    watcher: Watcher,
    open_client: Callable[[], httpx2.AsyncClient] = new_client,
) -> SeedResult:
    """Make what of the plan is missing, approve it, wait until buyers can see it. Raises CliError."""
    async with open_client() as client:
        organizer = api_as(client, platform, ORGANIZER)
        with watcher.step("Looking for what is there"):
            record, found = await _begin(organizer, plan, path, platform)
        missing = sum(1 for event in plan.events if event.title not in found.kept)
        if missing:
            with watcher.step("Events", total=missing) as step:
                await _make_events(client, platform, organizer, plan, found, record, path, step)
        if users:
            with watcher.step("Buyers", total=users) as step:
                await _make_users(client, platform, users, record, path, step)
        write_record(path, record)
        with watcher.step("Waiting until buyers see everything", total=len(record.events)) as step:
            await _wait_until_visible(Api(client, platform.front_door_url), record, step)
    return SeedResult(record, path, missing, len(plan.events) - missing)


async def clean(
    path: Path,
    platform: PlatformState,
    watcher: Watcher,
    open_client: Callable[[], httpx2.AsyncClient] = new_client,
) -> CleanResult:
    """Remove exactly what the record names. Raises CliError when there is no record or something resists."""
    record = read_record(path)
    if record is None:
        raise CliError(f"There is no {path}, so it is not known what to remove.", "Give its place with --file.")
    async with open_client() as client:
        organizer = api_as(client, platform, ORGANIZER)
        removed = 0
        with watcher.step("Removing events", total=len(record.events)) as step:
            while record.events:
                removed += await api.delete_event(organizer, record.events[-1].id)
                record.events.pop()
                write_record(path, record)
                step.advance()
        gone = record.organization_made and await _delete_if_empty(organizer, record.organization_id)
        users = 0
        if record.users_made:
            with watcher.step("Removing buyers"):
                users = await _load_users(client, platform).remove(record.users_made)
    forget_record(path)
    return CleanResult(removed, users, gone)


@dataclass(frozen=True, slots=True)
class _Found:
    """The planned events the platform already has, by title. `unfinished` are not approved yet."""

    kept: frozenset[str]
    unfinished: dict[str, str]


async def _begin(organizer: Api, plan: SeedPlan, path: Path, platform: PlatformState) -> tuple[SeedRecord, _Found]:
    """The record to continue, and what of the plan is there. The platform decides, not the file."""
    organization_id, made = await api.ensure_organization(organizer, ORGANIZATION, WEBSITE)
    record = SeedRecord(
        organization_id=organization_id,
        organization_name=ORGANIZATION,
        organization_made=made,
        seed=plan.seed,
        target=platform.front_door_url,
    )
    old = read_record(path)
    if old is not None and old.organization_id == organization_id:
        record.organization_made = old.organization_made
        record.users, record.users_made = old.users, old.users_made
    made_before = {event.id for event in old.events} if old is not None else set()
    planned = {event.title for event in plan.events}
    stored = await api.events_of_organization(organizer, organization_id)
    for title, event_id in stored.get("APPROVED", {}).items():
        if title in planned or event_id in made_before:
            record.events.append(await _describe(organizer, event_id, title))
    return record, _Found(frozenset(stored.get("APPROVED", {})), stored.get("PENDING", {}))


async def _describe(organizer: Api, event_id: str, title: str) -> SeededEvent:
    stored = await api.read_event(organizer, event_id)
    sessions = [
        SeededSession(session.session_id, [seat for ids in session.seats.values() for seat in ids])
        for session in stored.sessions
    ]
    return SeededEvent(event_id, title, [session.id for session in sessions], sessions)


async def _make_events(
    client: httpx2.AsyncClient,
    platform: PlatformState,
    organizer: Api,
    plan: SeedPlan,
    found: _Found,
    record: SeedRecord,
    path: Path,
    step: Step,
) -> None:
    administrator = api_as(client, platform, ADMINISTRATOR)
    categories = await api.sub_categories(organizer)
    gate = asyncio.Semaphore(EVENTS_AT_ONCE)
    now = datetime.now(UTC)
    order = {event.title: event.key for event in plan.events}

    async def one(event: EventPlan) -> None:
        async with gate:
            category = categories.get(event.category) or next(iter(categories.values()))
            event_id = found.unfinished.get(event.title)
            if event_id is None:
                request = create_request(event, plan.row_lengths, record.organization_id, category, now)
                event_id = await api.create_event(organizer, request, [("cover.png", cover(event.colors))])
            record.events.append(SeededEvent(event_id, event.title, [], []))
            write_record(path, record)
            await api.approve_event(administrator, event_id)
            described = await _describe(organizer, event_id, event.title)
            for session_id in described.session_ids:
                await api.put_on_sale(organizer, session_id)
            record.events = [described if known.id == event_id else known for known in record.events]
            record.events.sort(key=lambda known: order.get(known.title, len(order)))
            write_record(path, record)
            step.advance()

    async with asyncio.TaskGroup() as group:
        for event in plan.events:
            if event.title not in found.kept:
                group.create_task(one(event))


async def _make_users(
    client: httpx2.AsyncClient, platform: PlatformState, users: int, record: SeedRecord, path: Path, step: Step
) -> None:
    names = [buyer_name(number) for number in range(1, users + 1)]
    made = await _load_users(client, platform).ensure(users, step.advance)
    record.users = names
    record.users_made = list(dict.fromkeys([*record.users_made, *made]))
    write_record(path, record)


def _load_users(client: httpx2.AsyncClient, platform: PlatformState) -> LoadUsers:
    administrator = platform.keycloak_administrator
    if administrator is None:
        raise CliError(
            "This platform's identity provider is not the local one, so buyers can neither be made nor removed.",
            "Leave --users out.",
            ExitCode.UNREACHABLE,
        )
    return LoadUsers(client, platform.keycloak_url, platform.token_url, administrator.username, administrator.password)


async def _wait_until_visible(query: Api, record: SeedRecord, step: Step) -> None:
    for event in record.events:

        async def shown(event_id: str = event.id) -> bool:
            info = await query.get(f"{api.QUERY}/v1/events/{event_id}/basic-info", "Reading the event")
            return bool(info["id"] == event_id)

        await api.poll(shown, SHOWN_SECONDS, f"The event {event.title!r} did not appear on the read side")
        for session in event.sessions:
            await api.wait_until_listed(query, session.id, len(session.seat_ids), SHOWN_SECONDS)
        step.advance()


async def _delete_if_empty(organizer: Api, organization_id: str) -> bool:
    """Deleting an organization deletes its events, so one that somebody else put events into stays."""
    try:
        if await api.events_of_organization(organizer, organization_id):
            return False
        await organizer.call("DELETE", f"{api.COMMAND}/v1/organizations/{organization_id}", "Deleting the organization")
    except ApiError as error:
        if error.status in (403, 404):
            return False
        raise
    return True
