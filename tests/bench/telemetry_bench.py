"""What metrics and traces cost a request, in microseconds of CPU. A command, not a test.

    python tests/bench/telemetry_bench.py --requests 100000

Drives the outermost layer of a listener around an application that does nothing, in process, without sockets: once
bare, once with traces off, once with traces on and the request not sampled, once sampled (spans are dropped). Prints
the median of five rounds for each, and what single operations cost. One JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from ticketly_common import telemetry, tracing
from ticketly_common.asgi import RequestContext

_ROUNDS = 5
_HEADERS = [(b"host", b"order.test"), (b"authorization", b"Bearer x"), (b"content-type", b"application/json")]
_TRACED = [*_HEADERS, (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once."""
    scope.setdefault("state", {})["route"] = "/api/order"
    await send({"type": "http.response.start", "status": 409, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def nothing(*_: Any) -> Any:
    """Stand for both ends of the connection."""


async def per_request_us(app: Any, headers: list[tuple[bytes, bytes]], requests: int) -> float:
    """Return the median CPU time of one request in microseconds."""
    rounds = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(requests):
            await app({"type": "http", "method": "POST", "path": "/api/order", "headers": headers}, nothing, nothing)
        rounds.append((time.process_time() - started) / requests * 1e6)
    return statistics.median(rounds)


def per_call_us(call: Callable[[], object], calls: int = 200_000) -> float:
    """Return the CPU time of one call in microseconds."""
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls * 1e6


async def measure(requests: int) -> dict[str, float]:
    """Return all figures."""
    layer = RequestContext(application, listener="bench", trusted=False)
    found = {
        "bare application": await per_request_us(application, _HEADERS, requests),
        "request id and metrics, traces off": await per_request_us(layer, _HEADERS, requests),
    }
    for name, ratio, headers in (
        ("traces on, not sampled", 0.0, _HEADERS),
        ("traces on, not sampled, client sent a traceparent", 0.0, _TRACED),
        ("traces on, sampled", 1.0, _HEADERS),
    ):
        with tracing.using(TracerProvider(shutdown_on_exit=False), ratio):
            found[name] = await per_request_us(layer, headers, requests if ratio == 0 else requests // 10)
    counter = telemetry.REQUESTS.labels("POST", "/bench", 200)
    histogram = telemetry.DURATION.labels("POST", "/bench")
    found["one counter"] = per_call_us(counter.inc)
    found["one histogram"] = per_call_us(lambda: histogram.observe(0.01))
    found["asking whether traces are on"] = per_call_us(tracing.enabled)
    found["reading a traceparent"] = per_call_us(lambda: tracing.well_formed(_TRACED[-1][1]))
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps(asyncio.run(measure(options.requests)), indent=2))


if __name__ == "__main__":
    main()
