"""The time."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Protocol


class Clock(Protocol):
    """Time, so that tests can hold it: the only way to read it, to pause, or to wait for an event with a limit."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; only differences mean something."""

    async def sleep(self, delay: timedelta) -> None:
        """Pause."""

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        """Wait for an event, or for a future to be done, at most so long; return whether it came in time.

        The future is neither cancelled when the time is over nor asked for its result.
        """
