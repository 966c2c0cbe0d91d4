"""The parts of Stripe's objects that we read, and nothing else: a field that we do not use cannot surprise us."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from pydantic import AwareDatetime, Field

from shared.frozen import FrozenModel

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Stripe bills within about an hour after a trial; a subscription that stopped sooner brought no money.
_FIRST_BILL: Final = timedelta(hours=1)
# A trial that begins with the subscription starts at the moment of its creation, or seconds later.
_SAME_MOMENT: Final = timedelta(minutes=1)


class Tier(FrozenModel):
    """One step of a tiered price; amounts in the smallest unit of the currency."""

    up_to: int | None = None
    flat_amount_decimal: Decimal | None = None
    unit_amount_decimal: Decimal | None = None


class Recurring(FrozenModel):
    """How often a price is billed."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: int = Field(1, ge=1)
    usage_type: str = "licensed"


class TransformQuantity(FrozenModel):
    """A price per package."""

    divide_by: int = Field(ge=1)
    round: Literal["up", "down"]


class Price(FrozenModel):
    """A price, in its subscription's currency if it has an amount in it; tiers are read separately."""

    id: str
    currency: str
    nickname: str | None = None
    product: str | None = None
    billing_scheme: str = "per_unit"
    unit_amount_decimal: Decimal | None = None
    tiers_mode: str | None = None
    tiers: tuple[Tier, ...] | None = None
    recurring: Recurring | None = None
    transform_quantity: TransformQuantity | None = None


class CurrencyOption(FrozenModel):
    """A price in a currency other than its own."""

    unit_amount_decimal: Decimal | None = None
    tiers: tuple[Tier, ...] | None = None
    tax_behavior: str | None = None


class PriceDetails(FrozenModel):
    """The details of a price that a list does not show."""

    tiers: tuple[Tier, ...] = ()
    currency_options: Mapping[str, CurrencyOption] = Field(default_factory=dict)


class Coupon(FrozenModel):
    """What a discount takes off."""

    id: str
    duration: str
    percent_off: Decimal | None = None
    amount_off: int | None = None
    currency: str | None = None
    products: frozenset[str] | None = None
    created: int = 0
    amounts_off: Mapping[str, int] = Field(default_factory=dict, description="In other currencies than its own.")

    def within(self, currency: str) -> "Coupon":
        """Return the coupon as it applies to a subscription in a currency."""
        amount = self.amounts_off.get(currency)
        if self.amount_off is None or self.currency == currency or amount is None:
            return self
        return self.model_copy(update={"amount_off": amount, "currency": currency})


class Discount(FrozenModel):
    """A coupon applied from one moment to another; without a coupon, a discount that could not be read."""

    start: AwareDatetime
    end: AwareDatetime | None = None
    coupon: Coupon | None = None


class Item(FrozenModel):
    """One line of a subscription."""

    price: Price
    quantity: int | None = None
    discounts: tuple[Discount, ...] = ()
    included_tax: Fraction | None = Field(
        Fraction(0), description="The tax within the price, as a part of what is left without it; None: not known."
    )
    trial_start: AwareDatetime | None = None
    trial_end: AwareDatetime | None = None


class Subscription(FrozenModel):
    """A subscription, whatever its status."""

    id: str
    customer: str
    status: str
    currency: str
    started_at: AwareDatetime
    created_at: AwareDatetime | None = None
    trial_start: AwareDatetime | None = None
    trial_end: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = Field(None, description="When it fell to paused or unpaid, where that is known.")
    ended_at: AwareDatetime | None = None
    items: tuple[Item, ...]
    discounts: tuple[Discount, ...] = ()

    @property
    def pays(self) -> bool:
        """Return whether it brings money now, late payers included."""
        return self.status in {"active", "past_due"}

    @property
    def pays_from(self) -> datetime:
        """Return when it began to bring money: after its initial trial, if it had one."""
        if self.trial_end is None or self._has_inner_trial:
            return self.started_at
        return max(self.started_at, self.trial_end)

    @property
    def left_at(self) -> datetime | None:
        """Return when it stopped bringing money, for good or until further notice; None if it has not, or unknown."""
        moments = [each for each in (self.stopped_at, self.ended_at) if each is not None]
        return min(moments, default=None)

    @property
    def was_subscribed(self) -> bool:
        """Return whether it made its customer a subscriber at some time, and Stripe's dates say when."""
        match self.status:
            case "active" | "past_due":
                known = True
            case "trialing":
                known = self.trial_end is not None
            case "canceled" | "paused" | "unpaid":
                known = self.left_at is not None
            case _:
                known = False
        return known and (self.left_at is None or self.left_at > self.pays_from + self._unbilled)

    def paid_at(self, moment: datetime) -> bool:
        """Return whether it brought money at a past moment, as far as is known; a trial brings none."""
        if not self.was_subscribed or moment < self.pays_from:
            return False
        if self.left_at is not None and moment >= self.left_at:
            return False
        return not (
            self._has_inner_trial
            and self.trial_start is not None
            and self.trial_end is not None
            and self.trial_start <= moment < self.trial_end
        )

    @property
    def _has_inner_trial(self) -> bool:
        """Return whether its trial was given while it was running, like a free month: the customer stays subscribed."""
        begin = max(self.started_at, self.created_at or self.started_at)
        return self.trial_end is not None and self.trial_start is not None and self.trial_start > begin + _SAME_MOMENT

    @property
    def _unbilled(self) -> timedelta:
        return _FIRST_BILL if self.trial_end is not None and not self._has_inner_trial else timedelta(0)


class Remembered(FrozenModel):
    """What one reading found and a later one may no longer find; stored with the figures of the day."""

    read_at: AwareDatetime | None = None
    coupons: tuple[Coupon, ...] = Field((), description="Those at work: a deleted one goes on working.")
    stopped: Mapping[str, AwareDatetime | None] = Field(
        default_factory=dict, description="By subscription that is paused or unpaid: since when, if that is known."
    )


class Accounts(FrozenModel):
    """Everything that one reading of Stripe returned; sums of money in the smallest unit, by currency."""

    read_at: AwareDatetime
    subscriptions: tuple[Subscription, ...]
    customers: int
    new_customers: int
    revenue_this_month: dict[str, int]
    revenue_last_month: dict[str, int]
    revenue_same_days: dict[str, int] | None = Field(None, description="Of last month, up to this day and hour.")
    refunds_this_month: dict[str, int] | None = Field(None, description="What was given back, as positive amounts.")
    remembered: Remembered = Remembered()
    unreadable: tuple[str, ...] = Field((), description="The objects that are left out because they could not be read.")


def moment(seconds: int) -> datetime:
    """Turn Stripe's seconds into a time. Raises: OverflowError, TypeError."""
    return _EPOCH + timedelta(seconds=seconds)
