"""Laws of the delay between two attempts."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import draw_delay

delays = st.timedeltas(timedelta(milliseconds=10), timedelta(hours=1))


@given(attempt=st.integers(1, 10_000), base=delays, cap=delays, seed=st.integers())
def test_a_delay_is_between_half_and_all_of_the_capped_exponential(
    attempt: int, base: timedelta, cap: timedelta, seed: int
) -> None:
    # 10 ms doubled twenty times is over the longest cap drawn here.
    whole = cap if attempt > 20 else min(base * 2 ** (attempt - 1), cap)

    delay = draw_delay(attempt, base=base, cap=cap, rng=random.Random(seed))

    assert whole / 2 - timedelta(microseconds=1) <= delay <= whole + timedelta(microseconds=1)


@given(base=delays, seed=st.integers())
def test_workers_that_failed_together_do_not_come_back_together(base: timedelta, seed: int) -> None:
    rng = random.Random(seed)

    drawn = [draw_delay(3, base=base, cap=timedelta(days=1), rng=rng) for _ in range(20)]

    assert max(drawn) - min(drawn) > base / 2
