"""The circuit breaker, situation by situation; its laws are in test_breaker_properties.py."""

from datetime import timedelta

import pytest
from support.clock import FakeClock

from workers.gateway.breaker import Breaker, BreakerState, Permit

WINDOW = timedelta(minutes=2)
OPEN_FOR = timedelta(minutes=1)
PROBE_FOR = timedelta(seconds=30)


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(failures=3, window=WINDOW, open_for=OPEN_FOR, probe_for=PROBE_FOR, monotonic=clock.monotonic)


def enter(breaker: Breaker) -> Permit:
    permit = breaker.enter()
    assert permit is not None
    return permit


def state_of(breaker: Breaker) -> BreakerState:
    """Read the state again: to a type checker, a property stays what an assertion found it to be."""
    return breaker.state


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with enter(breaker) as permit:
            permit.failed()


def succeed(breaker: Breaker) -> None:
    with enter(breaker) as permit:
        permit.succeeded()


def test_it_opens_after_as_many_failures_as_it_bears(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert state_of(breaker) is BreakerState.CLOSED

    fail(breaker)

    assert state_of(breaker) is BreakerState.OPEN
    assert breaker.enter() is None
    assert breaker.wait == OPEN_FOR


def test_failures_older_than_the_window_do_not_count(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 2)
    clock.advance(WINDOW + timedelta(seconds=1))
    fail(breaker, 2)

    assert state_of(breaker) is BreakerState.CLOSED


def test_a_success_in_between_starts_the_count_again(breaker: Breaker) -> None:
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)

    assert state_of(breaker) is BreakerState.CLOSED


def test_after_its_time_exactly_one_call_probes(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 3)
    clock.advance(OPEN_FOR)
    assert state_of(breaker) is BreakerState.HALF_OPEN

    with enter(breaker) as probe:
        assert breaker.enter() is None
        probe.succeeded()

    assert state_of(breaker) is BreakerState.CLOSED
    assert breaker.wait == timedelta(0)


def test_a_failed_probe_opens_it_for_the_whole_time_again(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 3)
    clock.advance(OPEN_FOR)
    fail(breaker)

    assert state_of(breaker) is BreakerState.OPEN
    assert breaker.wait == OPEN_FOR


def test_an_abandoned_probe_leaves_its_place_at_once(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 3)
    clock.advance(OPEN_FOR)
    with pytest.raises(KeyboardInterrupt), enter(breaker):
        raise KeyboardInterrupt

    assert state_of(breaker) is BreakerState.HALF_OPEN
    succeed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


def test_a_probe_never_heard_of_again_expires(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 3)
    clock.advance(OPEN_FOR)
    lost = enter(breaker)
    assert breaker.enter() is None
    clock.advance(PROBE_FOR)

    with enter(breaker) as probe:
        lost.failed()
        assert state_of(breaker) is BreakerState.HALF_OPEN  # too late to matter
        probe.succeeded()

    assert state_of(breaker) is BreakerState.CLOSED


def test_a_slow_call_of_before_the_outage_changes_nothing(breaker: Breaker, clock: FakeClock) -> None:
    slow, slower = enter(breaker), enter(breaker)
    fail(breaker, 3)
    clock.advance(timedelta(seconds=59))
    slow.failed()
    slower.succeeded()

    assert breaker.wait == timedelta(seconds=1)


def test_a_permit_settles_once(breaker: Breaker) -> None:
    with enter(breaker) as permit:
        for _ in range(5):
            permit.failed()

    assert state_of(breaker) is BreakerState.CLOSED
