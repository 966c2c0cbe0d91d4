"""What commands that follow something do while Supabase is away: ask again, so that a short outage ends nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

import typer

from shared.errors import BackendUnavailable

T = TypeVar("T")

_LIMIT: Final = timedelta(minutes=2)
_PAUSE: Final = timedelta(seconds=1)


class RetryWhileAway:
    """Repeats a reading while Supabase is away, for two minutes at most; says so once."""

    def __init__(self, farewell: str, *, limit: timedelta = _LIMIT, pause: timedelta = _PAUSE) -> None:
        self._farewell = farewell
        self._limit = limit.total_seconds()
        self._pause = pause.total_seconds()
        self._told = False

    async def ask(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return what is read. Raises: BackendUnavailable, with the farewell, when the outage lasts."""
        deadline = time.monotonic() + self._limit
        while True:
            try:
                return await read()
            except BackendUnavailable as error:
                if time.monotonic() >= deadline:
                    raise BackendUnavailable(f"{error} {self._farewell}") from error
                if not self._told:
                    typer.echo(f"{error} Still asking, for {self._limit:g} s at most.", err=True)
                    self._told = True
            await asyncio.sleep(self._pause)
