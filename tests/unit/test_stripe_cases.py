"""Figures from Stripe's own JSON (API version 2025-03-31 and later), one case a test, read as in production."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
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

from shared.errors import SourceUnavailable
from workers.finance.figures import Figures
from workers.finance.revenue import RevenueService
from workers.finance.stripe import StripeReader
from workers.ports import FinanceSnapshot
from workers.settings import StripeSettings


@pytest.fixture
def account() -> StripeAccount:
    return StripeAccount()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


class Look:
    """Looks at an account: each time as a process that has just begun, with the history of those before."""

    def __init__(self, account: StripeAccount, shelf: Shelf, clock: FakeClock) -> None:
        self._account, self._shelf, self._clock = account, shelf, clock

    async def __call__(self) -> Figures:
        settings = StripeSettings.model_validate({"base_url": "http://stripe.test", "key": SecretStr("rk_test")})
        async with httpx.AsyncClient(transport=self._account, trust_env=False) as http:
            reader = StripeReader(http, settings, clock=self._clock)
            return (await RevenueService(reader, self._shelf, settings, clock=self._clock).read()).figures


@pytest.fixture
def look(account: StripeAccount, shelf: Shelf, clock: FakeClock) -> Look:
    return Look(account, shelf, clock)


def ago(clock: FakeClock, **time: float) -> int:
    return int((clock.now() - timedelta(**time)).timestamp())


def hold(coupon: Json, start: int = 1, end: int | None = None) -> list[Json]:
    return [make_discount(coupon, start, end)]


# ── Coupons that were deleted ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("holder", ["subscription", "item", "customer"])
async def test_a_deleted_coupon_still_applies_to_those_who_hold_it(
    holder: str, account: StripeAccount, look: Look
) -> None:
    """Six at 100 and four at 100 less 20 %: the coupon is 404, and its discounts go on."""
    gone = make_coupon("GONE", percent_off=20.0)
    for number in range(10):
        held = hold(gone) if number < 4 else []
        item = make_item(discounts=held if holder == "item" else [])
        subscription = make_subscription(item, discounts=held if holder == "subscription" else [])
        account.subscriptions.append(subscription)
        own = held[0] if held and holder == "customer" else None
        account.customers.append({"id": subscription["customer"], "object": "customer", "created": 1, "discount": own})

    figures = await look()

    assert (figures.mrr, figures.not_computable) == (Decimal("920.00"), 0)


async def test_a_deleted_coupon_keeps_its_products_and_its_amounts(account: StripeAccount, look: Look) -> None:
    gone = make_coupon(
        "GONE", amount_off=500, currency="eur", applies_to={"products": ["prod_b"]},
        currency_options={"usd": {"amount_off": 700}},
    )  # fmt: skip
    lines = [make_item(make_price(1000, "usd", product=product)) for product in ("prod_a", "prod_b")]
    account.subscriptions = [make_subscription(*lines, discounts=hold(gone))]

    assert (await look()).mrr == Decimal("13.00")


async def test_a_coupon_that_was_read_once_is_known_after_its_deletion(account: StripeAccount, look: Look) -> None:
    """Even where nobody shows it any more."""
    coupon = make_coupon("C", percent_off=20.0)
    account.coupons["C"] = coupon
    account.subscriptions = [make_subscription(discounts=hold(coupon))]
    assert (await look()).mrr == Decimal("80.00")

    account.coupons.clear()
    account.subscriptions[0]["discounts"][0]["source"]["coupon"] = "C"

    figures = await look()
    assert (figures.mrr, figures.not_computable) == (Decimal("80.00"), 0)


async def test_a_coupon_that_says_it_is_deleted_is_gone_too(account: StripeAccount, look: Look) -> None:
    account.coupons["C"] = {"id": "C", "object": "coupon", "deleted": True}
    account.subscriptions = [make_subscription(discounts=hold(make_coupon("C", percent_off=20.0)))]

    assert (await look()).mrr == Decimal("80.00")


async def test_a_coupon_made_again_under_its_name_is_another_one(account: StripeAccount, look: Look) -> None:
    older, newer = make_coupon("C", percent_off=20.0, created=10), make_coupon("C", percent_off=50.0, created=1000)
    account.coupons["C"] = newer
    account.subscriptions = [
        make_subscription(discounts=hold(older, start=20)),
        make_subscription(discounts=hold(newer, start=2000)),
    ]

    assert (await look()).mrr == Decimal("130.00")


async def test_a_coupon_that_nobody_shows_costs_its_subscription_and_no_other(
    account: StripeAccount, look: Look
) -> None:
    unknown = {"id": "di_x", "object": "discount", "source": {"type": "coupon", "coupon": "GONE"}, "start": 1}
    older = {"id": "di_y", "object": "discount", "coupon": make_coupon("OLD", percent_off=50.0), "start": 1}
    account.subscriptions = [make_subscription(discounts=[each]) for each in (unknown, older)]

    figures = await look()

    assert (figures.mrr, figures.not_computable, figures.active_subscriptions) == (Decimal("50.00"), 1, 2)


# ── Other currencies ────────────────────────────────────────────────────────────────────────────


async def test_a_price_is_that_of_the_subscriptions_currency(account: StripeAccount, look: Look) -> None:
    euros = make_price(2900, currency_options={"usd": {"unit_amount": 3300, "unit_amount_decimal": "3300"}})
    account.prices[euros["id"]] = euros
    coupon = make_coupon("C", amount_off=100, currency="eur", currency_options={"usd": {"amount_off": 300}})
    account.coupons["C"] = coupon
    account.subscriptions = [make_subscription(make_item(euros), currency="usd", discounts=hold(coupon))]

    figures = await look()

    assert (figures.currency, figures.mrr, figures.not_computable) == ("usd", Decimal("30.00"), 0)
    assert (figures.plans[0].currency, figures.plans[0].amount) == ("usd", Decimal("33.00"))


async def test_tiers_are_those_of_the_subscriptions_currency(account: StripeAccount, look: Look) -> None:
    dollars = [{"up_to": 2, "unit_amount_decimal": "500"}, {"up_to": None, "unit_amount_decimal": "100"}]
    price = make_price(
        None, billing_scheme="tiered", tiers_mode="graduated", tiers=[{"up_to": None, "unit_amount_decimal": "1"}],
        currency_options={"usd": {"unit_amount_decimal": None, "tiers": dollars}},
    )  # fmt: skip
    account.prices[price["id"]] = price
    account.subscriptions = [make_subscription(make_item(price, 5), currency="usd")]

    assert (await look()).mrr == Decimal("13.00")


async def test_a_currency_without_an_amount_is_not_computable(account: StripeAccount, look: Look) -> None:
    price = make_price(2900, currency_options={})
    account.prices[price["id"]] = price
    account.subscriptions = [
        make_subscription(make_item(price), currency="usd"),
        make_subscription(make_item(make_price(100)), currency="usd"),  # its price is not even there
    ]

    figures = await look()

    assert (figures.mrr, figures.not_computable) == (Decimal("0.00"), 2)


async def test_the_currency_that_earns_most_is_the_main_one_and_nothing_is_added(
    account: StripeAccount, look: Look
) -> None:
    dollars = make_price(100_00, "usd")
    account.subscriptions = [make_subscription(make_item(make_price(500)))]
    account.subscriptions += [make_subscription(make_item(dollars)) for _ in range(100)]

    figures = await look()

    assert (figures.currency, figures.mrr) == ("usd", Decimal("10000.00"))
    assert [(each.currency, each.mrr) for each in figures.other_currencies] == [("eur", Decimal("5.00"))]


# ── Taxes ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("where", ["item", "subscription"])
async def test_a_tax_within_the_price_is_taken_out(where: str, account: StripeAccount, look: Look) -> None:
    rates = [make_tax_rate(20.0, inclusive=True)]
    price = make_price(2900, tax_behavior="inclusive")
    item = make_item(price, tax_rates=rates if where == "item" else [])
    account.subscriptions = [make_subscription(item, default_tax_rates=rates if where == "subscription" else [])]

    assert (await look()).mrr == Decimal("24.17")


async def test_rates_add_up_and_those_on_top_of_the_price_change_nothing(account: StripeAccount, look: Look) -> None:
    within, above = make_tax_rate(20.0, inclusive=True), make_tax_rate(5.0, inclusive=False)
    account.subscriptions = [
        make_subscription(make_item(make_price(12_500), tax_rates=[within, make_tax_rate(5.0, inclusive=True)])),
        make_subscription(make_item(make_price(1_00), tax_rates=[above]), default_tax_rates=[within]),
    ]

    assert (await look()).mrr == Decimal("101.00")


async def test_a_discount_is_taken_from_the_price_before_its_tax(account: StripeAccount, look: Look) -> None:
    coupon = make_coupon("C", amount_off=500, currency="eur")
    account.coupons["C"] = coupon
    item = make_item(make_price(2900), tax_rates=[make_tax_rate(20.0, inclusive=True)])
    account.subscriptions = [make_subscription(item, discounts=hold(coupon))]

    assert (await look()).mrr == Decimal("20.00")


def billed(subscription: Json, *lines: Json, status: str = "complete") -> Json:
    """Give a subscription its last bill."""
    invoice = {
        "id": "in_1", "object": "invoice", "automatic_tax": {"enabled": True, "status": status},
        "lines": make_list(*lines),
    }  # fmt: skip
    return subscription | {"automatic_tax": {"enabled": True}, "latest_invoice": invoice}


def line(item: str, amount: int, tax: int, behavior: str = "inclusive", discount: int = 0) -> Json:
    return {
        "id": "il_1", "object": "line_item", "amount": amount, "discount_amounts": [{"amount": discount}],
        "parent": {"type": "subscription_item_details", "subscription_item_details": {"subscription_item": item}},
        "taxes": [{"amount": tax, "tax_behavior": behavior, "taxable_amount": amount - discount - tax}],
    }  # fmt: skip


async def test_where_stripe_computes_the_tax_the_last_bill_says_how_much(account: StripeAccount, look: Look) -> None:
    french, swiss, export = (make_item(make_price(2900, tax_behavior="inclusive")) for _ in range(3))
    exclusive = make_item(make_price(100, tax_behavior="unspecified"))
    account.subscriptions = [
        billed(make_subscription(french), line(french["id"], 1450, 200, discount=250)),
        billed(make_subscription(swiss), line("si_before_it", 2162, 162)),
        billed(make_subscription(export), line(export["id"], 2900, 0)),
        billed(make_subscription(exclusive), line(exclusive["id"], 100, 20, "exclusive")),
    ]

    # 29 less 20 %, less 8.1 %, less nothing; and 1 with its tax on top.
    assert (await look()).mrr == Decimal("80.99")


@pytest.mark.parametrize("why", ["no bill", "not computed", "not allowed"])
async def test_a_tax_of_unknown_rate_makes_the_value_unknown(why: str, account: StripeAccount, look: Look) -> None:
    item = make_item(make_price(2900, tax_behavior="inclusive"))
    unknown = make_subscription(item, automatic_tax={"enabled": True})
    if why != "no bill":
        status = "failed" if why == "not computed" else "complete"
        unknown = billed(unknown, line(item["id"], 2900, 483), status=status)
    account.forbidden = {"invoices"} if why == "not allowed" else set()
    plain = make_subscription(make_item(make_price(100, tax_behavior="exclusive")), automatic_tax={"enabled": True})
    account.subscriptions = [unknown, plain]

    figures = await look()

    assert (figures.mrr, figures.not_computable) == (Decimal("1.00"), 1)


async def test_an_inclusive_price_on_which_no_tax_is_due_brings_all_of_it(account: StripeAccount, look: Look) -> None:
    account.subscriptions = [make_subscription(make_item(make_price(2900, tax_behavior="inclusive")))]

    assert (await look()).mrr == Decimal("29.00")


# ── History ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_discount_that_ended_ten_days_ago_was_at_work_before(
    account: StripeAccount, look: Look, clock: FakeClock, shelf: Shelf
) -> None:
    half = make_coupon("C", percent_off=50.0, duration="repeating")
    account.coupons["C"] = half
    account.subscriptions = [make_subscription(discounts=hold(half, ago(clock, days=100), ago(clock, days=10)))]

    figures = await look()

    assert (figures.mrr, figures.mrr_change_percent) == (Decimal("100.00"), Decimal("100.00"))
    mrr = {(clock.now().date() - day).days: each.mrr for day, each in shelf.days.items()}
    assert (mrr[11], mrr[10], mrr[9]) == (Decimal("50.00"), Decimal("100.00"), Decimal("100.00"))


async def test_days_that_other_rules_measured_are_not_compared_with(
    account: StripeAccount, look: Look, clock: FakeClock, shelf: Shelf
) -> None:
    account.subscriptions = [make_subscription()]
    day = clock.now().date() - timedelta(days=30)
    shelf.days[day] = FinanceSnapshot(
        day=day, taken_at=clock.now(), measured=True, currency="eur", mrr=Decimal(50), active_subscriptions=1,
        churn_rate=Decimal(0), figures={"mrr": "50.00"},
    )  # fmt: skip

    assert (await look()).mrr_change_percent == Decimal("0.00")


async def test_from_nothing_there_is_no_percentage(account: StripeAccount, look: Look, clock: FakeClock) -> None:
    account.subscriptions = [make_subscription(start_date=ago(clock, days=3), created=ago(clock, days=3))] * 10

    figures = await look()

    assert (figures.mrr, figures.mrr_change_percent) == (Decimal("1000.00"), None)


# ── Pauses, unpaid bills, trials ────────────────────────────────────────────────────────────────


def paused(since: int, why: str = "pause_requested", **fields: Any) -> Json:
    details = {"paused": {"type": "subscription", "subscription": {"type": why}, "transitioned_at": since}}
    return make_subscription(status="paused", status_details=details, **fields)


async def test_a_pause_counts_from_its_day(account: StripeAccount, look: Look, clock: FakeClock) -> None:
    account.subscriptions = [make_subscription(), paused(ago(clock, days=5))]

    figures = await look()

    assert (figures.mrr, figures.mrr_change_percent) == (Decimal("100.00"), Decimal("-50.00"))
    assert (figures.active_subscriptions_change, figures.churn_rate) == (-1, Decimal("50.00"))


async def test_a_pause_at_the_end_of_a_first_trial_is_nobodys_leaving(
    account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    begin, end = ago(clock, days=20), ago(clock, days=6)
    trial = {"created": begin, "start_date": begin, "trial_start": begin, "trial_end": end}
    never_paid = paused(end + 60, "trial_end_without_payment_method", **trial)
    canceled = make_subscription(status="canceled", ended_at=end + 60, **trial)
    account.subscriptions = [make_subscription(), never_paid, canceled]

    figures = await look()

    assert (figures.churn_rate, figures.mrr_change_percent) == (Decimal("0.00"), Decimal("0.00"))


async def test_who_became_unpaid_between_two_looks_left_then(
    account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    account.subscriptions = [make_subscription(), make_subscription(status="past_due")]
    assert (await look()).churn_rate == Decimal("0.00")

    clock.advance(timedelta(hours=1))
    account.subscriptions[1]["status"] = "unpaid"
    figures = await look()
    assert (figures.mrr, figures.mrr_change_percent) == (Decimal("100.00"), Decimal("-50.00"))
    assert (figures.active_subscriptions_change, figures.churn_rate) == (-1, Decimal("50.00"))

    clock.advance(timedelta(hours=20))
    account.subscriptions[1] |= {"status": "canceled", "ended_at": int(clock.now().timestamp())}
    assert (await look()).churn_rate == Decimal("50.00")  # the same leaving, not another

    clock.advance(timedelta(days=31))
    assert (await look()).churn_rate == Decimal("0.00")


@pytest.mark.parametrize(("days", "churn"), [(5, "50.00"), (50, "0.00")])
@pytest.mark.parametrize("known", ["bill", "period"])
async def test_who_was_unpaid_before_the_first_look_left_where_the_last_paid_bill_ends(
    days: int, churn: str, known: str, account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    item = make_item(current_period_start=ago(clock, days=days if known == "period" else 1))
    unpaid = make_subscription(item, status="unpaid")
    account.subscriptions = [make_subscription(), unpaid]
    if known == "bill":
        bill = {"subscription": unpaid["id"], "status": "paid", "object": "invoice", "id": "in_1"}
        lines = make_list({"period": {"start": 1, "end": ago(clock, days=days)}})
        account.invoices = [bill | {"lines": lines}]

    assert (await look()).churn_rate == Decimal(churn)


async def test_an_unpaid_one_of_unknown_age_is_no_leaving(account: StripeAccount, look: Look, clock: FakeClock) -> None:
    item = make_item(current_period_start=ago(clock, days=5))
    account.subscriptions = [make_subscription(), make_subscription(item, status="unpaid")]
    account.forbidden = {"invoices"}
    assert (await look()).churn_rate == Decimal("0.00")

    clock.advance(timedelta(hours=1))
    assert (await look()).churn_rate == Decimal("0.00")


@pytest.mark.parametrize("status", ["active", "trialing"])
async def test_a_free_month_inside_a_subscription_is_no_new_customer(
    status: str, account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    trial = {"trial_start": ago(clock, days=40), "trial_end": ago(clock, days=10 if status == "active" else -1)}
    begin = {"start_date": ago(clock, days=200), "created": ago(clock, days=200)}
    first = {"trial_start": ago(clock, days=40), "trial_end": ago(clock, days=10)}
    new = make_subscription(start_date=ago(clock, days=40), created=ago(clock, days=40), **first)
    left = make_subscription(status="canceled", ended_at=ago(clock, days=3))
    earlier = make_subscription(status="canceled", ended_at=ago(clock, days=45))
    account.subscriptions = [make_subscription(status=status, **begin, **trial), left, earlier]

    figures = await look()
    # One of two who were there; thirty days ago one of three.
    assert (figures.churn_rate, figures.churn_rate_change) == (Decimal("50.00"), Decimal("16.67"))

    account.subscriptions.append(new)
    assert (await look()).churn_rate == Decimal("33.33")  # and one who came


async def test_a_free_month_brings_nothing_while_it_lasts(
    account: StripeAccount, look: Look, clock: FakeClock, shelf: Shelf
) -> None:
    trial = {"trial_start": ago(clock, days=40), "trial_end": ago(clock, days=10)}
    account.subscriptions = [make_subscription(**trial), make_subscription()]

    figures = await look()

    assert figures.mrr_change_percent == Decimal("100.00")
    mrr = {(clock.now().date() - day).days: each.mrr for day, each in shelf.days.items()}
    assert (mrr[50], mrr[30], mrr[5]) == (Decimal("200.00"), Decimal("100.00"), Decimal("200.00"))


async def test_a_month_at_a_hundred_percent_off_interrupts_nothing_and_for_ever_does(
    account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    free = make_coupon("C", percent_off=100.0, duration="repeating")
    account.coupons["C"] = free
    account.subscriptions = [make_subscription(discounts=hold(free, ago(clock, days=20), ago(clock, days=5)))]
    assert (await look()).churn_rate == Decimal("0.00")

    account.subscriptions = [make_subscription(discounts=hold(free, ago(clock, days=20)))]
    assert (await look()).churn_rate == Decimal("100.00")


async def test_an_items_own_trial_brings_nothing_while_it_lasts(
    account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    trial = {"start_date": ago(clock, days=60), "end_date": ago(clock, days=20), "trial_offer": "to_1"}
    account.subscriptions = [make_subscription(make_item(), make_item(current_trial=trial))]

    figures = await look()

    assert (figures.mrr, figures.mrr_change_percent) == (Decimal("200.00"), Decimal("100.00"))


async def test_collection_that_is_paused_goes_on_counting_and_nothing_unfinished_counts(
    account: StripeAccount, look: Look
) -> None:
    account.subscriptions = [
        make_subscription(pause_collection={"behavior": "void", "resumes_at": None}),
        make_subscription(status="incomplete"),
        make_subscription(status="incomplete_expired", ended_at=2),
        make_subscription(make_item(quantity=0)),
    ]

    figures = await look()

    assert (figures.mrr, figures.churn_rate) == (Decimal("100.00"), Decimal("0.00"))


# ── One odd object ──────────────────────────────────────────────────────────────────────────────

ODD_PRICE = make_price(recurring={"interval": "fortnight", "interval_count": 1})


@pytest.mark.parametrize(
    "fields",
    [
        {"start_date": 10**18},
        {"start_date": "yesterday"},
        {"customer": None},
        {"currency": None},
        {"items": None},
        {"items": "none"},
        {"items": make_list(make_item(ODD_PRICE))},
        {"items": make_list({"id": "si_x", "price": None})},
        {"items": make_list(make_item() | {"quantity": "many"})},
        {"discounts": [{"id": "di_x", "source": "?", "start": 1}, {"id": "di_y", "start": None}]},
        {"discounts": 5},
        {"automatic_tax": "yes"},
        {"default_tax_rates": [{"inclusive": True}]},
        {"status": "paused", "status_details": {"paused": {"transitioned_at": "then"}}},
    ],
    ids=str,
)
async def test_one_odd_subscription_is_left_out_and_named(fields: Json, account: StripeAccount, look: Look) -> None:
    odd = make_subscription() | {"id": "sub_odd"} | fields
    account.subscriptions = [make_subscription(), odd, make_subscription()]

    figures = await look()

    assert (figures.mrr, figures.unreadable) == (Decimal("200.00"), ("sub_odd",))


@pytest.mark.parametrize(
    "odd",
    [
        {"start_date": "yesterday"},
        {"trial_end": "tomorrow"},
        {"items": make_list(make_item(make_price(unit_amount_decimal="a lot")))},
    ],
    ids=str,
)
async def test_nothing_but_odd_subscriptions_is_an_answer_of_another_shape(
    odd: Json, account: StripeAccount, look: Look
) -> None:
    account.subscriptions = [make_subscription(**odd)]

    with pytest.raises(SourceUnavailable):
        await look()


async def test_odd_customers_transactions_and_coupons_cost_themselves(
    account: StripeAccount, look: Look, clock: FakeClock
) -> None:
    now = ago(clock)
    coupon = make_coupon("C", percent_off=10.0)
    account.coupons["C"] = coupon | {"duration": None}
    account.customers = [
        {"id": "cus_1", "object": "customer", "created": now, "discount": None},
        {"id": "cus_odd", "object": "customer", "created": None},
    ]
    account.balance_transactions = [
        {"id": "txn_1", "type": "charge", "amount": 500, "currency": "eur", "created": now},
        {"id": "txn_2", "type": "refund", "amount": -200, "currency": "eur", "created": now},
        {"id": "txn_odd", "type": "charge", "amount": None, "currency": "eur", "created": now},
    ]
    account.subscriptions = [make_subscription(), make_subscription(discounts=hold(coupon))]

    figures = await look()

    assert (figures.customers, figures.new_customers_this_month, figures.revenue_this_month) == (1, 1, Decimal("3.00"))
    assert set(figures.unreadable) == {"cus_odd", "txn_odd"}
    assert figures.mrr == Decimal("190.00")  # who holds the odd coupon shows it whole


async def test_a_day_that_was_kept_oddly_is_left_out(
    account: StripeAccount, look: Look, clock: FakeClock, shelf: Shelf
) -> None:
    account.subscriptions = [make_subscription()]
    await look()
    today = clock.now().astimezone(UTC).date()
    odd = today - timedelta(days=1)
    shelf.days[odd] = shelf.days[odd].model_copy(update={"measured": True, "figures": {"x": 1}})

    assert (await look()).read_at == datetime.combine(today, clock.now().timetz())
