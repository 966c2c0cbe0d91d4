"""Retries for the commands that follow something, so that a short outage of Supabase does not end them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from shared.errors import BackendUnavailable
from workers.backend.retry import retry
from workers.cli.terminal import print_line
from workers.ports import Clock

T = TypeVar("T")

_LIMIT: Final = timedelta(minutes=2)
_LONGEST_PAUSE: Final = timedelta(seconds=1)


class RetryWhileAway:
    """Repeats a read while Supabase is unavailable, for two minutes at most; prints one line about it."""

    def __init__(self, clock: Clock, farewell: str) -> None:
        self._clock = clock
        self._farewell = farewell
        self._warned = False

    async def ask(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return what was read. Raises: BackendUnavailable, with the farewell, when the outage lasts."""
        try:
            return await retry(
                read,
                clock=self._clock,
                within=_LIMIT,
                longest_pause=_LONGEST_PAUSE,
                before_pause=self._warn_once,
            )
        except BackendUnavailable as error:
            raise BackendUnavailable(f"{error} {self._farewell}") from error

    def _warn_once(self, error: BaseException | None) -> None:
        if not self._warned:
            print_line(f"{error} Still asking, for {_LIMIT.total_seconds():g} s at most.", err=True)
            self._warned = True
