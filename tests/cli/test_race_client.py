"""The race's HTTP client: every way an exchange can end is told apart, and nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import json

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.errors import CliError
from ticketly_cli.race.channel import Channel, Endpoint
from ticketly_cli.race.engine import Recorder, interpret, open_channels, place_request, send_together
from ticketly_cli.race.plan import choose_returns, plan_race
from ticketly_cli.race.statistics import latency
from ticketly_cli.race.wire import AnswerReader, WireError, encode_request
from ticketly_cli.verify.checks import check_history
from ticketly_cli.verify.history import HistoryWriter, read_history
from ticketly_cli.verify.seat_log import Assumptions

PLACED = {
    "order_id": "o1",
    "seat_ids": ["s1"],
    "holdExpiresAt": "2027-01-11T09:05:00Z",
    "serverTime": "2027-01-11T09:00:00.500Z",
}


def answer(status: int, body: object = None, extra: str = "") -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{extra}\r\n"
    return head.encode() + content


def chunked(status: int, body: object, pieces: int = 3) -> bytes:
    content = json.dumps(body).encode()
    size = max(len(content) // pieces, 1)
    parts = [content[n : n + size] for n in range(0, len(content), size)]
    framed = b"".join(f"{len(part):x};ext=1\r\n".encode() + part + b"\r\n" for part in parts)
    return f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + framed + b"0\r\nTrailer: x\r\n\r\n"


class Server:
    """Answers each request with what `behaviour(number)` says; remembers requests and connections."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-le")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                self.requests.append(head + body)
                reply = self.behaviour(len(self.requests))
                if reply == "reset":
                    writer.transport.abort()
                    return
                if reply == "close":
                    return
                if reply == "silence":
                    await reader.read()
                    return
                for piece in reply if isinstance(reply, list) else [reply]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if b"Connection: close" in head + b"".join(reply if isinstance(reply, list) else [reply]):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def race_of(server: Server, count: int = 1, timeout_seconds: float = 5.0, rounds: int = 1):
    endpoint = Endpoint.parse(server.url)
    channels = [Channel(endpoint) for _ in range(count)]
    answers = []
    try:
        for _ in range(rounds):
            requests = [
                place_request(channel, endpoint, f"b{n}", "secret-token", {"seat_ids": ["s1"]})
                for n, channel in enumerate(channels)
            ]
            answers.append(await send_together(requests, timeout_seconds))
    finally:
        for channel in channels:
            channel.close()
    return answers


async def test_an_acknowledged_claim_carries_its_order_seats_and_hold():
    async with Server(lambda _: answer(201, PLACED)) as server:
        ((found,),) = await race_of(server)
    assert (found.outcome, found.order_id, found.seats) == ("ok", "o1", ("s1",))
    assert found.hold_ns == 299_500_000_000
    assert found.exchange.latency_ms > 0


@pytest.mark.parametrize("status", [409, 400])
async def test_a_lost_claim_is_recognised_by_its_code_whatever_the_status(status):
    async with Server(lambda _: answer(status, {"code": "seats-unavailable", "seatIds": ["s1"]})) as server:
        ((found,),) = await race_of(server)
    assert found.outcome == "fail"
    assert found.is_lost
    assert found.seats == ("s1",)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 302])
async def test_an_answer_that_decides_nothing_is_unknown(status):
    async with Server(lambda _: answer(status, {"code": "x"})) as server:
        ((found,),) = await race_of(server)
    assert found.outcome == "unknown"
    assert found.exchange.status == status


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_connection_lost_after_sending_is_unknown(how):
    async with Server(lambda _: how) as server:
        ((found,),) = await race_of(server)
    assert found.outcome == "unknown"
    assert found.exchange.status is None


async def test_half_an_answer_is_unknown():
    whole = answer(201, PLACED)
    async with Server(lambda _: [whole[:-5], b""]) as server:
        ((found,),) = await race_of(server, timeout_seconds=0.2)
    assert found.outcome == "unknown"


async def test_silence_is_unknown_and_the_connection_is_not_used_again():
    async with Server(lambda n: "silence" if n == 1 else answer(201, PLACED)) as server:
        (first,), (second,) = await race_of(server, timeout_seconds=0.2, rounds=2)
        assert server.connections == 2
    assert first.outcome == "unknown"
    assert second.outcome == "ok"


async def test_garbage_is_unknown():
    async with Server(lambda _: b"HTTP/0.9 what\r\n\r\n") as server:
        ((found,),) = await race_of(server)
    assert found.outcome == "unknown"


def test_it_works_on_the_event_loop_the_race_uses():
    async def story():
        async with Server(lambda _: answer(201, PLACED)) as server:
            return await race_of(server, count=3, rounds=2)

    assert all(found.outcome == "ok" for found_round in uvloop.run(story()) for found in found_round)


async def test_two_winners_of_one_seat_are_convicted_by_their_history(tmp_path):
    def everybody_wins(number):
        return answer(201, PLACED | {"order_id": f"o{number}"})

    async with Server(everybody_wins) as server:
        (answers,) = await race_of(server, count=5)
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path, {"session_id": "x", "seats": ["s1"], "hold_ttl_seconds": 300}) as writer:
        Recorder(writer).record(answers)
    report = check_history(read_history(path), Assumptions())
    assert report.verdicts["I1"] == "fail"
    assert report.counterexamples[0].seat == "s1"


async def test_nothing_listening_means_not_sent_which_is_a_failure_without_effect():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    endpoint = Endpoint.parse(f"http://127.0.0.1:{port}")
    channel = Channel(endpoint)
    assert await open_channels([channel]) == 0
    (found,) = await send_together([place_request(channel, endpoint, "b", "t", {"seat_ids": ["s1"]})], 1.0)
    assert (found.outcome, found.code) == ("fail", "not-sent")


async def test_connections_are_kept_and_reused():
    async with Server(lambda _: answer(201, PLACED)) as server:
        await race_of(server, count=5, rounds=3)
        assert server.connections == 5
        assert len(server.requests) == 15


async def test_a_connection_the_server_closes_is_opened_again():
    async with Server(lambda _: answer(201, PLACED, "Connection: close\r\n")) as server:
        answers = await race_of(server, count=2, rounds=3)
        assert server.connections == 6
    assert all(found.outcome == "ok" for found_round in answers for found in found_round)


async def test_chunked_answers_are_read_whole():
    async with Server(lambda _: [chunked(201, PLACED)[:30], chunked(201, PLACED)[30:]]) as server:
        ((found,),) = await race_of(server)
    assert found.order_id == "o1"


async def test_all_requests_are_on_the_wire_before_the_first_answer_is_read():
    async with Server(lambda _: answer(409, {"code": "seats-unavailable", "seatIds": ["s1"]})) as server:
        (answers,) = await race_of(server, count=50)
    last_sent = max(found.exchange.sent_ns for found in answers)
    assert all(found.exchange.done_ns > last_sent for found in answers)


async def test_an_acknowledgement_without_an_order_stays_an_acknowledgement():
    async with Server(lambda _: answer(201, None)) as server:
        ((found,),) = await race_of(server)
    assert (found.outcome, found.order_id) == ("ok", None)


async def test_a_recorded_race_can_be_checked(tmp_path):
    def one_winner(number):
        return answer(201, PLACED) if number == 3 else answer(409, {"code": "seats-unavailable", "seatIds": ["s1"]})

    async with Server(one_winner) as server:
        (answers,) = await race_of(server, count=20)
    path = tmp_path / "history.jsonl"
    with HistoryWriter(path, {"session_id": "x", "seats": ["s1"], "hold_ttl_seconds": 300}) as writer:
        recorder = Recorder(writer)
        recorder.note("a fault")
        recorder.record(answers)
    history = read_history(path)
    assert history.is_sound
    assert len(history.operations) == 20
    assert check_history(history, Assumptions()).verdict == "pass"
    assert "secret-token" not in path.read_text()


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "127.0.0.1:80", "http://h:99999", "http://h/?a=b"])
def test_a_target_that_is_no_url_is_refused(url):
    with pytest.raises(CliError) as refused:
        Endpoint.parse(url)
    assert refused.value.exit_code == 3


def test_a_header_cannot_smuggle_a_second_request():
    with pytest.raises(ValueError, match="line break"):
        encode_request("GET", "h", "/", {"X": "a\r\nContent-Length: 5"})


@settings(deadline=None)
@given(st.data())
def test_an_answer_is_the_same_however_it_is_cut(data):
    whole = data.draw(st.sampled_from([answer(201, PLACED), chunked(409, {"code": "x"}), answer(204), answer(200, [])]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reader = AnswerReader()
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    done = [reader.feed(piece) for piece in pieces if piece]
    complete = AnswerReader()
    assert complete.feed(whole)
    assert done[-1]
    assert not any(done[:-1])
    assert (reader.status, reader.body, reader.rest) == (complete.status, complete.body, b"")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_break_the_reader(data):
    reader = AnswerReader()
    try:
        reader.feed(data)
    except WireError:
        return
    assert reader.has_begun == bool(data)


def test_interim_answers_are_skipped():
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(200, {"a": 1}))
    assert json.loads(reader.body) == {"a": 1}


def test_an_answer_framed_by_the_close_ends_with_it():
    reader = AnswerReader()
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert reader.end()
    assert (reader.body, reader.keeps_alive) == (b"abc", False)


def test_unreadable_deadlines_are_left_out():
    class Sent:
        sent = True
        status = 201
        body = json.dumps(PLACED | {"serverTime": "yesterday"}).encode()

    request = place_request(Channel(Endpoint.parse("http://h")), Endpoint.parse("http://h"), "b", "t", {"seat_ids": []})
    assert interpret(request, Sent()).hold_ns is None


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 8))
def test_the_plan_is_the_same_for_the_same_seed(seed, buyers, count):
    seats = [f"s{n}" for n in range(count)]
    plan = plan_race(seed, buyers, seats, 1)
    assert plan == plan_race(seed, buyers, seats, 1)
    assert plan.attempts == buyers * count
    for number, attempts in enumerate(plan.rounds):
        assert {attempt.seats for attempt in attempts} == {(seats[number],)}
        assert sorted(attempt.buyer for attempt in attempts) == list(range(buyers))


def test_baskets_hold_different_seats_and_overlap():
    plan = plan_race(1, 20, [f"s{n}" for n in range(6)], 3)
    assert plan.gives_back
    assert all(len(set(attempt.seats)) == 3 for attempts in plan.rounds for attempt in attempts)
    assert choose_returns(1, 2, ["a", "b", "c"]) == choose_returns(1, 2, ["a", "b", "c"])


def test_percentiles_are_measured_values():
    found = latency([float(n) for n in range(1, 101)])
    assert (found.p50, found.p95, found.p99, found.max) == (50.0, 95.0, 99.0, 100.0)
    assert latency([]).max == 0.0
    assert latency([7.0]).p50 == 7.0
