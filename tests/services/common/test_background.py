"""A background loop ends with its block, also when the first cancellation is lost on the way."""

from __future__ import annotations

import asyncio

import pytest

from ticketly_common.background import background, end


async def test_the_loop_runs_inside_the_block_and_not_after_it():
    turns = 0

    async def loop():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with background(loop(), name="counting"):
        await asyncio.sleep(0.01)
    counted = turns
    await asyncio.sleep(0.01)
    assert turns == counted > 1


async def test_an_error_that_ended_the_loop_is_raised_at_the_end_of_the_block():
    async def loop():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        async with background(loop(), name="failing"):
            await asyncio.sleep(0.01)


async def test_a_cancellation_that_a_library_drops_is_repeated():
    dropped = 0

    async def loop():
        nonlocal dropped
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if dropped == 2:
                    raise
                dropped += 1

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(task, again_seconds=0.001)
    assert task.cancelled()
    assert dropped == 2


async def test_an_orderly_end_is_not_disturbed():
    orderly = False

    async def loop():
        nonlocal orderly
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            orderly = True

    async with background(loop(), name="slow to end"):
        await asyncio.sleep(0)
    assert orderly


async def test_the_end_can_be_interrupted_itself():
    async def stubborn():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if over:
                    raise

    over = False
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await end(task, again_seconds=0.001)
    over = True
    await end(task, again_seconds=0.001)
