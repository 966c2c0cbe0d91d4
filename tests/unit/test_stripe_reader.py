"""Stripe's accounts read from the stand-in: whole, bounded, and one clear failure for each way to fail."""

import inspect
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import stripe
from pydantic import SecretStr
from stripe import _error
from support.clock import FakeClock, TodaysClock

from devstack.vendors import VendorsClient
from devstack.vendors import stripe as standin
from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from workers.finance.figures import month_start
from workers.finance.mrr import value_subscription
from workers.finance.stripe import ERRORS, StripeReader
from workers.settings import StripeSettings

KEY = "rk_canary0123456789"
DAY = standin.DAY


@pytest.fixture
def today() -> TodaysClock:
    return TodaysClock()


@pytest.fixture
def reader(vendors: VendorsClient, http: httpx.AsyncClient, today: TodaysClock) -> StripeReader:
    return make_reader(vendors, http, today)


def make_reader(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, **bounds: int) -> StripeReader:
    settings = StripeSettings(base_url=f"{vendors.base_url}/stripe", key=SecretStr(KEY))
    return StripeReader(http, settings, clock=clock, **bounds)


async def refused(reader: StripeReader) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await reader.read()
    assert KEY not in str(caught.value) + caught.value.sentence
    return caught.value


async def calls(vendors: VendorsClient, path: str = "") -> list[dict[str, Any]]:
    return [call for call in await vendors.calls("stripe") if path in call["path"]]


def rows(today: TodaysClock) -> list[dict[str, Any]]:
    return standin.subscriptions(int(today.now().timestamp()) // DAY * DAY)


async def test_every_page_of_every_list_is_read(
    reader: StripeReader, vendors: VendorsClient, today: TodaysClock
) -> None:
    accounts = await reader.read()

    wanted = rows(today)
    assert [each.id for each in accounts.subscriptions] == [row["id"] for row in wanted]
    assert accounts.customers == 140
    midnight = int(today.now().timestamp()) // DAY * DAY
    this, last = (month_start(today.now(), back).timestamp() for back in (0, 1))
    assert accounts.new_customers == sum(row["created"] >= this for row in standin.customers(midnight))
    moved = [row for row in standin.transactions(midnight) if row["type"] in {"charge", "refund"}]
    # The stand-in's newest row is of midnight UTC, two hours into the month of Paris at most: there may be none yet.
    took_in = sum(row["amount"] for row in moved if row["created"] >= this)
    assert accounts.revenue_this_month.get("eur", 0) == took_in
    assert accounts.revenue_last_month == {"eur": sum(row["amount"] for row in moved if last <= row["created"] < this)}
    assert [call["query"].get("starting_after") for call in await calls(vendors, "customers")] == [None, "cus_0099"]


async def test_coupons_and_tiers_are_read_once_each(reader: StripeReader, vendors: VendorsClient) -> None:
    accounts = await reader.read()

    asked = sorted(call["path"] for call in await calls(vendors) if call["path"].count("/") == 3)
    assert asked == ["/v1/coupons/BIENVENUE", "/v1/coupons/DIX", "/v1/coupons/FIDELITE", "/v1/prices/price_team"]
    team = [each for each in accounts.subscriptions if each.items[0].price.id == "price_team"]
    assert team
    for each in team:
        quantity = each.items[0].quantity or 0
        full = min(quantity, 5) * 1500 + max(quantity - 5, 0) * 900
        assert value_subscription(each.model_copy(update={"discounts": ()}), accounts.read_at) == full
    loyal = next(each for each in accounts.subscriptions if each.discounts)
    assert loyal.discounts[0].coupon is not None
    assert loyal.discounts[0].coupon.percent_off == Decimal(20)


async def test_the_key_goes_to_stripe_and_the_calls_only_read(reader: StripeReader, vendors: VendorsClient) -> None:
    await reader.read()

    for call in await calls(vendors):
        assert call["authorized"]
        assert call["method"] == "GET"


async def test_more_items_than_a_subscription_shows_are_read_too(reader: StripeReader, vendors: VendorsClient) -> None:
    items = [
        {"id": f"si_{n}", "quantity": 1, "discounts": [], "price": standin.PRICES["price_month"]} for n in range(3)
    ]
    shown = subscription(items={"object": "list", "has_more": True, "data": items[:1]})
    await vendors.script(
        "stripe",
        {"match": "/subscriptions", "body": listed(shown)},
        {"match": "/subscription_items", "status": 200, "body": listed(*items)},
    )

    accounts = await reader.read()

    assert len(accounts.subscriptions[0].items) == 3
    assert value_subscription(accounts.subscriptions[0], accounts.read_at) == 3 * 2900


async def test_a_customers_own_discount_works_where_the_subscription_has_none(
    reader: StripeReader, vendors: VendorsClient
) -> None:
    customer = {"id": "cus_x", "object": "customer", "created": 1, "discount": discount("FIDELITE")}
    await vendors.script(
        "stripe",
        {
            "match": "/subscriptions",
            "body": listed(subscription(id="a"), subscription(id="b", discounts=[discount("DIX")])),
        },
        {"match": "/customers", "body": listed(customer)},
    )

    accounts = await reader.read()

    values = [value_subscription(each, accounts.read_at) for each in accounts.subscriptions]
    assert values == [2320, 1900]


@pytest.mark.parametrize("given", ["di_bare", {"id": "di", "start": 1, "source": {"coupon": "GONE"}}])
async def test_a_discount_that_cannot_be_read_makes_its_subscription_not_computable(
    reader: StripeReader, vendors: VendorsClient, given: object
) -> None:
    await vendors.script("stripe", {"match": "/subscriptions", "body": listed(subscription(discounts=[given]))})

    accounts = await reader.read()

    assert accounts.subscriptions[0].discounts[0].coupon is None


async def test_without_a_key_nothing_is_asked(
    vendors: VendorsClient, http: httpx.AsyncClient, today: TodaysClock
) -> None:
    reader = StripeReader(http, StripeSettings(base_url=f"{vendors.base_url}/stripe"), clock=today)

    error = await refused(reader)

    assert isinstance(error, SourceNotConfigured)
    assert "STRIPE_SECRET_KEY" in error.sentence
    assert await calls(vendors) == []


@pytest.mark.parametrize(
    ("step", "kind", "most"),
    [
        ({"status": 401}, SourceRejected, 3),
        ({"status": 403}, SourceRejected, 3),
        ({"status": 402}, SourceRejected, 3),
        ({"status": 400}, SourceRejected, 3),
        ({"status": 429}, SourceUnavailable, 3),
        ({"status": 500}, SourceUnavailable, 9),
        ({"status": 503}, SourceUnavailable, 9),
        ({"close": True}, SourceUnavailable, 9),
        ({"cut": True}, SourceUnavailable, 9),
        ({"malformed": True}, SourceUnavailable, 3),
        ({"body": {"object": "list", "data": "x"}}, SourceUnavailable, 3),
        ({"body": {"object": "list", "has_more": False, "data": [{"id": "x"}]}}, SourceUnavailable, 3),
        ({"body": []}, SourceUnavailable, 3),
    ],
    ids=str,
)
async def test_each_failure_is_named_and_none_makes_a_storm_of_calls(
    step: dict[str, Any], kind: type[SourceError], most: int, reader: StripeReader, vendors: VendorsClient
) -> None:
    await vendors.script("stripe", step, repeat=True)

    error = await refused(reader)

    assert type(error) is kind
    assert len(await calls(vendors)) <= most


async def test_a_page_that_is_far_too_big_is_not_read_to_its_end(reader: StripeReader, vendors: VendorsClient) -> None:
    await vendors.script("stripe", {"match": "/subscriptions", "body": {"data": ["x" * 1024] * 12_000}})

    error = await refused(reader)

    assert isinstance(error, SourceUnavailable)
    assert len(await calls(vendors, "subscriptions")) == 1


@pytest.mark.parametrize(
    ("header", "seconds"), [({"retry-after": "600"}, 600), ({"retry-after": "2"}, 2), ({}, 60)], ids=str
)
async def test_a_limit_holds_back_every_call_until_its_end(
    header: dict[str, str], seconds: int, reader: StripeReader, vendors: VendorsClient, today: TodaysClock
) -> None:
    await vendors.script("stripe", {"match": "/subscriptions", "status": 429, "headers": header})
    error = await refused(reader)
    assert "limite" in error.sentence
    asked = len(await calls(vendors))

    await refused(reader)
    today.advance(timedelta(seconds=seconds - 1))
    await refused(reader)
    assert len(await calls(vendors)) == asked

    today.advance(timedelta(seconds=2))
    assert (await reader.read()).customers == 140


async def test_endless_pages_end(vendors: VendorsClient, http: httpx.AsyncClient, today: TodaysClock) -> None:
    reader = make_reader(vendors, http, today, max_subscriptions=250)
    await vendors.script(
        "stripe", {"match": "/subscriptions", "body": listed(*[subscription()] * 100, has_more=True)}, repeat=True
    )

    assert isinstance(await refused(reader), SourceRejected)
    assert len(await calls(vendors, "subscriptions")) == 3


def test_every_error_of_the_library_has_a_translation() -> None:
    classes = [each for _, each in inspect.getmembers(_error, inspect.isclass) if issubclass(each, stripe.StripeError)]

    assert len(classes) > 10
    for each in classes:
        assert any(known in ERRORS for known in each.__mro__), each


def listed(*rows: object, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "url": "/v1/subscriptions", "has_more": has_more, "data": rows}


def discount(coupon: str) -> dict[str, Any]:
    source = {"type": "coupon", "coupon": coupon}
    return {"id": f"di_{coupon}", "object": "discount", "source": source, "start": 1, "end": None}


def subscription(**fields: Any) -> dict[str, Any]:
    price = standin.PRICES["price_month"]
    item = {"id": "si_x", "object": "subscription_item", "quantity": 1, "discounts": [], "price": price}
    return {
        "id": "sub_x",
        "object": "subscription",
        "customer": "cus_x",
        "status": "active",
        "currency": "eur",
        "created": 1,
        "start_date": 1,
        "trial_end": None,
        "ended_at": None,
        "discounts": [],
        "items": {"object": "list", "has_more": False, "data": [item]},
    } | fields
