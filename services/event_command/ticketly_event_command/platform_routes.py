"""Routes that need no store: limits, the missing text service, health."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from ticketly_common.auth import public
from ticketly_common.problems import Problem
from ticketly_event_command.answers import Answer
from ticketly_event_command.http import User, respond
from ticketly_event_command.limits import LIMITS, platform_limits, tier_of

router = APIRouter()


@router.get("/v1/config")
async def config(_caller: User) -> Response:
    """Return all limits."""
    tiers = {str(tier): limits.to_wire() for tier, limits in LIMITS.items()}
    return respond(Answer(body={"tierLimits": tiers, **platform_limits()}))


@router.get("/v1/config/my-limits")
async def my_limits(caller: User) -> Response:
    """Return the limits of the caller's tier."""
    tier = tier_of(caller.groups)
    return respond(Answer(body={"currentTier": str(tier), "tierLimits": LIMITS[tier].to_wire(), **platform_limits()}))


@router.post("/v1/ai/generate-overview")
async def generate_overview(_caller: User) -> Response:
    """Refuse: no text service is part of the platform."""
    raise Problem(
        503,
        "feature-disabled",
        "Writing an overview automatically is not available here.",
        headers={"Retry-After": "86400"},
    )


@router.get("/health", dependencies=[Depends(public)])
async def health() -> Response:
    """Say that the process answers."""
    return respond(Answer(body={"status": "UP"}))
