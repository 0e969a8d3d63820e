"""How soon a write is visible, on the running local platform: a command, not a test.

    .venv/bin/python tests/bench/visibility_bench.py --writes 200

Measured from the moment the writer's answer is there (its transaction has committed just before):

* ``event``: a new title in event-command until event-query shows it, polled without a pause;
* ``seat``: an order (and its cancellation) until a stream's client has read the event. The stream may be faster than
  the answer to the buyer: such a difference counts as 0.

Prints one JSON object with the figures in milliseconds, the machine and the commit.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform as machine
import subprocess
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2

from ticketly_cli.api.login import ORGANIZER, api_as
from ticketly_cli.api.transport import Api, new_client
from ticketly_cli.local import state
from ticketly_cli.race.stage import Stage, prepare_stage, take_down

SEATS = 16


def summary(seconds: list[float]) -> dict[str, float]:
    """Return percentiles in milliseconds."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1)

    return {"count": len(ordered), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1.0)}


async def until(condition: Any, what: str) -> Any:
    """Await ``condition()`` until it returns something true."""
    async with asyncio.timeout(20):
        while not (found := await condition()):
            await asyncio.sleep(0.005)
    assert found, what
    return found


async def event_visibility(organizer: Api, query: Api, stage: Stage, writes: int) -> list[float]:
    """Change the event's title again and again."""
    found = []
    for number in range(writes):
        title = f"Visible {number}"
        await organizer.call(
            "PUT", f"/api/event-seating/v1/events/{stage.event_id}/update", "Renaming", body={"title": title}
        )
        written = time.perf_counter()

        async def shown(wanted: str = title) -> bool:
            info = await query.get(f"/api/event-query/v1/events/{stage.event_id}/basic-info", "Reading")
            return bool(info["title"] == wanted)

        await until(shown, title)
        found.append(time.perf_counter() - written)
    return found


@contextlib.asynccontextmanager
async def seen_seats(client: httpx2.AsyncClient, url: str) -> AsyncIterator[dict[tuple[str, str], float]]:
    """Read a seat stream in the background: (status, seat) -> when it was read last."""
    seen: dict[tuple[str, str], float] = {}

    async def read() -> None:
        async with client.stream("GET", url, params={"mode": "snapshot"}, timeout=None) as answer:
            status = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    status = line[7:]
                    seen[("event", status)] = time.perf_counter()
                elif line.startswith("data: ") and status in {"LOCKED", "AVAILABLE"}:
                    now = time.perf_counter()
                    seen.update({(status, seat): now for seat in json.loads(line[6:])["seatIds"]})

    task = asyncio.create_task(read())
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def seat_visibility(buyer: Api, client: httpx2.AsyncClient, front: str, stage: Stage, writes: int) -> list[float]:
    """Hold and release one seat after the other."""
    found = []
    url = f"{front}/api/event-query/v1/sse/sessions/{stage.session_id}/seat-status"
    async with seen_seats(client, url) as seen:

        async def arrived(status: str, seat: str, after: float) -> bool:
            return seen.get((status, seat), 0.0) > after

        async with asyncio.timeout(20):
            while ("event", "snapshot") not in seen:
                await asyncio.sleep(0.01)
        for number in range(writes):
            seat = stage.seats[number % SEATS]
            for status in ("LOCKED", "AVAILABLE"):
                sent = time.perf_counter()
                if status == "LOCKED":
                    order = await buyer.post(
                        "/api/order",
                        "Ordering",
                        {
                            "event_id": stage.event_id,
                            "session_id": stage.session_id,
                            "organization_id": stage.organization_id,
                            "seat_ids": [seat],
                        },
                    )
                else:
                    await buyer.call("DELETE", f"/api/order/{order['order_id']}", "Cancelling")
                answered = time.perf_counter()
                await until(lambda s=status, t=sent, x=seat: arrived(s, x, t), status)
                found.append(max(seen[(status, seat)] - answered, 0.0))
    return found


async def measure(writes: int) -> dict[str, Any]:
    """Run both measurements on the running platform."""
    running = state.load()
    async with new_client() as client:
        organizer = api_as(client, running, ORGANIZER)
        query = Api(client, running.front_door_url)
        stage = await prepare_stage(client, running, SEATS, 1)
        try:

            async def listed() -> bool:
                answer = await client.get(
                    f"{running.front_door_url}/api/event-query/v1/sessions/{stage.session_id}/seating-map"
                )
                return answer.is_success

            await until(listed, "the map")
            await asyncio.sleep(1)
            events = await event_visibility(organizer, query, stage, writes)
            seats = await seat_visibility(organizer, client, running.front_door_url, stage, writes)
        finally:
            await take_down(client, running, stage)
    return {"event": summary(events), "seat": summary(seats)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--writes", type=int, default=100)
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    figures = asyncio.run(measure(wanted.writes))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    print(
        json.dumps(
            {
                **figures,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "load_before": load,
                "cores": os.cpu_count(),
                "python": machine.python_version(),
                "commit": commit.stdout.strip(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
