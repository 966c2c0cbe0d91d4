"""What a subscription brings in a month: the laws, the published example, and a slow second opinion."""

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stripe import LONG_AGO, NOW, make_discount, make_item, make_price, make_subscription

from workers.finance.currencies import to_major
from workers.finance.mrr import NotComputableError, monthly, value_subscription
from workers.finance.stripe_objects import Discount, Item, Price, Recurring, Subscription, Tier

amounts = st.decimals(min_value=0, max_value=10**7, places=6, allow_nan=False, allow_infinity=False).map(str)
intervals = st.sampled_from(["day", "week", "month", "year"])
counts = st.integers(1, 24)
starts = st.sampled_from([LONG_AGO, NOW.replace(year=2027)])
ends = st.sampled_from([None, NOW.replace(year=2025, month=12), NOW.replace(year=2027)])


@st.composite
def tiered(draw: st.DrawFn) -> Price:
    bounds = sorted(draw(st.sets(st.integers(1, 60), max_size=3)))
    tiers = tuple(
        Tier(
            up_to=bound,
            flat_amount_decimal=draw(st.none() | st.decimals(0, 5000, places=2)),
            unit_amount_decimal=draw(st.none() | st.decimals(0, 5000, places=4)),
        )
        for bound in (*bounds, None)
    )
    mode = draw(st.sampled_from(["graduated", "volume"]))
    return make_price(
        None, draw(intervals), draw(counts), billing_scheme="tiered", tiers_mode=mode, tiers=tiers, product="tiered"
    )


flat = st.builds(
    lambda amount, interval, count, usage: make_price(amount, interval, count, usage_type=usage, product="flat"),
    amounts,
    intervals,
    counts,
    st.sampled_from(["licensed", "licensed", "licensed", "metered"]),
)
discounts = st.builds(
    lambda kind, start, end, duration, products: make_discount(
        **kind, start=start, end=end, duration=duration, products=products
    ),
    st.one_of(
        st.decimals(1, 100, places=2).map(lambda percent: {"percent": str(percent)}),
        st.integers(1, 10**6).map(lambda amount: {"amount": amount}),
    ),
    starts,
    ends,
    st.sampled_from(["forever", "repeating", "once"]),
    st.sampled_from([None, None, ["flat"], ["tiered"]]),
)
items = st.builds(
    lambda price, quantity, given: make_item(price, quantity, *given),
    st.one_of(flat, tiered()),
    st.none() | st.integers(1, 100),
    st.lists(discounts, max_size=2),
)
subscriptions = st.builds(
    lambda lines, given: make_subscription(*lines, discounts=tuple(given)),
    st.lists(items, min_size=1, max_size=4),
    st.lists(discounts, max_size=3),
)

# ── The second opinion: bill by bill over a year, unit by unit, in decimals ─────────────────────

_BILLS_A_YEAR: Final = {"day": Decimal(365), "week": Decimal(365) / 7, "month": Decimal(12), "year": Decimal(1)}
_DAYS_BETWEEN: Final = {"day": Decimal(1), "week": Decimal(7), "month": Decimal(365) / 12, "year": Decimal(365)}


def _yearly(subscription: Subscription) -> Decimal:
    """Add up a year's bills; each discount is taken from what the earlier ones left."""
    lines = [_yearly_line(item) for item in subscription.items]
    often = min((item.price.recurring for item in subscription.items), key=_days_between)
    for discount in filter(_works, subscription.discounts):
        hit = [number for number, item in enumerate(subscription.items) if _hits(discount, item)]
        before = sum((lines[number] for number in hit), Decimal(0))
        after = _take_off(discount, before, often)
        for number in hit:
            lines[number] = lines[number] / before * after if before else Decimal(0)
    return sum(lines, Decimal(0))


def _yearly_line(item: Item) -> Decimal:
    recurring = item.price.recurring
    assert recurring is not None
    if recurring.usage_type == "metered":
        return Decimal(0)
    total = _bill(item) * _bills(recurring)
    for discount in filter(_works, item.discounts):
        if _hits(discount, item):
            total = _take_off(discount, total, recurring)
    return total


def _bill(item: Item) -> Decimal:
    quantity = 1 if item.quantity is None else item.quantity
    tiers = item.price.tiers
    if tiers is None:
        return sum((item.price.unit_amount_decimal or Decimal(0) for _ in range(quantity)), Decimal(0))
    if item.price.tiers_mode == "volume":
        tier = _tier_of(tiers, quantity)
        return (tier.flat_amount_decimal or 0) + sum(
            (tier.unit_amount_decimal or Decimal(0) for _ in range(quantity)), Decimal(0)
        )
    entered: list[Tier] = []
    total = Decimal(0)
    for unit in range(1, quantity + 1):
        tier = _tier_of(tiers, unit)
        if tier not in entered:
            entered.append(tier)
            total += tier.flat_amount_decimal or 0
        total += tier.unit_amount_decimal or 0
    return total


def _tier_of(tiers: tuple[Tier, ...], unit: int) -> Tier:
    return next(tier for tier in tiers if tier.up_to is None or unit <= tier.up_to)


def _bills(recurring: Recurring) -> Decimal:
    return _BILLS_A_YEAR[recurring.interval] / recurring.interval_count


def _days_between(recurring: Recurring | None) -> Decimal:
    assert recurring is not None
    return _DAYS_BETWEEN[recurring.interval] * recurring.interval_count


def _works(discount: Discount) -> bool:
    assert discount.coupon is not None
    started, over = discount.start <= NOW, discount.end is not None and discount.end <= NOW
    return started and not over and discount.coupon.duration in {"forever", "repeating"}


def _hits(discount: Discount, item: Item) -> bool:
    assert discount.coupon is not None
    return not discount.coupon.products or item.price.product in discount.coupon.products


def _take_off(discount: Discount, yearly: Decimal, recurring: Recurring | None) -> Decimal:
    assert discount.coupon is not None
    assert recurring is not None
    if discount.coupon.percent_off is not None:
        return yearly - yearly * discount.coupon.percent_off / 100
    return max(Decimal(0), yearly - (discount.coupon.amount_off or 0) * _bills(recurring))


@settings(max_examples=1000, deadline=None)
@given(subscriptions)
def test_a_slow_computation_finds_the_same_value(subscription: Subscription) -> None:
    with localcontext() as context:
        context.prec = 60
        slow = _yearly(subscription) / 12
        quick = value_subscription(subscription, NOW)

        assert abs(Decimal(quick.numerator) / Decimal(quick.denominator) - slow) < Decimal("1e-9")


# ── Laws ────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(subscriptions, max_size=12), st.data())
@settings(max_examples=50, deadline=None)
def test_the_sum_over_pages_is_the_sum(every: list[Subscription], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 5))
    pages = [every[place : place + size] for place in range(0, len(every), size)]

    whole = sum((value_subscription(each, NOW) for each in every), Fraction(0))
    assert sum((sum(value_subscription(each, NOW) for each in page) for page in reversed(pages)), Fraction(0)) == whole


@given(amounts, counts)
def test_twelve_months_of_a_yearly_price_are_the_price(amount: str, years: int) -> None:
    recurring = make_price(amount, "year", years).recurring
    assert recurring is not None

    assert monthly(Fraction(Decimal(amount)), recurring) * 12 * years == Fraction(Decimal(amount))


@given(amounts, counts)
def test_a_week_is_seven_days_and_twelve_months_a_year_of_weeks(amount: str, weeks: int) -> None:
    value = Fraction(Decimal(amount))

    of_weeks = monthly(value, Recurring(interval="week", interval_count=weeks))
    assert of_weeks == monthly(value, Recurring(interval="day", interval_count=7 * weeks))
    assert of_weeks * 12 * weeks * 7 == value * 365


@given(amounts, st.lists(st.decimals(1, 99, places=2).map(str), max_size=4))
def test_percentages_may_come_in_any_order(amount: str, percents: list[str]) -> None:
    def value(order: list[str]) -> Fraction:
        given_ = tuple(make_discount(percent) for percent in order)
        return value_subscription(make_subscription(make_item(make_price(amount)), discounts=given_), NOW)

    assert value(percents) == value(percents[::-1])


@given(subscriptions)
@settings(deadline=None)
def test_no_discount_makes_a_value_negative_or_greater(subscription: Subscription) -> None:
    bare = subscription.model_copy(
        update={
            "discounts": (),
            "items": tuple(item.model_copy(update={"discounts": ()}) for item in subscription.items),
        }
    )

    assert 0 <= value_subscription(subscription, NOW) <= value_subscription(bare, NOW)


# ── Examples ────────────────────────────────────────────────────────────────────────────────────


def _value(*lines: Item, **more: object) -> Decimal:
    subscription = make_subscription(*lines, **more)
    return to_major(value_subscription(subscription, NOW), subscription.currency)


def test_the_published_example_adds_up() -> None:
    """A hundred customers at 50 a month and a hundred and fifty at 600 a year are 12 500 a month."""
    monthly_ones = [make_subscription(make_item(make_price("5000", currency="usd"))) for _ in range(100)]
    yearly_ones = [make_subscription(make_item(make_price("60000", "year", currency="usd"))) for _ in range(150)]

    total = sum((value_subscription(each, NOW) for each in (*monthly_ones, *yearly_ones)), Fraction(0))

    assert to_major(total, "usd") == Decimal("12500.00")


def test_the_order_of_discounts_counts_where_percent_meets_amount() -> None:
    percent, amount = make_discount("50"), make_discount(amount=200)

    assert _value(discounts=(percent, amount)) == Decimal("3.00")
    assert _value(discounts=(amount, percent)) == Decimal("4.00")


def test_an_items_discount_comes_before_the_subscriptions() -> None:
    line = make_item(make_price("1000"), 1, make_discount(amount=200))

    assert _value(line, discounts=(make_discount("50"),)) == Decimal("4.00")


def test_an_amount_off_is_taken_from_every_bill_not_from_every_month() -> None:
    yearly = make_item(make_price("12000", "year"))

    assert _value(yearly, discounts=(make_discount(amount=1200),)) == Decimal("9.00")


@pytest.mark.parametrize(
    ("discount", "value"),
    [
        (make_discount("100", duration="once"), "10.00"),
        (make_discount("10", duration="forever"), "9.00"),
        (make_discount("10", duration="repeating", end=NOW.replace(year=2027)), "9.00"),
        (make_discount("10", duration="repeating", end=NOW), "10.00"),
        (make_discount("10", start=NOW.replace(year=2027)), "10.00"),
        (make_discount(amount=5000), "0.00"),
    ],
)
def test_a_discount_counts_while_it_runs_and_never_for_a_single_bill(discount: Discount, value: str) -> None:
    assert _value(discounts=(discount,)) == Decimal(value)


def test_a_coupon_for_one_product_leaves_the_others_alone() -> None:
    lines = [make_item(make_price("1000", product=product)) for product in ("a", "b")]

    assert _value(*lines, discounts=(make_discount("50", products=["a"]),)) == Decimal("15.00")


@pytest.mark.parametrize(
    ("currency", "value"), [("eur", "12.34"), ("jpy", "1234.00"), ("kwd", "1.23"), ("isk", "12.34")]
)
def test_the_smallest_unit_is_the_currencys_own(currency: str, value: str) -> None:
    assert _value(make_item(make_price("1234", currency=currency))) == Decimal(value)


def test_fractions_of_a_cent_are_kept_until_the_end() -> None:
    assert _value(make_item(make_price("0.125"), 1000)) == Decimal("1.25")


def test_packages_are_rounded_as_the_price_says() -> None:
    up, down = (make_price("500", transform_quantity={"divide_by": 10, "round": way}) for way in ("up", "down"))

    assert _value(make_item(up, 11)) == Decimal("10.00")
    assert _value(make_item(down, 11)) == Decimal("5.00")


@pytest.mark.parametrize(
    "subscription",
    [
        make_subscription(make_item(make_price(None))),
        make_subscription(make_item(make_price(None, billing_scheme="tiered", tiers_mode="volume", tiers=()))),
        make_subscription(make_item(make_price(currency="usd")), currency="eur"),
        make_subscription(discounts=(make_discount(amount=100, currency="usd"),)),
        make_subscription(discounts=(Discount(start=LONG_AGO),)),
        make_subscription(
            make_item(make_price(None, billing_scheme="tiered", tiers_mode="volume", tiers=(Tier(up_to=5),)), 6)
        ),
    ],
    ids=["no amount", "no tiers", "another currency", "foreign discount", "unread discount", "beyond the tiers"],
)
def test_what_cannot_be_valued_says_so(subscription: Subscription) -> None:
    with pytest.raises(NotComputableError):
        value_subscription(subscription, NOW)
