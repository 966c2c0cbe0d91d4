"""A fact: one figure of the company, computed by our code from what a source answered, never by a model.

The names are a closed list, because a report's sentences are compared with them: what is not in the list is checked
as any other figure is, by looking for it in the data.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field

from shared.frozen import FrozenModel

COUNT: Final = "count"
PERCENT: Final = "percent"
POINTS: Final = "points"
DAYS: Final = "days"
MINUTES: Final = "minutes"
SECONDS: Final = "seconds"
MILLISECONDS: Final = "ms"
"""Units that are no money; the unit of money is its currency's ISO code, in upper case."""


class FactName(StrEnum):
    """What a fact is about. A stored name never changes its meaning: a new meaning is a new name."""

    MRR = "mrr"
    MRR_BEFORE = "mrr_30d_before"
    MRR_CHANGE = "mrr_change_30d"
    MRR_PAST_DUE = "mrr_past_due"
    NEW_MRR = "new_mrr_30d"
    EXPANDED_MRR = "expanded_mrr_30d"
    CONTRACTED_MRR = "contracted_mrr_30d"
    LOST_MRR = "lost_mrr_30d"
    NET_MRR = "net_mrr_30d"
    ARR = "arr"
    MRR_PER_SUBSCRIPTION = "mrr_per_subscription"
    REVENUE_MONTH = "revenue_month"
    REVENUE_MONTH_BEFORE = "revenue_same_days_before"
    REVENUE_DIFFERENCE = "revenue_difference_same_days"
    REVENUE_LAST_MONTH = "revenue_last_month"
    REFUNDS_MONTH = "refunds_month"
    ACTIVE_SUBSCRIPTIONS = "active_subscriptions"
    ACTIVE_SUBSCRIPTIONS_CHANGE = "active_subscriptions_change_30d"
    SUBSCRIPTIONS_NOT_VALUED = "subscriptions_not_valued"
    TRIALING = "trialing"
    CUSTOMERS = "customers"
    NEW_CUSTOMERS_MONTH = "new_customers_month"
    CHURNED_CUSTOMERS = "churned_customers_30d"
    CHURN_RATE = "churn_rate_30d"
    CHURN_RATE_CHANGE = "churn_rate_change_30d"
    OPEN_ISSUES = "open_issues"
    OPEN_PULLS = "open_pulls"
    COMMITS_WEEK = "commits_7d"
    LAST_COMMIT_AGE = "last_commit_age"
    LAST_RELEASE_AGE = "last_release_age"
    OLDEST_ISSUE_AGE = "oldest_issue_age"
    OLDEST_PULL_AGE = "oldest_pull_age"
    WORKFLOW_RUNS = "workflow_runs"
    WORKFLOW_RUNS_READ = "workflow_runs_read"
    WORKFLOW_RUNS_SUCCEEDED = "workflow_runs_succeeded"
    WORKFLOW_RUNS_FAILED = "workflow_runs_failed"
    WORKFLOW_SUCCESS_RATE = "workflow_success_rate"
    WORKFLOW_MEAN_DURATION = "workflow_mean_duration"
    OPEN_ALERTS = "open_alerts"
    CRITICAL_ALERTS = "critical_alerts"
    HIGH_ALERTS = "high_alerts"
    MEDIUM_ALERTS = "medium_alerts"
    LOW_ALERTS = "low_alerts"
    SEVERE_ALERTS = "severe_alerts"
    PLATFORMS = "platforms"
    PLATFORMS_GREEN = "platforms_green"
    PLATFORMS_AMBER = "platforms_amber"
    PLATFORMS_RED = "platforms_red"
    UPTIME = "uptime_30d"
    OUTAGE = "outage_30d"
    CHECKS = "checks_30d"
    PENDING_ACTIONS = "pending_actions"
    OLDEST_ACTION_AGE = "oldest_pending_action_age"
    OPEN_INCIDENTS = "open_incidents"
    OLDEST_INCIDENT_AGE = "oldest_open_incident_age"
    FAILED_RUNS_DAY = "failed_runs_24h"
    RUNS = "runs_30d"
    RUNS_BEFORE = "runs_30d_before"
    RUNS_COMPLETED = "runs_completed_30d"
    RUNS_FAILED = "runs_failed_30d"
    RUN_SUCCESS_RATE = "run_success_rate_30d"
    AI_COST = "ai_cost_30d"
    AI_COST_MONTH = "ai_cost_month"
    TABLES = "tables"
    TABLES_WITHOUT_RLS = "tables_without_rls"
    TABLES_WITHOUT_POLICY = "tables_without_policy"
    FUNCTIONS_OPEN_TO_ANON = "functions_open_to_anon"
    OPEN_DEALS = "open_deals"
    SIGNED_DEALS = "signed_deals"
    OPEN_OPPORTUNITIES = "open_opportunities"
    OPEN_CALLS = "open_calls"
    CALLS_DUE = "calls_due_30d"
    OPEN_SALES = "open_sales"
    ACTIVE_CAMPAIGNS = "active_campaigns"
    OPEN_TICKETS = "open_tickets"
    PAGE_VIEWS_WEEK = "page_views_7d"
    PAGE_VIEWS_WEEK_BEFORE = "page_views_7d_before"
    SESSIONS_WEEK = "sessions_7d"
    MESSAGES_WEEK = "messages_7d"
    MESSAGES_MONTH = "messages_30d"
    UNREAD_MESSAGES = "unread_messages"
    OLDEST_UNREAD_AGE = "oldest_unread_message_age"
    ACTIONS_APPROVED = "actions_approved_30d"
    ACTIONS_REJECTED = "actions_rejected_30d"
    PERSONAL_TABLES = "personal_tables"
    PERSONAL_TABLES_WITHOUT_RLS = "personal_tables_without_rls"
    PERSONAL_TABLES_OPEN = "personal_tables_open"

    @property
    def unit(self) -> str | None:
        """Return its unit; None for money, which has a currency."""
        return None if self in _MONEY else _UNITS.get(self, COUNT)


_MONEY: Final = frozenset(
    {
        FactName.MRR,
        FactName.MRR_BEFORE,
        FactName.MRR_PAST_DUE,
        FactName.NEW_MRR,
        FactName.EXPANDED_MRR,
        FactName.CONTRACTED_MRR,
        FactName.LOST_MRR,
        FactName.NET_MRR,
        FactName.ARR,
        FactName.MRR_PER_SUBSCRIPTION,
        FactName.REVENUE_MONTH,
        FactName.REVENUE_MONTH_BEFORE,
        FactName.REVENUE_DIFFERENCE,
        FactName.REVENUE_LAST_MONTH,
        FactName.REFUNDS_MONTH,
        FactName.AI_COST,
        FactName.AI_COST_MONTH,
    }
)
_UNITS: Final = {
    FactName.MRR_CHANGE: PERCENT,
    FactName.CHURN_RATE: PERCENT,
    FactName.CHURN_RATE_CHANGE: POINTS,
    FactName.LAST_COMMIT_AGE: DAYS,
    FactName.LAST_RELEASE_AGE: DAYS,
    FactName.OLDEST_ISSUE_AGE: DAYS,
    FactName.OLDEST_PULL_AGE: DAYS,
    FactName.WORKFLOW_SUCCESS_RATE: PERCENT,
    FactName.WORKFLOW_MEAN_DURATION: SECONDS,
    FactName.UPTIME: PERCENT,
    FactName.OUTAGE: MINUTES,
    FactName.OLDEST_ACTION_AGE: DAYS,
    FactName.OLDEST_INCIDENT_AGE: DAYS,
    FactName.OLDEST_UNREAD_AGE: DAYS,
    FactName.RUN_SUCCESS_RATE: PERCENT,
}
_SIGNED: Final = frozenset(
    {
        FactName.MRR_CHANGE,
        FactName.ACTIVE_SUBSCRIPTIONS_CHANGE,
        FactName.CHURN_RATE_CHANGE,
        FactName.NET_MRR,
        # What came in, less what was given back.
        FactName.REVENUE_MONTH,
        FactName.REVENUE_MONTH_BEFORE,
        FactName.REVENUE_DIFFERENCE,
        FactName.REVENUE_LAST_MONTH,
    }
)
_MOST: Final = Decimal(10) ** 12
"""Beyond it, no figure of ours is true: of a company, an amount in the weakest currency stays below."""
_WHOLE: Final = 100
_LONGEST_AGE: Final = 36_525
"""Days: what is older than a century carries a date that was never set."""


class Fact(FrozenModel):
    """One figure of the company, or of one of its platforms, at one moment."""

    name: FactName
    subject: str | None = Field(description="Key of a platform; None: the whole company.")
    value: Decimal
    unit: str = Field(description="One of this module's units, or an ISO currency code.")
    at: AwareDatetime = Field(description="The moment for which it holds.")
    source: str = Field(description="Registry name of the source.")


class Lookback(StrEnum):
    """The earlier moments that today is compared with."""

    REPORT = "report"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Change(FrozenModel):
    """How a fact differs from what it was at an earlier moment."""

    fact: Fact = Field(description="As it is now.")
    before: Decimal | None = Field(description="Its value then, in the same unit; None: of other platforms than now.")
    before_at: AwareDatetime = Field(description="When it was last seen so, before the moment.")
    lookback: Lookback = Field(Lookback.REPORT, description="The moment: the report before, or so long ago.")

    @property
    def difference(self) -> Decimal | None:
        """Return how much more it is now, in the unit of the fact; percentages differ by points."""
        return None if self.before is None else self.fact.value - self.before

    @property
    def percent(self) -> Decimal | None:
        """Return the difference relative to before; None of nothing, of what is below it, and of what is a share."""
        if self.before is None or self.before <= 0 or self.fact.value < 0 or self.fact.unit == PERCENT:
            return None
        return (self.fact.value - self.before) * 100 / self.before


def make_facts(
    values: Mapping[FactName, Decimal | float | None],
    *,
    source: str,
    at: datetime,
    subject: str | None = None,
    currency: str | None = None,
) -> tuple[Fact, ...]:
    """Make facts of the values that are known, in order; what no company can have is left out, as if never read.

    Units: money in ``currency``; without one, amounts are left out.
    """
    made = []
    for name, given in values.items():
        unit = name.unit or (currency.upper() if currency else None)
        if given is None or unit is None:
            continue
        value = Decimal(str(given))
        if _is_possible(name, value):
            made.append(Fact(name=name, subject=subject, value=value, unit=unit, at=at, source=source))
    return tuple(made)


def age_in_days(since: datetime | None, now: datetime) -> int | None:
    """Count the whole days from a moment to another; None where there is none, or it lies ahead."""
    return None if since is None or since > now else (now - since).days


def _is_possible(name: FactName, value: Decimal) -> bool:
    if not value.is_finite() or abs(value) > _MOST:
        return False
    if name in _SIGNED:
        return True
    highest = {PERCENT: _WHOLE, DAYS: _LONGEST_AGE}.get(name.unit or "", _MOST)
    return 0 <= value <= highest
