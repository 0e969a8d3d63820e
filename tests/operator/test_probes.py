"""The operator's own listener: alive until something says otherwise, ready while it waits for the Lease."""

from __future__ import annotations

import aiohttp

from ticketly_operator.metrics import Metrics
from ticketly_operator.probes import listening
from ticketly_operator.settings import Listen


async def test_liveness_says_why_and_metrics_are_prometheus_text():
    trouble = ""
    async with (
        listening(Listen(host="127.0.0.1", port=0), lambda: trouble, Metrics().text) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        for path in ("/livez", "/healthz", "/readyz"):
            async with client.get(path) as answer:
                assert answer.status == 200
        trouble = "no proof that the watches deliver for 151 s"
        async with client.get("/livez") as answer:
            assert (answer.status, (await answer.json())["message"]) == (503, trouble)
        async with client.get("/readyz") as answer:
            assert answer.status == 200
        async with client.get("/metrics") as answer:
            assert "# TYPE ticketly_operator_leader gauge" in await answer.text()
