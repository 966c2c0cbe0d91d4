"""The real clock."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return time.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        """Wait without holding the event loop."""
        await asyncio.sleep(delay.total_seconds())

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        """Wait for an event, or for a future to be done; return whether that happened in time."""
        if isinstance(event, asyncio.Future):
            await asyncio.wait([event], timeout=within.total_seconds())
            return event.done()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await event.wait()
        return event.is_set()
