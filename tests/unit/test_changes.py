"""What changed since an earlier moment: within one unit and one set of platforms, or not at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.facts import COUNT, MINUTES, PERCENT, Fact, FactName, Lookback
from workers.executive_run.changes import (
    CHANGES_CHARS,
    MOST_FACTS,
    describe_change,
    find_changes,
    record_facts,
    render_changes,
    scope_of,
)
from workers.ports import EarlierFact

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
KEYS = ("med-mng", "nearvity")


def _fact(name: FactName = FactName.MRR, value: str = "3046.46", unit: str = "EUR", **fields: object) -> Fact:
    given_fields = {"name": name, "value": value, "unit": unit, "subject": None, "at": NOW, "source": "stripe"}
    return Fact.model_validate(given_fields | fields)


def _earlier(fact: Fact, value: str, lookback: Lookback = Lookback.REPORT, **fields: object) -> EarlierFact:
    span = {Lookback.WEEK: timedelta(days=7), Lookback.MONTH: timedelta(days=30)}.get(lookback, timedelta(days=1))
    taken = fact.model_dump(exclude={"at", "value"}) | {"scope": scope_of(fact, KEYS), "at": NOW - span}
    return EarlierFact.model_validate(taken | {"lookback": lookback, "value": value} | fields)


def _render(fact: Fact, *earlier: EarlierFact, keys: tuple[str, ...] = KEYS, platform_key: str | None = None) -> str:
    return render_changes(find_changes([fact], earlier, platform_keys=keys, platform_key=platform_key))


def test_a_change_says_both_values_the_difference_and_the_day() -> None:
    issues = _fact(FactName.OPEN_ISSUES, "12", COUNT, subject="nearvity", source="github")

    assert _render(issues, _earlier(issues, "9"), _earlier(issues, "14", Lookback.WEEK)) == (
        "Depuis le rapport précédent :\n"
        "- tickets ouverts [nearvity] : 12, soit +3 (+33,3 %), contre 9 le 23 novembre 2026\n"
        "En 7 jours :\n"
        "- tickets ouverts [nearvity] : 12, soit -2 (-14,3 %), contre 14 le 17 novembre 2026"
    )


@pytest.mark.parametrize(
    ("name", "value", "unit", "before", "said"),
    [
        (FactName.MRR, "3046.4", "EUR", "3000", "3 046,40 EUR, soit +46,40 EUR (+1,5 %), contre 3 000,00 EUR"),
        (FactName.UPTIME, "99.95", PERCENT, "100", "99,95 %, soit -0,05 point, contre 100 %"),
        (FactName.OUTAGE, "1", MINUTES, "0", "1 minute, soit +1 minute, contre 0 minute"),
    ],
)
def test_every_unit_is_written_as_french_readers_do(
    name: FactName, value: str, unit: str, before: str, said: str
) -> None:
    fact = _fact(name, value, unit)

    assert said in _render(fact, _earlier(fact, before)).replace("\xa0", " ").replace("\u202f", " ")


def test_a_change_from_next_to_nothing_has_no_percent() -> None:
    fact = _fact(value="1000000000000")

    assert "%" not in _render(fact, _earlier(fact, "1E-20"))


def test_what_did_not_change_is_not_listed() -> None:
    fact = _fact()

    assert _render(fact, _earlier(fact, "3046.460")) == ""


@pytest.mark.parametrize("odd", [{"unit": "USD"}, {"subject": "nearvity"}, {"source": "other"}, {"name": "customers"}])
def test_only_the_same_fact_in_the_same_unit_from_the_same_source_is_compared(odd: dict[str, object]) -> None:
    fact = _fact()

    assert _render(fact, _earlier(fact, "1", Lookback.REPORT, **odd)) == ""


@pytest.mark.parametrize(
    ("lookback", "age", "compared"),
    [
        (Lookback.DAY, timedelta(hours=24 + 36), True),
        (Lookback.DAY, timedelta(hours=24 + 36, seconds=1), False),
        (Lookback.WEEK, timedelta(days=7, hours=-36), True),
        (Lookback.WEEK, timedelta(days=5), False),
        (Lookback.REPORT, timedelta(days=40), True),
        (Lookback.REPORT, timedelta(0), False),
        (Lookback.DAY, timedelta(hours=-1), False),
    ],
)
def test_a_value_that_is_too_far_from_the_moment_is_not_compared(
    lookback: Lookback, age: timedelta, *, compared: bool
) -> None:
    fact = _fact()
    assert bool(_render(fact, _earlier(fact, "1", lookback, at=NOW - age))) is compared


def test_another_set_of_platforms_is_not_compared_and_says_so() -> None:
    total = _fact(FactName.OPEN_ISSUES, "12", COUNT, source="github")
    money = _fact()

    assert "périmètre changé" in _render(total, _earlier(total, "9"), keys=(*KEYS, "new"))
    assert "soit +3" in _render(total, _earlier(total, "9"), keys=tuple(reversed(KEYS)))
    assert "périmètre changé" not in _render(money, _earlier(money, "9"), keys=(*KEYS, "new"))


def test_what_the_report_on_one_platform_counts_is_never_taken_for_the_company() -> None:
    total = _fact(FactName.OPEN_ISSUES, "12", COUNT, source="github")

    assert _render(total, _earlier(total, "9"), platform_key="nearvity") == ""
    assert record_facts([total], platform_keys=["nearvity"], platform_key="nearvity") is None


def test_facts_ride_as_one_row_of_evidence_each_of_them_once_and_200_at_most() -> None:
    facts = [_fact(subject=f"p{n}") for n in range(300)] + [_fact(value="1", subject="p0")]

    record = record_facts(facts, platform_keys=KEYS, platform_key=None)

    assert record is not None
    assert record.evidence_type == "facts"
    rows = record.data["facts"]
    assert isinstance(rows, list)
    assert len(rows) == MOST_FACTS
    assert rows[0] == {
        "name": "mrr",
        "subject": "p0",
        "value": "3046.46",
        "unit": "EUR",
        "at": "2026-11-24T08:00:00+00:00",
        "source": "stripe",
        "scope": "",
    }


def test_of_too_many_facts_those_of_a_platform_go_first() -> None:
    facts = [*(_fact(subject=f"p{n}") for n in range(300)), _fact(), _fact(FactName.CUSTOMERS, "7", COUNT)]

    record = record_facts(facts, platform_keys=KEYS, platform_key=None)

    assert record is not None
    rows = record.data["facts"]
    assert isinstance(rows, list)
    assert len(rows) == MOST_FACTS
    assert [row["subject"] for row in rows[:3] if isinstance(row, dict)] == [None, None, "p0"]


@given(st.decimals(-(10**9), 10**9, places=4), st.decimals(-(10**9), 10**9, places=4), st.sampled_from(Lookback))
def test_a_difference_added_to_what_was_is_what_is(now: Decimal, before: Decimal, lookback: Lookback) -> None:
    fact = _fact(value=str(now))

    changes = find_changes([fact], [_earlier(fact, str(before), lookback)], platform_keys=KEYS, platform_key=None)

    assert bool(changes) is (now != before)
    for change in changes:
        assert change.difference is not None
        assert before + change.difference == now
        assert change.percent is None or (change.percent > 0) is (now > before)
        assert "\n" not in describe_change(change)


def test_the_block_is_bounded() -> None:
    facts = [_fact(subject=f"plateforme-{n}") for n in range(200)]
    earlier = [_earlier(fact, "1", lookback) for fact in facts for lookback in Lookback]

    rendered = render_changes(find_changes(facts, earlier, platform_keys=KEYS, platform_key=None))

    assert CHANGES_CHARS - 200 < len(rendered) <= CHANGES_CHARS
