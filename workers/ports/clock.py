"""The time."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Protocol


class Clock(Protocol):
    """Time, so that tests can control it: the only way to read it, to pause, or to wait for an event with a timeout."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; only differences mean something."""

    async def sleep(self, delay: timedelta) -> None:
        """Pause."""

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        """Wait for an event, or for a future to be done; return whether that happened in time.

        On a timeout the future is not cancelled; its result is never read.
        """
