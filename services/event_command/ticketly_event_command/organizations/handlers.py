"""One function per request about organizations and staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from ticketly_common.auth import Caller
from ticketly_common.clock import to_wire
from ticketly_common.paging import PageRequest, envelope
from ticketly_common.problems import conflict, not_found
from ticketly_event_command.access import lock_own_organization, own_organization, remember_tier, user_id
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.faults import Faults, Reader, reader
from ticketly_event_command.ports import FileAddresses, Parts, Row, Transaction
from ticketly_event_command.sessions.domain import is_web_address

SORTABLE: Final = {
    "name": "lower(o.name)",
    "createdAt": "o.created_at",
    "updatedAt": "o.updated_at",
    "id": "o.id",
}


def to_json(row: Row, addresses: FileAddresses) -> dict[str, Any]:
    """Return the wire form of an organization row with ``event_count``."""
    logo = row["logo_url"]
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "logoUrl": None if logo is None else addresses.signed("logos/" + logo.rpartition("/")[2]),
        "website": row["website"],
        "createdAt": to_wire(row["created_at"]),
        "updatedAt": to_wire(row["updated_at"]),
        "eventCount": row["event_count"],
    }


async def _answer(tx: Transaction, parts: Parts, organization_id: UUID, status: int = 200) -> Answer:
    row = await tx.one("organization", organization_id)
    if row is None:
        raise not_found("organization")
    return Answer(status, to_json(row, parts.addresses))


def _read(raw: Reader) -> tuple[str, str | None]:
    name = raw.text("name", shortest=1, longest=100)
    website = raw.maybe_text("website", longest=2000)
    if website is not None and not is_web_address(website):
        raw.fault("website", "must be an absolute http or https address")
    return name, website


async def create(tx: Transaction, parts: Parts, caller: Caller, body: bytes) -> Answer:
    """Create an organization of the caller; 409 ``limit-reached`` is decided under a lock per user."""
    faults = Faults()
    name, website = _read(reader(body, faults))
    faults.check()
    owner = user_id(caller)
    _, limits = await remember_tier(tx, caller)
    await tx.run("lock_user_organizations", owner)
    if await tx.value("count_user_organizations", owner) >= limits.organizations_per_user:
        raise conflict(
            "limit-reached",
            f"Your plan allows {limits.organizations_per_user} organizations.",
            limit=limits.organizations_per_user,
        )
    organization_id = uuid4()
    await tx.run("insert_organization", organization_id, name, website, owner)
    return await _answer(tx, parts, organization_id, 201)


async def update(tx: Transaction, parts: Parts, caller: Caller, organization_id: UUID, body: bytes) -> Answer:
    """Replace name and website."""
    await lock_own_organization(tx, organization_id, caller)
    faults = Faults()
    name, website = _read(reader(body, faults))
    faults.check()
    await tx.run("update_organization", organization_id, name, website)
    return await _answer(tx, parts, organization_id)


async def mine(tx: Transaction, parts: Parts, owner: UUID) -> Answer:
    """Return all organizations of a user by creation."""
    rows = await tx.many("organizations_of_user", owner)
    return Answer(body=[to_json(row, parts.addresses) for row in rows])


async def get_own(tx: Transaction, parts: Parts, caller: Caller, organization_id: UUID) -> Answer:
    """Return one organization of the caller."""
    return Answer(body=to_json(await own_organization(tx, organization_id, caller), parts.addresses))


async def get_any(tx: Transaction, parts: Parts, organization_id: UUID) -> Answer:
    """Return one organization, whoever owns it (administrators)."""
    return await _answer(tx, parts, organization_id)


def like_pattern(search: str | None) -> str | None:
    """Return a LIKE pattern that finds a text anywhere, or None for an empty search."""
    text = (search or "").strip()[:200].replace("\x00", "")
    if not text:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def search_all(tx: Transaction, parts: Parts, request: PageRequest, search: str | None) -> Answer:
    """Return a page of all organizations, with the older page members beside the envelope."""
    rows, total = await tx.page("organizations", request, SORTABLE, like_pattern(search))
    page = envelope([to_json(row, parts.addresses) for row in rows], total, request)
    return Answer(body={**page, "pageNumber": request.number, "pageSize": request.size})


def _member(row: Row) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "userId": str(row["user_id"]),
        "email": row["email"],
        "name": row["name"],
        "roles": list(row["roles"]),
        "active": row["active"],
    }


async def staff(tx: Transaction, caller: Caller, organization_id: UUID) -> Answer:
    """Return the members of an organization."""
    await own_organization(tx, organization_id, caller)
    rows: Sequence[Row] = await tx.many("staff", organization_id, None)
    return Answer(body=[_member(row) for row in rows])


async def remove_staff(tx: Transaction, caller: Caller, organization_id: UUID, member: UUID) -> Answer:
    """Remove a member; access ends as soon as the other services have seen the row go."""
    await lock_own_organization(tx, organization_id, caller)
    if await tx.run("delete_staff", organization_id, member) == 0:
        raise not_found("member")
    return NO_CONTENT


async def set_staff_status(tx: Transaction, caller: Caller, organization_id: UUID, member: UUID, body: bytes) -> Answer:
    """Activate or deactivate a member; the body says ``isActive`` or ``active``."""
    await lock_own_organization(tx, organization_id, caller)
    faults = Faults()
    active = reader(body, faults).boolean(("isActive", "active"))
    faults.check()
    if await tx.run("set_staff_active", organization_id, member, active) == 0:
        raise not_found("member")
    row = await tx.one("staff", organization_id, member)
    if row is None:
        raise not_found("member")
    return Answer(body=_member(row))
