"""The stand-in of Stripe's API v1: ``/stripe/v1/subscriptions``, customers, balance_transactions, coupons, prices.

As there: lists come newest first in pages that name the next one by ``starting_after``, canceled subscriptions only
show when asked for, discounts are bare ids unless expanded, and tiers do not show in a list at all.
"""

import random
import time
from functools import lru_cache
from typing import Any

from devstack.vendors.stage import Request, Response, Step

Json = dict[str, Any]

DAY = 86_400
_CUSTOMERS = 140
_SUBSCRIPTIONS = 128

COUPONS: dict[str, Json] = {
    "FIDELITE": {"duration": "forever", "percent_off": 20.0, "amount_off": None, "currency": None},
    "DIX": {"duration": "repeating", "percent_off": None, "amount_off": 1000, "currency": "eur"},
    "BIENVENUE": {"duration": "once", "percent_off": 50.0, "amount_off": None, "currency": None},
}
TIERS: list[Json] = [
    {"up_to": 5, "flat_amount": None, "flat_amount_decimal": None, "unit_amount": 1500, "unit_amount_decimal": "1500"},
    {"up_to": None, "flat_amount": 0, "flat_amount_decimal": "0", "unit_amount": 900, "unit_amount_decimal": "900"},
]


def _price(price_id: str, amount: str | None, currency: str = "eur", interval: str = "month", **more: Any) -> Json:  # noqa: ANN401
    recurring = {"interval": interval, "interval_count": 1, "usage_type": "licensed", "meter": None}
    return {
        "id": price_id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "currency": currency,
        "product": f"prod_{price_id.removeprefix('price_')}",
        "recurring": recurring,
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": None if amount is None else int(float(amount)),
        "unit_amount_decimal": amount,
    } | more


PRICES: dict[str, Json] = {
    each["id"]: each
    for each in (
        _price("price_month", "2900"),
        _price("price_year", "29000", interval="year"),
        _price("price_week", "900", interval="week"),
        _price("price_team", None, billing_scheme="tiered", tiers_mode="graduated"),
        _price("price_dollar", "3900", "usd"),
        _price("price_yen", "4900", "jpy"),
    )
}


def answer(request: Request, step: Step) -> Response:
    """Answer a request as Stripe would."""
    del step
    if not request.authorized:
        return error(401)
    what, _, one = request.path.removeprefix("/v1/").partition("/")
    if one:
        return _retrieve(what, one, request)
    rows = {"subscriptions": _subscriptions_for, "customers": _customers_for, "balance_transactions": _balance_for}
    return _page(rows[what](request), request) if what in rows else error(404)


def error(status: int) -> Response:
    """Say no in Stripe's words."""
    kind = "invalid_request_error" if status < 500 else "api_error"
    words = {
        401: "Invalid API Key provided.",
        402: "Payment required.",
        404: "No such object.",
        429: "Too many requests.",
    }
    headers = {"request-id": "req_standin"}
    return Response(status, {"error": {"type": kind, "message": words.get(status, "Something went wrong.")}}, headers)


def _retrieve(what: str, one: str, request: Request) -> Response:
    if what == "coupons" and one in COUPONS:
        return Response(200, {"id": one, "object": "coupon", "valid": True, **COUPONS[one]})
    if what == "prices" and one in PRICES:
        is_tiered = PRICES[one]["billing_scheme"] == "tiered"
        return Response(200, PRICES[one] | ({"tiers": TIERS} if is_tiered and "tiers" in _expanded(request) else {}))
    return error(404)


def _page(rows: list[Json], request: Request) -> Response:
    size = int(request.query.get("limit", "10"))
    after = request.query.get("starting_after")
    place = next((number for number, row in enumerate(rows, 1) if row["id"] == after), 0)
    page = rows[place : place + size]
    body = {"object": "list", "url": request.path, "has_more": place + size < len(rows), "data": page}
    return Response(200, body, {"request-id": "req_standin"})


def _expanded(request: Request) -> set[str]:
    return {value for name, value in request.query.items() if name.startswith("expand")}


def _since(rows: list[Json], request: Request) -> list[Json]:
    since = int(request.query.get("created[gte]", "0"))
    return [row for row in rows if row["created"] >= since]


def _subscriptions_for(request: Request) -> list[Json]:
    rows = subscriptions(_today())
    if request.query.get("status") != "all":
        rows = [row for row in rows if row["status"] != "canceled"]
    if "data.discounts" not in _expanded(request):
        rows = [row | {"discounts": [each["id"] for each in row["discounts"]]} for row in rows]
    return rows


def _customers_for(request: Request) -> list[Json]:
    return _since(customers(_today()), request)


def _balance_for(request: Request) -> list[Json]:
    return _since(transactions(_today()), request)


def _today() -> int:
    return int(time.time()) // DAY * DAY


@lru_cache(maxsize=4)
def customers(today: int) -> list[Json]:
    """Make the customers of a day, newest first."""
    return [
        {"id": f"cus_{number:04}", "object": "customer", "created": today - number * 3 * DAY, "discount": None}
        for number in range(_CUSTOMERS)
    ]


@lru_cache(maxsize=4)
def subscriptions(today: int) -> list[Json]:
    """Make the subscriptions of a day, newest first."""
    draw = random.Random(7)
    return [_subscription(number, today, draw) for number in range(_SUBSCRIPTIONS)]


def _subscription(number: int, today: int, draw: random.Random) -> Json:
    created = today - number * 3 * DAY
    status = (
        "trialing" if number < 4 else "past_due" if number % 31 == 5 else "unpaid" if number % 61 == 9 else "active"
    )
    ended = None
    if status == "active" and number % 6 == 2:
        status, ended = "canceled", created + min(number * 3 - 1, 20 + number) * DAY
    price = PRICES[draw.choice([*["price_month"] * 5, "price_year", "price_year", *list(PRICES)[2:]])]
    subscription_id = f"sub_{number:04}"
    coupon = next(
        (name for name, every in (("FIDELITE", 9), ("DIX", 11), ("BIENVENUE", 7)) if number % every == 0), None
    )
    if coupon == "DIX" and price["currency"] != "eur":
        coupon = None
    discount = {
        "id": f"di_{number:04}",
        "object": "discount",
        "source": {"type": "coupon", "coupon": coupon},
        "start": created,
        "end": created + 180 * DAY if coupon == "DIX" else None,
        "subscription": subscription_id,
    }
    return {
        "id": subscription_id,
        "object": "subscription",
        "customer": f"cus_{number:04}",
        "status": status,
        "currency": price["currency"],
        "created": created,
        "start_date": created,
        "trial_start": created if status == "trialing" else None,
        "trial_end": created + 30 * DAY if status == "trialing" else None,
        "canceled_at": ended,
        "ended_at": ended,
        "cancel_at_period_end": False,
        "discounts": [discount] if coupon else [],
        "items": {
            "object": "list",
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
            "data": [
                {
                    "id": f"si_{number:04}",
                    "object": "subscription_item",
                    "discounts": [],
                    "price": price,
                    "quantity": draw.randint(1, 8) if price["id"] == "price_team" else draw.choice([1, 1, 1, 2]),
                    "subscription": subscription_id,
                }
            ],
        },
    }


@lru_cache(maxsize=4)
def transactions(today: int) -> list[Json]:
    """Make what came in and went back in seventy days, newest first: some twenty charges a week, and what they cost."""
    draw = random.Random(11)
    rows = []
    for number in range(210):
        created = today - number * DAY // 3
        kind, amount = "charge", draw.choice([2900, 2900, 5800, 29000])
        if number % 17 == 3:
            kind, amount = "refund", -2900
        elif number % 40 == 21:
            kind, amount = "payout", -50_000
        fee = amount * 15 // 1000 + 25 if kind == "charge" else 0
        rows.append(
            {
                "id": f"txn_{number:04}",
                "object": "balance_transaction",
                "amount": amount,
                "fee": fee,
                "net": amount - fee,
                "currency": "eur",
                "created": created,
                "type": kind,
                "reporting_category": kind,
                "status": "available",
            }
        )
    return rows
