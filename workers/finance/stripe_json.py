"""From Stripe's JSON to our objects, in two steps: first as listed, then with the coupons and prices that it names."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from workers.finance.stripe_objects import (
    Coupon,
    CurrencyOption,
    Discount,
    Item,
    Price,
    PriceDetails,
    Subscription,
    Tier,
    moment,
)

Raw = dict[str, Any]

_KEPT: Final = (
    "id", "customer", "status", "currency", "created", "start_date", "trial_start", "trial_end", "ended_at",
)  # fmt: skip
_PRICE_KEPT: Final = tuple(name for name in Price.model_fields if name != "tiers")
_MARK_BYTES: Final = 60  # what each value adds to its text


@dataclass(frozen=True)
class Holder:
    """An object of Stripe that carries a discount, by which the discount's coupon can be read."""

    kind: str
    id: str


@dataclass
class Details:
    """What is read separately, because the lists do not show it."""

    coupons: Mapping[str, Coupon | None] = field(default_factory=dict)
    given: Mapping[str, Coupon] = field(default_factory=dict)  # as they were when their holders got them
    prices: Mapping[str, PriceDetails] = field(default_factory=dict)
    taxes: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)  # by subscription and item; "" for any

    def find_coupon(self, coupon_id: str, start: datetime) -> Coupon | None:
        """Find a coupon as it was when a discount began: one deleted and created again under its name is another."""
        found = self.coupons.get(coupon_id)
        if found is not None and found.created <= start.timestamp():
            return found
        return self.given.get(coupon_id, found)


def weigh(raw: Raw) -> int:
    """Estimate how much memory raw values take, in bytes: never much less than they do."""
    text = json.dumps(raw, default=str)
    return len(text) + _MARK_BYTES * sum(map(text.count, ",:[{"))


def slim(raw: Raw) -> Raw:
    """Keep only the parts of a subscription that are needed until its coupons and prices are read.

    Raises: KeyError, TypeError, AttributeError, ValueError, OverflowError.
    """
    kept: Raw = {name: raw.get(name) for name in _KEPT}
    _need_texts(kept, "id", "customer", "status", "currency")
    kept["discounts"] = _list(raw, "discounts")
    kept["discounted"] = Holder("subscriptions", raw["id"])
    details = (raw.get("status_details") or {}).get(raw.get("status")) or {}
    kept["stopped_at"] = _moment(details.get("transitioned_at"))
    kept["automatic_tax"] = bool((raw.get("automatic_tax") or {}).get("enabled"))
    rates = _list(raw, "default_tax_rates")
    kept["items"] = [
        {
            "id": str(item.get("id") or ""),
            "quantity": item.get("quantity"),
            "price": _slim_price(item["price"]),
            "discounts": _list(item, "discounts"),
            "current_trial": item.get("current_trial") or {},
            "period_start": _moment(item.get("current_period_start")),
            "tax_rates": _list(item, "tax_rates") or rates,
        }
        for item in raw["items"]["data"]
    ]
    return kept


def _slim_price(raw: Raw) -> Raw:
    kept: Raw = {name: raw.get(name) for name in (*_PRICE_KEPT, "tax_behavior")}
    _need_texts(kept, "id", "currency")
    if kept["unit_amount_decimal"] is None:
        kept["unit_amount_decimal"] = raw.get("unit_amount")
    return kept


def _list(raw: Raw, name: str) -> list[Any]:
    found = raw.get(name) or []
    if not isinstance(found, list):
        raise TypeError(f"{name} should be a list")
    return found


def _need_texts(raw: Raw, *names: str) -> None:
    if odd := [name for name in names if not isinstance(raw[name], str)]:
        raise TypeError(f"{odd[0]} should be a text")


# ── Coupons ─────────────────────────────────────────────────────────────────────────────────────


def held_discounts(raw: Raw) -> Iterator[tuple[Holder, Raw]]:
    """Yield a subscription's readable discounts, each with the object that carries it."""
    yield from ((raw["discounted"], each) for each in raw["discounts"] if isinstance(each, dict))
    for item in raw["items"]:
        holder = Holder("subscription_items", item["id"])
        yield from ((holder, each) for each in item["discounts"] if isinstance(each, dict))


def coupon_of(discount: Any) -> Any:  # noqa: ANN401 - an object, its id, or nothing
    """Return the coupon of a discount as given; before version 2025-09-30 it was one level higher."""
    if not isinstance(discount, dict):
        return None
    source = discount.get("source")
    return (source.get("coupon") if isinstance(source, dict) else None) or discount.get("coupon")


def coupon_id_of(discount: Any) -> str | None:  # noqa: ANN401
    """Return the id of a discount's coupon."""
    coupon = coupon_of(discount)
    found = coupon.get("id") if isinstance(coupon, dict) else coupon
    return found if isinstance(found, str) else None


def lost_coupons(raws: Iterable[Raw], coupons: Mapping[str, Coupon | None]) -> dict[str, tuple[Holder, Raw]]:
    """Return the coupons that still apply but are gone, each with a discount that carries it."""
    lost: dict[str, tuple[Holder, Raw]] = {}
    for raw in raws:
        for holder, discount in held_discounts(raw):
            if (coupon_id := coupon_id_of(discount)) is None:
                continue
            coupon = coupons.get(coupon_id)
            if coupon is None or coupon.created > start_of(discount):
                lost.setdefault(coupon_id, (holder, discount))
    return lost


def start_of(discount: Raw) -> int:
    """Return when a discount began; one without a start is refused later, with its subscription."""
    start = discount.get("start")
    return start if isinstance(start, int) else 0


def make_coupon(raw: Raw) -> Coupon:
    """Make a coupon. Raises: KeyError, TypeError, AttributeError, ValidationError."""
    products = (raw.get("applies_to") or {}).get("products")
    percent = raw.get("percent_off")
    options = raw.get("currency_options") or {}
    return Coupon(
        id=raw["id"],
        duration=raw["duration"],
        percent_off=None if percent is None else Decimal(str(percent)),
        amount_off=raw.get("amount_off"),
        currency=raw.get("currency"),
        products=None if products is None else frozenset(products),
        created=raw.get("created") or 0,
        amounts_off={currency: option["amount_off"] for currency, option in options.items()},
    )


# ── Prices ──────────────────────────────────────────────────────────────────────────────────────


def hidden_prices(raws: Iterable[Raw]) -> dict[str, set[str]]:
    """Return the prices of which a list shows too little, each with the other currencies to read it in."""
    wanted: dict[str, set[str]] = {}
    for raw in raws:
        for item in raw["items"]:
            price = item["price"]
            if price["currency"] != raw["currency"]:
                wanted.setdefault(price["id"], set()).add(raw["currency"])
            elif price["billing_scheme"] == "tiered":
                wanted.setdefault(price["id"], set())
    return wanted


def make_price_details(raw: Raw) -> PriceDetails:
    """Make the details of a price that a list does not show. Raises: AttributeError, ValidationError."""
    options = raw.get("currency_options") or {}
    return PriceDetails(
        tiers=tuple(Tier.model_validate(tier) for tier in raw.get("tiers") or ()),
        currency_options={currency: CurrencyOption.model_validate(option) for currency, option in options.items()},
    )


def _make_price(raw: Raw, currency: str, details: PriceDetails | None) -> Price:
    """Make a price in the currency of its subscription, or in its own if it has no amount in that one."""
    own = {name: value for name, value in raw.items() if name != "tax_behavior" and value is not None}
    price = Price.model_validate(own | {"tiers": None if details is None else details.tiers})
    option = None if details is None or price.currency == currency else details.currency_options.get(currency)
    if option is None:
        return price
    other = {"currency": currency, "unit_amount_decimal": option.unit_amount_decimal, "tiers": option.tiers}
    return price.model_copy(update=other)


# ── Tax ─────────────────────────────────────────────────────────────────────────────────────────


def needs_taxes(raw: Raw) -> bool:
    """Return whether Stripe computes a tax that may be included in the prices: only the bills say how much."""
    return bool(raw["automatic_tax"]) and any(
        not item["tax_rates"] and item["price"]["tax_behavior"] != "exclusive" for item in raw["items"]
    )


def make_taxes(invoice: Any) -> dict[str, Fraction]:  # noqa: ANN401 - an object, or what is in its place
    """Compute how much tax the last bill's lines included, by item and over all lines, as a fraction of the net amount.

    The result is empty for a bill whose tax was not computed.
    """
    if not isinstance(invoice, dict) or (invoice.get("automatic_tax") or {}).get("status") != "complete":
        return {}
    sums: dict[str, tuple[int, int]] = {}
    for line in (invoice.get("lines") or {}).get("data") or []:
        parent = line.get("parent") or {}
        item = (parent.get("subscription_item_details") or {}).get("subscription_item") or ""
        taxes = line.get("taxes") or []
        within = sum(each["amount"] for each in taxes if each["tax_behavior"] == "inclusive")
        # What the line cost after its discounts, without the tax that it includes.
        left = line["amount"] - sum(each["amount"] for each in line.get("discount_amounts") or []) - within
        for key in {item, ""}:
            tax, rest = sums.get(key, (0, 0))
            sums[key] = (tax + abs(within), rest + abs(left))
    return {key: Fraction(tax, rest) for key, (tax, rest) in sums.items() if rest}


def _included_tax(item: Raw, raw: Raw, details: Details) -> Fraction | None:
    """Find the tax included in an item's price; None if there may be one at an unknown rate."""
    behavior = _behavior(item, raw, details)
    if item["tax_rates"]:
        within = [each for each in item["tax_rates"] if each.get("inclusive", behavior == "inclusive")]
        return sum((Fraction(str(each["percentage"])) for each in within), Fraction(0)) / 100
    if not raw["automatic_tax"] or behavior == "exclusive":
        return Fraction(0)
    billed = details.taxes.get(raw["id"], {})
    return billed.get(item["id"], billed.get(""))


def _behavior(item: Raw, raw: Raw, details: Details) -> str | None:
    price = item["price"]
    if price["currency"] != raw["currency"] and (more := details.prices.get(price["id"])) is not None:
        option = more.currency_options.get(raw["currency"])
        return None if option is None else option.tax_behavior
    behavior: str | None = price["tax_behavior"]
    return behavior


# ── Subscriptions ───────────────────────────────────────────────────────────────────────────────


def make_subscription(raw: Raw, details: Details) -> Subscription:
    """Make a subscription. Raises: KeyError, TypeError, AttributeError, ValueError, ValidationError."""

    def discounts(given: Iterable[Any]) -> tuple[Discount, ...]:
        return tuple(_make_discount(each, raw["currency"], details) for each in given)

    return Subscription(
        id=raw["id"],
        customer=raw["customer"],
        status=raw["status"],
        currency=raw["currency"],
        started_at=moment(raw["start_date"] or raw["created"]),
        created_at=_moment(raw["created"]),
        trial_start=_moment(raw["trial_start"]),
        trial_end=_moment(raw["trial_end"]),
        ended_at=_moment(raw["ended_at"]),
        items=tuple(
            Item(
                price=_make_price(item["price"], raw["currency"], details.prices.get(item["price"]["id"])),
                quantity=item["quantity"],
                discounts=discounts(item["discounts"]),
                included_tax=_included_tax(item, raw, details),
                trial_start=_moment(item["current_trial"].get("start_date")),
                trial_end=_moment(item["current_trial"].get("end_date")),
            )
            for item in raw["items"]
        ),
        discounts=discounts(raw["discounts"]),
    )


def _make_discount(raw: Any, currency: str, details: Details) -> Discount:  # noqa: ANN401
    if not isinstance(raw, dict):
        return Discount(start=moment(0))
    start = moment(raw["start"])
    coupon = details.find_coupon(coupon_id_of(raw) or "", start)
    return Discount(
        start=start, end=_moment(raw.get("end")), coupon=None if coupon is None else coupon.within(currency)
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
