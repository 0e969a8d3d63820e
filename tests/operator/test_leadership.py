"""One leader at a time, judged by each process on its own clock, decided by the resource version."""

from __future__ import annotations

import asyncio
import copy

from ticketly_operator.errors import ClusterUnreachableError
from ticketly_operator.leadership import Leadership, Terms

TERMS = Terms(duration=15, renew_deadline=10)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class LeaseServer:
    """Just enough of an API server: one object, its resource version, conflicts, and outages."""

    def __init__(self) -> None:
        self.lease = None
        self.version = 0
        self.down = False
        self.writes = 0

    async def request(self, method, path, *, verb, resource, body=None, params=None, missing_is_none=False):
        if self.down:
            raise ClusterUnreachableError("down")
        if method == "GET":
            return copy.deepcopy(self.lease)
        if (method == "POST") == (self.lease is not None):
            raise ClusterUnreachableError("409")
        if method == "PUT" and body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ClusterUnreachableError("409")
        self.version += 1
        self.writes += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return self.lease


def operator(server, name, clock, terms=TERMS):
    return Leadership(server, namespace="ns", name="lease", identity=name, terms=terms, monotonic=clock)


async def test_the_first_takes_the_lease_and_the_second_waits_and_writes_nothing():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    assert await first.attempt()
    writes = server.writes
    for _ in range(5):
        assert not await second.attempt()
    assert server.writes == writes


async def test_a_dead_leader_is_followed_after_its_duration_on_the_followers_own_clock():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    await first.attempt()
    assert not await second.attempt()
    clock.now += 14.9
    assert not await second.attempt()
    clock.now += 0.1
    assert await second.attempt()
    assert server.lease["spec"]["leaseTransitions"] == 1
    assert not first.leads()
    assert not await first.attempt()


async def test_times_written_by_another_machine_do_not_matter():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    await first.attempt()
    server.lease["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z"
    assert not await second.attempt()


async def test_the_holders_own_duration_counts():
    server, clock = LeaseServer(), Clock()
    slow = operator(server, "slow", clock, Terms(duration=60, renew_deadline=50))
    second = operator(server, "second", clock)
    await slow.attempt()
    await second.attempt()
    clock.now += 59
    assert not await second.attempt()
    clock.now += 1
    assert await second.attempt()


async def test_a_leader_that_cannot_renew_stops_writing_before_anybody_may_follow():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    await first.attempt()
    await second.attempt()
    server.down = True
    clock.now += 9.9
    assert await first.attempt()
    clock.now += 0.1
    assert not first.leads()
    assert not await first.attempt()
    server.down = False
    assert not await second.attempt()


async def test_a_paused_leader_that_wakes_up_is_fenced_without_asking_anybody():
    server, clock = LeaseServer(), Clock()
    first = operator(server, "first", clock)
    await first.attempt()
    clock.now += 60
    assert not first.leads()


async def test_of_two_that_try_at_the_same_moment_one_wins():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    read = server.request

    async def both_read_first(method, path, **keywords):
        answer = await read(method, path, **keywords)
        if method == "GET":
            await barrier.wait()
        return answer

    barrier = asyncio.Barrier(2)
    server.request = both_read_first
    assert sorted(await asyncio.gather(first.attempt(), second.attempt())) == [False, True]


async def test_a_released_lease_is_taken_at_once():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    await first.attempt()
    await second.attempt()
    await first.release()
    assert not first.leads()
    assert await second.attempt()


async def test_a_late_answer_shortens_the_fence_not_the_lease():
    """The server wrote the Lease when the request arrived; counting from the answer would lead too long."""
    server, clock = LeaseServer(), Clock()
    first = operator(server, "first", clock)
    answer = server.request

    async def slow(method, path, **keywords):
        clock.now += 4
        return await answer(method, path, **keywords)

    server.request = slow
    assert await first.attempt()
    clock.now += 1.9
    assert first.leads()
    clock.now += 0.1
    assert not first.leads()


async def test_how_long_the_lease_of_somebody_else_still_lasts_is_known():
    server, clock = LeaseServer(), Clock()
    first, second = operator(server, "first", clock), operator(server, "second", clock)
    assert second.seconds_to_free() is None
    await first.attempt()
    await second.attempt()
    clock.now += 4
    assert second.seconds_to_free() == 11
    await first.attempt()
    await second.attempt()
    assert second.seconds_to_free() == 15
    clock.now += 15
    assert second.seconds_to_free() == 0
    assert await second.attempt()
    assert second.seconds_to_free() is None


async def test_a_lease_that_could_not_be_renewed_is_not_released_either():
    server, clock = LeaseServer(), Clock()
    first = operator(server, "first", clock)
    await first.attempt()
    clock.now += TERMS.renew_deadline
    writes = server.writes
    await first.release()
    assert server.writes == writes
    assert server.lease["spec"]["holderIdentity"] == "first"
