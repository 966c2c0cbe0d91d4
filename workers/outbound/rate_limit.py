"""Hold calls back until the time that a rate limit states."""

from datetime import datetime, timedelta
from typing import Final

from workers.ports import Clock

EVERYTHING: Final = "everything"
UNKNOWN_WAIT: Final = timedelta(minutes=1)
"""How long to wait where a limit does not say when it ends."""


class RateLimitHold:
    """Remembers until when a service wants no calls: none at all, or none for one of its resources.

    Concurrency: one instance for all calls of a process to the service.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, datetime] = {}

    def find_end(self, resource: str = EVERYTHING) -> datetime | None:
        """Return when the resource may be called again, or None if it may be called now."""
        now = self._clock.now()
        end = max(self._ends.get(held, now) for held in (EVERYTHING, resource))
        return end if now < end else None

    def hold_for(self, wait: timedelta | None) -> datetime:
        """Hold back every call for that long, or for ``UNKNOWN_WAIT``; return the end."""
        return self.hold_until(self._clock.now() + (UNKNOWN_WAIT if wait is None else wait))

    def hold_until(self, end: datetime, resource: str = EVERYTHING) -> datetime:
        """Hold back the resource's calls until then, whatever was known before; return the end."""
        self._ends[resource] = end
        return end
