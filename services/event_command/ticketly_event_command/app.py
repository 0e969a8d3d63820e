"""The composition root: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
from fastapi import APIRouter, FastAPI

from ticketly_common import clock, problems, tracing
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.auth import TokenVerifier
from ticketly_common.background import background
from ticketly_common.health import Check, internal_app
from ticketly_common.serving import Service
from ticketly_common.settings import SettingsError
from ticketly_event_command import internal_routes, platform_routes
from ticketly_event_command.analytics.routes import router as analytics
from ticketly_event_command.canary.beats import keep_beating
from ticketly_event_command.canary.routes import router as canary
from ticketly_event_command.categories.routes import router as categories
from ticketly_event_command.events.routes import router as events
from ticketly_event_command.http import PREFIX
from ticketly_event_command.images.domain import SignedAddresses, signing_secret
from ticketly_event_command.images.filesystem import FileSystemObjects
from ticketly_event_command.images.routes import router as images
from ticketly_event_command.offers.routes import router as offers
from ticketly_event_command.order_peer import HttpOrderPeer
from ticketly_event_command.organizations.routes import router as organizations
from ticketly_event_command.ports import Parts
from ticketly_event_command.postgres import PostgresDatabase
from ticketly_event_command.sessions.routes import router as sessions
from ticketly_event_command.settings import Settings
from ticketly_event_command.templates.routes import router as templates

NAME = "event-command"
_LARGE_BODIES_AT_ONCE = 2


def public_app(parts: Parts, verifier: TokenVerifier) -> FastAPI:
    """Return the public application, without the middlewares of its listener."""
    app = FastAPI(title="Ticketly event command", redirect_slashes=False, docs_url=None, redoc_url=None)
    problems.install(app)
    app.state.parts = parts
    app.state.verifier = verifier
    whole = APIRouter(prefix=PREFIX)
    for router in (
        organizations,
        categories,
        events,
        offers,
        sessions,
        templates,
        analytics,
        images,
        platform_routes.router,
    ):
        whole.include_router(router)
    app.include_router(whole)
    return app


def internal_application(parts: Parts, verifier: TokenVerifier, checks: dict[str, Check]) -> FastAPI:
    """Return the internal application: probes, metrics and the routes for services."""
    app = internal_app(NAME, checks)
    app.state.parts = parts
    app.state.verifier = verifier
    app.include_router(internal_routes.router)
    app.include_router(canary)
    return app


async def _continue_trace(request: httpx2.Request) -> None:
    tracing.inject(request.headers)


def create_app(settings: Settings) -> Service:
    """Wire the service; raises SettingsError without the credentials of a service client."""
    identity = settings.identity
    if identity.client_id is None or identity.client_secret is None:
        raise SettingsError("TICKETLY_IDENTITY_CLIENT_ID and TICKETLY_IDENTITY_CLIENT_SECRET: required")
    secret = identity.client_secret.get_secret_value()
    client = httpx2.AsyncClient(timeout=5.0, trust_env=False, event_hooks={"request": [_continue_trace]})
    verifier = TokenVerifier(identity)
    database = PostgresDatabase(settings.postgres, application_name=NAME)
    parts = Parts(
        database=database,
        objects=FileSystemObjects(settings.uploads.directory),
        orders=HttpOrderPeer(
            client,
            order_url=settings.peers.order_internal_url,
            token_url=identity.token_url(),
            client_id=identity.client_id,
            client_secret=secret,
        ),
        addresses=SignedAddresses(settings.platform.public_url, signing_secret(secret), clock.now),
        now=clock.now,
        currency=settings.platform.currency,
        time_zone=settings.platform.time_zone,
        large_bodies=asyncio.Semaphore(_LARGE_BODIES_AT_ONCE),
    )

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with (
            client,
            database.running(),
            verifier.running(),
            background(keep_beating(database), name="lag-canary")
            if settings.canary.enabled
            else contextlib.nullcontext(),
        ):
            yield

    return Service(
        name=NAME,
        public=public_listener(
            public_app(parts, verifier), cors=settings.cors, max_body_bytes=settings.uploads.max_bytes
        ),
        internal=internal_listener(internal_application(parts, verifier, {"postgres": database.check})),
        lifespan=lifespan,
    )
