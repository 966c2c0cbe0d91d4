"""What one subscription was worth at each moment of its life, and from when to when its customer paid for it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Final

from workers.finance.mrr import NotComputableError, value_subscription
from workers.finance.stripe_objects import Subscription

# A discount or trial that is part of the purchase begins within moments of the subscription's start.
_TOGETHER: Final = timedelta(hours=1)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PaidPeriod:
    """An uninterrupted period in which a customer paid for something."""

    begin: datetime
    end: datetime | None


class Timeline:
    """A subscription's value, which changes only where a discount or an item's trial begins or ends.

    Prices, quantities and taxes are those at the time of reading: Stripe keeps no earlier ones.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self._changes = _find_changes(subscription)
        self._values: dict[int, Fraction | None] = {}

    def value_at(self, moment: datetime) -> Fraction | None:
        """Return its value at a moment's discounts, whether it paid then or not; None if it cannot be computed."""
        return self._value(bisect_right(self._changes, moment))

    @cached_property
    def paid_period(self) -> PaidPeriod | None:
        """Return the period in which it made its customer a subscriber, or None.

        What costs nothing makes nobody a subscriber; a free period between two paid ones does not interrupt.
        What cannot be valued counts as paid.
        """
        if not self.subscription.was_subscribed:
            return None
        begin = self.subscription.pays_from
        first = bisect_right(self._changes, begin + _TOGETHER)
        paid = [place for place in range(first, len(self._changes) + 1) if self._value(place) != 0]
        if not paid:
            return None
        if paid[0] > first:
            begin = self._changes[paid[0] - 1]
        ends = [self.subscription.left_at, self._changes[paid[-1]] if paid[-1] < len(self._changes) else None]
        end = min((each for each in ends if each is not None), default=None)
        return None if end is not None and end <= begin else PaidPeriod(begin, end)

    def _value(self, place: int) -> Fraction | None:
        if place not in self._values:
            at = self._changes[place - 1] if place else _BEGINNING
            try:
                self._values[place] = value_subscription(self.subscription, at)
            except NotComputableError:
                self._values[place] = None
        return self._values[place]


def join_periods(timelines: Iterable[Timeline]) -> Iterator[PaidPeriod]:
    """Merge one customer's paid periods into uninterrupted ones: a customer who only changes subscriptions stays."""
    periods = [each.paid_period for each in timelines]
    joined: PaidPeriod | None = None
    for each in sorted((each for each in periods if each is not None), key=lambda each: each.begin):
        if joined is None:
            joined = each
        elif joined.end is None or each.begin <= joined.end:
            end = None if joined.end is None or each.end is None else max(joined.end, each.end)
            joined = PaidPeriod(joined.begin, end)
        else:
            yield joined
            joined = each
    if joined is not None:
        yield joined


def _find_changes(subscription: Subscription) -> Sequence[datetime]:
    discounts = [*subscription.discounts, *(each for item in subscription.items for each in item.discounts)]
    moments = [moment for each in discounts for moment in (each.start, each.end)]
    moments += [moment for item in subscription.items for moment in (item.trial_start, item.trial_end)]
    return sorted({moment for moment in moments if moment is not None})
