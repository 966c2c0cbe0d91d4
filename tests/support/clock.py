"""A clock that tests hold: nothing waits for it, and it remembers who slept."""

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Time that passes when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
        self.sleeps: list[timedelta] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, delay: timedelta) -> None:
        self.sleeps.append(delay)
        self.advance(delay)
        await asyncio.sleep(0)

    def advance(self, delay: timedelta) -> None:
        self._now += delay

    @property
    def slept(self) -> timedelta:
        return sum(self.sleeps, timedelta())
