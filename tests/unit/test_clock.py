"""The real clock and the two that tests hold keep the same promises."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from support.clock import FakeClock, ManualClock

from workers.clock import SystemClock
from workers.ports import Clock

MOMENT = timedelta(milliseconds=20)
LONG = timedelta(hours=1)


async def wait(clock: Clock, event: asyncio.Event | asyncio.Future[Any], within: timedelta) -> bool:
    """Wait by a clock; where time stands still, let as much of it pass."""
    waiting = asyncio.create_task(clock.wait(event, within=within))
    await asyncio.sleep(0)
    if isinstance(clock, ManualClock):
        await clock.advance(within)
    return await waiting


@pytest.fixture(params=[SystemClock, FakeClock, ManualClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    clock: Clock = request.param()
    return clock


@pytest.fixture(params=["event", "future"])
async def event(request: pytest.FixtureRequest) -> asyncio.Event | asyncio.Future[Any]:
    return asyncio.Event() if request.param == "event" else asyncio.get_running_loop().create_future()


def happen(event: asyncio.Event | asyncio.Future[Any]) -> None:
    if isinstance(event, asyncio.Future):
        event.set_result(None)
    else:
        event.set()


async def test_what_has_come_already_costs_no_time(clock: Clock, event: asyncio.Event | asyncio.Future[Any]) -> None:
    began = clock.monotonic()
    happen(event)

    assert await clock.wait(event, within=LONG)
    assert clock.monotonic() - began < 1


async def test_what_comes_in_time_ends_the_wait(clock: Clock, event: asyncio.Event | asyncio.Future[Any]) -> None:
    began = clock.monotonic()
    asyncio.get_running_loop().call_soon(happen, event)

    assert await clock.wait(event, within=LONG)
    assert clock.monotonic() - began < 1


async def test_what_does_not_come_costs_the_whole_time(
    clock: Clock, event: asyncio.Event | asyncio.Future[Any]
) -> None:
    began = clock.monotonic()

    assert not await wait(clock, event, MOMENT)
    assert clock.monotonic() - began >= MOMENT.total_seconds() - 0.002
    assert not (isinstance(event, asyncio.Future) and event.cancelled())


async def test_no_time_is_enough_for_what_is_there(clock: Clock, event: asyncio.Event | asyncio.Future[Any]) -> None:
    assert not await clock.wait(event, within=timedelta(0))
    happen(event)

    assert await clock.wait(event, within=timedelta(0))


async def test_by_hand_sleepers_wake_in_the_order_of_their_times() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []
    began = clock.monotonic()

    async def sleep(name: str, seconds: int) -> None:
        await clock.sleep(timedelta(seconds=seconds))
        woken.append((name, clock.monotonic() - began))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3), ("early", 1), ("later", 9)):
            group.create_task(sleep(name, seconds))
        await clock.advance(timedelta(seconds=5))

        assert woken == [("early", 1), ("late", 3)]
        assert (clock.waiting, clock.monotonic() - began) == (1, 5)
        await clock.advance(timedelta(seconds=5))
    assert woken[-1] == ("later", 9)


async def test_by_hand_who_repeats_is_woken_as_often_as_time_allows() -> None:
    clock = ManualClock()
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await clock.sleep(timedelta(seconds=2))
            beats += 1

    beating = asyncio.create_task(beat())
    await clock.advance(timedelta(seconds=9))
    beating.cancel()
    await clock.settle()

    assert (beats, clock.waiting) == (4, 0)
