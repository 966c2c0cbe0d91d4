"""A fact: one figure of the company, computed by our code from what a source answered, never by a model.

The names are a closed list, because a report's sentences are compared with them: what is not in the list is checked
as any other figure is, by looking for it in the data.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field

from shared.frozen import FrozenModel

COUNT: Final = "count"
PERCENT: Final = "percent"
DAYS: Final = "days"
MINUTES: Final = "minutes"
MILLISECONDS: Final = "ms"
"""Units that are no money; the unit of money is its currency's ISO code, in upper case."""


class FactName(StrEnum):
    """What a fact is about. A stored name never changes its meaning: a new meaning is a new name."""

    MRR = "mrr"
    NEW_MRR = "new_mrr_30d"
    EXPANDED_MRR = "expanded_mrr_30d"
    CONTRACTED_MRR = "contracted_mrr_30d"
    LOST_MRR = "lost_mrr_30d"
    REVENUE_MONTH = "revenue_month"
    REVENUE_MONTH_BEFORE = "revenue_same_days_before"
    REVENUE_LAST_MONTH = "revenue_last_month"
    REFUNDS_MONTH = "refunds_month"
    ACTIVE_SUBSCRIPTIONS = "active_subscriptions"
    TRIALING = "trialing"
    CUSTOMERS = "customers"
    NEW_CUSTOMERS_MONTH = "new_customers_month"
    CHURN_RATE = "churn_rate_30d"
    OPEN_ISSUES = "open_issues"
    OPEN_PULLS = "open_pulls"
    COMMITS_WEEK = "commits_7d"
    WORKFLOW_RUNS = "workflow_runs"
    WORKFLOW_SUCCESS_RATE = "workflow_success_rate"
    OPEN_ALERTS = "open_alerts"
    CRITICAL_ALERTS = "critical_alerts"
    HIGH_ALERTS = "high_alerts"
    MEDIUM_ALERTS = "medium_alerts"
    LOW_ALERTS = "low_alerts"
    PLATFORMS = "platforms"
    PLATFORMS_GREEN = "platforms_green"
    PLATFORMS_AMBER = "platforms_amber"
    PLATFORMS_RED = "platforms_red"
    UPTIME = "uptime_30d"
    OUTAGE = "outage_30d"
    CHECKS = "checks_30d"
    PENDING_ACTIONS = "pending_actions"
    OPEN_INCIDENTS = "open_incidents"
    FAILED_RUNS_DAY = "failed_runs_24h"
    RUNS = "runs_30d"
    RUNS_COMPLETED = "runs_completed_30d"
    RUNS_FAILED = "runs_failed_30d"
    AI_COST = "ai_cost_30d"
    AI_COST_MONTH = "ai_cost_month"
    TABLES = "tables"
    TABLES_WITHOUT_RLS = "tables_without_rls"
    TABLES_WITHOUT_POLICY = "tables_without_policy"
    FUNCTIONS_OPEN_TO_ANON = "functions_open_to_anon"


class Fact(FrozenModel):
    """One figure of the company, or of one of its platforms, at one moment."""

    name: FactName
    subject: str | None = Field(description="Key of a platform; None: the whole company.")
    value: Decimal
    unit: str = Field(description="One of this module's units, or an ISO currency code.")
    at: AwareDatetime = Field(description="The moment for which it holds.")
    source: str = Field(description="Registry name of the source.")
