"""Idempotent calls, repeated while Supabase is away."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from shared.errors import BackendError, BackendUnavailable
from workers.ports import Clock

T = TypeVar("T")


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    within: timedelta,
    longest_pause: timedelta,
    passing: tuple[type[BackendError], ...] = (BackendUnavailable,),
    before_pause: Callable[[BaseException | None], None] | None = None,
) -> T:
    """Repeat a call until it is answered or refused, or time runs out; pauses are jittered and grow.

    ``passing`` are the errors that do not count as a refusal.
    ``before_pause`` receives what the call raised, each time before it is repeated.

    Raises: what the last call raised.
    """
    deadline = clock.monotonic() + within.total_seconds()

    def is_over(_: RetryCallState) -> bool:
        return clock.monotonic() >= deadline

    def announce(state: RetryCallState) -> None:
        if before_pause is not None and state.outcome is not None:
            before_pause(state.outcome.exception())

    async def sleep(seconds: float) -> None:
        await clock.sleep(timedelta(seconds=seconds))

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(passing),
        wait=wait_random_exponential(multiplier=0.2, max=longest_pause.total_seconds()),
        stop=is_over,
        sleep=sleep,
        before_sleep=announce,
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            return await call()
    raise AssertionError("tenacity either returns or raises")
