"""An idempotent call is repeated while Supabase is away, for as long as the clock says, and no other call is."""

from datetime import timedelta

import pytest
from support.clock import FakeClock

from shared.errors import BackendRejected, BackendUnavailable, FunctionMissing
from workers.backend.retry import retry

WITHIN = timedelta(seconds=60)
PAUSE = timedelta(seconds=3)


class Backend:
    """Fails with each of these errors, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def answer(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answered"


async def ask(backend: Backend, clock: FakeClock) -> str:
    return await retry(backend.answer, clock=clock, within=WITHIN, longest_pause=PAUSE)


async def test_a_call_is_repeated_until_it_is_answered(clock: FakeClock) -> None:
    assert await ask(Backend(*[BackendUnavailable()] * 5), clock) == "answered"

    assert len(clock.sleeps) == 5
    assert timedelta(0) <= max(clock.sleeps) <= PAUSE


async def test_an_outage_that_outlasts_the_time_is_raised(clock: FakeClock) -> None:
    began = clock.monotonic()
    with pytest.raises(BackendUnavailable, match="away"):
        await ask(Backend(*[BackendUnavailable("away")] * 10_000), clock)

    took = clock.monotonic() - began
    assert WITHIN.total_seconds() <= took <= (WITHIN + PAUSE).total_seconds()


async def test_a_refusal_is_not_repeated(clock: FakeClock) -> None:
    backend = Backend(BackendRejected())
    with pytest.raises(BackendRejected):
        await ask(backend, clock)

    assert (backend.calls, clock.sleeps) == (1, [])


async def test_what_passes_for_this_call_is_repeated_too(clock: FakeClock) -> None:
    backend = Backend(FunctionMissing(), BackendUnavailable())
    passing = (BackendUnavailable, FunctionMissing)
    assert await retry(backend.answer, clock=clock, within=WITHIN, longest_pause=PAUSE, passing=passing) == "answered"

    with pytest.raises(FunctionMissing):
        await ask(Backend(FunctionMissing()), clock)
