"""The answer of the edge function, as the screens read it: twelve fields, all of them numbers or texts, always."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from shared.errors import SourceError
from shared.french import format_moment
from workers.finance.figures import NO_CHANGE, NO_CHURN, Figures
from workers.finance.revenue import DatedFigures


def render(revenue: DatedFigures) -> dict[str, JsonValue]:
    """Render figures; besides the twelve fields, what they leave out, and their age if they are stale."""
    figures = revenue.figures
    body: dict[str, JsonValue] = {
        "success": True,
        "mock": False,
        "stale": revenue.stale_because is not None,
        "kpis": _render_kpis(figures),
        "details": {
            "mrrPastDue": _number(figures.mrr_past_due),
            "trialing": figures.trialing,
            "notComputable": figures.not_computable,
            "otherCurrencies": [
                {
                    "currency": other.currency,
                    "mrr": _number(other.mrr),
                    "revenueThisMonth": _number(other.revenue_this_month),
                    "revenueLastMonth": _number(other.revenue_last_month),
                }
                for other in figures.other_currencies
            ],
            **_render_gaps(figures),
        },
    }
    if revenue.stale_because is not None:
        body["notice"] = (
            f"{revenue.stale_because.sentence} Derniers chiffres connus : {format_moment(figures.read_at)}."
        )
    return body


def refuse(error: SourceError) -> dict[str, JsonValue]:
    """Render why there are no figures: the screen shows the sentence, and a dash where a figure would be."""
    return {"success": False, "error": error.sentence, "error_code": error.code}


def _render_kpis(figures: Figures) -> dict[str, JsonValue]:
    return {
        "mrr": _number(figures.mrr),
        "mrrChange": _number(figures.mrr_change_percent or _NOTHING),
        "activeSubscriptions": figures.active_subscriptions,
        "activeSubscriptionsChange": figures.active_subscriptions_change,
        "churnRate": _number(figures.churn_rate or _NOTHING),
        "churnRateChange": _number(figures.churn_rate_change or _NOTHING),
        "totalCustomers": figures.customers,
        "newCustomersThisMonth": figures.new_customers_this_month,
        "revenueThisMonth": _number(figures.revenue_this_month),
        "revenueLastMonth": _number(figures.revenue_last_month),
        "currency": figures.currency,
        "lastUpdated": figures.read_at.isoformat(),
    }


_NOTHING: Final = Decimal(0)
_MOST: Final = Decimal(10) ** 15


def _render_gaps(figures: Figures) -> dict[str, JsonValue]:
    """Render what is missing, if anything is."""
    absent: list[JsonValue] = [{"kpi": kpi, "sentence": sentence} for kpi, sentence in _find_absent(figures)]
    gaps: dict[str, JsonValue] = {"absent": absent, "unreadable": list(figures.unreadable)}
    return {name: missing for name, missing in gaps.items() if missing}


def _find_absent(figures: Figures) -> Iterator[tuple[str, str]]:
    """Yield the fields whose number stands for a missing value: the screens cannot do without a number."""
    if figures.mrr_change_percent is None:
        yield "mrrChange", NO_CHANGE
    if figures.churn_rate is None:
        yield "churnRate", NO_CHURN
    if figures.churn_rate_change is None:
        yield "churnRateChange", NO_CHURN


def _number(amount: Decimal) -> float:
    """Turn an exact amount into a JSON number: finite, and never negative zero."""
    bounded = max(-_MOST, min(amount, _MOST))
    return float(bounded) + 0.0
