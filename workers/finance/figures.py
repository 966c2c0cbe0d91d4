"""From Stripe's accounts to the figures that are shown: pure, exact, each with the rule it follows beside it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Final

from pydantic import AwareDatetime

from shared.frozen import FrozenModel
from shared.registry import TIME_ZONE
from workers.finance.mrr import NotComputableError, to_major, value_subscription
from workers.finance.stripe_objects import Accounts, Subscription
from workers.ports import FinanceSnapshot

WINDOW: Final = timedelta(days=30)
HISTORY: Final = timedelta(days=60)

_HOME: Final = "eur"
_PLANS: Final = 12
_HUNDREDTH: Final = Decimal("0.01")
_DAY: Final = timedelta(days=1)


class OtherCurrency(FrozenModel):
    """What comes in another currency than the main one: shown beside it, never added."""

    currency: str
    mrr: Decimal
    revenue_this_month: Decimal
    revenue_last_month: Decimal


class Plan(FrozenModel):
    """A price that people pay, and how many subscriptions hold it. No amount: it depends on the quantity."""

    name: str | None
    currency: str
    amount: Decimal | None
    interval: str
    interval_count: int
    subscriptions: int


class Figures(FrozenModel):
    """What the company earns. Money in ``currency``; changes against thirty days ago."""

    read_at: AwareDatetime
    currency: str
    mrr: Decimal
    mrr_change_percent: Decimal
    mrr_past_due: Decimal
    active_subscriptions: int
    active_subscriptions_change: int
    churn_rate: Decimal
    churn_rate_change: Decimal
    customers: int
    new_customers_this_month: int
    revenue_this_month: Decimal
    revenue_last_month: Decimal
    other_currencies: tuple[OtherCurrency, ...] = ()
    plans: tuple[Plan, ...] = ()
    not_computable: int = 0
    trialing: int = 0


@dataclass(frozen=True)
class _PaidPeriod:
    """A time without interruption in which a customer paid for something."""

    begin: datetime
    end: datetime | None


class RevenueReport:
    """The figures of one look at Stripe, of that moment and of the days before."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._now = accounts.read_at
        self._values: dict[str, Fraction | None] = {each.id: self._value(each) for each in accounts.subscriptions}

    def compute_figures(self, before: FinanceSnapshot) -> Figures:
        """Compute every figure, compared with what was known of a day before."""
        currency = self.currency
        mrr = self._mrr(currency, self._paying)
        active = len(self._paying)
        churn = self._churn_rate(self._now)
        comparable = before.currency == currency and before.mrr > 0
        change = (mrr - before.mrr) / before.mrr * 100 if comparable else Decimal(0)
        return Figures(
            read_at=self._now,
            currency=currency,
            mrr=mrr,
            mrr_change_percent=change.quantize(_HUNDREDTH),
            mrr_past_due=self._mrr(currency, [each for each in self._paying if each.status == "past_due"]),
            active_subscriptions=active,
            active_subscriptions_change=active - before.active_subscriptions,
            churn_rate=churn,
            churn_rate_change=churn - before.churn_rate,
            customers=self._accounts.customers,
            new_customers_this_month=self._accounts.new_customers,
            revenue_this_month=to_major(self._accounts.revenue_this_month.get(currency, 0), currency),
            revenue_last_month=to_major(self._accounts.revenue_last_month.get(currency, 0), currency),
            other_currencies=tuple(self._compute_currency(other) for other in sorted(self._currencies - {currency})),
            plans=self._rank_plans(),
            not_computable=sum(self._values[each.id] is None for each in self._paying),
            trialing=sum(each.status == "trialing" for each in self._accounts.subscriptions),
        )

    def reconstruct(self, day: date) -> FinanceSnapshot:
        """Say what a past day ended with, as far as today's subscriptions know: their prices are those of today."""
        end = day_end(day)
        paying = [each for each in self._accounts.subscriptions if each.paid_at(end)]
        return FinanceSnapshot(
            day=day,
            taken_at=end,
            measured=False,
            currency=self.currency,
            mrr=self._mrr(self.currency, paying),
            active_subscriptions=len(paying),
            churn_rate=self._churn_rate(end),
        )

    @cached_property
    def currency(self) -> str:
        """Choose the main currency: the euro if anybody pays in it, else the one that most subscriptions are in."""
        paid = Counter(each.currency for each in self._paying if self._values[each.id] != 0)
        used = paid or Counter(dict.fromkeys(self._currencies, 1))
        if not used or _HOME in used:
            return _HOME
        return min(used, key=lambda each: (-used[each], each))

    @cached_property
    def _paying(self) -> list[Subscription]:
        return [each for each in self._accounts.subscriptions if each.pays]

    @cached_property
    def _currencies(self) -> set[str]:
        received = self._accounts.revenue_this_month.keys() | self._accounts.revenue_last_month.keys()
        return {each.currency for each in self._paying if self._values[each.id]} | received

    def _value(self, subscription: Subscription) -> Fraction | None:
        """Value a subscription as of now, or of the moment before it ended; None: it cannot be computed."""
        ended = subscription.ended_at
        try:
            return value_subscription(subscription, self._now if ended is None else ended - timedelta(seconds=1))
        except NotComputableError:
            return None

    def _mrr(self, currency: str, subscriptions: Iterable[Subscription]) -> Decimal:
        values = (self._values[each.id] or Fraction(0) for each in subscriptions if each.currency == currency)
        return to_major(sum(values, Fraction(0)), currency)

    def _compute_currency(self, currency: str) -> OtherCurrency:
        return OtherCurrency(
            currency=currency,
            mrr=self._mrr(currency, self._paying),
            revenue_this_month=to_major(self._accounts.revenue_this_month.get(currency, 0), currency),
            revenue_last_month=to_major(self._accounts.revenue_last_month.get(currency, 0), currency),
        )

    def _rank_plans(self) -> tuple[Plan, ...]:
        """Return the prices that most subscriptions hold, most held first."""
        held = Counter(price for each in self._paying for price in {item.price for item in each.items})
        return tuple(
            Plan(
                name=price.nickname,
                currency=price.currency,
                amount=None if amount is None else to_major(Fraction(amount), price.currency),
                interval=price.recurring.interval,
                interval_count=price.recurring.interval_count,
                subscriptions=count,
            )
            for price, count in sorted(held.items(), key=lambda entry: (-entry[1], entry[0].id))[:_PLANS]
            if price.recurring is not None
            for amount in [price.unit_amount_decimal]
        )

    @cached_property
    def _paid_periods(self) -> list[_PaidPeriod]:
        """Join each customer's subscriptions to the times in which they paid for at least one."""
        of_customer: defaultdict[str, list[Subscription]] = defaultdict(list)
        for each in self._accounts.subscriptions:
            # What costs nothing makes no subscriber; what cannot be valued still does.
            if self._values[each.id] != 0 and (each.pays or each.status == "canceled"):
                of_customer[each.customer].append(each)
        return [period for subscriptions in of_customer.values() for period in _join(subscriptions)]

    def _churn_rate(self, end: datetime) -> Decimal:
        """Divide those who left in thirty days by those who were there before or came meanwhile."""
        begin = end - WINDOW
        before = sum(each.begin <= begin and (each.end is None or begin < each.end) for each in self._paid_periods)
        came = sum(begin < each.begin <= end for each in self._paid_periods)
        left = sum(each.end is not None and begin < each.end <= end for each in self._paid_periods)
        if before + came == 0:
            return Decimal(0).quantize(_HUNDREDTH)
        return (Decimal(left) / (before + came) * 100).quantize(_HUNDREDTH)


def day_of(instant: datetime) -> date:
    """Return the day in Paris."""
    return instant.astimezone(TIME_ZONE).date()


def day_end(day: date) -> datetime:
    """Return the moment at which a day of Paris is over."""
    return datetime.combine(day + _DAY, time(), TIME_ZONE)


def month_start(instant: datetime, months_back: int = 0) -> datetime:
    """Return the moment at which a month of Paris began."""
    today = day_of(instant)
    year, month = divmod(today.year * 12 + today.month - 1 - months_back, 12)
    return datetime(year, month + 1, 1, tzinfo=TIME_ZONE)


def missing_days(known: Mapping[date, FinanceSnapshot], today: date) -> Iterable[date]:
    """Name the days of the history of which nothing is known yet, newest first."""
    days = (today - timedelta(days=back) for back in range(1, HISTORY.days + 1))
    return (day for day in days if day not in known)


def _join(subscriptions: Sequence[Subscription]) -> Iterable[_PaidPeriod]:
    period: _PaidPeriod | None = None
    for each in sorted(subscriptions, key=lambda each: each.pays_from):
        begin, end = each.pays_from, each.ended_at
        if end is not None and end <= begin:
            continue  # it ended with its trial
        if period is not None and (period.end is None or begin <= period.end):
            period = _PaidPeriod(period.begin, None if period.end is None or end is None else max(period.end, end))
            continue
        if period is not None:
            yield period
        period = _PaidPeriod(begin, end)
    if period is not None:
        yield period
