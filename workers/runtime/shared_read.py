"""A cached read, one at a time: callers that ask at once, or again a moment later, share one read."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from workers.ports import Clock

T = TypeVar("T")


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    """What a read returned or raised, as of when it is true, and for how long it is valid."""

    result: "asyncio.Future[T]"
    as_of: float
    ttl: float


class SharedRead(Generic[T]):
    """Shares one value that is expensive to read.

    A value is valid for ``ttl`` from the start of its read, or from its end where the read itself may take that long.
    A failure is valid for ``failure_ttl`` from its end; by default not at all, so that the next caller reads again.
    Concurrency: any number of callers; those that arrive during a read share its outcome, even a failure. Once a read
    has taken longer than ``patience``, if that is set, nobody else joins it: the next caller starts another.
    A cancelled caller, even the first, does not cancel the read for the others.
    """

    def __init__(
        self,
        ttl: timedelta,
        clock: Clock,
        *,
        failure_ttl: timedelta = timedelta(0),
        counted_from: Literal["start", "end"] = "start",
        patience: timedelta | None = None,
    ) -> None:
        self._ttl = ttl.total_seconds()
        self._failure_ttl = failure_ttl.total_seconds()
        self._clock = clock
        self._counted_from = counted_from
        self._patience = math.inf if patience is None else patience.total_seconds()
        self._kept: _Outcome[T] | None = None
        # The reads under way, and when each began; the newest is last.
        self._reads: dict[asyncio.Task[T], float] = {}

    async def get(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return the cached value while it is fresh, else what ``read`` returns. Raises: what it raises."""
        if self._kept is not None and self._is_fresh(self._kept):
            return self._kept.result.result()
        now = self._clock.monotonic()
        newest = next(reversed(self._reads), None)
        if newest is None or now - self._reads[newest] > self._patience:
            newest = asyncio.create_task(_run(read))
            self._reads[newest] = now
            newest.add_done_callback(self._finish)
        return await asyncio.shield(newest)

    def keep(self, value: T, *, as_of: float) -> None:
        """Cache a value that was read elsewhere, true as of that reading of the clock's ``monotonic``."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        result.set_result(value)
        self._keep(_Outcome(result, as_of, self._ttl))

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is cached or being read."""
        return self._kept is None and not self._reads

    async def close(self) -> None:
        """Cancel the reads under way."""
        for reading in self._reads:
            reading.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)

    def _finish(self, reading: "asyncio.Task[T]") -> None:
        began = self._reads.pop(reading)
        if reading.cancelled():
            return
        now = self._clock.monotonic()
        if reading.exception() is None:
            self._keep(_Outcome(reading, began if self._counted_from == "start" else now, self._ttl))
        elif self._kept is None or not self._is_fresh(self._kept):
            self._kept = _Outcome(reading, now, self._failure_ttl) if self._failure_ttl else None

    def _keep(self, outcome: _Outcome[T]) -> None:
        if self._kept is None or self._kept.as_of <= outcome.as_of:
            self._kept = outcome

    def _is_fresh(self, outcome: _Outcome[T]) -> bool:
        return self._clock.monotonic() - outcome.as_of < outcome.ttl


async def _run(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
