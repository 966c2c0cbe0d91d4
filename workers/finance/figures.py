"""From Stripe's accounts to the figures that are shown: pure, exact, each with the rule it follows beside it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Final

from pydantic import AwareDatetime, Field

from shared.frozen import FrozenModel
from shared.registry import TIME_ZONE
from workers.finance.currencies import choose_main, to_major
from workers.finance.movement import measure_movement
from workers.finance.stripe_objects import Accounts, Remembered
from workers.finance.timeline import PaidPeriod, Timeline, join_periods
from workers.ports import FinanceSnapshot

WINDOW: Final = timedelta(days=30)
HISTORY: Final = timedelta(days=60)

# The version of the rules; figures made by another version are not compared with. Increment it when a rule changes.
RULES: Final = 2

# Why a change or a rate is absent, as shown to a reader.
NO_CHANGE: Final = (
    "Pas d'évolution en pourcentage : il n'y avait aucun revenu récurrent dans cette devise il y a 30 jours."
)
NO_CHURN: Final = "Pas de taux d'attrition : aucun abonné payant sur la période."

_PLANS: Final = 12
_HUNDREDTH: Final = Decimal("0.01")
_DAY: Final = timedelta(days=1)


class OtherCurrency(FrozenModel):
    """What is earned in a currency other than the main one: shown beside it, never added."""

    currency: str
    mrr: Decimal
    revenue_this_month: Decimal
    revenue_last_month: Decimal


class Plan(FrozenModel):
    """A price that people pay, and how many subscriptions have it. No amount means that it depends on the quantity."""

    name: str | None
    currency: str
    amount: Decimal | None
    interval: str
    interval_count: int
    subscriptions: int


class Figures(FrozenModel):
    """What the company earns. Money in ``currency``, without tax where it recurs; changes since thirty days ago.

    A change in percent, or a rate, is absent where its base is zero; what earlier versions did not compute is absent
    from the figures that they stored.
    """

    read_at: AwareDatetime
    currency: str
    mrr: Decimal
    mrr_change_percent: Decimal | None
    mrr_past_due: Decimal
    mrr_before: Decimal | None = None
    mrr_new: Decimal | None = Field(None, description="Of customers who brought nothing thirty days ago.")
    mrr_expanded: Decimal | None = None
    mrr_contracted: Decimal | None = None
    mrr_lost: Decimal | None = Field(None, description="Of customers who bring nothing any more.")
    active_subscriptions: int
    active_subscriptions_change: int
    churn_rate: Decimal | None
    churn_rate_change: Decimal | None
    churned: int | None = Field(None, description="How many customers left in thirty days.")
    customers: int
    new_customers_this_month: int
    revenue_this_month: Decimal
    revenue_last_month: Decimal
    revenue_same_days: Decimal | None = Field(None, description="Of last month, up to this day and hour.")
    refunds_this_month: Decimal | None = None
    other_currencies: tuple[OtherCurrency, ...] = ()
    plans: tuple[Plan, ...] = ()
    not_computable: int = 0
    trialing: int = 0
    unreadable: tuple[str, ...] = ()
    remembered: Remembered = Remembered()
    rules: int = 1


class RevenueReport:
    """The figures of one reading of Stripe, for that moment and for the days before."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._now = accounts.read_at
        self._timelines = [Timeline(each) for each in accounts.subscriptions]
        self._paying = [each for each in self._timelines if each.subscription.pays]

    def compute_figures(self, before: FinanceSnapshot) -> Figures:
        """Compute every figure, compared with what is known about an earlier day."""
        currency = self.currency
        mrr = self._mrr(currency, self._paying, self._now)
        late = [each for each in self._paying if each.subscription.status == "past_due"]
        active = len(self._paying)
        churn = self._churn_rate(self._now)
        moved = measure_movement(self._timelines, currency, day_end(day_of(self._now) - WINDOW), self._now)
        comparable = before.currency == currency and before.mrr > 0
        change = (mrr - before.mrr) / before.mrr * 100 if comparable else None
        return Figures(
            read_at=self._now,
            currency=currency,
            mrr=mrr,
            mrr_change_percent=None if change is None else change.quantize(_HUNDREDTH),
            mrr_past_due=self._mrr(currency, late, self._now),
            mrr_before=before.mrr if before.currency == currency else None,
            mrr_new=to_major(moved.new, currency),
            mrr_expanded=to_major(moved.expanded, currency),
            mrr_contracted=to_major(moved.contracted, currency),
            mrr_lost=to_major(moved.lost, currency),
            active_subscriptions=active,
            active_subscriptions_change=active - before.active_subscriptions,
            churn_rate=churn,
            churn_rate_change=None if churn is None else churn - before.churn_rate,
            churned=self._count_leavers(self._now),
            customers=self._accounts.customers,
            new_customers_this_month=self._accounts.new_customers,
            revenue_this_month=to_major(self._accounts.revenue_this_month.get(currency, 0), currency),
            revenue_last_month=to_major(self._accounts.revenue_last_month.get(currency, 0), currency),
            revenue_same_days=_amount(self._accounts.revenue_same_days, currency),
            refunds_this_month=_amount(self._accounts.refunds_this_month, currency),
            other_currencies=tuple(self._compute_currency(other) for other in sorted(self._currencies - {currency})),
            plans=self._rank_plans(),
            not_computable=sum(each.value_at(self._now) is None for each in self._paying),
            trialing=sum(each.status == "trialing" for each in self._accounts.subscriptions),
            unreadable=self._accounts.unreadable,
            remembered=self._accounts.remembered,
            rules=RULES,
        )

    def reconstruct(self, day: date) -> FinanceSnapshot:
        """Compute the figures at the end of a past day, at its own discounts, as far as today's subscriptions show.

        Prices, quantities and taxes are those of today.
        """
        end = day_end(day)
        paying = [each for each in self._timelines if each.subscription.paid_at(end)]
        return FinanceSnapshot(
            day=day,
            taken_at=end,
            measured=False,
            currency=self.currency,
            mrr=self._mrr(self.currency, paying, end),
            active_subscriptions=len(paying),
            churn_rate=self._churn_rate(end) or Decimal(0),
        )

    @cached_property
    def currency(self) -> str:
        """Choose the main currency: the one that earns the most, by subscriptions or, without any, by what came in."""
        worth: defaultdict[str, Fraction] = defaultdict(Fraction)
        for each in self._paying:
            worth[each.subscription.currency] += each.value_at(self._now) or 0
        if not any(worth.values()):
            for received in (self._accounts.revenue_this_month, self._accounts.revenue_last_month):
                for currency, amount in received.items():
                    worth[currency] += amount
        return choose_main(worth)

    @cached_property
    def _currencies(self) -> set[str]:
        received = self._accounts.revenue_this_month.keys() | self._accounts.revenue_last_month.keys()
        return {each.subscription.currency for each in self._paying if each.value_at(self._now)} | received

    def _mrr(self, currency: str, timelines: Iterable[Timeline], at: datetime) -> Decimal:
        of_currency = (each for each in timelines if each.subscription.currency == currency)
        return to_major(sum((each.value_at(at) or Fraction(0) for each in of_currency), Fraction(0)), currency)

    def _compute_currency(self, currency: str) -> OtherCurrency:
        return OtherCurrency(
            currency=currency,
            mrr=self._mrr(currency, self._paying, self._now),
            revenue_this_month=to_major(self._accounts.revenue_this_month.get(currency, 0), currency),
            revenue_last_month=to_major(self._accounts.revenue_last_month.get(currency, 0), currency),
        )

    def _rank_plans(self) -> tuple[Plan, ...]:
        """Return the prices with the most subscriptions, the most common first."""
        held = Counter(price for each in self._paying for price in {item.price for item in each.subscription.items})
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
    def _paid_periods(self) -> list[PaidPeriod]:
        """Merge each customer's subscriptions into the periods in which they paid for at least one."""
        of_customer: defaultdict[str, list[Timeline]] = defaultdict(list)
        for each in self._timelines:
            of_customer[each.subscription.customer].append(each)
        return [period for timelines in of_customer.values() for period in join_periods(timelines)]

    def _churn_rate(self, end: datetime) -> Decimal | None:
        """Divide those who left in thirty days by those who were there before or came since; None without any."""
        begin = end - WINDOW
        before = sum(each.begin <= begin and (each.end is None or begin < each.end) for each in self._paid_periods)
        came = sum(begin < each.begin <= end for each in self._paid_periods)
        left = self._count_leavers(end)
        return None if before + came == 0 else (Decimal(left) / (before + came) * 100).quantize(_HUNDREDTH)

    def _count_leavers(self, end: datetime) -> int:
        begin = end - WINDOW
        return sum(each.end is not None and begin < each.end <= end for each in self._paid_periods)


def _amount(amounts: Mapping[str, int] | None, currency: str) -> Decimal | None:
    return None if amounts is None else to_major(amounts.get(currency, 0), currency)


def day_of(instant: datetime) -> date:
    """Return the day in Paris."""
    return instant.astimezone(TIME_ZONE).date()


def day_end(day: date) -> datetime:
    """Return the moment at which a day ends in Paris."""
    return datetime.combine(day + _DAY, time(), TIME_ZONE)


def month_start(instant: datetime, months_back: int = 0) -> datetime:
    """Return the moment at which a month began in Paris."""
    today = day_of(instant)
    year, month = divmod(today.year * 12 + today.month - 1 - months_back, 12)
    return datetime(year, month + 1, 1, tzinfo=TIME_ZONE)


def month_before(instant: datetime) -> datetime:
    """Return the same day and hour of the month before in Paris; the end of that month if it has no such day."""
    local = instant.astimezone(TIME_ZONE)
    this_month = month_start(instant)
    last_day = this_month.date() - _DAY
    if local.day > last_day.day:
        return this_month
    return datetime.combine(last_day.replace(day=local.day), local.time(), TIME_ZONE)


def missing_days(known: Mapping[date, FinanceSnapshot], today: date) -> Iterable[date]:
    """Return the days of the history about which nothing is known yet, newest first."""
    days = (today - timedelta(days=back) for back in range(1, HISTORY.days + 1))
    return (day for day in days if day not in known)
