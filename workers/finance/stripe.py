"""Stripe's accounts, read whole: every page, with a bound on time and memory, and one way to fail.

The vendor's own library knows the addresses, the paging and the errors; the calls go through our own HTTP module
(``outbound``), because the library neither bounds what it reads nor respects how long a limit asks it to wait.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import httpx
import stripe
from pydantic import SecretStr

from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from shared.french import format_hour
from workers import outbound
from workers.finance.figures import month_before, month_start
from workers.finance.stripe_details import MISSHAPEN, PAGE, DetailReader, make_readable, pages, remember
from workers.finance.stripe_json import Holder, Raw, make_subscription, slim, weigh
from workers.finance.stripe_objects import Accounts, Remembered, Subscription
from workers.outbound.rate_limit import RateLimitHold
from workers.ports import Clock
from workers.settings import StripeSettings

T = TypeVar("T")

_CALL_DEADLINE: Final = timedelta(seconds=10)
_PAGE_BYTES: Final = 2 * 1024 * 1024
# The library makes of each object one of 1.6 kB in 30 µs, and looks at each value for 7. A hundred subscriptions have
# six hundred objects and nine thousand marks, and as many more for each further item.
_PAGE_OBJECTS: Final = 8_000
_PAGE_MARKS: Final = 60_000
_SERVICES: Final = frozenset(
    {"subscriptions", "subscription_items", "customers", "balance_transactions", "coupons", "prices", "invoices"}
)
_KINDS: Final = frozenset(
    {"subscription", "subscription_item", "price", "plan", "coupon", "discount", "customer", "balance_transaction"}
)
_NAME_CHARS: Final = 64
_NAMED: Final = 20
_MAX_SUBSCRIPTIONS: Final = 20_000
_MOST_KEPT: Final = 28 * 1024 * 1024  # all that is kept is in memory while it is valued; of an ordinary one, 4 kB

_REFUNDS: Final = frozenset({"refund", "payment_refund", "payment_failure_refund", "refund_failure"})
"""What was given back, and what of that came home again."""

# What customers paid, what was refunded, what their banks took back. Fees, payouts and transfers are not revenue.
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
    "Donnez à une clé restreinte la lecture des abonnements, clients, prix, coupons, factures et transactions."
)
_UNAVAILABLE: Final = "Stripe ne répond pas pour le moment. Les chiffres reviendront d'eux-mêmes."
_UNREADABLE: Final = "Stripe a rendu une réponse illisible ; l'équipe technique doit la vérifier."
_TOO_MUCH: Final = (
    "Stripe compte plus d'abonnements que le QG ne peut en lire à la fois ; "
    "l'équipe technique doit l'adapter à la taille de l'entreprise."
)
_ODD: Final = "Stripe a refusé la lecture des comptes ; l'équipe technique trouvera la raison dans les journaux."

# The nearest class counts; StripeError is the base of all of them.
ERRORS: Final[Mapping[type[stripe.StripeError], tuple[type[SourceError], str]]] = {
    stripe.AuthenticationError: (SourceRejected, _REJECTED),
    stripe.PermissionError: (SourceRejected, _REJECTED),
    stripe.APIConnectionError: (SourceUnavailable, _UNAVAILABLE),
    stripe.APIError: (SourceUnavailable, _UNAVAILABLE),
    stripe.RateLimitError: (SourceUnavailable, _UNAVAILABLE),
    stripe.StripeError: (SourceRejected, _ODD),
}


@dataclass
class _Counted:
    """What is counted over the pages of customers."""

    customers: int = 0
    new: int = 0
    discounts: dict[str, Raw] = field(default_factory=dict)


@dataclass
class _Revenue:
    """What came in less what went back, in the smallest unit, by currency."""

    this_month: Counter[str] = field(default_factory=Counter)
    last_month: Counter[str] = field(default_factory=Counter)
    same_days: Counter[str] = field(default_factory=Counter)
    refunds: Counter[str] = field(default_factory=Counter)


class StripeReader:
    """Reads the accounts.

    Cost: a request per hundred subscriptions, customers and transactions of two months, and those of the details.
    Concurrency: a limit met once holds back every further call until it ends.
    Source: Stripe API v1, /subscriptions /customers /balance_transactions /coupons /prices /subscription_items
    /invoices.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: StripeSettings,
        *,
        clock: Clock,
        max_subscriptions: int = _MAX_SUBSCRIPTIONS,
    ) -> None:
        self._max_subscriptions = max_subscriptions
        self._clock = clock
        self._hold = RateLimitHold(clock)
        self._client = None if settings.key is None else _open_client(http, settings, settings.key, clock)

    @property
    def configured(self) -> bool:
        """Return whether there is a key."""
        return self._client is not None

    async def read(self, remembered: Remembered | None = None) -> Accounts:
        """Read everything, the three long lists at the same time, with the help of what an earlier reading found.

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
            return await self._read(self._client.v1, self._clock.now(), remembered or Remembered())

    async def _read(self, api: Any, now: datetime, remembered: Remembered) -> Accounts:  # noqa: ANN401 - the library's
        odd = _Odd()
        async with asyncio.TaskGroup() as group:
            subscribing = group.create_task(self._read_subscriptions(api, odd))
            counting = group.create_task(_count_customers(api, month_start(now), odd))
            summing = group.create_task(_sum_revenue(api, now, odd))
        raws, counted, revenue = subscribing.result(), counting.result(), summing.result()
        for raw in raws:
            # A customer's own discount applies where the subscription has none.
            if not raw["discounts"] and (own := counted.discounts.get(raw["customer"])):
                raw["discounts"], raw["discounted"] = [own], Holder("customers", raw["customer"])
        reader = DetailReader(api, remembered)
        details = await reader.read(raws)
        stops = await reader.find_stops(raws, now)

        def make(raw: Raw) -> Subscription:
            made = make_subscription(raw, details)
            return made.model_copy(update={"stopped_at": stops.get(made.id)})

        made = [odd.keep("value", raw, make) for raw in raws]
        return Accounts(
            read_at=now,
            subscriptions=tuple(each for each in made if each is not None),
            customers=counted.customers,
            new_customers=counted.new,
            revenue_this_month=dict(revenue.this_month),
            revenue_last_month=dict(revenue.last_month),
            revenue_same_days=dict(revenue.same_days),
            refunds_this_month=dict(revenue.refunds),
            remembered=remember(details, stops, now),
            unreadable=odd.names(),
        )

    async def _read_subscriptions(self, api: Any, odd: "_Odd") -> list[Raw]:  # noqa: ANN401
        expand = ["data.discounts", "data.discounts.source.coupon", "data.items.data.discounts"]
        raws: list[Raw] = []
        async for raw in pages(api.subscriptions.list_async({"status": "all", "limit": PAGE, "expand": expand})):
            if (kept := odd.keep("subscription", raw, slim)) is None:
                continue
            if raw["items"].get("has_more"):
                query = {"subscription": raw["id"], "limit": PAGE, "expand": ["data.discounts"]}
                raw["items"]["data"] = [item async for item in pages(api.subscription_items.list_async(query))]
                kept = odd.keep("subscription", raw, slim)
            odd.hold(kept)
            raws += [] if kept is None else [kept]
            if len(raws) > self._max_subscriptions:
                raise SourceRejected(f"more than {self._max_subscriptions} subscriptions", sentence=_TOO_MUCH)
        return raws

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate whatever the library or a call raises, and remember a limit."""
        try:
            yield
        except ExceptionGroup as group:
            translated = self._translate(_first(group))
        except (stripe.StripeError, outbound.CallFailed, *MISSHAPEN) as error:
            translated = self._translate(error)
        else:
            return
        # Not inside the handlers: the library's error holds the page, and is held as long as ours.
        raise translated

    def _translate(self, error: Exception) -> Exception:
        if isinstance(error, stripe.RateLimitError):
            wait = outbound.parse_retry_after(error.headers or {}, self._clock.now())
            return _limited(self._hold.hold_for(wait))
        if isinstance(error, stripe.StripeError):
            kind, sentence = next(ERRORS[known] for known in type(error).__mro__ if known in ERRORS)
            return kind(f"Stripe answered {error.http_status}: {type(error).__name__}", sentence=sentence)
        if isinstance(error, outbound.CallFailed):
            return SourceUnavailable(str(error), sentence=_UNAVAILABLE)
        if isinstance(error, MISSHAPEN):
            message = f"Stripe's answer has another shape than expected ({type(error).__name__})"
            return SourceUnavailable(message, sentence=_UNREADABLE)
        return error


class _Outbound(stripe.HTTPClient):
    """The library's HTTP client: ours, with its deadline, its bound and its retries."""

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
        reply.require_modest(most_marks=_PAGE_MARKS, most_objects=_PAGE_OBJECTS)
        return reply.body, reply.status, reply.headers


def _open_client(
    http: httpx.AsyncClient, settings: StripeSettings, key: SecretStr, clock: Clock
) -> stripe.StripeClient:
    client = stripe.StripeClient(
        key.get_secret_value(),
        base_addresses={"api": str(settings.base_url).rstrip("/")},
        http_client=_Outbound(http, clock),
        max_network_retries=0,  # `outbound` retries, within its deadline
    )
    # The library imports a hundred modules at the first use of each: in the middle of a reading they would hold up
    # everybody, and stay in memory between the objects of a page.
    for service in _SERVICES:
        getattr(client.v1, service)
    stripe.ListObject.construct_from({"object": "list", "data": [{"object": kind} for kind in _KINDS]}, None)
    return client


@dataclass
class _Odd:
    """The objects that cannot be read: each is left out and named, unless nothing else came."""

    found: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    read: Counter[str] = field(default_factory=Counter)
    held: int = 0

    def hold(self, kept: Raw | None) -> None:
        """Count what is kept until everything has been read. Raises: SourceRejected if it is too much."""
        self.held += 0 if kept is None else weigh(kept)
        if self.held > _MOST_KEPT:
            raise SourceRejected(f"more than {_MOST_KEPT} bytes to keep", sentence=_TOO_MUCH)

    def keep(self, what: str, raw: Raw, make: Callable[[Raw], T]) -> T | None:
        """Make a value from one object, or return None for an odd one; its errors are not raised."""
        name = str(raw.get("id"))[:_NAME_CHARS]
        made = make_readable(what, name, make, raw)
        if made is None:
            self.found[what] = [*self.found[what], name][:_NAMED]
        else:
            self.read[what] += 1
        return made

    def names(self) -> tuple[str, ...]:
        """Name what was left out. Raises: TypeError if nothing of a kind could be read: the shape has changed."""
        if unread := [what for what in self.found if not self.read[what]]:
            raise TypeError(f"no {unread[0]} could be read")
        return tuple(name for names in self.found.values() for name in names)[:_NAMED]


async def _count_customers(api: Any, this_month: datetime, odd: _Odd) -> _Counted:  # noqa: ANN401
    counted = _Counted()

    def count(customer: Raw) -> bool:
        is_new: bool = customer["created"] >= this_month.timestamp()
        return is_new

    async for customer in pages(api.customers.list_async({"limit": PAGE})):
        if (is_new := odd.keep("customer", customer, count)) is None:
            continue
        counted.customers += 1
        counted.new += is_new
        if discount := customer.get("discount"):
            counted.discounts[customer["id"]] = discount
            odd.hold(discount)
    return counted


async def _sum_revenue(api: Any, now: datetime, odd: _Odd) -> _Revenue:  # noqa: ANN401
    """Sum what came in and what went back, this month and last month, by currency."""
    sums = _Revenue()
    this_month, same_moment = month_start(now).timestamp(), month_before(now).timestamp()

    def add(transaction: Raw) -> bool:
        kind, created = transaction["type"], transaction["created"]
        if kind in _REVENUE:
            currency, amount = transaction["currency"], transaction["amount"]
            month = sums.this_month if created >= this_month else sums.last_month
            month[currency] += amount
            if created < min(same_moment, this_month):
                sums.same_days[currency] += amount
            if kind in _REFUNDS and created >= this_month:
                sums.refunds[currency] -= amount
        return True

    params = {"limit": PAGE, "created": {"gte": int(month_start(now, 1).timestamp())}}
    async for transaction in pages(api.balance_transactions.list_async(params)):
        odd.keep("transaction", transaction, add)
    return sums


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Find the failure that ended the others."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def _limited(end: datetime) -> SourceUnavailable:
    return SourceUnavailable(
        f"Stripe's limit is reached until {end.isoformat()}",
        sentence=f"La limite d'appels de Stripe est atteinte ; nouvelle lecture après {format_hour(end)}.",
    )
