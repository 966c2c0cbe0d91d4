"""What is read of Stripe's objects, and nothing else: a field that we do not use cannot surprise us."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field

from shared.frozen import FrozenModel


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
    """A price; of a tiered one the tiers are read apart."""

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


class Coupon(FrozenModel):
    """What a discount takes off."""

    id: str
    duration: str
    percent_off: Decimal | None = None
    amount_off: int | None = None
    currency: str | None = None
    products: frozenset[str] | None = None


class Discount(FrozenModel):
    """A coupon at work, from a moment to another; without a coupon it is one that could not be read."""

    start: AwareDatetime
    end: AwareDatetime | None = None
    coupon: Coupon | None = None


class Item(FrozenModel):
    """One line of a subscription."""

    price: Price
    quantity: int | None = None
    discounts: tuple[Discount, ...] = ()


class Subscription(FrozenModel):
    """A subscription, whatever became of it."""

    id: str
    customer: str
    status: str
    currency: str
    started_at: AwareDatetime
    trial_end: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    items: tuple[Item, ...]
    discounts: tuple[Discount, ...] = ()

    @property
    def pays_from(self) -> datetime:
        """Return when it began to bring money: after its trial, if it had one."""
        return max(self.started_at, self.trial_end or self.started_at)

    @property
    def pays(self) -> bool:
        """Whether it brings money now, late payers included."""
        return self.status in {"active", "past_due"}

    def paid_at(self, moment: datetime) -> bool:
        """Return whether it brought money at a moment of the past, as far as Stripe still knows.

        When a subscription fell to unpaid or paused is not known, so those never count, nor do those never paid.
        """
        if not (self.pays or (self.status == "canceled" and self.ended_at is not None)):
            return False
        return self.pays_from <= moment and (self.ended_at is None or moment < self.ended_at)


class Accounts(FrozenModel):
    """Everything that one reading of Stripe returned; sums of money in the smallest unit, by currency."""

    read_at: AwareDatetime
    subscriptions: tuple[Subscription, ...]
    customers: int
    new_customers: int
    revenue_this_month: dict[str, int]
    revenue_last_month: dict[str, int]


def moment(seconds: int) -> datetime:
    """Turn Stripe's seconds into a time."""
    return datetime.fromtimestamp(seconds, tz=UTC)
