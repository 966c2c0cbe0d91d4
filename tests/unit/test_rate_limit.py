"""A service that limits us is not called before the time that it named."""

from datetime import timedelta

from support.clock import FakeClock

from workers.outbound.rate_limit import UNKNOWN_WAIT, RateLimitHold

MINUTE = timedelta(minutes=1)


def test_nothing_is_held_back_before_a_limit_was_met() -> None:
    assert RateLimitHold(FakeClock()).find_end() is None


def test_calls_are_held_back_until_the_named_end_and_not_at_it() -> None:
    clock = FakeClock()
    hold = RateLimitHold(clock)
    end = hold.hold_for(2 * MINUTE)

    assert end == clock.now() + 2 * MINUTE
    assert hold.find_end() == end
    clock.advance(2 * MINUTE)
    assert hold.find_end() is None


def test_a_limit_without_an_end_holds_for_the_usual_wait() -> None:
    clock = FakeClock()

    assert RateLimitHold(clock).hold_for(None) == clock.now() + UNKNOWN_WAIT


def test_a_limit_that_has_ended_already_holds_nothing_back() -> None:
    hold = RateLimitHold(FakeClock())
    hold.hold_for(timedelta(0))

    assert hold.find_end() is None


def test_a_resource_is_held_back_alone() -> None:
    clock = FakeClock()
    hold = RateLimitHold(clock)
    end = hold.hold_until(clock.now() + MINUTE, "search")

    assert (hold.find_end("search"), hold.find_end("core"), hold.find_end()) == (end, None, None)


def test_of_a_resource_and_everything_the_later_end_holds() -> None:
    clock = FakeClock()
    hold = RateLimitHold(clock)
    later = hold.hold_until(clock.now() + 2 * MINUTE)
    hold.hold_until(clock.now() + MINUTE, "search")

    assert hold.find_end("search") == later


def test_a_newer_answer_replaces_the_end_of_an_older_one() -> None:
    clock = FakeClock()
    hold = RateLimitHold(clock)
    hold.hold_for(5 * MINUTE)

    assert hold.find_end() != hold.hold_for(MINUTE) == hold.find_end()
