"""The composition root: the only place that knows concrete classes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import FastAPI, Request, Response

from ticketly_common import problems
from ticketly_common import redis as common_redis
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.auth import TokenVerifier
from ticketly_common.health import internal_app
from ticketly_common.kafka import Projection
from ticketly_common.serving import Service
from ticketly_order.catalogue.consumers import CatalogueSink
from ticketly_order.catalogue.domain import TOPICS
from ticketly_order.catalogue.postgres import PostgresCatalogue
from ticketly_order.claims.committer import GroupCommitter
from ticketly_order.claims.postgres import PostgresClaims
from ticketly_order.claims.redis import RedisShield
from ticketly_order.claims.routes import PlaceOrderEndpoint
from ticketly_order.claims.shield import Shield
from ticketly_order.orders.ports import StoreUnavailable
from ticketly_order.orders.postgres import PostgresOrders
from ticketly_order.orders.routes import internal_router, public_router
from ticketly_order.orders.sweeper import Sweeper
from ticketly_order.postgres import UNAVAILABLE, Database
from ticketly_order.settings import Settings

_MAX_BODY_BYTES = 262_144  # a thousand seat ids are 40 kB


def create_app(settings: Settings, *, verifier: TokenVerifier | None = None) -> Service:
    """Wire the service. ``verifier`` replaces the one that fetches the issuer's keys (an issuer without a server)."""
    fetched = TokenVerifier(settings.identity) if verifier is None else None
    tokens = verifier or fetched
    assert tokens is not None  # noqa: S101 - one of the two exists
    database = Database(settings.postgres)
    store = PostgresClaims(database, hold_ttl_seconds=settings.holds.ttl_seconds)
    client = common_redis.client(settings.redis)
    shared = RedisShield(client) if client is not None else None
    shield = Shield(shared)
    committer = GroupCommitter(store, decided=shield.learn, known_lost=shield.known_lost)
    orders = PostgresOrders(database)
    sweeper = Sweeper(orders, released=shield.released)
    sink = CatalogueSink(PostgresCatalogue(database), session_ended=sweeper.wake, transient=UNAVAILABLE)
    projection = Projection("order-catalogue", settings.kafka, TOPICS, sink, group="order-catalogue")

    async def catalogue() -> str | None:
        return None if projection.caught_up else "the catalogue is still being read from the log"

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if fetched is not None:
                await stack.enter_async_context(fetched.running())
            await stack.enter_async_context(database.running())
            stack.push_async_callback(store.close)
            if shared is not None:
                await stack.enter_async_context(shared.running())
            await stack.enter_async_context(committer.running())
            await stack.enter_async_context(sweeper.running())
            await stack.enter_async_context(projection.running())
            yield

    api = FastAPI(title="order", docs_url=None, redoc_url=None, openapi_url="/api/order/openapi.json")
    api.state.verifier = tokens
    api.include_router(
        public_router(orders, released=shield.released, check=database.check, version=version("ticketly-order"))
    )
    internal = internal_app("order", {"database": database.check, "catalogue": catalogue})
    internal.state.verifier = tokens
    internal.include_router(internal_router(orders))
    for app in (api, internal):
        problems.install(app)
        app.add_exception_handler(StoreUnavailable, _unavailable)
    place = PlaceOrderEndpoint(
        api,
        verifier=tokens,
        shield=shield,
        claims=committer,
        holds=settings.holds,
        lost_seat_status_by_client=settings.compat.lost_seat_status_by_client,
    )
    return Service(
        name="order",
        public=public_listener(place, cors=settings.cors, max_body_bytes=_MAX_BODY_BYTES),
        internal=internal_listener(internal),
        lifespan=lifespan,
    )


async def _unavailable(_request: Request, _error: Exception) -> Response:
    raise problems.unavailable("Orders cannot be read at the moment.")
