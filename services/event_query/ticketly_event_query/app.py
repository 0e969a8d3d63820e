"""Composition root: the only place that knows concrete classes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from ticketly_common import clock, problems, redis
from ticketly_common.asgi import internal_listener, public_listener
from ticketly_common.auth import TokenVerifier
from ticketly_common.health import Check, internal_app
from ticketly_common.kafka import Projection
from ticketly_common.problems import Problem, not_found
from ticketly_common.serving import Service
from ticketly_event_query.canary.handlers import build_canary
from ticketly_event_query.canary.probe import Probe
from ticketly_event_query.canary.writer import HttpWriter
from ticketly_event_query.catalog.handlers import Reading
from ticketly_event_query.catalog.limits import LookupLimit
from ticketly_event_query.catalog.routes import internal_routes, public_routes
from ticketly_event_query.mongo import connection as mongo
from ticketly_event_query.mongo.canary import MongoCanary
from ticketly_event_query.mongo.catalog import MongoCatalog, MongoStatics
from ticketly_event_query.mongo.read_model import MongoReadModel, MongoRebuildQueue
from ticketly_event_query.mongo.seat_states import MongoSeatStates
from ticketly_event_query.mongo.staging import MongoPositions, MongoStaging
from ticketly_event_query.projection import handlers, tables
from ticketly_event_query.projection.consumers import NAME as TABLES
from ticketly_event_query.projection.consumers import TableSink
from ticketly_event_query.projection.ports import Job
from ticketly_event_query.projection.rebuilds import Builder, Rebuilder
from ticketly_event_query.seats import handlers as seat_handlers
from ticketly_event_query.seats.consumers import TOPIC as SEAT_TOPIC
from ticketly_event_query.seats.consumers import BroadcastSink, StateSink
from ticketly_event_query.seats.live import STATES, LiveSessions
from ticketly_event_query.seats.map_endpoint import MapEndpoint
from ticketly_event_query.seats.redis import Hints
from ticketly_event_query.settings import Canary, Settings
from ticketly_event_query.streams.connections import RememberTransport
from ticketly_event_query.streams.endpoint import StreamEndpoint
from ticketly_event_query.streams.hub import Hub

PREFIX = "/api/event-query"
_MAX_BODY_BYTES = 65_536
_ECHO_TIMEOUT_SECONDS = 2.0
_QUIET_SECONDS = {"event": 0.02, "layout": 0.1, "counts": 0.3, "canary": 0.02}


class Dispatch:
    """In front of FastAPI: seat maps and streams go to their bare handlers, the rest passes."""

    def __init__(self, app: ASGIApp, maps: MapEndpoint, streams: StreamEndpoint) -> None:
        self._app = app
        self._maps = maps
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.endswith("/seating-map"):
            session = _between(path, f"{PREFIX}/v1/sessions/", "/seating-map")
            if session is not None:
                _allow_get(scope, f"{PREFIX}/v1/sessions/{{session_id}}/seating-map")
                await self._maps.serve(session, scope, send)
                return
        elif scope["type"] == "http" and path.endswith("/seat-status"):
            session = _between(path, f"{PREFIX}/v1/sse/sessions/", "/seat-status")
            if session is not None:
                _allow_get(scope, f"{PREFIX}/v1/sse/sessions/{{session_id}}/seat-status")
                await self._streams.serve(session, scope, receive, send)
                return
        await self._app(scope, receive, send)


def _between(path: str, before: str, after: str) -> str | None:
    if not path.startswith(before):
        return None
    found = path[len(before) : -len(after)]
    if not found or "/" in found:
        raise not_found("session")
    return found


def _allow_get(scope: Scope, route: str) -> None:
    scope["state"]["route"] = route
    if scope["method"] not in {"GET", "HEAD"}:
        raise Problem(405, "method-not-allowed", "Only GET is possible here.", headers={"Allow": "GET, HEAD"})


@dataclass(frozen=True)
class Parts:
    """The running parts of a process, for tests that look inside."""

    live: LiveSessions
    hub: Hub
    rebuilder: Rebuilder
    projections: tuple[Projection, ...]
    database: mongo.Database


@contextlib.asynccontextmanager
async def _measuring(settings: Canary, documents: MongoCanary, hub: Hub, live: LiveSessions) -> AsyncIterator[None]:
    """Measure the lag for the length of the block, if that is wanted."""
    if not settings.enabled:
        yield
        return
    async with httpx2.AsyncClient(timeout=_ECHO_TIMEOUT_SECONDS, trust_env=False) as client:
        probe = Probe(documents, HttpWriter(client, settings.writer_url), hub)
        live.also.append(probe.look)
        async with probe.running():
            yield


def create_app(settings: Settings, *, verifier: TokenVerifier | None = None) -> Service:
    """Return the service; nothing connects before its lifespan begins."""
    return assemble(settings, verifier=verifier)[0]


def assemble(settings: Settings, *, verifier: TokenVerifier | None = None) -> tuple[Service, Parts]:
    """Return the service together with its parts."""
    client, database = mongo.connect(settings.mongo)
    staging, positions = MongoStaging(database), MongoPositions(database)
    read_model, queue = MongoReadModel(database), MongoRebuildQueue(database)
    states = MongoSeatStates(database)

    async def build_event(event_id: str, build: int) -> None:
        await handlers.build_event(event_id, build, staging=staging, read_model=read_model)

    async def build_layout(session_id: str, build: int) -> set[Job]:
        return await handlers.build_layout(session_id, build, staging=staging, read_model=read_model)

    async def recount(session_id: str, build: int) -> None:
        await seat_handlers.recount(session_id, build, states=states)

    canary_documents = MongoCanary(database)

    async def canary(_key: str, build: int) -> None:
        await build_canary(build, documents=canary_documents)

    builders: dict[str, Builder] = {"event": build_event, "layout": build_layout, "counts": recount, "canary": canary}
    rebuilder = Rebuilder(queue, builders, quiet_seconds=_QUIET_SECONDS, sweep_seconds=settings.consumers.sweep_seconds)
    live = LiveSessions(settings.seats, statics=MongoStatics(database, read_model), states=states, positions=positions)
    hub = Hub(settings.streams)
    live.listener = hub
    # The store's name is part of the group: processes share partitions only if they share the store.
    group, most = f"{settings.consumers.group_prefix}-{settings.mongo.database}", settings.consumers.max_records
    table_sink = TableSink(
        staging=staging, positions=positions, queue=queue, rebuilder=rebuilder, transient=mongo.transient
    )
    state_sink = StateSink(
        states=states, positions=positions, queue=queue, rebuilder=rebuilder, transient=mongo.transient
    )
    broadcast = BroadcastSink(live, positions, mongo.transient)
    kafka = settings.kafka
    projections = (
        Projection(TABLES, kafka, tables.topics(), table_sink, group=f"{group}-{TABLES}", max_records=most),
        Projection(STATES, kafka, [SEAT_TOPIC], state_sink, group=f"{group}-{STATES}", max_records=most),
        Projection("seat-broadcast", kafka, [SEAT_TOPIC], broadcast, group=None, max_records=most),
    )
    hints_client = redis.client(settings.redis)
    hints = Hints(hints_client, live)
    trusted = verifier or TokenVerifier(settings.identity)

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(client.close)
            if hints_client is not None:
                stack.push_async_callback(hints_client.aclose)
            await mongo.create_indexes(database)
            if verifier is None:
                await stack.enter_async_context(trusted.running())
            await stack.enter_async_context(hub.running())
            await stack.enter_async_context(_measuring(settings.canary, canary_documents, hub, live))
            await stack.enter_async_context(live.running())
            await stack.enter_async_context(rebuilder.running())
            for projection in projections:
                await stack.enter_async_context(projection.running())
            await stack.enter_async_context(hints.running())
            yield

    async def reachable() -> str | None:
        await database.command("ping")
        return None

    built_once = False

    async def caught_up() -> str | None:
        nonlocal built_once
        behind = [projection.name for projection in projections if not projection.caught_up]
        if behind:
            return f"still reading: {', '.join(behind)}"
        # Only at start: later there is always something to rebuild while people buy.
        built_once = built_once or rebuilder.idle
        return None if built_once else "documents are being built"

    checks: dict[str, Check] = {"mongo": reachable, "consumers": caught_up}
    reading = Reading(catalog=MongoCatalog(database), now=clock.now, public_url=settings.platform.public_url)
    public = FastAPI(title="Ticketly event query", docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(public)
    limit = LookupLimit(settings.discounts.code_lookups_per_minute)
    public.include_router(public_routes(reading, limit, fresh_ms=settings.catalog.fresh_ms), prefix=PREFIX)
    internal = internal_app("event-query", checks)
    internal.include_router(internal_routes(reading), prefix=PREFIX)
    public.state.verifier = internal.state.verifier = trusted
    front = Dispatch(public, MapEndpoint(live), StreamEndpoint(live, hub, settings.streams))
    service = Service(
        name="event-query",
        public=RememberTransport(public_listener(front, cors=settings.cors, max_body_bytes=_MAX_BODY_BYTES)),
        internal=internal_listener(internal),
        lifespan=lifespan,
        before_stop=hub.close,
    )
    return service, Parts(live, hub, rebuilder, projections, database)
