"""The twelve fields: always there, always numbers or texts that JSON and the screens can hold."""

import json
import math
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.stripe import NOW

from shared.errors import SourceNotConfigured, SourceUnavailable
from workers.finance.figures import NO_CHANGE, NO_CHURN, Figures, OtherCurrency
from workers.finance.revenue import DatedFigures
from workers.finance.stripe_objects import Remembered
from workers.stripe_kpis.contract import refuse, render

FIELDS = {
    "mrr", "mrrChange", "activeSubscriptions", "activeSubscriptionsChange", "churnRate", "churnRateChange",
    "totalCustomers", "newCustomersThisMonth", "revenueThisMonth", "revenueLastMonth", "currency", "lastUpdated",
}  # fmt: skip

amounts = st.decimals(min_value=-(10**30), max_value=10**30, places=2)
numbers = st.integers(-(10**6), 10**6)


def make_figures(**fields: Any) -> Figures:
    usual = dict.fromkeys(Figures.model_fields, 0) | {
        "read_at": NOW, "currency": "eur", "other_currencies": (), "plans": (), "unreadable": (),
        "remembered": Remembered(),
    }  # fmt: skip
    return Figures.model_validate(usual | fields)


@given(amounts, amounts, amounts, numbers)
def test_every_field_is_a_finite_number_or_a_text(mrr: Decimal, change: Decimal, revenue: Decimal, count: int) -> None:
    figures = make_figures(
        mrr=mrr, mrr_change_percent=change, revenue_this_month=revenue, active_subscriptions_change=count
    )

    kpis = json.loads(json.dumps(render(DatedFigures(figures)), allow_nan=False))["kpis"]

    assert set(kpis) == FIELDS
    assert all(math.isfinite(kpis[name]) for name in FIELDS - {"currency", "lastUpdated"})
    assert (kpis["currency"], kpis["lastUpdated"]) == ("eur", NOW.isoformat())


def test_minus_nothing_is_nothing() -> None:
    body: Any = render(DatedFigures(make_figures(mrr_change_percent=Decimal("-0.00"))))

    assert str(body["kpis"]["mrrChange"]) == "0.0"


def test_old_figures_say_so_with_their_own_date() -> None:
    why = SourceUnavailable("503", sentence="Stripe ne répond pas.")

    body = render(DatedFigures(make_figures(), why))

    assert body["stale"] is True
    assert body["notice"] == (
        "Stripe ne répond pas. Derniers chiffres connus : dimanche 22 novembre 2026 à 16 h 00 (heure de Paris)."
    )


def test_what_is_beside_the_main_currency_is_told_beside_it() -> None:
    other = OtherCurrency(
        currency="usd", mrr=Decimal("39.00"), revenue_this_month=Decimal(1), revenue_last_month=Decimal(2)
    )

    body: Any = render(DatedFigures(make_figures(other_currencies=(other,), not_computable=2, trialing=3)))

    assert body["details"] == {
        "mrrPastDue": 0.0,
        "trialing": 3,
        "notComputable": 2,
        "otherCurrencies": [{"currency": "usd", "mrr": 39.0, "revenueThisMonth": 1.0, "revenueLastMonth": 2.0}],
    }


def test_a_number_that_stands_for_a_missing_one_is_named_with_its_reason() -> None:
    body: Any = render(DatedFigures(make_figures(mrr_change_percent=None, churn_rate=None, churn_rate_change=None)))

    assert (body["kpis"]["mrrChange"], body["kpis"]["churnRate"], body["kpis"]["churnRateChange"]) == (0, 0, 0)
    assert body["details"]["absent"] == [
        {"kpi": "mrrChange", "sentence": NO_CHANGE},
        {"kpi": "churnRate", "sentence": NO_CHURN},
        {"kpi": "churnRateChange", "sentence": NO_CHURN},
    ]
    assert NO_CHANGE.startswith("Pas d'évolution en pourcentage")
    whole: Any = render(DatedFigures(make_figures()))
    assert "absent" not in whole["details"]


def test_no_figures_are_no_figures() -> None:
    assert refuse(SourceNotConfigured("no key", sentence="La clé manque.")) == {
        "success": False,
        "error": "La clé manque.",
        "error_code": "source_not_configured",
    }
