"""The running race: buyers with their connections, what they ask, and which orders they hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ticketly_cli.api.identity import Buyer, LoadUsers
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.race.channel import Channel, Endpoint
from ticketly_cli.race.engine import (
    ORDER_PATH,
    Answer,
    Recorder,
    Request,
    cancel_request,
    open_channels,
    place_request,
    send_together,
)
from ticketly_cli.race.stage import Stage
from ticketly_cli.race.wire import encode_request

READY_SECONDS = 60.0
BACK_SECONDS = 30.0
TOKEN_RESERVE_SECONDS = 45.0
"""Buyers log in again when a token would end within this time."""


@dataclass(frozen=True, slots=True)
class RaceOptions:
    """What to do. `target` is a base URL; "" is the platform's front door."""

    buyers: int
    seats: int
    basket: int
    seed: int
    target: str
    history: Path
    keep: bool
    chaos: tuple[str, ...]
    timeout_seconds: float
    hold_ttl_seconds: float


@dataclass(slots=True)
class RaceField:
    """The running race."""

    options: RaceOptions
    endpoint: Endpoint
    stage: Stage
    users: LoadUsers
    buyers: list[Buyer]
    channels: list[Channel]
    recorder: Recorder
    answers: list[Answer] = field(default_factory=list)
    """Answers of the race's own attempts, in order; probes and cancellations are not among them."""
    open_orders: dict[str, int] = field(default_factory=dict)
    """Acknowledged and not yet cancelled: order id -> buyer's number."""

    def order_body(self, seats: Sequence[str]) -> dict[str, Any]:
        return {
            "event_id": self.stage.event_id,
            "session_id": self.stage.session_id,
            "organization_id": self.stage.organization_id,
            "seat_ids": list(seats),
            "discount_id": None,
        }

    async def place(self, attempts: Sequence[tuple[int, tuple[str, ...]]], returns: Sequence[str] = ()) -> list[Answer]:
        """Buyers ask for seats, all at once; the operations are recorded and won orders remembered.

        The buyers of the orders in `returns` give them back in the same moment instead of asking. Returns the
        answers to those who asked.
        """
        await self._renew_tokens()
        returning = {self.open_orders[order_id]: order_id for order_id in returns}
        asking = [(buyer, seats) for buyer, seats in attempts if buyer not in returning]
        cancels = [self._cancel_request(buyer, order_id) for buyer, order_id in returning.items()]
        places = [self._place_request(buyer, seats) for buyer, seats in asking]
        answers = await send_together([*cancels, *places], self.options.timeout_seconds)
        self.recorder.record(answers)
        for order_id in returning.values():
            del self.open_orders[order_id]
        placed = answers[len(cancels) :]
        for (buyer, _), answer in zip(asking, placed, strict=True):
            if answer.outcome == "ok" and answer.order_id is not None:
                self.open_orders[answer.order_id] = buyer
        return placed

    def _place_request(self, buyer: int, seats: tuple[str, ...]) -> Request:
        who = self.buyers[buyer]
        return place_request(self.channels[buyer], self.endpoint, who.name, who.token, self.order_body(seats))

    def _cancel_request(self, buyer: int, order_id: str) -> Request:
        who = self.buyers[buyer]
        return cancel_request(self.channels[buyer], self.endpoint, who.name, who.token, order_id)

    async def cancel(self, orders: Sequence[str], done: Callable[[int], None] | None = None) -> None:
        """Buyers give their orders back, one per buyer at a time; unanswered ones are not repeated."""
        waiting = {order_id: self.open_orders.pop(order_id) for order_id in orders}
        while waiting:
            wave: dict[int, str] = {}
            for order_id, buyer in waiting.items():
                wave.setdefault(buyer, order_id)
            for order_id in wave.values():
                del waiting[order_id]
            requests = [self._cancel_request(buyer, order_id) for buyer, order_id in wave.items()]
            self.recorder.record(await send_together(requests, self.options.timeout_seconds))
            if done is not None:
                done(len(wave))

    async def _renew_tokens(self) -> None:
        if min(buyer.valid_until for buyer in self.buyers) - time.monotonic() < TOKEN_RESERVE_SECONDS:
            self.buyers = await self.users.log_in(len(self.buyers), lambda _: None)


async def wait_until_selling(running: RaceField) -> None:
    """Claim the probe seat, which is not part of the race, until it works; then give it back.

    Sets up connections and tokens on the way, as a buyer's earlier page views would.
    """
    until = time.monotonic() + READY_SECONDS
    while True:
        if await open_channels(running.channels) < len(running.channels):
            raise CliError(
                f"The target {running.endpoint.authority} does not accept connections.",
                "Check `ticketly status`.",
                ExitCode.UNREACHABLE,
            )
        (answer,) = await running.place([(0, running.stage.probe_seats)])
        if answer.outcome == "ok":
            break
        if time.monotonic() > until:
            told = answer.exchange.status or answer.exchange.fault
            raise CliError(
                f"The order service does not sell the new session after {READY_SECONDS:.0f} s "
                f"(last answer: {told} {answer.code or ''}).".replace(" )", ")"),
                "Check `ticketly status` and `ticketly logs order`.",
                ExitCode.UNREACHABLE,
            )
        await asyncio.sleep(0.25)
    await running.cancel(list(running.open_orders))
    await greet(running)


async def greet(running: RaceField) -> bool:
    """Every buyer looks at the health page: connections are open afterwards. True when at least one got through."""
    await open_channels(running.channels)
    path = f"{running.endpoint.prefix}{ORDER_PATH}/health"
    greeting = encode_request("GET", running.endpoint.authority, path, {"User-Agent": "ticketly-race"})
    waiting = [channel.send(greeting) for channel in running.channels]
    answered, late = await asyncio.wait(waiting, timeout=running.options.timeout_seconds)
    if late:
        for channel in running.channels:
            channel.give_up("no answer in time")
    return any(found.result().status == HTTPStatus.OK for found in answered)


async def wait_until_back(running: RaceField) -> None:
    """After a round without a single decided answer: wait for the service, or the other rounds prove nothing."""
    until = time.monotonic() + BACK_SECONDS
    while time.monotonic() < until:
        if await greet(running):
            return
        await asyncio.sleep(0.25)
