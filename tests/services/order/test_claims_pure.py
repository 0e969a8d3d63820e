"""Batches, the in-process shield, reading requests, writing answers: no I/O.

Over 300 lines because all of it needs the same few claims and clocks, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_common.auth import Caller
from ticketly_common.problems import Problem
from ticketly_order.claims import answers
from ticketly_order.claims.committer import GroupCommitter
from ticketly_order.claims.domain import (
    Claim,
    ClaimFailed,
    ClaimsUnavailable,
    Lost,
    Refused,
    SeatFact,
    Won,
    retry_after_ms,
    select_batch,
)
from ticketly_order.claims.parsing import claim_of, parse
from ticketly_order.claims.ports import BatchRefused
from ticketly_order.claims.shield import STALE_SECONDS, Shield, Transition
from ticketly_order.settings import Compat, Holds

NOW = datetime(2027, 3, 1, 9, 0, 0, 123_000, UTC)


def claim(user, seats, **members):
    one = "00000000-0000-0000-0000-000000000001"
    return Claim(
        user_id=user, session_id=one, event_id=one, organization_id=one, seat_ids=tuple(seats),
        open_order_limit=0, **members,
    )  # fmt: skip


@dataclass
class Waiting:
    claim: Claim


CLAIMS = st.lists(
    st.builds(
        lambda user, seats: Waiting(claim(user, seats)),
        st.sampled_from("abcde"),
        st.sets(st.sampled_from("123456"), min_size=1, max_size=3),
    ),
    max_size=30,
)


@given(CLAIMS, st.integers(1, 8))
def test_a_batch_holds_each_user_and_seat_once_and_nobody_is_overtaken(waiting, limit):
    batch, staying = select_batch(waiting, limit=limit)
    assert len(batch) <= limit
    assert len(batch) + len(staying) == len(waiting)
    users = [entry.claim.user_id for entry in batch]
    seats = [seat for entry in batch for seat in entry.claim.seat_ids]
    assert len(set(users)) == len(users)
    assert len(set(seats)) == len(seats)
    place = {id(entry): number for number, entry in enumerate(waiting)}
    assert [place[id(entry)] for entry in staying] == sorted(place[id(entry)] for entry in staying)
    if waiting:
        assert waiting[0] in batch, "the oldest always travels"
    for late in staying:
        for chosen in batch:
            overtakes = place[id(chosen)] > place[id(late)]
            assert not (overtakes and set(chosen.claim.seat_ids) & set(late.claim.seat_ids))


class FakeStore:
    """Answers like the database function, seats in a dict; what it is told to do wrong it does wrong."""

    def __init__(self):
        self.owners = {}
        self.batches = []
        self.refuse = False
        self.unavailable = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def claim_batch(self, claims):
        await self.gate.wait()
        self.batches.append([one.user_id for one in claims])
        if self.unavailable:
            raise ClaimsUnavailable("cut")
        if self.refuse:
            raise BatchRefused("poison")
        return [self.decide(one) for one in claims]

    async def claim_one(self, one):
        if one.user_id == "poison":
            raise ClaimFailed("poison")
        return self.decide(one)

    def decide(self, one):
        taken = [seat for seat in one.seat_ids if seat in self.owners]
        if taken:
            return Lost(tuple(SeatFact(seat, 1, None) for seat in taken))
        self.owners.update(dict.fromkeys(one.seat_ids, one.user_id))
        return Won(one.user_id, one.session_id, one.seat_ids, 1, None, "{}", "{}")


async def test_claims_that_arrive_during_a_batch_travel_together_in_the_next():
    store = FakeStore()
    async with GroupCommitter(store).running() as committer:
        store.gate.clear()
        first = asyncio.create_task(committer.submit(claim("first", ["0"])))
        await asyncio.sleep(0.01)
        rest = [asyncio.create_task(committer.submit(claim(f"u{n}", [str(n)]))) for n in range(1, 100)]
        await asyncio.sleep(0)
        store.gate.set()
        await asyncio.gather(first, *rest)
    assert [len(batch) for batch in store.batches] == [1, 64, 35]


async def test_what_a_batch_has_shown_is_not_asked_again():
    store = FakeStore()
    shield = Shield()
    async with GroupCommitter(store, decided=shield.learn, known_lost=shield.known_lost).running() as committer:
        outcomes = await asyncio.gather(*(committer.submit(claim(f"u{n}", ["seat"])) for n in range(50)))
    assert sum(isinstance(outcome, Won) for outcome in outcomes) == 1
    assert len(store.batches) == 1


async def test_members_of_a_refused_batch_are_decided_singly():
    store = FakeStore()
    store.refuse = True
    async with GroupCommitter(store).running() as committer:
        names = ("ann", "poison", "bob")
        tasks = [committer.submit(claim(name, [name])) for name in names]
        ann, poison, bob = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ann, Won)
    assert isinstance(poison, ClaimFailed)
    assert isinstance(bob, Won)


async def test_a_lost_connection_fails_every_member_and_nobody_is_tried_twice():
    store = FakeStore()
    store.unavailable = True
    async with GroupCommitter(store).running() as committer:
        results = await asyncio.gather(
            *(committer.submit(claim(f"u{n}", [str(n)])) for n in range(3)), return_exceptions=True
        )
    assert [type(result) for result in results] == [ClaimsUnavailable] * 3
    assert store.owners == {}


async def test_a_buyer_who_left_before_the_batch_costs_nothing():
    store = FakeStore()
    async with GroupCommitter(store).running() as committer:
        store.gate.clear()
        first = asyncio.create_task(committer.submit(claim("first", ["0"])))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(committer.submit(claim("gone", ["1"])))
        await asyncio.sleep(0)
        gone.cancel()
        store.gate.set()
        await first
        await committer.submit(claim("last", ["2"]))
    assert "gone" not in [user for batch in store.batches for user in batch]


async def test_claims_are_refused_after_the_end():
    committer = GroupCommitter(FakeStore())
    async with committer.running():
        pass
    with pytest.raises(ClaimsUnavailable):
        await committer.submit(claim("late", ["0"]))


class Clock:
    """Monotonic and wall clock in one; a test moves it."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def held(seat, clock, seconds, fence=1):
    return SeatFact(seat, fence, datetime.fromtimestamp(clock.now + seconds, UTC))


def test_the_shield_forgets_after_a_second_counted_from_the_question():
    clock = Clock()
    shield = Shield(clock=clock, wall=clock)
    asked_at = clock.now
    clock.now += 0.6  # the answer took its time
    shield.learn(Lost((held("s", clock, 300),)), asked_at)
    assert shield.known_lost(claim("u", ["s"])) is not None
    clock.now += STALE_SECONDS - 0.6
    assert shield.known_lost(claim("u", ["s"])) is None


def test_the_shield_does_not_outlive_the_hold_and_ignores_what_is_over():
    clock = Clock()
    shield = Shield(clock=clock, wall=clock)
    shield.learn(Lost((held("s", clock, 0.2), held("t", clock, -1))), clock.now)
    assert shield.known_lost(claim("u", ["s"])) is not None
    assert shield.known_lost(claim("u", ["t"])) is None
    clock.now += 0.21
    assert shield.known_lost(claim("u", ["s"])) is None


def test_the_shield_refuses_a_basket_only_when_it_can_name_all_of_it():
    clock = Clock()
    shield = Shield(clock=clock, wall=clock)
    shield.learn(Lost((held("s", clock, 300),)), clock.now)
    assert shield.known_lost(claim("u", ["s", "t"])) is None
    shield.learn(Lost((SeatFact("t", 2, None),)), clock.now)
    lost = shield.known_lost(claim("u", ["s", "t"]))
    assert [fact.seat_id for fact in lost.contested] == ["s", "t"]


async def test_a_request_with_a_key_is_never_refused_early():
    clock = Clock()
    shield = Shield(clock=clock, wall=clock)
    shield.learn(Lost((held("s", clock, 300),)), clock.now)
    assert await shield.early_refusal(claim("u", ["s"], idempotency_key="k")) is None
    assert await shield.early_refusal(claim("u", ["s"])) is not None


def test_a_release_clears_the_shield_unless_somebody_newer_holds_the_seat():
    clock = Clock()
    shield = Shield(clock=clock, wall=clock)
    shield.learn(Lost((held("s", clock, 300, fence=5), held("t", clock, 300, fence=9))), clock.now)
    shield.released(Transition(("s", "t"), 7, taken=False, order_id="o", held_until=None, message=None))
    assert shield.known_lost(claim("u", ["s"])) is None
    assert shield.known_lost(claim("u", ["t"])) is not None


def test_retry_after_waits_for_the_last_hold_and_never_for_a_sale():
    facts = [SeatFact("s", 1, NOW + timedelta(seconds=2)), SeatFact("t", 1, NOW + timedelta(seconds=5))]
    assert retry_after_ms(facts, NOW) == 5000
    assert retry_after_ms([*facts, SeatFact("u", 1, None)], NOW) is None
    assert retry_after_ms(facts, NOW + timedelta(minutes=1)) == 0


CALLER = Caller("user", "web", frozenset(), frozenset(), frozenset({"/Load/Buyers"}), frozenset(), None, 0)
IDS = {"event_id": str(uuid4()), "session_id": str(uuid4()), "organization_id": str(uuid4())}
SEAT = str(uuid4())


def read(body, holds=None, **members):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return claim_of(parse(raw), raw, CALLER, holds or Holds(), **members)


def test_a_plain_request_becomes_a_claim():
    found = read({**IDS, "seat_ids": [SEAT.upper()], "discount_id": "", "whatever": 1})
    assert found.seat_ids == (SEAT,)
    assert found.open_order_limit == 3
    assert found.idempotency_key is None


@pytest.mark.parametrize(
    ("body", "status", "code", "member"),
    [
        (b"", 400, "malformed-request", None),
        (b"{", 400, "malformed-request", None),
        (b"\xff\xfe", 400, "malformed-request", None),
        ([], 422, "validation-failed", "body"),
        ({**IDS, "seat_ids": []}, 422, "validation-failed", "seat_ids"),
        ({**IDS}, 422, "validation-failed", "seat_ids"),
        ({**IDS, "seat_ids": [5]}, 422, "validation-failed", "seat_ids[0]"),
        ({**IDS, "seat_ids": "x"}, 422, "validation-failed", "seat_ids"),
        ({**IDS, "seat_ids": ["x"]}, 422, "validation-failed", "seat_ids[0]"),
        ({**IDS, "seat_ids": [SEAT], "event_id": ""}, 422, "validation-failed", "event_id"),
        ({**IDS, "seat_ids": [SEAT], "session_id": "nope"}, 422, "validation-failed", "session_id"),
        ({**IDS, "seat_ids": [SEAT, SEAT.upper()]}, 422, "duplicate-seat", "seat_ids[1]"),
        ({**IDS, "seat_ids": [str(uuid4()) for _ in range(11)]}, 422, "too-many-seats", "seat_ids"),
        ({**IDS, "seat_ids": [SEAT], "discount_id": SEAT}, 422, "discount-not-applicable", "discount_id"),
        ({**IDS, "seat_ids": [SEAT], "discount_code": "X"}, 422, "discount-not-applicable", "discount_code"),
        ({**IDS, "areas": [{"block_id": SEAT, "quantity": 2}]}, 422, "validation-failed", "areas"),
        ({**IDS, "best_available": {"quantity": 2}}, 422, "validation-failed", "best_available"),
    ],
)
def test_bad_requests_get_a_precise_answer(body, status, code, member):
    with pytest.raises(Problem) as caught:
        read(body)
    assert (caught.value.status, caught.value.code) == (status, code)
    if member is not None:
        assert member in caught.value.errors


def test_a_key_must_be_printable_and_short():
    for key in ("", "x" * 129, "a\tb", "é"):
        with pytest.raises(Problem) as caught:
            read({**IDS, "seat_ids": [SEAT]}, idempotency_key=key)
        assert "Idempotency-Key" in caught.value.errors


def test_members_of_the_exempt_group_and_zero_limits_are_not_limited():
    seats = [str(uuid4()) for _ in range(40)]
    exempt = read({**IDS, "seat_ids": seats}, Holds(exempt_group="/Load/Buyers"))
    assert (len(exempt.seat_ids), exempt.open_order_limit) == (40, 0)
    unlimited = read({**IDS, "seat_ids": seats}, Holds(max_seats_per_order=0, max_open_orders_per_user=0))
    assert (len(unlimited.seat_ids), unlimited.open_order_limit) == (40, 0)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(SEAT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*IDS, "seat_ids", "discount_id", "areas"]), inner, max_size=4),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_bytes_break_the_reader(raw):
    try:
        found = read(raw)
    except Problem as problem:
        assert problem.status in {400, 422}  # noqa: PT017 - either is fine
    else:
        assert found.seat_ids


def test_the_handwritten_refusal_has_the_shape_of_every_problem():
    contested = (SeatFact(SEAT, 1, NOW + timedelta(seconds=3)),)
    request_id = str(uuid4())
    answer = answers.lost(Lost(contested), asked=2, request_id=request_id, path="/api/order", status=409, now=NOW)
    body = json.loads(answer.body)
    text = "1 of 2 seats are held or sold."
    shape = Problem(
        409, "seats-unavailable", text, title="Seats are no longer available", extra={"seatIds": [SEAT]}
    ).body(request_id=request_id, path="/api/order")
    assert body == {**shape, "timestamp": "2027-03-01T09:00:00.123Z", "retryAfterMs": 3000}
    assert list(body)[: len(shape)] == list(shape)
    assert dict(answer.headers)[b"content-type"] == b"application/problem+json"
    assert dict(answer.headers)[b"content-length"] == str(len(answer.body)).encode()


def test_the_compatibility_status_changes_only_the_status():
    lost = Lost((SeatFact(SEAT, 1, None),))
    common = {"asked": 1, "request_id": SEAT, "path": "/api/order", "now": NOW}
    usual, old = answers.lost(lost, status=409, **common), answers.lost(lost, status=400, **common)
    assert (old.status, (b"ticketly-compat", b"lost-seat-status") in old.headers) == (400, True)
    assert {**json.loads(usual.body), "status": 400, "error": "Bad Request"} == json.loads(old.body)
    assert "retryAfterMs" not in json.loads(usual.body)


def test_every_outcome_of_the_database_has_an_answer():
    details = {
        "session-not-on-sale": {"session_status": "CLOSED", "sales_start_time": NOW},
        "seats-unknown": {"seat_ids": [SEAT]},
        "too-many-open-orders": {"order_ids": [SEAT]},
    }
    found = {
        code: answers.refusal(Refused(code, details.get(code, {}))).status
        for code in ("session-not-found", "event-mismatch", "organization-mismatch", "event-not-approved",
                     "session-not-on-sale", "catalogue-incomplete", "seats-unknown", "too-many-open-orders",
                     "key-reused")
    }  # fmt: skip
    assert found == {
        "session-not-found": 404,
        "event-mismatch": 422,
        "organization-mismatch": 422,
        "event-not-approved": 409,
        "session-not-on-sale": 409,
        "catalogue-incomplete": 503,
        "seats-unknown": 422,
        "too-many-open-orders": 429,
        "key-reused": 409,
    }


def test_the_compatibility_setting_reads_pairs_and_refuses_nonsense():
    read = Compat(lost_seat_status_by_client="login-testing=400, other=409").lost_seat_status_by_client
    assert read == {"login-testing": 400, "other": 409}
    assert Compat(lost_seat_status_by_client="").lost_seat_status_by_client == {}
    with pytest.raises(ValueError, match="expected"):
        Compat(lost_seat_status_by_client="login-testing=200")
