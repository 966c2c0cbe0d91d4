"""What many ask for is read once, and no longer believed than it may be."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import FakeClock

from workers.runtime.shared_read import SharedRead

TTL = timedelta(seconds=10)


class Readings:
    """Counts how often it is read; each read waits until the test opens the gate, then returns its number or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self) -> int:
        self.count += 1
        number = self.count
        await self.gate.wait()
        if self.fails:
            raise ConnectionError(number)
        return number


@pytest.fixture
def readings() -> Readings:
    return Readings()


@pytest.fixture
def shared(clock: FakeClock) -> SharedRead[int]:
    return SharedRead(TTL, clock)


async def start(shared: SharedRead[int], readings: Readings, callers: int) -> Sequence["asyncio.Task[int]"]:
    """Let callers ask, and wait behind the gate."""
    readings.gate.clear()
    tasks = [asyncio.create_task(shared.get(readings.read)) for _ in range(callers)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_many_callers_share_one_read(shared: SharedRead[int], readings: Readings) -> None:
    tasks = await start(shared, readings, 100)
    readings.gate.set()

    assert set(await asyncio.gather(*tasks)) == {1}


async def test_a_value_expires_by_the_clock_that_was_given(
    shared: SharedRead[int], readings: Readings, clock: FakeClock
) -> None:
    assert await shared.get(readings.read) == 1

    clock.advance(TTL - timedelta(milliseconds=1))
    assert await shared.get(readings.read) == 1
    clock.advance(timedelta(milliseconds=1))
    assert await shared.get(readings.read) == 2


async def test_a_failure_reaches_everybody_who_waited_and_is_not_kept(
    shared: SharedRead[int], readings: Readings
) -> None:
    tasks = await start(shared, readings, 5)
    readings.fails = True
    readings.gate.set()
    assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {ConnectionError}
    assert shared.is_empty

    readings.fails = False
    assert await shared.get(readings.read) == 2


async def test_a_failure_is_kept_as_long_as_was_asked_for(readings: Readings, clock: FakeClock) -> None:
    shared = SharedRead[int](TTL, clock, failure_ttl=timedelta(seconds=1))
    readings.fails = True
    for _ in range(3):
        with pytest.raises(ConnectionError, match="1"):
            await shared.get(readings.read)

    readings.fails = False
    clock.advance(timedelta(seconds=1))
    assert await shared.get(readings.read) == 2


@pytest.mark.parametrize("leaving", [0, 1])
async def test_a_caller_who_leaves_takes_the_read_from_nobody(
    shared: SharedRead[int], readings: Readings, leaving: int
) -> None:
    tasks = await start(shared, readings, 2)
    tasks[leaving].cancel()
    readings.gate.set()

    assert await tasks[1 - leaving] == 1
    assert tasks[leaving].cancelled()
    assert readings.count == 1


async def test_a_read_whose_callers_have_all_left_serves_the_next_one(
    shared: SharedRead[int], readings: Readings
) -> None:
    (only,) = await start(shared, readings, 1)
    only.cancel()
    readings.gate.set()
    await asyncio.gather(only, return_exceptions=True)

    assert await shared.get(readings.read) == 1


@pytest.mark.parametrize(("counted_from", "is_read_again"), [("start", True), ("end", False)])
async def test_the_age_of_a_slow_read_counts_from_its_start_or_its_end(
    readings: Readings, clock: FakeClock, counted_from: str, *, is_read_again: bool
) -> None:
    shared = SharedRead[int](TTL, clock, counted_from=counted_from)  # type: ignore[arg-type]
    tasks = await start(shared, readings, 1)
    clock.advance(TTL)
    readings.gate.set()
    await asyncio.gather(*tasks)

    assert (await shared.get(readings.read) == 2) is is_read_again


async def test_a_value_that_was_read_elsewhere_is_kept_and_a_slower_older_failure_does_not_hide_it(
    readings: Readings, clock: FakeClock
) -> None:
    shared = SharedRead[int](TTL, clock, failure_ttl=TTL)
    tasks = await start(shared, readings, 1)
    clock.advance(timedelta(seconds=1))
    shared.keep(77, as_of=clock.monotonic())
    assert await shared.get(readings.read) == 77

    readings.fails = True
    readings.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await shared.get(readings.read) == 77


async def test_a_read_that_is_stuck_is_shared_with_nobody_who_comes_later(readings: Readings, clock: FakeClock) -> None:
    shared = SharedRead[int](TTL, clock, patience=timedelta(seconds=1))
    (stuck,) = await start(shared, readings, 1)
    clock.advance(timedelta(seconds=1))
    (early,) = await start(shared, readings, 1)
    assert readings.count == 1

    clock.advance(timedelta(seconds=0.1))
    late = await start(shared, readings, 2)
    assert readings.count == 2
    readings.gate.set()

    assert await asyncio.gather(stuck, early, *late) == [1, 1, 2, 2]
    assert await shared.get(readings.read) == 2
    assert readings.count == 2


async def test_closing_ends_the_read_that_is_under_way(shared: SharedRead[int], readings: Readings) -> None:
    (only,) = await start(shared, readings, 1)
    await shared.close()

    assert shared.is_empty
    with pytest.raises(asyncio.CancelledError):
        await only


@given(st.lists(st.tuples(st.integers(0, 15), st.booleans()), max_size=20))
def test_nobody_gets_a_value_older_than_its_time_and_nothing_fresh_is_read_again(
    calls: list[tuple[int, bool]],
) -> None:
    """However time passes and reads fail between the calls."""

    async def story() -> None:
        clock, readings = FakeClock(), Readings()
        shared = SharedRead[int](TTL, clock)
        value, read_at = 0, -TTL.total_seconds()
        for seconds, fails in calls:
            clock.advance(timedelta(seconds=seconds))
            readings.fails = fails
            before, now = readings.count, clock.monotonic()
            is_fresh = value > 0 and now - read_at < TTL.total_seconds()
            try:
                got = await shared.get(readings.read)
            except ConnectionError:
                assert fails
                assert not is_fresh
                value = 0
                continue
            assert readings.count == before + (not is_fresh)
            if not is_fresh:
                value, read_at = got, now
            assert got == value

    asyncio.run(story())
