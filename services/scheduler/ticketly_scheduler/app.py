"""Composition root of the scheduler."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from fastapi import FastAPI

from ticketly_common import clock, health, problems
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.serving import Service
from ticketly_scheduler import routes
from ticketly_scheduler.settings import Settings

_MAX_BODY_BYTES = 65_536
"""The largest request of the contract is one id."""


def create_app(settings: Settings, *, now: Callable[[], datetime] = clock.now) -> Service:
    """Return both listeners of the scheduler; ``now`` is the clock that answers show."""
    public = FastAPI(title="Ticketly scheduler", docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(public)
    public.include_router(routes.router(now, now()))

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield

    return Service(
        name="scheduler",
        public=public_listener(public, cors=settings.cors, max_body_bytes=_MAX_BODY_BYTES),
        internal=internal_listener(health.internal_app("scheduler", {})),
        lifespan=lifespan,
    )
