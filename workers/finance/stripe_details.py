"""What Stripe's lists do not show, read separately and only when needed: coupons, prices, taxes, ends.

A thing that cannot be read affects what depends on it, and nothing else.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final, TypeVar

import httpx
import stripe
import structlog
from pydantic import ValidationError

from workers.finance.stripe_json import (
    Details,
    Holder,
    Raw,
    coupon_id_of,
    coupon_of,
    held_discounts,
    hidden_prices,
    lost_coupons,
    make_coupon,
    make_price_details,
    make_taxes,
    needs_taxes,
    start_of,
)
from workers.finance.stripe_objects import Coupon, PriceDetails, Remembered, moment

log = structlog.get_logger(__name__)

T = TypeVar("T")

# What JSON of the wrong shape makes the library, or our own code, raise.
MISSHAPEN: Final = (
    ValidationError, KeyError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError,
)  # fmt: skip

PAGE: Final = 100  # the most that Stripe gives
_PARALLEL: Final = 4
# The most coupons, and the most stops, stored with a day's figures.
_REMEMBERED: Final = 1_000
# If the last reading is no older than this, what is new happened now.
_RECENT: Final = timedelta(hours=26)
_MOST_BILLS: Final = 40


class DetailReader:
    """Reads the details that one reading of the lists refers to.

    Cost: a request for each distinct coupon and tiered or foreign-currency price; one for each deleted coupon; the
    list of subscriptions once more where Stripe computes taxes; one for each subscription that became unpaid.
    """

    def __init__(self, api: Any, remembered: Remembered) -> None:  # noqa: ANN401 - the library's services
        self._api = api
        self._remembered = remembered
        self._places = asyncio.Semaphore(_PARALLEL)

    async def read(self, raws: Sequence[Raw]) -> Details:
        """Read coupons, prices and taxes. Raises: StripeError, CallFailed."""
        ids = {coupon_id_of(discount) for raw in raws for _, discount in held_discounts(raw)} - {None}
        coupons = await self._read_each({each: each for each in sorted(map(str, ids))}, self._read_coupon)
        given = await self._read_each(lost_coupons(raws, coupons), self._read_lost_coupon)
        hidden = {price: (price, currencies) for price, currencies in hidden_prices(raws).items()}
        prices = await self._read_each(hidden, self._read_price)
        return Details(
            coupons=coupons,
            given={each: coupon for each, coupon in given.items() if coupon is not None},
            prices={each: price for each, price in prices.items() if price is not None},
            taxes=await self._read_taxes({raw["id"] for raw in raws if needs_taxes(raw)}),
        )

    async def find_stops(self, raws: Iterable[Raw], now: datetime) -> dict[str, datetime | None]:
        """Find since when each subscription has been paused or unpaid; for one canceled since, what is remembered.

        Stripe states it for a pause, but not for an unpaid one. One that a recent reading did not know became unpaid
        now; otherwise it is the end of what its last paid bill was for; failing that, the start of the unpaid period.
        """
        known = self._remembered.stopped
        stops = {
            raw["id"]: raw["stopped_at"]
            for raw in raws
            if raw["status"] in {"paused", "unpaid"} or (raw["status"] == "canceled" and raw["id"] in known)
        }
        is_recent = self._remembered.read_at is not None and now - self._remembered.read_at < _RECENT
        unknown = {}
        for raw in raws:
            if raw["id"] not in stops or stops[raw["id"]] is not None:
                continue
            if raw["id"] in known:
                stops[raw["id"]] = known[raw["id"]]
            elif raw["status"] == "unpaid" and is_recent:
                stops[raw["id"]] = now
            elif raw["status"] == "unpaid":
                unknown[raw["id"]] = raw
        few = dict(list(unknown.items())[:_MOST_BILLS])
        return stops | await self._read_each(few, lambda subscription: self._read_paid_until(subscription, now))

    async def _read_each(self, wanted: Mapping[str, Any], read: Callable[[Any], Awaitable[T]]) -> dict[str, T]:
        async def one(each: Any) -> T:  # noqa: ANN401
            async with self._places:
                return await read(each)

        async with asyncio.TaskGroup() as group:
            tasks = {each: group.create_task(one(given)) for each, given in wanted.items()}
        return {each: task.result() for each, task in tasks.items()}

    async def _read_coupon(self, coupon_id: str) -> Coupon | None:
        params = {"expand": ["applies_to", "currency_options"]}
        raw = await _retrieve(self._api.coupons.retrieve_async(coupon_id, params))
        return make_readable("coupon", coupon_id, make_coupon, raw)

    async def _read_lost_coupon(self, lost: tuple[Holder, Raw]) -> Coupon | None:
        """Find a deleted coupon: as it was read earlier, or as an object that still carries it shows it."""
        holder, discount = lost
        coupon_id = coupon_id_of(discount)
        earlier = [each for each in self._remembered.coupons if each.id == coupon_id]
        earlier = [each for each in earlier if each.created <= start_of(discount)]
        if earlier:
            return max(earlier, key=lambda each: each.created)
        shown = coupon_of(discount)
        for each in await self._read_discounts_of(holder):
            if coupon_id_of(each) == coupon_id and isinstance(coupon_of(each), dict):
                shown = coupon_of(each)
        return make_readable("coupon", str(coupon_id), make_coupon, shown) if isinstance(shown, dict) else None

    async def _read_discounts_of(self, holder: Holder) -> list[Any]:
        name = "discount" if holder.kind == "customers" else "discounts"
        path = f"{name}.source.coupon"
        params = {"expand": [f"{path}.applies_to", f"{path}.currency_options"]}
        try:
            raw = await _retrieve(getattr(self._api, holder.kind).retrieve_async(holder.id, params)) or {}
        except stripe.InvalidRequestError:
            return []
        found = raw.get(name) or []
        return found if isinstance(found, list) else [found]

    async def _read_price(self, wanted: tuple[str, set[str]]) -> PriceDetails | None:
        price_id, currencies = wanted
        expand = ["tiers"]
        if currencies:
            expand += ["currency_options", *(f"currency_options.{each}.tiers" for each in sorted(currencies))]
        raw = await _retrieve(self._api.prices.retrieve_async(price_id, {"expand": expand}))
        return make_readable("price", price_id, make_price_details, raw)

    async def _read_taxes(self, wanted: set[str]) -> dict[str, dict[str, Fraction]]:
        """Read from their last bills how much tax the prices of some subscriptions include."""
        if not wanted:
            return {}
        taxes: dict[str, dict[str, Fraction]] = {}
        params = {"status": "all", "limit": PAGE, "expand": ["data.latest_invoice"]}
        try:
            async for raw in pages(self._api.subscriptions.list_async(params)):
                if raw.get("id") in wanted:
                    taxes[raw["id"]] = make_readable("invoice", raw["id"], make_taxes, raw.get("latest_invoice")) or {}
        except (stripe.PermissionError, stripe.InvalidRequestError) as error:
            log.warning("finance.taxes_unread", error_message=type(error).__name__, subscriptions=len(wanted))
        return taxes

    async def _read_paid_until(self, raw: Raw, now: datetime) -> datetime | None:
        """Return until when, at the latest, an unpaid subscription was paid for."""
        params = {"subscription": raw["id"], "status": "paid", "limit": 1}
        try:
            page = (await self._api.invoices.list_async(params)).to_dict()
            ends = [moment(line["period"]["end"]) for bill in page["data"] for line in bill["lines"]["data"]]
        except stripe.PermissionError:
            return None
        except (stripe.InvalidRequestError, *MISSHAPEN):
            ends = []
        periods = [item["period_start"] for item in raw["items"] if item["period_start"] is not None]
        return min(now, max(ends or periods)) if ends or periods else None


async def pages(first: Awaitable[Any]) -> AsyncIterator[Raw]:
    """Walk a Stripe list to its end.

    Raises: StripeError, CallFailed; TypeError for anything but pages of at most the size that was asked for.
    """
    page = await first
    while True:
        if not isinstance(page, stripe.ListObject) or not isinstance(page.data, list) or len(page.data) > PAGE:
            raise TypeError("a list was expected")
        for each in page.data:
            yield each.to_dict()
        if not page.data or not page.has_more:
            return
        page = await page.next_page_async()


def remember(details: Details, stops: Mapping[str, datetime | None], now: datetime) -> Remembered:
    """Return what a later reading may no longer find."""
    coupons = [*(each for each in details.coupons.values() if each is not None), *details.given.values()]
    kept = sorted(stops.items(), key=lambda entry: (entry[1] is not None, entry[1] or now), reverse=True)
    return Remembered(read_at=now, coupons=tuple(coupons[-_REMEMBERED:]), stopped=dict(kept[:_REMEMBERED]))


async def _retrieve(call: Awaitable[Any]) -> Raw | None:
    """Read one object; return None if it is missing or deleted."""
    try:
        raw: Raw = (await call).to_dict()
    except stripe.InvalidRequestError as error:
        if error.http_status == httpx.codes.NOT_FOUND:
            return None
        raise
    return None if raw.get("deleted") else raw


def make_readable(what: str, name: str, make: Callable[[Any], T], raw: object) -> T | None:
    """Make one value; an odd one is logged, and treated as missing."""
    if raw is None:
        return None
    try:
        return make(raw)
    except MISSHAPEN as error:
        log.warning("finance.unreadable", object=what, id=name, error_message=type(error).__name__)
        return None
