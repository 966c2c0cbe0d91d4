"""The figures a second time: from Stripe's own JSON, day by day, bill by bill, unit by unit, in decimals.

Written from what Stripe documents of its objects and of its metrics, and from nothing of ours: no module of
``workers/finance`` takes part in the slow way.
"""

import asyncio
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from support.clock import FakeClock
from support.finance import Shelf
from support.stripe_api import (
    Json,
    StripeAccount,
    make_coupon,
    make_discount,
    make_item,
    make_list,
    make_price,
    make_subscription,
    make_tax_rate,
)

from workers.finance.figures import Figures
from workers.finance.revenue import RevenueService
from workers.finance.stripe import StripeReader
from workers.settings import StripeSettings

NOW: Final = FakeClock().now()
PARIS: Final = ZoneInfo("Europe/Paris")
HALF_A_CENT: Final = Decimal("0.0050000001")
SAMPLED: Final = (1, 7, 15, 30, 45, 60)


def stamp(days_ago: int) -> int:
    return int((NOW - timedelta(days=days_ago)).timestamp())


# ── Accounts: everything begins and ends at the hour of the reading, some whole days before or after ──

intervals = st.sampled_from(["day", "week", "month", "year"])
rates = st.sampled_from(
    [
        [],
        [],
        [make_tax_rate(20.0, inclusive=True)],
        [make_tax_rate(8.1, inclusive=True), make_tax_rate(2.0, inclusive=True)],
        [make_tax_rate(20.0, inclusive=False)],
    ]
)


@st.composite
def price_of(draw: st.DrawFn, product: str) -> Json:
    """Draw a price in euros that has an amount in dollars too."""
    recurring = {
        "interval": draw(intervals), "interval_count": draw(st.integers(1, 3)),
        "usage_type": draw(st.sampled_from(["licensed"] * 4 + ["metered"])), "meter": None,
    }  # fmt: skip
    if draw(st.booleans()):
        amounts = [draw(st.integers(0, 9000)) for _ in range(2)]
        options = {"usd": {"unit_amount": amounts[1], "unit_amount_decimal": str(amounts[1])}}
        return make_price(amounts[0], recurring=recurring, product=product, currency_options=options)
    bounds = [*sorted(draw(st.sets(st.integers(1, 6), max_size=2))), None]
    ladders = [
        [
            {"up_to": bound, "flat_amount_decimal": str(draw(st.integers(0, 500))), "unit_amount_decimal": str(amount)}
            for bound, amount in ((bound, draw(st.integers(0, 900))) for bound in bounds)
        ]
        for _ in range(2)
    ]
    return make_price(
        None, recurring=recurring, product=product, billing_scheme="tiered", tiers=ladders[0],
        tiers_mode=draw(st.sampled_from(["graduated", "volume"])), currency_options={"usd": {"tiers": ladders[1]}},
    )  # fmt: skip


@st.composite
def discount_since(draw: st.DrawFn, began: int, account: StripeAccount) -> Json:
    kind: Json = {"percent_off": draw(st.sampled_from([10.0, 33.3, 100.0]))}
    if draw(st.booleans()):
        options = {"usd": {"amount_off": draw(st.integers(1, 3000))}}
        kind = {"amount_off": draw(st.integers(1, 3000)), "currency": "eur", "currency_options": options}
    products = draw(st.sampled_from([None, None, ["prod_a"], ["prod_b"]]))
    coupon = make_coupon(
        f"C{len(account.coupons)}_{draw(st.integers(0, 10**9))}",
        duration=draw(st.sampled_from(["forever", "repeating", "once"])),
        **kind,
        **({} if products is None else {"applies_to": {"products": products}}),
    )
    if draw(st.booleans()):  # else it was deleted
        account.coupons[coupon["id"]] = coupon
    begin = draw(st.integers(-5, began))
    return make_discount(coupon, stamp(begin), draw(st.none() | st.integers(-20, begin - 1).map(stamp)))


@st.composite
def life(draw: st.DrawFn, began: int, account: StripeAccount, subscription_id: str) -> Json:
    """Draw what became of a subscription."""
    status = draw(st.sampled_from(
        ["active"] * 4 + ["past_due", "trialing", "canceled", "canceled", "paused", "unpaid", "incomplete"]
    ))  # fmt: skip
    fields: Json = {"status": status, "created": stamp(began), "start_date": stamp(began)}
    over = draw(st.integers(1, began - 1))
    if status == "canceled":
        fields["ended_at"] = stamp(over)
    if status == "paused":
        fields["status_details"] = {"paused": {"transitioned_at": stamp(over)}}
    if status == "unpaid":
        bill = {"id": "in_1", "object": "invoice", "subscription": subscription_id, "status": "paid"}
        account.invoices.append(bill | {"lines": make_list({"period": {"start": 1, "end": stamp(over)}})})
    until = over if status in {"canceled", "paused", "unpaid"} else 1
    if status == "trialing" or draw(st.booleans()):
        begin = draw(st.integers(until + 1, began))
        end = draw(st.integers(-20, -1) if status == "trialing" else st.integers(until, begin - 1))
        fields |= {"trial_start": stamp(begin), "trial_end": stamp(end)}
    return fields


@st.composite
def accounts(draw: st.DrawFn) -> StripeAccount:
    account = StripeAccount()
    for number in range(draw(st.integers(1, 5))):
        began = draw(st.integers(3, 120))
        lines = [
            make_item(
                draw(price_of(product)), draw(st.sampled_from([None, 0, 1, 3, 7])), tax_rates=draw(rates),
                discounts=draw(st.lists(discount_since(began, account), max_size=1)),
            )
            for product in draw(st.sampled_from([["prod_a"], ["prod_b"], ["prod_a", "prod_b"]]))
        ]  # fmt: skip
        subscription = make_subscription(
            *lines, id=f"sub_{number}", currency=draw(st.sampled_from(["eur", "usd"])),
            customer=draw(st.sampled_from(["cus_a", "cus_b", "cus_c"])), default_tax_rates=draw(rates),
            discounts=draw(st.lists(discount_since(began, account), max_size=2)),
            **draw(life(began, account, f"sub_{number}")),
        )  # fmt: skip
        account.prices |= {line["price"]["id"]: line["price"] for line in lines}
        account.subscriptions.append(subscription)
    account.balance_transactions = draw(st.lists(transactions(), max_size=12))
    return account


@st.composite
def transactions(draw: st.DrawFn) -> Json:
    """Draw a movement of the balance in this month, in the last one, or before."""
    kind = draw(
        st.sampled_from(["charge", "payment", "refund", "refund_failure", "adjustment", "payout", "stripe_fee"])
    )
    amount = draw(st.integers(1, 90_000)) * (-1 if kind in {"refund", "adjustment", "payout", "stripe_fee"} else 1)
    return {
        "id": f"txn_{draw(st.integers(0, 10**9))}",
        "object": "balance_transaction",
        "type": kind,
        "amount": amount,
        "currency": draw(st.sampled_from(["eur", "usd"])),
        "created": int((NOW - timedelta(hours=draw(st.integers(0, 24 * 70)))).timestamp()),
    }


# ── The slow way ────────────────────────────────────────────────────────────────────────────────

A_YEAR_OF: Final = {"day": Decimal(365), "week": Decimal(365) / 7, "month": Decimal(12), "year": Decimal(1)}


def bills_a_year(item: Json) -> Decimal:
    recurring = item["price"]["recurring"]
    return A_YEAR_OF[recurring["interval"]] / Decimal(recurring["interval_count"])


def one_bill(item: Json, currency: str) -> Decimal:
    """Add up the units of one bill, in the currency of the subscription."""
    price = item["price"]
    amounts = price if price["currency"] == currency else price["currency_options"][currency]
    units = 1 if item["quantity"] is None else item["quantity"]
    if price["recurring"]["usage_type"] == "metered":
        return Decimal(0)
    if price["billing_scheme"] == "per_unit":
        return sum((Decimal(amounts["unit_amount"]) for _ in range(units)), Decimal(0))

    def tier_of(unit: int) -> Json:
        tiers: list[Json] = amounts["tiers"]
        return next(tier for tier in tiers if tier["up_to"] is None or unit <= tier["up_to"])

    if price["tiers_mode"] == "volume":
        reached = tier_of(units)
        whole: Decimal = Decimal(reached["flat_amount_decimal"]) + units * Decimal(reached["unit_amount_decimal"])
        return whole
    # The first tier is entered even by a quantity of nothing.
    total, entered = Decimal(tier_of(1)["flat_amount_decimal"]), tier_of(1)
    for unit in range(1, units + 1):
        if tier_of(unit) is not entered:
            entered = tier_of(unit)
            total += Decimal(entered["flat_amount_decimal"])
        total += Decimal(entered["unit_amount_decimal"])
    return total


def take_off(discount: Json, year: Decimal, bills: Decimal, currency: str) -> Decimal:
    """Say what a discount leaves of a year."""
    coupon = discount["source"]["coupon"]
    if coupon["percent_off"] is not None:
        return year * (100 - Decimal(str(coupon["percent_off"]))) / 100
    off = coupon["amount_off"] if currency == "eur" else coupon["currency_options"][currency]["amount_off"]
    return max(Decimal(0), year - Decimal(off) * bills)


def runs(discount: Json, at: int) -> bool:
    """A discount lasts from its start until its end; one of a single invoice is no recurring one."""
    is_over = discount["end"] is not None and discount["end"] <= at
    return discount["start"] <= at and not is_over and discount["source"]["coupon"]["duration"] != "once"


def concerns(discount: Json, item: Json) -> bool:
    scope = discount["source"]["coupon"].get("applies_to")
    return scope is None or item["price"]["product"] in scope["products"]


def a_month(subscription: Json, at: int) -> Decimal:
    """Say what a subscription is worth a month at its discounts of a moment, without the tax within its prices."""
    currency = subscription["currency"]
    items = subscription["items"]["data"]
    years: list[Decimal] = []
    for item in items:
        year = one_bill(item, currency) * bills_a_year(item)
        for discount in item["discounts"]:
            if runs(discount, at) and concerns(discount, item):
                year = take_off(discount, year, bills_a_year(item), currency)
        years.append(year)
    for discount in subscription["discounts"]:
        if not runs(discount, at):
            continue
        hit = [place for place, item in enumerate(items) if concerns(discount, item)]
        before = sum((years[place] for place in hit), Decimal(0))
        after = take_off(discount, before, max(map(bills_a_year, items)), currency)
        for place in hit:
            years[place] = years[place] * after / before if before else years[place]
    for place, item in enumerate(items):
        # An item's own rates stand in for the subscription's.
        given_rates = item["tax_rates"] or subscription["default_tax_rates"]
        percent = sum((Decimal(str(rate["percentage"])) for rate in given_rates if rate["inclusive"]), Decimal(0))
        years[place] = years[place] * 100 / (100 + percent)
    return sum(years, Decimal(0)) / 12 / 100


def left(account: StripeAccount, subscription: Json) -> int | None:
    """Say when it stopped being paid: canceled, paused, or with the last bill that was paid."""
    match subscription["status"]:
        case "canceled":
            end: int = subscription["ended_at"]
        case "paused":
            end = subscription["status_details"]["paused"]["transitioned_at"]
        case "unpaid":
            bills = [bill for bill in account.invoices if bill["subscription"] == subscription["id"]]
            end = bills[0]["lines"]["data"][0]["period"]["end"]
        case _:
            return None
    return end


def is_running(account: StripeAccount, subscription: Json, at: int) -> bool:
    """Whether it had begun, was past the trial it began with, and was not over."""
    if subscription["status"] == "incomplete" or at < subscription["start_date"]:
        return False
    began_on_trial = subscription["trial_start"] == subscription["created"]
    if began_on_trial and at < subscription["trial_end"]:
        return False
    end = left(account, subscription)
    return end is None or at < end


def is_free_trial(subscription: Json, at: int) -> bool:
    return subscription["trial_start"] is not None and subscription["trial_start"] <= at < subscription["trial_end"]


def subscriber_days(account: StripeAccount, subscription: Json) -> dict[int, bool]:
    """Say of each day, by its number of days ago, whether the customer is a subscriber by this subscription.

    It is worth something that day, or it is free between two days on which it is.
    """
    days = range(130, -30, -1)
    running = {ago: is_running(account, subscription, stamp(ago)) for ago in days}
    begun = next((ago for ago in days if running[ago]), -30)
    paid = [ago for ago in days if ago <= begun and a_month(subscription, stamp(ago)) > 0]
    return {ago: running[ago] and bool(paid) and paid[0] >= ago >= paid[-1] for ago in days}


def churn(account: StripeAccount, days_ago: int) -> tuple[Decimal | None, int]:
    """Walk a month day by day: who was there, who came, who left; return the rate, and how many left."""
    there = came = gone = 0
    of_customer: defaultdict[str, list[dict[int, bool]]] = defaultdict(list)
    for each in account.subscriptions:
        of_customer[each["customer"]].append(subscriber_days(account, each))
    for calendars in of_customer.values():
        states = [any(days[ago] for days in calendars) for ago in range(days_ago + 30, days_ago - 1, -1)]
        there += states[0]
        came += sum(now and not before for before, now in pairwise(states))
        gone += sum(before and not now for before, now in pairwise(states))
    return None if there + came == 0 else Decimal(100 * gone) / (there + came), gone


def earned(account: StripeAccount, at: int, currency: str) -> tuple[Decimal, int]:
    """Return what a moment of the past was worth a month, and how many subscriptions were paid then."""
    paid = [each for each in account.subscriptions if is_running(account, each, at) and not is_free_trial(each, at)]
    worth = (a_month(each, at) for each in paid if each["currency"] == currency)
    return sum(worth, Decimal(0)), len(paid)


def movement(account: StripeAccount, at: int, currency: str) -> dict[str, Decimal]:
    """Say customer by customer what each paid at a moment and pays now: who came, who gives more, less, nothing."""
    moved = dict.fromkeys(("mrr_new", "mrr_expanded", "mrr_contracted", "mrr_lost"), Decimal(0))
    for customer in {each["customer"] for each in account.subscriptions}:
        held = [each for each in account.subscriptions if (each["customer"], each["currency"]) == (customer, currency)]
        then = sum(
            (a_month(s, at) for s in held if is_running(account, s, at) and not is_free_trial(s, at)), Decimal(0)
        )
        today = sum((a_month(s, stamp(0)) for s in held if s["status"] in {"active", "past_due"}), Decimal(0))
        if then == 0:
            moved["mrr_new"] += today
        elif today == 0:
            moved["mrr_lost"] += then
        else:
            moved["mrr_expanded" if today > then else "mrr_contracted"] += abs(today - then)
    return moved


def received(account: StripeAccount, currency: str) -> dict[str, Decimal]:
    """Go through the balance line by line, with a calendar and a clock of Paris in hand."""
    now = NOW.astimezone(PARIS)
    sums = dict.fromkeys(
        ("revenue_this_month", "revenue_last_month", "revenue_same_days", "refunds_this_month"), Decimal(0)
    )
    for line in account.balance_transactions:
        if line["currency"] != currency or line["type"] in {"payout", "stripe_fee"}:
            continue
        at = datetime.fromtimestamp(line["created"], PARIS)
        months_back = (now.year - at.year) * 12 + now.month - at.month
        amount = Decimal(line["amount"]) / 100
        if months_back == 0:
            sums["revenue_this_month"] += amount
            sums["refunds_this_month"] -= amount if line["type"] in {"refund", "refund_failure"} else 0
        if months_back == 1:
            sums["revenue_last_month"] += amount
            is_as_early = (at.day, at.time()) < (now.day, now.time())
            sums["revenue_same_days"] += amount if is_as_early else 0
    return sums


# ── Both ways ───────────────────────────────────────────────────────────────────────────────────


async def read(account: StripeAccount, shelf: Shelf) -> Figures:
    clock = FakeClock()
    options: dict[str, Any] = {"base_url": "http://stripe.test", "key": SecretStr("rk_test"), "timeout": 60}
    stripe = StripeSettings.model_validate(options)
    async with httpx.AsyncClient(transport=account, trust_env=False) as http:
        reader = StripeReader(http, stripe, clock=clock)
        return (await RevenueService(reader, shelf, stripe, clock=clock).read()).figures


@settings(max_examples=25, deadline=None)
@given(accounts())
def test_a_slow_walk_through_stripes_json_finds_the_same_figures(account: StripeAccount) -> None:
    shelf = Shelf()

    figures = asyncio.run(read(account, shelf))

    with localcontext() as context:
        context.prec = 50
        paying = [each for each in account.subscriptions if each["status"] in {"active", "past_due"}]
        worth: defaultdict[str, Decimal] = defaultdict(Decimal)
        for each in paying:
            worth[each["currency"]] += a_month(each, stamp(0))
        assert figures.active_subscriptions == len(paying)
        shown = {figures.currency: figures.mrr} | {other.currency: other.mrr for other in figures.other_currencies}
        assert all(abs(worth[currency] - shown.get(currency, Decimal(0))) <= HALF_A_CENT for currency in worth)
        assert worth[figures.currency] * 2 >= max(worth.values(), default=Decimal(0))  # a dollar is less than two euros
        assert (figures.not_computable, figures.unreadable) == (0, ())

        for ago in SAMPLED:
            day = NOW.astimezone(PARIS).date() - timedelta(days=ago)
            mrr, count = earned(account, end_of(day), figures.currency)
            assert (shelf.days[day].active_subscriptions, day) == (count, day)
            assert abs(shelf.days[day].mrr - mrr) <= HALF_A_CENT, day

        slow, gone = churn(account, 0)
        assert (slow is None) == (figures.churn_rate is None)
        assert slow is None or abs(slow - (figures.churn_rate or 0)) <= HALF_A_CENT
        assert figures.churned == gone

        begin = end_of(NOW.astimezone(PARIS).date() - timedelta(days=30))
        for name, amount in movement(account, begin, figures.currency).items():
            assert abs(getattr(figures, name) - amount) <= HALF_A_CENT, name
        assert abs((figures.mrr_before or 0) - earned(account, begin, figures.currency)[0]) <= HALF_A_CENT
        for name, amount in received(account, figures.currency).items():
            assert getattr(figures, name) == amount, name


def end_of(day: date) -> int:
    return int(datetime.combine(day + timedelta(days=1), time(), PARIS).astimezone(UTC).timestamp())
