"""The bars of the evals, on a part of what `make evals` measures; the whole is among the slow tests."""

import pytest

from evals.bars import Row, measure_corpus, measure_digits, measure_good, measure_spoiled
from evals.corpus import read_corpus


def missed(rows: list[Row]) -> list[tuple[str, int, int, tuple[str, ...]]]:
    return [(row.what, row.count, row.total, row.misses) for row in rows if not row.holds]


def test_the_corpus_is_large_and_varied() -> None:
    reports = list(read_corpus())

    assert len(reports) >= 40
    assert len({report.grounds.run_type.key for report in reports}) >= 15
    assert len({report.text for report in reports}) == len(reports)


def test_honest_reports_are_left_alone() -> None:
    assert missed(list(measure_corpus())) == []


def test_good_answers_and_harmless_variants_are_not_troubled() -> None:
    assert missed(list(measure_good())) == []


def test_every_sort_of_spoiled_answer_is_caught() -> None:
    rows = list(measure_spoiled(types_each=1, every=6))

    assert missed(rows) == []
    assert len(rows) > 25


def test_a_changed_digit_is_caught() -> None:
    rows = list(measure_digits(every=5))

    assert missed(rows) == []
    assert all(row.total for row in rows[:2])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_the_bars_hold_on_everything() -> None:
    assert missed([*measure_digits(), *measure_spoiled()]) == []
