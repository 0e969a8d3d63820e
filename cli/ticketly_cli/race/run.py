"""The whole race: stage, buyers, rounds, return of the seats, verdict.

The race proves something about the platform only through its history: every request is in it, the probes and the
cancellations included. The verdict comes from `verify`, never from counting answers here.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

import httpx2

from ticketly_cli.api.identity import Buyer, LoadUsers
from ticketly_cli.api.transport import Api, new_client
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.state import PlatformState
from ticketly_cli.printing import Step
from ticketly_cli.race.channel import Channel, Endpoint
from ticketly_cli.race.chaos import Chaos
from ticketly_cli.race.engine import ORDER_PATH, Answer, Recorder
from ticketly_cli.race.field import RaceField, RaceOptions, wait_until_back, wait_until_selling
from ticketly_cli.race.plan import choose_returns, plan_race
from ticketly_cli.race.result import RaceResult
from ticketly_cli.race.stage import Stage, prepare_stage, take_down
from ticketly_cli.race.statistics import latency
from ticketly_cli.verify import run as verification
from ticketly_cli.verify.history import HistoryWriter


class Watcher(Protocol):
    """Shows the progress."""

    def step(self, title: str, total: int | None = None) -> AbstractContextManager[Step]:
        """A step that takes a while."""
        ...

    def warning(self, text: str) -> None:
        """Something the person should know although the race goes on."""
        ...


async def run_race(options: RaceOptions, platform: PlatformState, watcher: Watcher) -> RaceResult:
    """Run a race against a local platform. Raises CliError when it cannot even begin."""
    endpoint = Endpoint.parse(options.target or platform.front_door_url)
    chaos = Chaos.prepare(options.chaos, platform)
    users_login = platform.keycloak_administrator
    if users_login is None:
        raise CliError(
            "This platform's identity provider is not the local one, so no buyers can be made.",
            "Run the race against a platform started by `ticketly up`.",
            ExitCode.UNREACHABLE,
        )
    async with new_client() as client:
        users = LoadUsers(client, platform.keycloak_url, platform.token_url, users_login.username, users_login.password)
        buyers = await _buyers(users, options.buyers, watcher)
        with watcher.step("Preparing an event of its own"):
            stage = await prepare_stage(client, platform, options.seats, options.seed)
        try:
            return await _race_on_stage(options, platform, watcher, endpoint, users, buyers, stage, chaos)
        finally:
            if not options.keep:
                await _take_down(client, platform, stage, watcher)


async def _take_down(client: httpx2.AsyncClient, platform: PlatformState, stage: Stage, watcher: Watcher) -> None:
    """Remove the event; a platform that cannot (after a fault, say) must not cost the verdict."""
    try:
        with watcher.step("Taking the event down"):
            await take_down(client, platform, stage)
    except CliError as error:
        watcher.warning(f"The event {stage.event_id} is still there: {error.message}")


async def _buyers(users: LoadUsers, count: int, watcher: Watcher) -> list[Buyer]:
    with watcher.step("Buyers", total=count) as step:
        await users.ensure(count, step.advance)
    with watcher.step("Logging buyers in", total=count) as step:
        return await users.log_in(count, step.advance)


async def _race_on_stage(
    options: RaceOptions,
    platform: PlatformState,
    watcher: Watcher,
    endpoint: Endpoint,
    users: LoadUsers,
    buyers: list[Buyer],
    stage: Stage,
    chaos: Chaos,
) -> RaceResult:
    header = {
        "session_id": stage.session_id,
        "event_id": stage.event_id,
        "seats": [*stage.seats, *stage.probe_seats],
        "seed": options.seed,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "target": endpoint.authority + endpoint.prefix,
        "hold_ttl_seconds": options.hold_ttl_seconds,
        "users": {buyer.name: buyer.user_id for buyer in buyers},
        "buyers": options.buyers,
        "basket": options.basket,
        "chaos": list(options.chaos),
    }
    dsn = platform.database("order_service").dsn
    with HistoryWriter(options.history, header) as writer:
        channels = [Channel(endpoint) for _ in buyers]
        running = RaceField(options, endpoint, stage, users, buyers, channels, Recorder(writer))
        try:
            with watcher.step("Waiting until the order service sells"):
                await wait_until_selling(running)
            duration_seconds = await _rounds(running, watcher, chaos)
            with watcher.step("Checking the held seats"):
                peak = await verification.verify(writer.so_far(), dsn)
            if not options.keep:
                with watcher.step("Cancelling unpaid orders", total=len(running.open_orders)) as step:
                    await running.cancel(list(running.open_orders), step.advance)
                    await _cancel_unanswered(running, platform)
        finally:
            for channel in channels:
                channel.close()
        recorded = writer.so_far()
    with watcher.step("Checking history and database"):
        outcome = await verification.verify(recorded, dsn)
    outcome.report.merge(peak.report)
    return _result(running, endpoint, duration_seconds, outcome)


async def _rounds(running: RaceField, watcher: Watcher, chaos: Chaos) -> float:
    """Run all rounds; returns their duration in seconds."""
    options = running.options
    plan = plan_race(options.seed, options.buyers, running.stage.seats, options.basket)
    started = time.monotonic()
    async with chaos.during(running.recorder.note):
        with watcher.step(f"Racing: {plan.attempts} attempts", total=len(plan.rounds)) as step:
            for number, attempts in enumerate(plan.rounds):
                returns = choose_returns(options.seed, number, list(running.open_orders)) if plan.gives_back else []
                asked = [(attempt.buyer, attempt.seats) for attempt in attempts]
                answers = await running.place(asked, returns)
                running.answers.extend(answers)
                if options.chaos and not any(_is_decided(answer) for answer in answers):
                    await wait_until_back(running)
                step.advance()
    return time.monotonic() - started


def _is_decided(answer: Answer) -> bool:
    return answer.outcome == "ok" or (answer.outcome == "fail" and answer.exchange.status is not None)


async def _cancel_unanswered(running: RaceField, platform: PlatformState) -> None:
    """Orders that came into being although their buyer never heard of it: ask for them, then cancel them too."""
    names = {answer.request.process for answer in running.answers if answer.outcome == "unknown"}
    if not names:
        return
    numbers = [number for number, buyer in enumerate(running.buyers) if buyer.name in names]
    async with new_client() as client:
        for number in numbers:
            for order_id in await _pending_orders(client, platform, running.buyers[number], running.stage.session_id):
                running.open_orders.setdefault(order_id, number)
    await running.cancel(list(running.open_orders))


async def _pending_orders(
    client: httpx2.AsyncClient, platform: PlatformState, buyer: Buyer, session_id: str
) -> list[str]:
    async def token() -> str:
        return buyer.token

    mine = await Api(client, platform.front_door_url, token).get(
        f"{ORDER_PATH}/user/me", "Listing a buyer's orders", {"limit": 200}
    )
    return [order["OrderID"] for order in mine if order["SessionID"] == session_id and order["Status"] == "pending"]


def _result(
    running: RaceField, endpoint: Endpoint, duration_seconds: float, outcome: verification.Verification
) -> RaceResult:
    answers = running.answers
    statuses = Counter(
        str(answer.exchange.status) if answer.exchange.status is not None else "none" for answer in answers
    )
    options = running.options
    return RaceResult(
        report=outcome.report,
        buyers=options.buyers,
        seats=options.seats,
        basket=options.basket,
        seed=options.seed,
        attempts=len(answers),
        booked=sum(1 for answer in answers if answer.outcome == "ok"),
        double_booked=outcome.counts.get("double_booked", 0),
        lost_acknowledged=outcome.counts.get("lost_acknowledged", 0),
        unknown=sum(1 for answer in answers if answer.outcome == "unknown"),
        statuses=dict(sorted(statuses.items())),
        won=latency([answer.exchange.latency_ms for answer in answers if answer.outcome == "ok"]),
        lost=latency([answer.exchange.latency_ms for answer in answers if answer.is_lost]),
        duration_seconds=duration_seconds,
        history=str(options.history),
        target=f"{'https' if endpoint.tls else 'http'}://{endpoint.authority}{endpoint.prefix}",
        chaos=options.chaos,
    )
