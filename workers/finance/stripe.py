"""Stripe's accounts, read whole: every page, with a bound on time and memory, and one way to fail.

The vendor's own library knows the addresses, the paging and the errors; the calls go out by our one way to call
others (``outbound``), because the library neither bounds what it reads nor heeds how long a limit asks it to wait.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import httpx
import stripe
from pydantic import SecretStr, ValidationError

from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from shared.french import format_hour
from workers import outbound
from workers.finance.figures import month_start
from workers.finance.stripe_json import Raw, coupon_ids, make_coupon, make_subscription, slim, tiered_price_ids
from workers.finance.stripe_objects import Accounts, Coupon, Tier
from workers.outbound.rate_limit import RateLimitHold
from workers.ports import Clock
from workers.settings import StripeSettings

T = TypeVar("T")

_PAGE: Final = 100  # the most that Stripe gives
_CALL_DEADLINE: Final = timedelta(seconds=10)
_PAGE_BYTES: Final = 8 * 1024 * 1024
_MAX_SUBSCRIPTIONS: Final = 20_000  # all of them are held in memory while they are valued
_PARALLEL: Final = 4

# What customers paid, what went back to them, what their banks took back. Fees, payouts and transfers are none of it.
_REVENUE: Final = frozenset(
    {
        "charge",
        "payment",
        "refund",
        "payment_refund",
        "payment_failure_refund",
        "payment_reversal",
        "refund_failure",
        "adjustment",
    }
)

_REJECTED: Final = (
    "Stripe refuse la clé STRIPE_SECRET_KEY, ou cette lecture. "
    "Donnez à une clé restreinte la lecture des abonnements, clients, prix, coupons et transactions."
)
_UNAVAILABLE: Final = "Stripe ne répond pas pour le moment. Les chiffres reviendront d'eux-mêmes."
_UNREADABLE: Final = "Stripe a rendu une réponse illisible ; l'équipe technique doit la vérifier."
_ODD: Final = "Stripe a refusé la lecture des comptes ; l'équipe technique trouvera la raison dans les journaux."

# The nearest class counts; StripeError is the root of all of them.
ERRORS: Final[Mapping[type[stripe.StripeError], tuple[type[SourceError], str]]] = {
    stripe.AuthenticationError: (SourceRejected, _REJECTED),
    stripe.PermissionError: (SourceRejected, _REJECTED),
    stripe.APIConnectionError: (SourceUnavailable, _UNAVAILABLE),
    stripe.APIError: (SourceUnavailable, _UNAVAILABLE),
    stripe.RateLimitError: (SourceUnavailable, _UNAVAILABLE),
    stripe.StripeError: (SourceRejected, _ODD),
}

# What comes of JSON that is not what it should be, in the library's hands and in ours.
_MISSHAPEN: Final = (ValidationError, KeyError, TypeError, AttributeError)


@dataclass
class _Counted:
    """What the customers' pages come down to."""

    customers: int = 0
    new: int = 0
    discounts: dict[str, Raw] = field(default_factory=dict)


class StripeReader:
    """Reads the accounts.

    Cost: a request per hundred subscriptions, customers and transactions of two months, and one for each distinct
    coupon and tiered price. Concurrency: a limit met once holds back every further call until its end.
    Source: Stripe API v1, /subscriptions /customers /balance_transactions /coupons /prices /subscription_items.
    """

    def __init__(self, http: httpx.AsyncClient, settings: StripeSettings, *, clock: Clock) -> None:
        self._clock = clock
        self._hold = RateLimitHold(clock)
        self._places = asyncio.Semaphore(_PARALLEL)
        self._client = None if settings.key is None else _open_client(http, settings, settings.key, clock)

    @property
    def configured(self) -> bool:
        """Whether there is a key."""
        return self._client is not None

    async def read(self) -> Accounts:
        """Read everything, the three long lists at the same time.

        Raises: SourceNotConfigured, SourceUnavailable (worth retrying), SourceRejected.
        """
        if self._client is None:
            raise SourceNotConfigured(
                "STRIPE_SECRET_KEY is not set",
                sentence="Stripe n'est pas configuré : la clé STRIPE_SECRET_KEY manque. "
                "Renseignez-la pour afficher les chiffres réels.",
            )
        if (end := self._hold.find_end()) is not None:
            raise _limited(end)
        with self._translated():
            return await self._read(self._client.v1, self._clock.now())

    async def _read(self, api: Any, now: datetime) -> Accounts:  # noqa: ANN401 - the library's services
        async with asyncio.TaskGroup() as group:
            subscribing = group.create_task(self._read_subscriptions(api))
            counting = group.create_task(_count_customers(api, month_start(now)))
            summing = group.create_task(_sum_revenue(api, month_start(now, 1), month_start(now)))
        raws, counted, (this_month, last_month) = subscribing.result(), counting.result(), summing.result()
        for raw in raws:
            # A customer's own discount works where the subscription has none.
            if not raw["discounts"] and (own := counted.discounts.get(raw["customer"])):
                raw["discounts"] = [own]
        coupons = await self._read_each(coupon_ids(raws), lambda each: _read_coupon(api, each))
        tiers = await self._read_each(tiered_price_ids(raws), lambda each: _read_tiers(api, each))
        return Accounts(
            read_at=now,
            subscriptions=tuple(make_subscription(raw, coupons, tiers) for raw in raws),
            customers=counted.customers,
            new_customers=counted.new,
            revenue_this_month=dict(this_month),
            revenue_last_month=dict(last_month),
        )

    async def _read_subscriptions(self, api: Any) -> list[Raw]:  # noqa: ANN401
        params = {"status": "all", "limit": _PAGE, "expand": ["data.discounts", "data.items.data.discounts"]}
        raws: list[Raw] = []
        async for raw in _pages(api.subscriptions.list_async(params)):
            if raw["items"]["has_more"]:
                query = {"subscription": raw["id"], "limit": _PAGE, "expand": ["data.discounts"]}
                raw["items"]["data"] = [item async for item in _pages(api.subscription_items.list_async(query))]
            raws.append(slim(raw))
            if len(raws) > _MAX_SUBSCRIPTIONS:
                raise SourceRejected(f"more than {_MAX_SUBSCRIPTIONS} subscriptions", sentence=_ODD)
        return raws

    async def _read_each(self, ids: Iterable[str], read: Callable[[str], Awaitable[T]]) -> dict[str, T]:
        async def one(each: str) -> T:
            async with self._places:
                return await read(each)

        wanted = sorted(set(ids))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in wanted]
        return {each: task.result() for each, task in zip(wanted, tasks, strict=True)}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate whatever the library or a call raises, and remember a limit."""
        try:
            yield
        except ExceptionGroup as group:
            raise self._translate(_first(group)) from group
        except (stripe.StripeError, outbound.CallFailed, *_MISSHAPEN) as error:
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> Exception:
        if isinstance(error, stripe.RateLimitError):
            wait = outbound.parse_retry_after(error.headers or {}, self._clock.now())
            return _limited(self._hold.hold_for(wait))
        if isinstance(error, stripe.StripeError):
            kind, sentence = next(ERRORS[known] for known in type(error).__mro__ if known in ERRORS)
            return kind(f"Stripe answered {error.http_status}: {type(error).__name__}", sentence=sentence)
        if isinstance(error, outbound.CallFailed):
            return SourceUnavailable(str(error), sentence=_UNAVAILABLE)
        if isinstance(error, _MISSHAPEN):
            message = f"Stripe's answer has another shape than expected ({type(error).__name__})"
            return SourceUnavailable(message, sentence=_UNREADABLE)
        return error


class _Outbound(stripe.HTTPClient):
    """The library's way out: ours, with its deadline, its bound and its tries."""

    name = "outbound"

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        super().__init__()
        self._http = http
        self._clock = clock

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,  # noqa: ANN401 - the library's; a reading has none
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request. Raises: CallFailed."""
        assert method.upper() == "GET"
        assert not post_data
        reply = await outbound.get(
            self._http, url, within=_CALL_DEADLINE, clock=self._clock, max_bytes=_PAGE_BYTES, headers=headers
        )
        if reply.cut:
            raise outbound.CallFailed("a page of Stripe is too big", fault=outbound.Fault.GARBLED)
        return reply.body, reply.status, reply.headers


def _open_client(
    http: httpx.AsyncClient, settings: StripeSettings, key: SecretStr, clock: Clock
) -> stripe.StripeClient:
    return stripe.StripeClient(
        key.get_secret_value(),
        base_addresses={"api": str(settings.base_url).rstrip("/")},
        http_client=_Outbound(http, clock),
        max_network_retries=0,  # `outbound` tries again, within its deadline
    )


async def _pages(first: Awaitable[Any]) -> AsyncIterator[Raw]:
    page = await first
    if not isinstance(page, stripe.ListObject) or not isinstance(page.data, list):
        raise TypeError("a list was expected")
    async for each in page.auto_paging_iter():
        yield each.to_dict()


async def _count_customers(api: Any, this_month: datetime) -> _Counted:  # noqa: ANN401
    counted = _Counted()
    async for customer in _pages(api.customers.list_async({"limit": _PAGE})):
        counted.customers += 1
        counted.new += customer["created"] >= this_month.timestamp()
        if discount := customer.get("discount"):
            counted.discounts[customer["id"]] = discount
    return counted


async def _sum_revenue(api: Any, since: datetime, this_month: datetime) -> tuple[Counter[str], Counter[str]]:  # noqa: ANN401
    """Sum what came in and what went back, of this month and of the last, by currency."""
    this, last = Counter[str](), Counter[str]()
    params = {"limit": _PAGE, "created": {"gte": int(since.timestamp())}}
    async for transaction in _pages(api.balance_transactions.list_async(params)):
        if transaction["type"] in _REVENUE:
            month = this if transaction["created"] >= this_month.timestamp() else last
            month[transaction["currency"]] += transaction["amount"]
    return this, last


async def _read_coupon(api: Any, coupon_id: str) -> Coupon | None:  # noqa: ANN401
    """Read a coupon; one that was deleted still works where it was given, and cannot be read any more."""
    try:
        raw = (await api.coupons.retrieve_async(coupon_id, {"expand": ["applies_to"]})).to_dict()
    except stripe.InvalidRequestError as error:
        if error.http_status == httpx.codes.NOT_FOUND:
            return None
        raise
    return make_coupon(raw)


async def _read_tiers(api: Any, price_id: str) -> tuple[Tier, ...]:  # noqa: ANN401
    raw = (await api.prices.retrieve_async(price_id, {"expand": ["tiers"]})).to_dict()
    return tuple(Tier.model_validate(tier) for tier in raw.get("tiers") or ())


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Find the failure that ended the others."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def _limited(end: datetime) -> SourceUnavailable:
    return SourceUnavailable(
        f"Stripe's limit is reached until {end.isoformat()}",
        sentence=f"La limite d'appels de Stripe est atteinte ; nouvelle lecture après {format_hour(end)}.",
    )
