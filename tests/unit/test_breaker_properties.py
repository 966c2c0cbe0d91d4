"""Laws of the circuit breaker, against a plain model: a list of what happened, judged again at each step."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from workers.gateway.breaker import Breaker, BreakerState, Permit

FAILURES, WINDOW, OPEN_FOR, PROBE_FOR = 3, 20, 10, 5


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin, end well, badly or not at all, in any order, while time passes."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(
            failures=FAILURES,
            window=timedelta(seconds=WINDOW),
            open_for=timedelta(seconds=OPEN_FOR),
            probe_for=timedelta(seconds=PROBE_FOR),
            monotonic=lambda: self.now,
        )
        self.era = 0  # a permit of an older era says nothing any more
        self.eras: dict[Permit, int] = {}
        self.failed_at: list[float] = []
        self.opened_at: float | None = None
        self.probe: Permit | None = None
        self.probed_at = 0.0

    @property
    def probing(self) -> bool:
        return self.probe is not None and self.now < self.probed_at + PROBE_FOR

    @property
    def lets_through(self) -> bool:
        return self.opened_at is None or (self.now >= self.opened_at + OPEN_FOR and not self.probing)

    @rule(target=permits)
    def enter(self) -> Permit | None:
        expected = self.lets_through
        permit = self.breaker.enter()
        assert (permit is not None) == expected
        if permit is not None and self.opened_at is not None:
            self.era += 1
            self.probe, self.probed_at = permit, self.now
        if permit is not None:
            self.eras[permit] = self.era
        return permit

    @rule(permit=consumes(permits), outcome=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def settle(self, permit: Permit | None, outcome: str) -> None:
        if permit is None:
            return
        with permit:
            if outcome != "abandoned":
                getattr(permit, outcome)()
        if self.eras[permit] != self.era:
            return
        if outcome == "succeeded":
            self.failed_at.clear()
            self.era += self.opened_at is not None
            self.opened_at = self.probe = None
        elif outcome == "failed":
            self.failed_at.append(self.now)
            recent = [moment for moment in self.failed_at[-FAILURES:] if moment >= self.now - WINDOW]
            if self.probe is permit or len(recent) == FAILURES:
                self.era += 1
                self.failed_at.clear()
                self.opened_at, self.probe = self.now, None
        elif self.probe is permit:
            self.probe = None

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0, 5.0, 9.5, 10.0, 20.0, 21.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def it_tells_the_state_that_the_model_expects(self) -> None:
        if self.opened_at is None:
            assert self.breaker.state is BreakerState.CLOSED
        elif self.probe is not None or self.now >= self.opened_at + OPEN_FOR:
            assert self.breaker.state is BreakerState.HALF_OPEN
        else:
            assert self.breaker.state is BreakerState.OPEN

    @invariant()
    def it_says_how_long_it_will_refuse_and_never_refuses_for_good(self) -> None:
        wait = self.breaker.wait.total_seconds()
        assert (wait == 0) == self.lets_through
        assert wait <= max(OPEN_FOR, PROBE_FOR)


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_any_sequence_of_calls_keeps_the_laws = BreakerMachine.TestCase
