"""The canary's figures from the metrics of pods, over their internal listener. One attempt; silence is no error."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from ticketly_operator.observed import LagReading

_HISTOGRAM: Final = "ticketly_lag_canary_seconds"
_PENDING: Final = "ticketly_lag_canary_pending_seconds"
_MOST_BYTES: Final = 4 * 1024 * 1024

_log = logging.getLogger(__name__)


class PodMetrics:
    """The ``Lag`` port over HTTP."""

    def __init__(self, connect_timeout_seconds: float, request_timeout_seconds: float, concurrency: int) -> None:
        """``concurrency``: pods asked at the same time."""
        self._timeout = aiohttp.ClientTimeout(total=request_timeout_seconds, sock_connect=connect_timeout_seconds)
        self._concurrency = concurrency

    async def readings(self, pods: Mapping[str, str], port: int) -> Sequence[LagReading]:
        """``pods``: address by name. Read each pod's metrics at the port; one that does not answer is left out."""
        limit = asyncio.Semaphore(self._concurrency)
        async with aiohttp.ClientSession(timeout=self._timeout) as session:

            async def one(pod: str, address: str) -> LagReading | None:
                async with limit:
                    return await self._reading(session, pod, address, port)

            found = await asyncio.gather(*(one(pod, address) for pod, address in sorted(pods.items())))
        return [reading for reading in found if reading is not None]

    async def _reading(self, session: aiohttp.ClientSession, pod: str, address: str, port: int) -> LagReading | None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with session.get(f"http://{host}:{port}/metrics", allow_redirects=False) as answer:
                answer.raise_for_status()
                return reading(pod, await _text(answer))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # an unreachable pod is usual (it starts, it ends, it is simulated): the condition tells when all are
            _log.debug("no lag from pod %s at %s:%d: %r", pod, host, port, error)
            return None


async def _text(answer: aiohttp.ClientResponse) -> str:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
    return body.decode()


def reading(pod: str, text: str) -> LagReading | None:
    """Return the figures of a pod from its metrics, None when it has none. Raises ValueError for broken text."""
    ours = "\n".join(line for line in text.splitlines() if line.startswith((_HISTOGRAM, _PENDING)))
    buckets: dict[float, float] = {}
    pending: float | None = None
    for family in text_string_to_metric_families(ours + "\n"):
        for sample in family.samples:
            if sample.name == f"{_HISTOGRAM}_bucket":
                buckets[float(sample.labels["le"])] = sample.value
            elif sample.name == _PENDING and not math.isnan(sample.value):
                pending = sample.value
    return LagReading(pod, buckets, pending) if buckets else None
