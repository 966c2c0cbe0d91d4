"""What may be a fact: a figure that a company can have, in the unit of its name."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.fact_labels import FACT_LABELS, format_difference, format_value
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


def test_every_fact_has_a_french_name_of_its_own() -> None:
    assert set(FACT_LABELS) == set(FactName)
    assert len(set(FACT_LABELS.values())) == len(FACT_LABELS)


def test_values_and_differences_read_as_french_does() -> None:
    assert format_value(Decimal(1234), COUNT).replace("\u202f", " ") == "1 234"
    assert format_value(Decimal("99.950"), PERCENT).replace("\xa0", " ") == "99,95 %"
    assert format_value(Decimal(1), DAYS) == "1 jour"
    assert format_value(Decimal("3046.4"), "EUR").replace("\u202f", " ").replace("\xa0", " ") == "3 046,40 EUR"
    assert format_value(Decimal("0.0416"), "EUR").replace("\xa0", " ") == "0,0416 EUR"
    assert format_difference(Decimal("-0.05"), PERCENT) == "-0,05 point"
    assert format_difference(Decimal(3), COUNT) == "+3"
    assert format_difference(Decimal(0), COUNT) == "0"
    assert format_difference(Decimal(12), "JPY").replace("\xa0", " ") == "+12 JPY"
