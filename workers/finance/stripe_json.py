"""From Stripe's JSON to our objects, in two steps: what is known at once, then with the coupons and tiers it names."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from workers.finance.stripe_objects import Coupon, Discount, Item, Price, Subscription, Tier, moment

Raw = dict[str, Any]

_KEPT: Final = ("id", "customer", "status", "currency", "created", "start_date", "trial_end", "ended_at")
_PRICE_KEPT: Final = tuple(name for name in Price.model_fields if name != "tiers")


def slim(raw: Raw) -> Raw:
    """Keep of a subscription what is needed until its coupons and tiers are read."""
    kept: Raw = {name: raw.get(name) for name in _KEPT}
    kept["discounts"] = raw.get("discounts") or []
    kept["items"] = [
        {
            "quantity": item.get("quantity"),
            "price": {name: item["price"].get(name) for name in _PRICE_KEPT},
            "discounts": item.get("discounts") or [],
        }
        for item in raw["items"]["data"]
    ]
    return kept


def coupon_ids(raws: Iterable[Raw]) -> Iterator[str]:
    """Name the coupons that are at work somewhere."""
    for raw in raws:
        for discount in [*raw["discounts"], *(each for item in raw["items"] for each in item["discounts"])]:
            if (coupon := _coupon_of(discount)) is not None:
                yield coupon


def _coupon_of(discount: Any) -> str | None:  # noqa: ANN401 - an object, or the bare id of one
    coupon = (discount.get("source") or {}).get("coupon") if isinstance(discount, dict) else None
    found = coupon.get("id") if isinstance(coupon, dict) else coupon
    return found if isinstance(found, str) else None


def tiered_price_ids(raws: Iterable[Raw]) -> Iterator[str]:
    """Name the prices whose tiers are to be read apart: a list cannot bring them along, they lie too deep."""
    return (item["price"]["id"] for raw in raws for item in raw["items"] if item["price"]["billing_scheme"] == "tiered")


def make_subscription(
    raw: Raw, coupons: Mapping[str, Coupon | None], tiers: Mapping[str, tuple[Tier, ...]]
) -> Subscription:
    """Make a subscription. Raises: KeyError, TypeError, ValidationError."""

    def discounts(given: Iterable[Any]) -> tuple[Discount, ...]:
        return tuple(_make_discount(each, coupons) for each in given)

    return Subscription(
        id=raw["id"],
        customer=raw["customer"],
        status=raw["status"],
        currency=raw["currency"],
        started_at=moment(raw["start_date"] or raw["created"]),
        trial_end=None if raw["trial_end"] is None else moment(raw["trial_end"]),
        ended_at=None if raw["ended_at"] is None else moment(raw["ended_at"]),
        items=tuple(
            Item(
                price=Price.model_validate(item["price"] | {"tiers": tiers.get(item["price"]["id"])}),
                quantity=item["quantity"],
                discounts=discounts(item["discounts"]),
            )
            for item in raw["items"]
        ),
        discounts=discounts(raw["discounts"]),
    )


def _make_discount(raw: Any, coupons: Mapping[str, Coupon | None]) -> Discount:  # noqa: ANN401
    if not isinstance(raw, dict):
        return Discount(start=moment(0))
    end = raw.get("end")
    coupon = coupons.get(_coupon_of(raw) or "")
    return Discount(start=moment(raw["start"]), end=None if end is None else moment(end), coupon=coupon)


def make_coupon(raw: Raw) -> Coupon:
    """Make a coupon."""
    products = (raw.get("applies_to") or {}).get("products")
    percent = raw.get("percent_off")
    return Coupon(
        id=raw["id"],
        duration=raw["duration"],
        percent_off=None if percent is None else Decimal(str(percent)),
        amount_off=raw.get("amount_off"),
        currency=raw.get("currency"),
        products=None if products is None else frozenset(products),
    )
