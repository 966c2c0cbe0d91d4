"""Idempotent calls, repeated while Supabase is away."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from shared.errors import BackendUnavailable

T = TypeVar("T")


async def retry(call: Callable[[], Awaitable[T]], *, within: timedelta, longest_pause: timedelta) -> T:
    """Repeat a call until it is answered, refused, or the time is over; pauses are jittered and grow.

    Raises: what the last call raised.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(BackendUnavailable),
        wait=wait_random_exponential(multiplier=0.2, max=longest_pause.total_seconds()),
        stop=stop_after_delay(within.total_seconds()),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            return await call()
    raise AssertionError("tenacity either returns or raises")
