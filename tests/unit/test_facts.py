"""What may be a fact: a figure that a company can have, in the unit of its name."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.facts import COUNT, DAYS, MINUTES, PERCENT, POINTS, SECONDS, FactName, age_in_days, make_facts

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@given(st.sampled_from(FactName), st.none() | st.floats() | st.decimals() | st.integers())
def test_no_impossible_value_becomes_a_fact(name: FactName, given_value: Decimal | float | None) -> None:
    made = make_facts({name: given_value}, source="stripe", at=NOW, currency="eur")

    for fact in made:
        assert fact.value == Decimal(str(given_value))
        assert fact.value.is_finite()
        assert abs(fact.value) <= 10**12
        assert fact.unit in {COUNT, PERCENT, POINTS, DAYS, MINUTES, SECONDS, "EUR"}


def test_a_share_is_a_part_of_a_whole_and_a_count_is_not_negative() -> None:
    values: dict[FactName, Decimal | float | None] = {
        FactName.UPTIME: Decimal("100.01"),
        FactName.OPEN_ISSUES: -1,
        FactName.CHURN_RATE: float("nan"),
        FactName.LAST_COMMIT_AGE: 40_000,
        FactName.MRR: Decimal(-1),
    }

    assert make_facts(values, source="platforms", at=NOW, currency="eur") == ()


def test_changes_and_net_revenue_may_be_negative() -> None:
    values = {FactName.MRR_CHANGE: Decimal("-250.5"), FactName.REVENUE_MONTH: Decimal(-3)}

    made = make_facts(values, source="stripe", at=NOW, currency="eur")

    assert [(fact.value, fact.unit) for fact in made] == [(Decimal("-250.5"), PERCENT), (Decimal(-3), "EUR")]


def test_an_amount_without_a_currency_is_no_fact() -> None:
    assert make_facts({FactName.MRR: 100}, source="stripe", at=NOW) == ()


def test_an_age_counts_whole_days_and_never_runs_ahead() -> None:
    assert age_in_days(NOW - timedelta(days=2, hours=23), NOW) == 2
    assert age_in_days(NOW + timedelta(seconds=1), NOW) is None
    assert age_in_days(None, NOW) is None
