"""Whose is it? Look-ups that end in 404 for an unknown id and 403 for a foreign one, in this order."""

from __future__ import annotations

from uuid import UUID

from ticketly_common.auth import Caller
from ticketly_common.problems import Problem, forbidden, not_found
from ticketly_event_command.limits import LIMITS, Limits, Tier, tier_of
from ticketly_event_command.ports import Row, Transaction


def user_id(caller: Caller) -> UUID:
    """Return the caller's id; raises 401 ``token-invalid`` when the subject is no UUID."""
    try:
        return UUID(caller.subject)
    except ValueError:
        raise Problem(401, "token-invalid", "The token's subject is no user.") from None


def _owned(row: Row | None, owner_column: str, thing: str, caller: Caller) -> Row:
    if row is None:
        raise not_found(thing)
    if row[owner_column] != user_id(caller):
        raise forbidden(f"This {thing} belongs to somebody else.")
    return row


async def own_organization(tx: Transaction, organization_id: UUID, caller: Caller) -> Row:
    """Return the caller's organization with ``event_count``."""
    return _owned(await tx.one("organization", organization_id), "user_id", "organization", caller)


async def lock_own_organization(tx: Transaction, organization_id: UUID, caller: Caller) -> Row:
    """Lock and return the caller's organization; take this lock before the one of an event."""
    return _owned(await tx.one("lock_organization", organization_id), "user_id", "organization", caller)


async def own_event(tx: Transaction, event_id: UUID, caller: Caller) -> Row:
    """Return an event of the caller, with ``owner_id``, ``organization_name`` and ``category_name``."""
    return _owned(await tx.one("event", event_id), "owner_id", "event", caller)


async def lock_own_event(tx: Transaction, event_id: UUID, caller: Caller, if_match: str | None = None) -> Row:
    """Lock and return an event of the caller; raises 412 when ``if_match`` names another version."""
    row = _owned(await tx.one("lock_event", event_id), "owner_id", "event", caller)
    check_version(if_match, row["version"])
    return row


async def lock_own_session(
    tx: Transaction, session_id: UUID, caller: Caller, if_match: str | None = None
) -> tuple[Row, Row]:
    """Lock and return (event, session) of the caller, in this order; raises 412 like ``lock_own_event``."""
    event_id = await tx.value("session_event", session_id)
    if event_id is None:
        raise not_found("session")
    event = await tx.one("lock_event", event_id)
    if event is None:
        raise not_found("session")
    if event["owner_id"] != user_id(caller):
        raise forbidden("This session belongs to somebody else.")
    session = await tx.one("lock_session", session_id)
    if session is None:
        raise not_found("session")
    check_version(if_match, session["version"])
    return event, session


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def check_version(if_match: str | None, version: int) -> None:
    """Raise 412 ``version-mismatch`` unless the header is absent, ``*`` or names the current version."""
    if if_match is None or if_match.strip() == "*":
        return
    if etag(version) not in (part.strip() for part in if_match.split(",")):
        raise Problem(412, "version-mismatch", "Somebody else has changed this in the meantime.")


async def remember_tier(tx: Transaction, caller: Caller) -> tuple[Tier, Limits]:
    """Note the caller's tier for decisions that are made without the owner's token; return it with its limits."""
    tier = tier_of(caller.groups)
    await tx.run("remember_owner_tier", user_id(caller), str(tier))
    return tier, LIMITS[tier]
