"""One function per request about seating templates."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from ticketly_common.auth import Caller
from ticketly_common.clock import to_wire
from ticketly_common.paging import PageRequest, envelope
from ticketly_common.problems import conflict, forbidden, not_found
from ticketly_event_command.access import lock_own_organization, own_organization, remember_tier, user_id
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.faults import NIL, Faults, reader
from ticketly_event_command.ports import Row, Transaction
from ticketly_event_command.templates.domain import read_template

SORTABLE: Final = {"updatedAt": "t.updated_at", "name": "lower(t.name)", "id": "t.id"}


def _to_json(row: Row) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "organizationId": str(row["organization_id"]),
        "name": row["name"],
        "updatedAt": to_wire(row["updated_at"]),
        "layoutData": msgspec.json.decode(row["layout_data"]),
    }


async def _own(tx: Transaction, caller: Caller, template_id: UUID) -> Row:
    row = await tx.one("template", template_id)
    if row is None:
        raise not_found("template")
    if row["owner_id"] != user_id(caller):
        raise forbidden("This template belongs to somebody else.")
    return row


async def of_organization(tx: Transaction, caller: Caller, organization_id: UUID, request: PageRequest) -> Answer:
    """Return a page of an organization's templates."""
    await own_organization(tx, organization_id, caller)
    rows, total = await tx.page("templates", request, SORTABLE, organization_id)
    return Answer(body=envelope([_to_json(row) for row in rows], total, request))


async def get(tx: Transaction, caller: Caller, template_id: UUID, status: int = 200) -> Answer:
    """Return a template."""
    return Answer(status, _to_json(await _own(tx, caller, template_id)))


async def create(tx: Transaction, caller: Caller, body: bytes) -> Answer:
    """Store a template; 409 ``limit-reached`` is decided under the organization's lock."""
    faults = Faults()
    raw = reader(body, faults)
    organization_id = raw.identifier("organizationId")
    name, plan = read_template(raw)
    if organization_id == NIL:
        faults.check()
    await lock_own_organization(tx, organization_id, caller)
    faults.check()
    _, limits = await remember_tier(tx, caller)
    most = limits.templates_per_organization
    if await tx.value("templates_count", organization_id) >= most:
        raise conflict("limit-reached", f"Your plan allows {most} templates per organization.", limit=most)
    template_id = uuid4()
    await tx.run("insert_template", template_id, organization_id, name, msgspec.json.encode(plan).decode())
    return await get(tx, caller, template_id, 201)


async def update(tx: Transaction, caller: Caller, template_id: UUID, body: bytes) -> Answer:
    """Replace name and plan; a template does not change its organization."""
    await _own(tx, caller, template_id)
    faults = Faults()
    name, plan = read_template(reader(body, faults))
    faults.check()
    await tx.run("update_template", template_id, name, msgspec.json.encode(plan).decode())
    return await get(tx, caller, template_id)


async def delete(tx: Transaction, caller: Caller, template_id: UUID) -> Answer:
    """Remove a template."""
    await _own(tx, caller, template_id)
    await tx.run("delete_template", template_id)
    return NO_CONTENT
