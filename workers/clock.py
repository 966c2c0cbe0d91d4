"""The real clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Time as the machine tells it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return time.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        """Wait without holding the event loop."""
        await asyncio.sleep(delay.total_seconds())
