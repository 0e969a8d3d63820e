"""Answers kept for a moment: shared, dated from before the look, never a failure."""

from __future__ import annotations

import asyncio

import pytest

from ticketly_common.problems import Problem
from ticketly_event_query.catalog.answers import Answers
from ticketly_event_query.catalog.limits import LookupLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_fresh_answer_is_reused_and_an_old_one_made_anew():
    clock, made = Clock(), []

    async def produce():
        made.append(clock.now)
        return len(made)

    answers = Answers(500, monotonic=clock)
    first = await answers.get("a", produce)
    clock.now += 0.4
    assert await answers.get("a", produce) is first
    assert (await answers.get("b", produce)).content == b"2"
    clock.now += 0.2
    assert (await answers.get("a", produce)).content == b"3"


async def test_a_crowd_shares_one_look_and_its_failure_is_not_kept():
    gate, looks = asyncio.Event(), 0

    async def produce():
        nonlocal looks
        looks += 1
        await gate.wait()
        raise LookupError

    answers = Answers(0)
    crowd = [asyncio.create_task(answers.get("a", produce)) for _ in range(50)]
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*crowd, return_exceptions=True)
    assert all(isinstance(result, LookupError) for result in results)
    assert looks == 1
    with pytest.raises(LookupError):
        await answers.get("a", produce)
    assert looks == 2


def test_lookups_are_limited_per_user_and_minute():
    clock = Clock()
    limit = LookupLimit(2, monotonic=clock)
    limit.count("a")
    limit.count("a")
    limit.count("b")
    with pytest.raises(Problem, match="Too many"):
        limit.count("a")
    clock.now += 61
    limit.count("a")
