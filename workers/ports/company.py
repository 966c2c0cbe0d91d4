"""What is stored about the company day by day: its earnings and its sites."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from pydantic import AwareDatetime, Field, JsonValue

from shared.frozen import FrozenModel
from workers.ports.inspection import CheckState


class FinanceSnapshot(FrozenModel):
    """What the company earned on one day, Paris time: measured that day, or derived later from Stripe's dates."""

    day: date
    taken_at: AwareDatetime
    measured: bool
    currency: str
    mrr: Decimal
    active_subscriptions: int
    churn_rate: Decimal = Field(description="Percent of the subscribers, over the thirty days that end there.")
    figures: dict[str, JsonValue] | None = Field(
        default=None, description="All figures of that day, if it was measured."
    )


class FinanceHistory(Protocol):
    """The company's earnings, day by day."""

    async def read(self, since: date, *, figures_since: date) -> Sequence[FinanceSnapshot]:
        """Read the days from ``since`` on, newest first; all figures of a day only from ``figures_since`` on.

        Raises: BackendError.
        """

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        """Store days: a measured one replaces what is stored for its day, any other only fills a gap. Idempotent.

        Raises: BackendError.
        """


class SiteCheck(FrozenModel):
    """How a platform's site answered one check."""

    platform_key: str
    url: str
    status: CheckState
    status_code: int | None
    response_ms: int | None
    reason: str | None = Field(description="French: what is wrong, if something is.")
    checked_at: AwareDatetime


class SiteLog(Protocol):
    """Stores the checks of sites, from which the platforms' state and uptime follow."""

    async def record_checks(self, checks: Sequence[SiteCheck]) -> None:
        """Store checks and what follows from them. Raises: BackendError."""
