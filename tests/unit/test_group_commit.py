"""A crowd of writers shares calls, and each gets its own answer."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.clock import ManualClock

from workers.backend.group_commit import GroupCommit


class Wire:
    """Receives groups; holds the first answer back until the test lets it go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.first_answer = asyncio.Event()
        self.error: Exception | None = None

    async def send(self, items: Sequence[int]) -> list[str]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            await self.first_answer.wait()
        if self.error is not None:
            raise self.error
        return [f"answer to {item}" for item in items]


async def test_a_lone_item_is_sent_at_once() -> None:
    wire = Wire()
    wire.first_answer.set()

    assert await GroupCommit(wire.send, limit=10, clock=ManualClock()).submit(1) == "answer to 1"
    assert wire.groups == [[1]]


async def test_what_comes_during_a_call_goes_together_in_the_next_up_to_the_limit() -> None:
    wire = Wire()
    commit = GroupCommit(wire.send, limit=3, clock=ManualClock())
    tasks = [asyncio.create_task(commit.submit(number)) for number in range(6)]
    await asyncio.sleep(0)
    late = asyncio.create_task(commit.submit(6))
    await asyncio.sleep(0)
    wire.first_answer.set()

    assert await asyncio.gather(*tasks, late) == [f"answer to {number}" for number in range(7)]
    assert wire.groups == [[0, 1, 2], [3, 4, 5], [6]]


async def test_a_failed_call_fails_its_group_and_spares_the_next() -> None:
    wire = Wire()
    wire.error = ConnectionError("away")
    commit = GroupCommit(wire.send, limit=2, clock=ManualClock())
    tasks = [asyncio.create_task(commit.submit(number)) for number in range(2)]
    await asyncio.sleep(0)
    wire.first_answer.set()

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]
    wire.error = None
    assert await commit.submit(9) == "answer to 9"


async def test_an_item_that_nobody_waits_for_any_more_is_not_sent() -> None:
    wire = Wire()
    commit = GroupCommit(wire.send, limit=1, clock=ManualClock())
    first = asyncio.create_task(commit.submit(1))
    abandoned = asyncio.create_task(commit.submit(2))
    await asyncio.sleep(0)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    wire.first_answer.set()

    assert await first == "answer to 1"
    assert await commit.submit(3) == "answer to 3"
    assert wire.groups == [[1], [3]]


async def test_a_call_that_is_stuck_holds_up_the_others_for_a_moment_only() -> None:
    wire, clock = Wire(), ManualClock()
    commit = GroupCommit(wire.send, limit=10, clock=clock)
    stuck = asyncio.create_task(commit.submit(1))
    await clock.settle()
    waiting = [asyncio.create_task(commit.submit(number)) for number in (2, 3)]

    await clock.advance(timedelta(seconds=0.9))
    assert wire.groups == [[1]]
    await clock.advance(timedelta(seconds=0.1))
    assert [await answer for answer in waiting] == ["answer to 2", "answer to 3"]
    assert await commit.submit(4) == "answer to 4"

    assert wire.groups == [[1], [2, 3], [4]]
    assert not stuck.done()
    wire.first_answer.set()
    assert await stuck == "answer to 1"
