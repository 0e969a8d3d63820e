"""Composition root of the mail service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from ticketly_common import health
from ticketly_common.asgi import internal_listener
from ticketly_common.serving import Service


def create_app() -> Service:
    """Return the mail service: an internal listener, nothing public."""

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield

    return Service(
        name="email",
        public=None,
        internal=internal_listener(health.internal_app("email", {})),
        lifespan=lifespan,
    )
