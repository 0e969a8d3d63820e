"""Public routes of the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from ticketly_common.auth import public
from ticketly_common.clock import to_wire

PREFIX = "/api/scheduler"


class Health(BaseModel):
    """``timestamp`` is RFC 3339 in UTC, ``uptime`` the seconds since the process was ready to serve."""

    status: str
    timestamp: str
    uptime: float


def router(now: Callable[[], datetime], started_at: datetime) -> APIRouter:
    """Return the public routes; ``now`` gives aware instants."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/health", dependencies=[Depends(public)])
    async def health() -> Health:
        moment = now()
        uptime_seconds = max(0.0, round((moment - started_at).total_seconds(), 3))
        return Health(status="UP", timestamp=to_wire(moment), uptime=uptime_seconds)

    return routes
