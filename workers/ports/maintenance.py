"""What is checked because cron or a page asks, without a run."""

from typing import Protocol

from shared.frozen import FrozenModel


class BudgetCheck(FrozenModel):
    """The month's AI budget, and whether this check was the one that warned of it."""

    monthly_cost_eur: float
    monthly_target_eur: float
    pct_used: float
    is_alert: bool
    alert_sent: bool


class PushTriggers(FrozenModel):
    """What the last look counted that people should know, and how much of it that look announced."""

    failed_runs: int
    red_platforms: int
    stale_approvals: int
    sent: int


class Maintenance(Protocol):
    """Checks in the database, each of which may be repeated."""

    async def check_budget(self) -> BudgetCheck:
        """Compare the month's cost with its budget, and warn of it once a day. Raises: BackendError."""

    async def look_for_push_triggers(self) -> PushTriggers:
        """Look at what people should know, at most once a minute. Raises: BackendError."""
