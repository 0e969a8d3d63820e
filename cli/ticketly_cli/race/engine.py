"""The barrier and the record: send many requests in one breath, write down what was asked and answered.

All requests of a round are written in one turn of the event loop, before any answer is read. Answers are interpreted
after the round, so that the client's own work does not stand in the latencies.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ticketly_cli.race.channel import Channel, Endpoint, Exchange
from ticketly_cli.race.wire import encode_request
from ticketly_cli.verify.history import HistoryWriter
from ticketly_cli.verify.operations import LOST_CODE, Kind, Outcome

ORDER_PATH = "/api/order"
NOT_SENT_CODE = "not-sent"

_PROXY_GAVE_UP = 408
"""Something between us and the service stopped waiting; the service may go on."""


@dataclass(frozen=True, slots=True)
class Request:
    """An operation about to happen."""

    process: str
    kind: Kind
    channel: Channel
    content: bytes
    seats: tuple[str, ...] = ()
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An operation that happened, interpreted."""

    request: Request
    outcome: Outcome
    exchange: Exchange
    code: str | None = None
    order_id: str | None = None
    seats: tuple[str, ...] | None = None
    held_until: str | None = None
    hold_ns: int | None = None

    @property
    def is_lost(self) -> bool:
        """Refused because a seat was taken."""
        return self.outcome == "fail" and self.code == LOST_CODE


class Recorder:
    """Numbers operations and writes them to the history in the order of their times."""

    def __init__(self, writer: HistoryWriter) -> None:
        self._writer = writer
        self._next_op_id = 0
        self._notes: list[tuple[int, str]] = []

    def note(self, text: str) -> None:
        """Something that happened beside the operations (a fault); written with the running round."""
        self._notes.append((time.monotonic_ns(), text))

    def record(self, answers: Sequence[Answer]) -> None:
        """Write a finished round. Rounds do not overlap, so the file stays in order."""
        records: list[dict[str, Any]] = []
        for answer in answers:
            op_id = self._next_op_id
            self._next_op_id += 1
            records.extend(_records(op_id, answer))
        records.extend({"type": "note", "text": text, "time_ns": at} for at, text in self._notes)
        self._notes.clear()
        records.sort(key=lambda record: record["time_ns"])
        for record in records:
            self._writer.append(record)


def _records(op_id: int, answer: Answer) -> list[dict[str, Any]]:
    request, exchange = answer.request, answer.exchange
    common = {"op_id": op_id, "process": request.process, "kind": request.kind}
    asked: dict[str, Any] = {**common, "type": "invoke", "time_ns": exchange.sent_ns}
    if request.seats:
        asked["seats"] = list(request.seats)
    if request.order_id:
        asked["order_id"] = request.order_id
    told: dict[str, Any] = {**common, "type": answer.outcome, "time_ns": exchange.done_ns}
    optional = {
        "status": exchange.status,
        "code": answer.code,
        "order_id": answer.order_id,
        "held_until": answer.held_until,
        "hold_ns": answer.hold_ns,
        "fault": exchange.fault or None,
    }
    told |= {name: value for name, value in optional.items() if value is not None}
    if answer.seats is not None:
        told["seats" if answer.outcome == "ok" else "contested"] = list(answer.seats)
    return [asked, told]


def place_request(channel: Channel, endpoint: Endpoint, process: str, token: str, body: Mapping[str, Any]) -> Request:
    """A claim of `body["seat_ids"]`."""
    content = json.dumps(body, separators=(",", ":")).encode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, application/problem+json",
        "User-Agent": "ticketly-race",
    }
    encoded = encode_request("POST", endpoint.authority, endpoint.prefix + ORDER_PATH, headers, content)
    return Request(process, "place", channel, encoded, seats=tuple(body["seat_ids"]))


def cancel_request(channel: Channel, endpoint: Endpoint, process: str, token: str, order_id: str) -> Request:
    """The cancellation of an order by its buyer."""
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "ticketly-race"}
    path = f"{endpoint.prefix}{ORDER_PATH}/{order_id}"
    return Request(
        process, "cancel", channel, encode_request("DELETE", endpoint.authority, path, headers), order_id=order_id
    )


async def open_channels(channels: Sequence[Channel]) -> int:
    """Connect those that are not connected; returns how many are open."""
    opened = await asyncio.gather(*[channel.open() for channel in channels])
    return sum(opened)


async def send_together(requests: Sequence[Request], timeout_seconds: float) -> list[Answer]:
    """Send all requests at once and wait for all answers, in the order given.

    What is not answered after `timeout_seconds` is unknown. Every channel may occur once.
    """
    await open_channels([request.channel for request in requests])
    gc.collect()
    gc.disable()
    try:
        futures = [request.channel.send(request.content) for request in requests]
        _, late = await asyncio.wait(futures, timeout=timeout_seconds)
        if late:
            for request, future in zip(requests, futures, strict=True):
                if not future.done():
                    request.channel.give_up("no answer in time")
    finally:
        gc.enable()
    return [interpret(request, future.result()) for request, future in zip(requests, futures, strict=True)]


def interpret(request: Request, exchange: Exchange) -> Answer:
    """What an exchange means for the operation. A 5xx, a redirect or silence is unknown, never a failure."""
    if not exchange.sent:
        return Answer(request, "fail", exchange, code=NOT_SENT_CODE)
    status = exchange.status
    if status is None or not (200 <= status < 300 or 400 <= status < 500) or status == _PROXY_GAVE_UP:
        return Answer(request, "unknown", exchange, code=_text(_object(exchange.body).get("code")))
    body = _object(exchange.body)
    if status >= 400:
        return Answer(request, "fail", exchange, code=_text(body.get("code")), seats=_texts(body.get("seatIds")))
    if request.kind == "cancel":
        return Answer(request, "ok", exchange)
    held_until = _text(body.get("holdExpiresAt"))
    return Answer(
        request,
        "ok",
        exchange,
        order_id=_text(body.get("order_id")),
        seats=_texts(body.get("seat_ids")),
        held_until=held_until,
        hold_ns=_duration_ns(_text(body.get("serverTime")), held_until),
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(str(item) for item in value) if isinstance(value, list) else None


def _duration_ns(start: str | None, end: str | None) -> int | None:
    """Nanoseconds between two instants of the same (server's) clock; None when one is missing or unreadable."""
    if start is None or end is None:
        return None
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(int(seconds * 1e9), 0)
