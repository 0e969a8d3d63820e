"""Rules of tiers and discounts. Pure; amounts are minor units inside, both forms in stored discount parameters."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ticketly_event_command.faults import Reader
from ticketly_event_command.money import major, maybe_major

DEFAULT_COLOR: Final = "#6B7280"
MOST_TIERS: Final = 100
MOST_DISCOUNTS: Final = 200
_COLOR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_MOST_COUNT: Final = 1_000_000_000
DISCOUNT_TYPES: Final = ("PERCENTAGE", "FLAT_OFF", "BUY_N_GET_N_FREE")


@dataclass(frozen=True)
class TierDraft:
    """A valid tier that is not stored yet; ``client_id`` is what the request called it, or None."""

    client_id: str | None
    name: str
    color: str
    price_minor: int


@dataclass(frozen=True)
class DiscountDraft:
    """A valid discount that is not stored yet. Empty id lists mean: applies to all."""

    client_id: str | None
    code: str
    parameters: dict[str, Any]
    max_usage: int | None
    max_usage_per_user: int | None
    is_public: bool
    is_active: bool
    active_from: datetime | None
    expires_at: datetime | None
    tier_ids: tuple[UUID, ...]
    session_ids: tuple[UUID, ...]


def read_color(raw: Reader) -> str:
    """Read ``color`` as ``#RRGGBB``; absent or empty means grey."""
    color = raw.maybe_text("color", longest=32) or DEFAULT_COLOR
    if not _COLOR.fullmatch(color):
        raw.fault("color", "must look like #3B82F6")
    return color


def read_tier(raw: Reader) -> TierDraft:
    """Read a whole tier."""
    client_id = raw.raw("id")
    return TierDraft(
        client_id=client_id if isinstance(client_id, str) and client_id else None,
        name=raw.text("name", shortest=1, longest=100),
        color=read_color(raw),
        price_minor=raw.money("price"),
    )


def read_tiers(raw: Reader) -> list[TierDraft]:
    """Read the member ``tiers``: at least one, names unique in any case, client ids unique."""
    count = len(raw.items("tiers"))
    if not 1 <= count <= MOST_TIERS:
        raw.fault("tiers", "must have at least one tier" if count == 0 else f"must be at most {MOST_TIERS}")
    drafts: list[TierDraft] = []
    names: set[str] = set()
    client_ids: set[str] = set()
    for item in raw.children("tiers"):
        draft = read_tier(item)
        if draft.name.lower() in names:
            item.fault("name", "is used twice")
        names.add(draft.name.lower())
        if draft.client_id is not None:
            if draft.client_id in client_ids:
                item.fault("id", "is used twice")
            client_ids.add(draft.client_id)
        drafts.append(draft)
    return drafts


def read_discounts(
    raw: Reader, *, currency: str, tiers: Mapping[str, UUID], sessions: Mapping[str, UUID], now: datetime
) -> list[DiscountDraft]:
    """Read the member ``discounts``; the mappings turn the client's ids into stored ones."""
    if len(raw.items("discounts")) > MOST_DISCOUNTS:
        raw.fault("discounts", f"must be at most {MOST_DISCOUNTS}")
        return []
    drafts: list[DiscountDraft] = []
    codes: set[str] = set()
    for item in raw.children("discounts"):
        draft = read_discount(item, currency=currency, tiers=tiers, sessions=sessions)
        refuse_expired(item, draft, now)
        if draft.code in codes:
            item.fault("code", "is used twice")
        codes.add(draft.code)
        drafts.append(draft)
    return drafts


def refuse_expired(raw: Reader, draft: DiscountDraft, now: datetime) -> None:
    """Note a fault when a *new* discount could never be used."""
    if draft.expires_at is not None and draft.expires_at <= now:
        raw.fault("expiresAt", "must be in the future")


def read_discount(
    raw: Reader, *, currency: str, tiers: Mapping[str, UUID], sessions: Mapping[str, UUID]
) -> DiscountDraft:
    """Read one discount. ``id``, ``currentUsage`` and ``discountedTotal`` are sent by clients and ignored."""
    client_id = raw.raw("id")
    active_from, expires_at = raw.maybe_instant("activeFrom"), raw.maybe_instant("expiresAt")
    if active_from is not None and expires_at is not None and expires_at <= active_from:
        raw.fault("expiresAt", "must be after the start")
    return DiscountDraft(
        client_id=client_id if isinstance(client_id, str) and client_id else None,
        code=_code(raw),
        parameters=_parameters(raw.child("parameters"), currency),
        max_usage=raw.maybe_integer("maxUsage", least=1, most=_MOST_COUNT),
        max_usage_per_user=raw.maybe_integer("maxUsagePerUser", least=1, most=_MOST_COUNT),
        is_public=raw.boolean(("public", "isPublic"), default=False),
        is_active=raw.boolean(("active", "isActive"), default=True),
        active_from=active_from,
        expires_at=expires_at,
        tier_ids=_applicable(raw, "applicableTierIds", tiers, "is no tier of this event"),
        session_ids=_applicable(raw, "applicableSessionIds", sessions, "is no session of this event"),
    )


def _code(raw: Reader) -> str:
    code = raw.text("code", shortest=1, longest=40).upper()
    if len(code) > 40:  # upper-casing can lengthen a text (ß)
        raw.fault("code", "must have at most 40 characters")
    return code


def _applicable(raw: Reader, name: str, known: Mapping[str, UUID], sentence: str) -> tuple[UUID, ...]:
    found: dict[UUID, None] = {}
    for index, given in enumerate(raw.items(name)):
        match = (known.get(given) or known.get(given.lower())) if isinstance(given, str) else None
        if match is None:
            raw.fault(f"{name}[{index}]", sentence)
        else:
            found[match] = None
    return tuple(found)


def _parameters(raw: Reader, currency: str) -> dict[str, Any]:
    kind = raw.choice("type", DISCOUNT_TYPES)
    if raw.raw("type") != kind:  # the fault is noted; the other members cannot be judged
        return {}
    if kind == "BUY_N_GET_N_FREE":
        return {
            "type": kind,
            "buyQuantity": raw.integer("buyQuantity", least=1, most=1000),
            "getQuantity": raw.integer("getQuantity", least=1, most=1000),
        }
    least_spend = raw.maybe_money("minSpend")
    spend = {"minSpend": maybe_major(least_spend), "minSpendMinor": least_spend}
    if kind == "PERCENTAGE":
        percentage = raw.number("percentage", least=0, most=100)
        if percentage <= 0:
            raw.fault("percentage", "must be more than 0")
        elif round(percentage, 2) != percentage:
            raw.fault("percentage", "must have at most 2 decimals")
        most = raw.maybe_money("maxDiscount")
        return {
            "type": kind,
            "percentage": int(percentage) if percentage == int(percentage) else percentage,
            **spend,
            "maxDiscount": maybe_major(most),
            "maxDiscountMinor": most,
        }
    amount = raw.money("amount", least_minor=1)
    given = (raw.maybe_text("currency", longest=3) or currency).upper()
    if not _CURRENCY.fullmatch(given) or given != currency:
        raw.fault("currency", f"must be {currency}, the currency of the event")
    return {"type": kind, "amount": major(amount), "amountMinor": amount, "currency": currency, **spend}


def ids_by_text(ids: Collection[UUID]) -> dict[str, UUID]:
    """Return stored ids by their wire form, for requests that name stored tiers or sessions."""
    return {str(one): one for one in ids}
