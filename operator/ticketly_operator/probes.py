"""The operator's own listener: liveness, readiness, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from ticketly_operator.settings import Listen


@asynccontextmanager
async def listening(settings: Listen, alive: Callable[[], str], metrics: Callable[[], bytes]) -> AsyncIterator[int]:
    """Serve for the length of the block; yield the port.

    ``alive`` returns an empty text when the process is well, else one sentence that says why it should be restarted.
    A process that waits for the Lease is ready: it does what it should.
    """

    async def livez(_request: web.Request) -> web.Response:
        trouble = alive()
        status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
        return web.json_response({"status": "DOWN" if trouble else "UP", "message": trouble}, status=status)

    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "UP"})

    async def text(_request: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    application = web.Application()
    application.add_routes(
        [
            web.get("/livez", livez),
            web.get("/healthz", livez),
            web.get("/readyz", readyz),
            web.get("/metrics", text),
        ]
    )
    serving = web.AppRunner(application, access_log=None, handle_signals=False)
    await serving.setup()
    try:
        site = web.TCPSite(serving, settings.host, settings.port)
        await site.start()
        yield serving.addresses[0][1]
    finally:
        await serving.cleanup()
