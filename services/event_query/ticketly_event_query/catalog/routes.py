"""HTTP in: read routes (contract 4.1) and the internal trending routes (4.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Depends, Query, Request, Response

from ticketly_common.auth import Access, Caller, Requires, public
from ticketly_event_query.catalog import handlers
from ticketly_event_query.catalog.answers import Answers
from ticketly_event_query.catalog.handlers import Reading
from ticketly_event_query.catalog.limits import LookupLimit
from ticketly_event_query.seats.map_endpoint import matches

_log = structlog.get_logger(__name__)
_SHORT = "public, max-age=1"
_LONG = "public, max-age=60"
_User = Annotated[Caller, Depends(Requires(Access.USER))]
_Limit = Annotated[int, Query(ge=1)]


class _Public:
    """Answers public reads with tags, from what is still fresh."""

    def __init__(self, reading: Reading, fresh_ms: int) -> None:
        self.reading = reading
        self._answers = Answers(fresh_ms)

    async def __call__(self, request: Request, cache: str, produce: Callable[[], Awaitable[Any]]) -> Response:
        answer = await self._answers.get(f"{request.url.path}?{request.url.query}", produce)
        headers = {"ETag": answer.etag, "Cache-Control": cache}
        asked = request.headers.get("if-none-match")
        if asked is not None and matches(asked.encode("latin-1"), answer.etag.encode()):
            return Response(status_code=304, headers=headers)
        return Response(answer.content, media_type="application/json", headers=headers)


def public_routes(reading: Reading, limit: LookupLimit, *, fresh_ms: int) -> APIRouter:
    """Return the public routes, without prefix."""
    answer = _Public(reading, fresh_ms)
    router = APIRouter()
    opened = APIRouter(dependencies=[Depends(public)])
    _lists(opened, answer)
    _events(opened, answer)
    _sessions(opened, answer)

    @router.get("/v1/events/{event_id}/sessions/{session_id}/discounts/code/{code}")
    async def discount_by_code(caller: _User, event_id: str, session_id: str, code: str) -> Response:
        limit.count(caller.subject)
        found = await handlers.discount_by_code(reading, event_id, session_id, code)
        return Response(orjson.dumps(found), media_type="application/json", headers={"Cache-Control": "no-store"})

    @opened.get("/health")
    async def health() -> Response:
        return Response(b'{"status":"UP"}', media_type="application/json", headers={"Cache-Control": "no-store"})

    router.include_router(opened)
    return router


def _lists(opened: APIRouter, answer: _Public) -> None:
    reading = answer.reading

    @opened.get("/v1/events/search")
    async def search(request: Request) -> Response:
        return await answer(request, _SHORT, lambda: handlers.find(reading, request.query_params.multi_items()))

    @opened.get("/v1/events/trending")
    async def trending(request: Request, limit: _Limit = 10) -> Response:
        return await answer(request, _SHORT, lambda: handlers.trending_events(reading, limit))

    @opened.get("/v1/events/sessions/count")
    async def session_count(request: Request) -> Response:
        return await answer(request, _SHORT, lambda: handlers.session_count(reading))

    @opened.get("/v1/categories")
    async def categories(request: Request) -> Response:
        return await answer(request, _LONG, lambda: handlers.categories(reading, parents_only=False))

    @opened.get("/v1/categories/parents")
    async def parent_categories(request: Request) -> Response:
        return await answer(request, _LONG, lambda: handlers.categories(reading, parents_only=True))


def _events(opened: APIRouter, answer: _Public) -> None:
    reading = answer.reading

    @opened.get("/v1/events/{event_id}/basic-info")
    async def basic_info(request: Request, event_id: str) -> Response:
        return await answer(request, _SHORT, lambda: handlers.basic_info(reading, event_id))

    @opened.get("/v1/events/{event_id}/sessions")
    async def sessions(request: Request, event_id: str) -> Response:
        query = request.query_params.multi_items()
        return await answer(request, _SHORT, lambda: handlers.event_sessions(reading, event_id, query))

    @opened.get("/v1/events/{event_id}/sessions/sessions-in-range")
    async def sessions_in_range(request: Request, event_id: str) -> Response:
        return await answer(
            request, _SHORT, lambda: handlers.sessions_in_range(reading, event_id, request.query_params)
        )

    @opened.get("/v1/events/{event_id}/sessions/{session_id}/discounts/public")
    async def public_discounts(request: Request, event_id: str, session_id: str) -> Response:
        return await answer(request, _SHORT, lambda: handlers.public_discounts(reading, event_id, session_id))

    @opened.post("/v1/events/{event_id}/views")
    async def views(event_id: str) -> Response:
        await handlers.count_view(reading, event_id)
        return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _sessions(opened: APIRouter, answer: _Public) -> None:
    reading = answer.reading

    @opened.get("/v1/events/sessions/{session_id}/extended-info")
    async def extended_info(request: Request, session_id: str) -> Response:
        return await answer(request, _SHORT, lambda: handlers.extended_info(reading, session_id))

    @opened.get("/v1/sessions/{session_id}/basic-info")
    async def session_info(request: Request, session_id: str) -> Response:
        return await answer(request, _SHORT, lambda: handlers.session_info(reading, session_id))


def internal_routes(reading: Reading) -> APIRouter:
    """Return the internal routes, without prefix; services only."""
    router = APIRouter(dependencies=[Depends(Requires(Access.SERVICE))])
    running: set[asyncio.Task[None]] = set()

    async def guarded(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the next run calculates anew
            _log.warning("trending scores not calculated", error=repr(error))

    @router.post("/internal/v1/trending/calculate-all")
    async def calculate_all() -> Response:
        accepted, work = await handlers.calculate_all(reading)
        task = asyncio.create_task(guarded(work))
        running.add(task)
        task.add_done_callback(running.discard)
        return _plain({"accepted": accepted}, 202)

    @router.post("/internal/v1/trending/events/{event_id}/calculate")
    async def calculate(event_id: str) -> Response:
        return _plain(await handlers.calculate(reading, event_id))

    @router.get("/internal/v1/trending/events/{event_id}")
    async def score(event_id: str) -> Response:
        return _plain(await handlers.score_of(reading, event_id))

    @router.get("/internal/v1/trending/top")
    async def top(limit: _Limit = 10) -> Response:
        return _plain(await handlers.top_scores(reading, limit))

    return router


def _plain(body: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(body), status_code=status, media_type="application/json", headers={"Cache-Control": "no-store"}
    )
