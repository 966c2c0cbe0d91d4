"""Attempt number → how long to wait before the next one."""

import random
from datetime import timedelta


def draw_delay(attempt: int, *, base: timedelta, cap: timedelta, rng: random.Random, growth: float = 2.0) -> timedelta:
    """Draw a delay for the given attempt (1 is the first): uniform in [half, whole] of the capped exponential.

    Half of it is a minimum, so that a retry is never immediate; the other half is random, so that workers that failed
    together do not come back together.
    """
    exponent = min(attempt - 1, 64)  # beyond this every cap has been reached, and the power would only grow
    whole = min(base.total_seconds() * growth**exponent, cap.total_seconds())
    return timedelta(seconds=whole * (0.5 + rng.random() / 2))
