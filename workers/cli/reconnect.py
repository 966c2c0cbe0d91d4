"""Retries for the commands that follow something, so that a short outage of Supabase does not end them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

import typer

from shared.errors import BackendUnavailable
from workers.ports import Clock

T = TypeVar("T")

_LIMIT: Final = timedelta(minutes=2)
_PAUSE: Final = timedelta(seconds=1)


class RetryWhileAway:
    """Repeats a read while Supabase is unavailable, for two minutes at most; prints one line about it."""

    def __init__(self, clock: Clock, farewell: str, *, limit: timedelta = _LIMIT, pause: timedelta = _PAUSE) -> None:
        self._clock = clock
        self._farewell = farewell
        self._limit = limit.total_seconds()
        self._pause = pause
        self._warned = False

    async def ask(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return what is read. Raises: BackendUnavailable, with the farewell, when the outage lasts."""
        deadline = self._clock.monotonic() + self._limit
        while True:
            try:
                return await read()
            except BackendUnavailable as error:
                if self._clock.monotonic() >= deadline:
                    raise BackendUnavailable(f"{error} {self._farewell}") from error
                if not self._warned:
                    typer.echo(f"{error} Still asking, for {self._limit:g} s at most.", err=True)
                    self._warned = True
            await self._clock.sleep(self._pause)
