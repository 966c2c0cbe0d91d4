"""Stripe's API over an account that a test describes whole: as unkind as the real one in what it shows.

What is expandable is an id until it is asked for, what is includable is not there at all, no path may be longer than
four levels, and a deleted coupon is 404 though whoever holds it still shows it.
"""

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx

Json = dict[str, Any]
Paths = set[tuple[str, ...]]

_AS_IDS: Final = {
    ("subscription", "discounts"),
    ("subscription", "latest_invoice"),
    ("subscription_item", "discounts"),
} | {("source", "coupon")}
_HIDDEN: Final = {("price", "tiers"), ("price", "currency_options"), ("coupon", "applies_to")} | {
    ("coupon", "currency_options")
}
_MOST_LEVELS: Final = 4

_numbers = count(1)


@dataclass
class StripeAccount(httpx.AsyncBaseTransport):
    """An account, and the transport that answers for it."""

    subscriptions: list[Json] = field(default_factory=list)
    customers: list[Json] = field(default_factory=list)
    balance_transactions: list[Json] = field(default_factory=list)
    coupons: dict[str, Json] = field(default_factory=dict)
    prices: dict[str, Json] = field(default_factory=dict)
    invoices: list[Json] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one GET."""
        query = parse_qsl(request.url.query.decode())
        what, _, one = request.url.path.partition("/v1/")[2].partition("/")
        self.asked.append(f"{what}/{one}" if one else what)
        expand: Paths = {tuple(value.split(".")) for name, value in query if name.startswith("expand")}
        if any(len(path) > _MOST_LEVELS for path in expand):
            return _refuse(400, "You cannot expand more than 4 levels of a property")
        parts = {what} | ({"invoices"} if any("latest_invoice" in path for path in expand) else set())
        if parts & self.forbidden:
            return _refuse(403, "The provided key does not have the required permissions")
        if one:
            found = self._find(what, one)
            return _refuse(404, f"No such {what}") if found is None else _answer(_show(found, expand))
        return _answer(_show(self._list(what, dict(query)), expand))

    def _find(self, what: str, one: str) -> Json | None:
        if what in {"coupons", "prices"}:
            found: Json | None = getattr(self, what).get(one)
            return found
        rows = {
            "subscriptions": self.subscriptions,
            "customers": self.customers,
            "subscription_items": [item for each in self.subscriptions for item in each["items"]["data"]],
        }[what]
        return next((row for row in rows if row["id"] == one), None)

    def _list(self, what: str, query: dict[str, str]) -> Json:
        rows: list[Json] = getattr(self, what)
        if what == "subscriptions" and query.get("status") != "all":
            rows = [row for row in rows if row.get("status") != "canceled"]
        if what == "balance_transactions":
            rows = [row for row in rows if row["created"] >= int(query.get("created[gte]", "0"))]
        if what == "invoices":
            rows = [row for row in rows if row["subscription"] == query["subscription"] and row["status"] == "paid"]
        ids = [row["id"] for row in rows]
        start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        end = start + int(query.get("limit", "10"))
        return make_list(*rows[start:end], url=f"/v1/{what}") | {"has_more": end < len(rows)}


def _show(value: Any, expand: Paths, parent: str = "") -> Any:
    """Show a value as the API does: what nobody asked to expand is shortened or left out."""
    if isinstance(value, list):
        return [_show(each, expand, parent) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    name = value.get("object") or parent
    for key, inner in value.items():
        below = {path[1:] for path in expand if path[0] == key}
        deeper = {path for path in below if path}
        if (name, key) in _HIDDEN and not below:
            continue
        if (name, key) in _AS_IDS and not below:
            shown[key] = _shorten(inner)
        elif (name, key) == ("price", "currency_options"):
            shown[key] = {currency: _show_option(option, currency, deeper) for currency, option in inner.items()}
        else:
            shown[key] = _show(inner, deeper, key)
    return shown


def _show_option(option: Json, currency: str, expand: Paths) -> Json:
    return {key: inner for key, inner in option.items() if key != "tiers" or (currency, "tiers") in expand}


def _shorten(value: Any) -> Any:
    if isinstance(value, list):
        return [_shorten(each) for each in value]
    return value["id"] if isinstance(value, dict) else value


def _answer(body: Any, status: int = 200) -> httpx.Response:
    # As a stream, because a body that is already there cannot be read raw.
    stream = httpx.ByteStream(json.dumps(body).encode())
    return httpx.Response(status, stream=stream, headers={"content-type": "application/json"})


def _refuse(status: int, message: str) -> httpx.Response:
    return _answer({"error": {"type": "invalid_request_error", "message": message}}, status)


# ── Objects, as the API writes them; what a test leaves out is plain ────────────────────────────


def make_list(*rows: Json, url: str = "/v1/items") -> Json:
    return {"object": "list", "url": url, "has_more": False, "data": list(rows)}


def make_coupon(coupon: str = "C", **fields: Any) -> Json:
    usual = {"duration": "forever", "percent_off": None, "amount_off": None, "currency": None, "created": 1}
    return {"id": coupon, "object": "coupon", "valid": True} | usual | fields


def make_discount(coupon: Json, start: int = 1, end: int | None = None) -> Json:
    source = {"type": "coupon", "coupon": coupon}
    return {"id": f"di_{next(_numbers)}", "object": "discount", "source": source, "start": start, "end": end}


def make_price(amount: int | None = 10_000, currency: str = "eur", interval: str = "month", **fields: Any) -> Json:
    return {
        "id": f"price_{next(_numbers)}",
        "object": "price",
        "billing_scheme": "per_unit",
        "currency": currency,
        "nickname": None,
        "product": "prod_a",
        "recurring": {"interval": interval, "interval_count": 1, "usage_type": "licensed", "meter": None},
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "unit_amount": amount,
        "unit_amount_decimal": None if amount is None else str(amount),
    } | fields


def make_item(price: Json | None = None, quantity: int | None = 1, **fields: Any) -> Json:
    return {
        "id": f"si_{next(_numbers)}",
        "object": "subscription_item",
        "created": 1,
        "current_period_start": None,
        "current_period_end": None,
        "discounts": [],
        "price": price or make_price(),
        "quantity": quantity,
        "tax_rates": [],
    } | fields


def make_subscription(*items: Json, **fields: Any) -> Json:
    number = next(_numbers)
    given = items or (make_item(),)
    return {
        "id": f"sub_{number}",
        "object": "subscription",
        "automatic_tax": {"enabled": False, "disabled_reason": None, "liability": None},
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "created": 1,
        "currency": given[0]["price"]["currency"],
        "customer": f"cus_{number}",
        "default_tax_rates": [],
        "discounts": [],
        "ended_at": None,
        "items": make_list(*given),
        "latest_invoice": None,
        "pause_collection": None,
        "schedule": None,
        "start_date": 1,
        "status": "active",
        "status_details": None,
        "test_clock": None,
        "trial_end": None,
        "trial_start": None,
    } | fields


def make_tax_rate(percentage: float, *, inclusive: bool) -> Json:
    return {"id": f"txr_{next(_numbers)}", "object": "tax_rate", "percentage": percentage, "inclusive": inclusive}
