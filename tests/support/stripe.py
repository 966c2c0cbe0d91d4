"""Subscriptions as a test describes them: what it leaves out is a plain monthly price in euros."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from workers.finance.stripe_objects import Accounts, Coupon, Discount, Item, Price, Recurring, Subscription

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)

_numbers = count(1)


def make_price(amount: str | None = "1000", interval: str = "month", interval_count: int = 1, **more: Any) -> Price:
    usage = more.pop("usage_type", "licensed")
    return Price(
        id=f"price_{next(_numbers)}",
        currency=more.pop("currency", "eur"),
        unit_amount_decimal=None if amount is None else Decimal(amount),
        recurring=Recurring.model_validate(
            {"interval": interval, "interval_count": interval_count, "usage_type": usage}
        ),
        **more,
    )


def make_discount(
    percent: str | None = None,
    amount: int | None = None,
    duration: str = "forever",
    *,
    start: datetime = LONG_AGO,
    end: datetime | None = None,
    currency: str = "eur",
    products: Sequence[str] | None = None,
) -> Discount:
    coupon = Coupon(
        id=f"coupon_{next(_numbers)}",
        duration=duration,
        percent_off=None if percent is None else Decimal(percent),
        amount_off=amount,
        currency=None if amount is None else currency,
        products=None if products is None else frozenset(products),
    )
    return Discount(start=start, end=end, coupon=coupon)


def make_item(price: Price | None = None, quantity: int | None = 1, *discounts: Discount) -> Item:
    return Item(price=price or make_price(), quantity=quantity, discounts=discounts)


def make_subscription(*items: Item, **more: Any) -> Subscription:
    number = next(_numbers)
    given = items or (make_item(),)
    fields = {
        "id": f"sub_{number}",
        "customer": f"cus_{number}",
        "status": "active",
        "currency": given[0].price.currency,
        "started_at": LONG_AGO,
        "items": given,
    }
    return Subscription.model_validate(fields | more)


def make_accounts(*subscriptions: Subscription, **more: Any) -> Accounts:
    fields: dict[str, Any] = {
        "read_at": NOW,
        "subscriptions": subscriptions,
        "customers": len(subscriptions),
        "new_customers": 0,
        "revenue_this_month": {},
        "revenue_last_month": {},
    }
    return Accounts.model_validate(fields | more)
