"""Laws of « Calculs du QG » for any facts."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.fact_labels import format_value
from shared.facts import COUNT, MINUTES, Fact, FactName, make_facts
from shared.findings import Collected, Finding
from workers.executive_run.calculations import CALCULATIONS_CHARS, CALCULATIONS_LINES, calculate
from workers.ports import Platform

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
KEYS = tuple(f"p{n}" for n in range(8))
CURRENCIES = ("EUR", "USD", "JPY")

amounts = st.decimals(min_value=0, max_value=10**6, places=2)
facts = st.builds(
    lambda name, subject, value, currency, minutes, source: make_facts(
        {name: value}, source=source, at=NOW - timedelta(minutes=minutes), subject=subject, currency=currency
    ),
    st.sampled_from(FactName),
    st.sampled_from((None, *KEYS)),
    amounts | st.integers(0, 500),
    st.sampled_from(CURRENCIES),
    st.integers(0, 300),
    st.sampled_from(("github", "stripe", "platforms")),
)
findings = st.lists(facts, max_size=150).map(
    lambda found: [
        Finding(source="github", label=f"Source {n}", text="", facts=made, read_at=NOW) for n, made in enumerate(found)
    ]
)
platforms = st.integers(0, len(KEYS)).map(
    lambda count: tuple(Platform(key=key, name=f"Plateforme {key}", status="green") for key in KEYS[:count])
)


def known(found: list[Finding], name: FactName, subject: str | None) -> list[Fact]:
    return [fact for finding in found for fact in finding.facts if (fact.name, fact.subject) == (name, subject)]


@given(findings, platforms)
def test_a_total_is_the_sum_over_all_platforms_and_nothing_else(
    found: list[Finding], managed: tuple[Platform, ...]
) -> None:
    for fact in calculate(Collected(findings=tuple(found)), platforms=managed, now=NOW).facts:
        if fact.unit not in {COUNT, MINUTES}:
            continue
        assert known(found, fact.name, None) == []
        latest = [
            max(known(found, fact.name, each.key), key=lambda one: (one.at, one.source, one.value)) for each in managed
        ]
        slow = Decimal(0)
        for each in latest:
            slow += each.value
        assert fact.value == slow


@given(findings, platforms)
def test_currencies_do_not_touch(found: list[Finding], managed: tuple[Platform, ...]) -> None:
    """What is computed in one currency is the same when the others are not there."""
    everything = calculate(Collected(findings=tuple(found)), platforms=managed, now=NOW)
    assert all(fact.unit in CURRENCIES for fact in everything.facts if fact.name.unit is None)
    for currency in CURRENCIES:
        alone = tuple(
            finding.model_copy(
                update={"facts": tuple(f for f in finding.facts if f.unit == currency or f.name.unit is not None)}
            )
            for finding in found
        )
        computed = {f for f in everything.facts if f.unit == currency}

        assert computed <= set(calculate(Collected(findings=alone), platforms=managed, now=NOW).facts)


@given(findings, platforms, st.randoms(use_true_random=False))
def test_it_is_bounded_whole_and_the_same_in_any_order(
    found: list[Finding], managed: tuple[Platform, ...], order: random.Random
) -> None:
    calculations = calculate(Collected(findings=tuple(found)), platforms=managed, now=NOW)
    shuffled = order.sample(found, len(found))

    assert len(calculations.text) <= CALCULATIONS_CHARS
    assert len(calculations.text.splitlines()) <= CALCULATIONS_LINES
    for fact in calculations.facts:
        assert format_value(fact.value, fact.unit) in calculations.text
    again = calculate(Collected(findings=tuple(shuffled)), platforms=managed, now=NOW)
    assert (again.text, again.facts) == (calculations.text, calculations.facts)


@given(findings, platforms)
def test_nothing_is_computed_from_a_conflict(found: list[Finding], managed: tuple[Platform, ...]) -> None:
    calculations = calculate(Collected(findings=tuple(found)), platforms=managed, now=NOW)

    disputed = {(conflict.facts[0].name, conflict.facts[0].subject) for conflict in calculations.conflicts}
    for conflict in calculations.conflicts:
        one, other = conflict.facts
        assert (one.name, one.subject, one.unit) == (other.name, other.subject, other.unit)
        assert one.source != other.source
        assert one.value != other.value
    keys = {each.key for each in managed}
    totals = {fact.name for fact in calculations.facts if fact.unit in {COUNT, MINUTES}}
    assert not {name for name, subject in disputed if subject in keys} & totals
