"""Clocks that tests hold: one that never waits, set to today or not, one that waits until the test lets time pass."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

_START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
# Steps of the event loop in which whoever was woken does what it does without waiting again.
_STEPS = 50


class FakeClock:
    """Time that passes at once when somebody sleeps or waits, or when a test says so; it remembers who slept."""

    def __init__(self) -> None:
        self._now = _START
        self.sleeps: list[timedelta] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, delay: timedelta) -> None:
        self.sleeps.append(delay)
        self.advance(delay)
        await asyncio.sleep(0)

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        """Let the others take one step; if the event has not come by then, its whole time is over."""
        if not _has_come(event):
            await asyncio.sleep(0)
        if not _has_come(event):
            self.advance(within)
        return _has_come(event)

    def advance(self, delay: timedelta) -> None:
        self._now += delay

    @property
    def slept(self) -> timedelta:
        return sum(self.sleeps, timedelta())


class TodaysClock(FakeClock):
    """A fake clock that stands today, where the vendors' stand-ins live."""

    def __init__(self) -> None:
        super().__init__()
        self._now = datetime.now(UTC)


class ManualClock:
    """Time that stands still until the test lets it pass; who sleeps or waits is woken in the order of their times."""

    def __init__(self) -> None:
        self._now = _START
        self._alarms: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, delay: timedelta) -> None:
        if delay > timedelta(0):
            await self._alarm(delay)
        else:
            await asyncio.sleep(0)

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        if _has_come(event) or within <= timedelta(0):
            await asyncio.sleep(0)
            return _has_come(event)
        alarm = self._alarm(within)
        waiting = event if isinstance(event, asyncio.Future) else asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({alarm, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            if waiting is not event:
                waiting.cancel()
        return _has_come(event)

    async def advance(self, delay: timedelta) -> None:
        """Let time pass, and whoever's time has come do what they do until they wait again."""
        await self.settle()
        end = self._now + delay
        while due := [alarm for alarm in self._alarms if alarm[0] <= end]:
            first = min(due, key=lambda alarm: alarm[0])
            self._alarms.remove(first)
            self._now = first[0]
            with suppress(asyncio.InvalidStateError):  # who waited has left
                first[1].set_result(None)
            await self.settle()
        self._now = end

    async def settle(self) -> None:
        """Let everybody do what they can do now, without time passing."""
        for _ in range(_STEPS):
            await asyncio.sleep(0)

    @property
    def waiting(self) -> int:
        """Return how many sleep or wait."""
        return sum(not alarm.done() for _, alarm in self._alarms)

    def _alarm(self, delay: timedelta) -> "asyncio.Future[None]":
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._alarms.append((self._now + delay, alarm))
        return alarm


def _has_come(event: asyncio.Event | asyncio.Future[Any]) -> bool:
    return event.done() if isinstance(event, asyncio.Future) else event.is_set()
