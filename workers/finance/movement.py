"""How recurring revenue moved between two moments: what customers brought, added, took back and took away.

A customer who brought nothing then and brings something now is new, whoever they were before; one who brings nothing
any more is lost. Stripe keeps no earlier prices or quantities, so what a price or a quantity changed is not in it.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from workers.finance.timeline import Timeline


class Movement(NamedTuple):
    """Amounts per month in the smallest unit of one currency, none of them negative."""

    new: Fraction
    expanded: Fraction
    contracted: Fraction
    lost: Fraction


def measure_movement(timelines: Iterable[Timeline], currency: str, begin: datetime, now: datetime) -> Movement:
    """Compare what each customer brought in at ``begin`` with what they bring in now, in one currency.

    A subscription that cannot be valued at one of the two moments is left out at both.
    """
    of_customer: defaultdict[str, list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
    for timeline in timelines:
        subscription = timeline.subscription
        if subscription.currency != currency:
            continue
        before = timeline.value_at(begin) if subscription.paid_at(begin) else Fraction(0)
        after = timeline.value_at(now) if subscription.pays else Fraction(0)
        if before is not None and after is not None:
            amounts = of_customer[subscription.customer]
            amounts[0] += before
            amounts[1] += after
    pairs = [(before, after) for before, after in of_customer.values()]
    zero = Fraction(0)
    return Movement(
        new=sum((after for before, after in pairs if not before), zero),
        expanded=sum((after - before for before, after in pairs if before and after > before), zero),
        contracted=sum((before - after for before, after in pairs if 0 < after < before), zero),
        lost=sum((before for before, after in pairs if not after), zero),
    )
