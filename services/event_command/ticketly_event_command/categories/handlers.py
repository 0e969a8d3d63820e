"""One function per request about categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from ticketly_common.problems import conflict, invalid, not_found
from ticketly_event_command.answers import NO_CONTENT, Answer
from ticketly_event_command.faults import Faults, reader
from ticketly_event_command.ports import ConstraintViolatedError, Row, Transaction


def tree(rows: Sequence[Row]) -> dict[UUID, dict[str, Any]]:
    """Return every category by id, each with its sub-categories in the rows' order."""
    nodes = {
        row["id"]: {
            "id": str(row["id"]),
            "name": row["name"],
            "parentId": None if row["parent_id"] is None else str(row["parent_id"]),
            "subCategories": [],
        }
        for row in rows
    }
    for row in rows:
        parent = nodes.get(row["parent_id"])
        if parent is not None:
            parent["subCategories"].append(nodes[row["id"]])
    return nodes


async def roots(tx: Transaction) -> Answer:
    """Return the root categories, each with everything below it."""
    nodes = tree(await tx.many("categories"))
    return Answer(body=[node for node in nodes.values() if node["parentId"] is None])


async def one(tx: Transaction, category_id: UUID, status: int = 200) -> Answer:
    """Return one category with everything below it."""
    node = tree(await tx.many("categories")).get(category_id)
    if node is None:
        raise not_found("category")
    return Answer(status, node)


def _read(body: bytes) -> tuple[str, UUID | None]:
    faults = Faults()
    raw = reader(body, faults)
    name, parent = raw.text("name", shortest=1, longest=100), raw.maybe_identifier("parentId")
    faults.check()
    return name, parent


def _taken(name: str) -> Exception:
    return conflict("name-taken", f"There is already a category {name!r} in this place.")


async def create(tx: Transaction, body: bytes) -> Answer:
    """Create a category as the last one of its parent."""
    name, parent = _read(body)
    await tx.run("lock_categories")
    if parent is not None and await tx.one("category", parent) is None:
        raise invalid({"parentId": "is no category"})
    category_id = uuid4()
    try:
        await tx.run("insert_category", category_id, name, parent)
    except ConstraintViolatedError:
        raise _taken(name) from None
    return await one(tx, category_id, 201)


async def update(tx: Transaction, category_id: UUID, body: bytes) -> Answer:
    """Rename or move a category; it cannot be put below itself."""
    await tx.run("lock_categories")
    if await tx.one("category", category_id) is None:
        raise not_found("category")
    name, parent = _read(body)
    if parent is not None:
        above = {row["id"] for row in await tx.many("category_ancestors", parent)}
        if not above:
            raise invalid({"parentId": "is no category"})
        if category_id in above:
            raise invalid({"parentId": "would put the category below itself"})
    try:
        await tx.run("update_category", category_id, name, parent)
    except ConstraintViolatedError:
        raise _taken(name) from None
    return await one(tx, category_id)


async def delete(tx: Transaction, category_id: UUID) -> Answer:
    """Remove a category that nothing refers to; 409 ``category-in-use`` otherwise."""
    await tx.run("lock_categories")
    try:
        if await tx.run("delete_category", category_id) == 0:
            raise not_found("category")
    except ConstraintViolatedError:
        raise conflict("category-in-use", "The category has sub-categories or events.") from None
    return NO_CONTENT
