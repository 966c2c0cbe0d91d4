"""What subscriptions bring in per month, exactly.

The rules are those that Stripe publishes for its own figure, where it publishes one: all items, each with its own
interval; metered prices bring nothing in advance; discounts count while they run, those for a single invoice never do;
taxes are not earnings.
Everything is computed in fractions of the smallest unit of the currency, and rounded once, where money is written,
so the sum does not depend on the order, on how it was paged, or on how a year divides by twelve.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Final

from workers.finance.stripe_objects import Coupon, Discount, Item, Price, Recurring, Subscription

# A year has 365 days and twelve months, whatever the month.
_PER_MONTH: Final = {
    "day": Fraction(365, 12),
    "week": Fraction(365, 7 * 12),
    "month": Fraction(1),
    "year": Fraction(1, 12),
}
_DAYS: Final = {"day": Fraction(1), "week": Fraction(7), "month": Fraction(365, 12), "year": Fraction(365)}


class NotComputableError(ValueError):
    """The value of a subscription cannot be computed from what Stripe returns; it must be named, not counted as 0."""


def monthly(amount: Fraction, recurring: Recurring) -> Fraction:
    """Convert what is billed once a period into a monthly amount."""
    return amount * _PER_MONTH[recurring.interval] / recurring.interval_count


def value_subscription(subscription: Subscription, at: datetime) -> Fraction:
    """Compute what a subscription brings in per month at a moment's discounts, in the smallest unit, without tax.

    Whether it counts at all (its status, its trial) is for the caller to decide. Raises: NotComputableError.
    """
    lines = [_value_item(item, subscription.currency, at) for item in subscription.items]
    for discount in _running(subscription.discounts, at):
        eligible = [_applies(discount.coupon, item.price) for item in subscription.items]
        total = sum((line for line, counts in zip(lines, eligible, strict=True) if counts), Fraction(0))
        kept = _keep(discount.coupon, total, subscription, _shortest(subscription.items))
        lines = [line * kept if counts else line for line, counts in zip(lines, eligible, strict=True)]
    # Discounts apply to prices as customers see them; the tax included in what is left is not earned.
    return sum(map(_without_tax, lines, subscription.items), Fraction(0))


def _without_tax(line: Fraction, item: Item) -> Fraction:
    if not line:
        return line
    if item.included_tax is None:
        raise NotComputableError("the rate of the tax that is part of the price is not known")
    return line / (1 + item.included_tax)


def _value_item(item: Item, currency: str, at: datetime) -> Fraction:
    recurring = item.price.recurring
    if recurring is None or recurring.usage_type != "licensed":
        return Fraction(0)
    if item.trial_start is not None and item.trial_end is not None and item.trial_start <= at < item.trial_end:
        return Fraction(0)
    if item.price.currency != currency:
        raise NotComputableError("the price has no amount in the currency of the subscription")
    # Stripe assumes one where no quantity is given.
    value = monthly(_price(item.price, 1 if item.quantity is None else item.quantity), recurring)
    for discount in _running(item.discounts, at):
        if _applies(discount.coupon, item.price):
            value *= _keep(discount.coupon, value, item, recurring)
    return value


def _price(price: Price, quantity: int) -> Fraction:
    """Compute what a quantity costs per period."""
    transform = price.transform_quantity
    if transform is not None:
        whole, rest = divmod(quantity, transform.divide_by)
        quantity = whole + (1 if rest and transform.round == "up" else 0)
    if price.billing_scheme == "tiered":
        return _price_tiers(price, quantity)
    if price.unit_amount_decimal is None:
        raise NotComputableError("the price has no amount")
    return Fraction(price.unit_amount_decimal) * quantity


def _price_tiers(price: Price, quantity: int) -> Fraction:
    if not price.tiers or price.tiers_mode not in {"graduated", "volume"}:
        raise NotComputableError("the tiers of the price could not be read")
    total = Fraction(0)
    below = 0
    for tier in price.tiers:
        flat, unit = Fraction(tier.flat_amount_decimal or 0), Fraction(tier.unit_amount_decimal or 0)
        is_last = tier.up_to is None or quantity <= tier.up_to
        if price.tiers_mode == "volume":
            if is_last:
                return flat + unit * quantity
            continue
        reached = quantity if is_last or tier.up_to is None else tier.up_to
        # The first tier's flat amount is due even for a quantity of zero.
        total += flat + unit * (reached - below)
        if is_last:
            return total
        below = reached
    raise NotComputableError("the quantity is beyond the last tier")


def _running(discounts: Iterable[Discount], at: datetime) -> list[Discount]:
    """Return the discounts that are running and lower more than one invoice, in their order."""
    running = [each for each in discounts if each.start <= at and (each.end is None or at < each.end)]
    if any(each.coupon is None for each in running):
        raise NotComputableError("a discount could not be read")
    return [each for each in running if each.coupon is not None and each.coupon.duration != "once"]


def _applies(coupon: Coupon | None, price: Price) -> bool:
    return coupon is not None and (coupon.products is None or price.product in coupon.products)


def _keep(
    coupon: Coupon | None, monthly_value: Fraction, of: Item | Subscription, recurring: Recurring | None
) -> Fraction:
    """Return which part of a monthly value a discount leaves: an amount off is taken from every bill, never below 0."""
    assert coupon is not None
    if coupon.percent_off is not None:
        return 1 - min(Fraction(coupon.percent_off), Fraction(100)) / 100
    currency = of.price.currency if isinstance(of, Item) else of.currency
    if coupon.amount_off is None or coupon.currency != currency:
        raise NotComputableError("a discount has no amount in the currency of the subscription")
    if monthly_value <= 0 or recurring is None:
        return Fraction(1)
    return max(Fraction(0), 1 - monthly(Fraction(coupon.amount_off), recurring) / monthly_value)


def _shortest(items: Sequence[Item]) -> Recurring | None:
    """Find how often the subscription is billed: as often as its most frequently billed item."""
    periods = [item.price.recurring for item in items if item.price.recurring is not None]
    return min(periods, key=lambda each: _DAYS[each.interval] * each.interval_count, default=None)
