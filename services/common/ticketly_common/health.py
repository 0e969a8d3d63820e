"""The internal listener's application: probes and metrics, which are never routed to the outside.

``/livez``: the event loop answers. ``/readyz`` (and ``/healthz``): every readiness check passes; the body says
which one does not, 503 then. ``/metrics``: Prometheus text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Depends, FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ticketly_common import problems, telemetry
from ticketly_common.auth import public

Check = Callable[[], Awaitable[str | None]]
"""Returns None when fine, else one sentence that says what is missing."""

_CHECK_SECONDS = 2.0


async def failures(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all checks at once; return name -> sentence of those that failed or took over two seconds."""

    async def one(check: Check) -> str | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                return await check()
        except TimeoutError:
            return f"no answer within {_CHECK_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - a check that raises is a failed check
            return type(error).__name__

    found = await asyncio.gather(*(one(check) for check in checks.values()))
    return {name: sentence for name, sentence in zip(checks, found, strict=True) if sentence is not None}


def internal_app(name: str, checks: Mapping[str, Check]) -> FastAPI:
    """Return the internal application; a service adds its internal routers to it."""
    app = FastAPI(title=f"{name} (internal)", docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    telemetry.describe_build(name)

    @app.get("/livez", dependencies=[Depends(public)])
    async def livez() -> dict[str, str]:
        return {"status": "UP"}

    @app.get("/readyz", dependencies=[Depends(public)])
    @app.get("/healthz", dependencies=[Depends(public)])
    async def readyz() -> JSONResponse:
        failed = await failures(checks)
        body = {"status": "DOWN" if failed else "UP", "checks": {check: failed.get(check, "ok") for check in checks}}
        return JSONResponse(body, status_code=503 if failed else 200, headers={"Cache-Control": "no-store"})

    @app.get("/metrics", dependencies=[Depends(public)])
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
